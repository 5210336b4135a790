"""How a large knowledge base behaves: recall, latency, how soon a change is served, opening and memory.

The knowledge base is generated (``generated_knowledge.py``) and written by the product's own writer; it is searched as
the desk searches it, except that the questions were embedded before.  A desk in a process of its own shows how soon it
answers from what is published here.  Where the settings name an engine for vectors, it has them, and forgets them at
the end.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import numpy as np
import psutil

from eval.bench.large.generated_knowledge import Sample, generated_question, write_generated
from ingest.chunking import chunker_version
from ingest.golden import GoldenQuestion
from ingest.lock import writer_lock
from ingest.pipeline import ingest
from ingest.publish import write_index
from rag.protocols import Embedder, FloatMatrix, QueryVectors
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.index_builder import IndexLimits
from rag.retrieval.query import Query
from rag.retrieval.retriever import Retriever, search_view
from rag.retrieval.vector_engine import engine_of
from rag.schema import Language
from rag.settings import Settings
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import DATABASE_NAME, KnowledgeStore, engine_owner
from rag.storage.writer import KnowledgeWriter
from rag.tracing import Percentiles, Trace

_ASKED_EVERY_SECONDS = 0.02
_GIVE_UP_SECONDS = 120.0

OpenEmbedder = Callable[[Settings], Embedder]

NEIGHBOURS = 10
_CHANGES = 5
_WARMING_QUESTIONS = 20
_COMPARED_AT_ONCE = 50_000
_SAMPLE_NAME = "large-sample"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class OpeningCost:
    """How long it took to open the knowledge base, and by how many megabytes the process grew."""

    seconds: float
    megabytes: float


class Desk:
    """Asks the same question again and again until a text is in the first passage.  A context manager."""

    def __init__(self, settings: Settings, open_embedder: OpenEmbedder) -> None:
        context = multiprocessing.get_context("spawn")
        self._own, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, settings, open_embedder), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._own.send(None)
        self._process.join(_GIVE_UP_SECONDS)

    def opened(self) -> OpeningCost:
        """Return what opening took, once."""
        found: OpeningCost = self._own.recv()
        return found

    def ask(self, question: str, language: Language, text: str) -> None:
        """Let it ask from now on, until ``text`` is in the first passage."""
        self._own.send((question, language, text))

    def answered_at(self) -> float:
        """Return when that was, in seconds of ``time.time``.  Raises ``TimeoutError`` after two minutes."""
        if not self._own.poll(_GIVE_UP_SECONDS):
            raise TimeoutError("the desk has not seen the change")
        at: float = self._own.recv()
        return at


def _serve(pipe: Connection, settings: Settings, open_embedder: OpenEmbedder) -> None:
    embedder = open_embedder(settings)
    store = KnowledgeStore(settings.knowledge_dir)
    process = psutil.Process()
    before, began_at = process.memory_info().rss, time.perf_counter()
    view = GenerationView.open(store, store.require_generation(), embedder.model_id, engine=engine_of(settings))
    seconds = time.perf_counter() - began_at
    pipe.send(OpeningCost(seconds, (process.memory_info().rss - before) / 1e6))
    del view
    retriever = Retriever(store, embedder, settings)
    while (asked := pipe.recv()) is not None:
        question, language, text = asked
        while True:
            chunks = retriever.retrieve(question, language, Trace()).chunks
            if chunks and text in chunks[0].chunk.text:
                break
            time.sleep(_ASKED_EVERY_SECONDS)
        pipe.send(time.time())
    store.close()


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its vectors, so that only the search is timed."""

    text: str
    language: Language
    vectors: QueryVectors


def measure(
    settings: Settings,
    place: Path,
    open_embedder: OpenEmbedder,
    corpus: Path,
    golden: Sequence[GoldenQuestion],
    *,
    chunks: int,
    seed: int,
    progress: Progress,
) -> dict[str, object]:
    """Generate a knowledge base of so many chunks in the folder ``place``, measure it, and return the figures.

    The real one that it is generated from stays below ``settings.data_dir / "benchmarks"`` for the next time.
    """
    embedder = open_embedder(settings)
    own = settings.changed(data_dir=place, vector_url=settings.vector_url)
    samples = _samples(
        settings.changed(data_dir=settings.data_dir / "benchmarks", knowledge_base=_SAMPLE_NAME), embedder, corpus
    )
    try:
        return _measured(own, open_embedder, embedder, samples, golden, chunks=chunks, seed=seed, progress=progress)
    finally:
        _forget(own)


def _measured(
    settings: Settings,
    open_embedder: OpenEmbedder,
    embedder: Embedder,
    samples: Mapping[Language, Sample],
    golden: Sequence[GoldenQuestion],
    *,
    chunks: int,
    seed: int,
    progress: Progress,
) -> dict[str, object]:
    began_at = time.perf_counter()
    build_seconds = _generate(settings, embedder, samples, chunks, seed, progress)
    figures: dict[str, object] = {
        "chunks": chunks,
        "embedder": embedder.model_id,
        "vectors": urlsplit(settings.vector_url).scheme or "memory",
        "written_seconds": round(time.perf_counter() - began_at - build_seconds, 1),
        "index_built_seconds": round(build_seconds, 1),
        "disk_megabytes": _disk(settings.knowledge_dir),
    }
    questions = _questions(samples, embedder, golden, seed)
    progress("searching", 0, len(questions))
    figures |= _searched(settings, embedder, samples, questions, seed)
    progress("changing", 0, _CHANGES)
    figures |= _changed(settings, open_embedder, embedder)
    return figures


def _forget(settings: Settings) -> None:
    """Delete what an engine has of the generated knowledge base."""
    engine, owner = engine_of(settings), engine_owner(settings.knowledge_dir)
    if engine is None or not owner:
        return
    for collection in engine.collections(owner):
        engine.drop(collection)


def _samples(settings: Settings, embedder: Embedder, corpus: Path) -> dict[Language, Sample]:
    ingest([corpus], settings, embedder)
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        return Sample.of(store, embedder.model_id, embedder.dimension)
    finally:
        store.close()


def _generate(
    settings: Settings,
    embedder: Embedder,
    samples: Mapping[Language, Sample],
    chunks: int,
    seed: int,
    progress: Progress,
) -> float:
    """Write and publish; return how many seconds making the index took."""
    with writer_lock(settings.knowledge_dir):
        writer = KnowledgeWriter(settings.knowledge_dir)
        try:
            generation = writer.begin()
            table = EmbeddingTable(writer.database, embedder.model_id, embedder.dimension)
            for written in write_generated(
                writer,
                table,
                generation,
                samples,
                chunks=chunks,
                chunker_version=chunker_version(settings.chunk_tokens),
                seed=seed,
            ):
                progress("writing", written, chunks)
            progress("indexing", 0, chunks)
            began_at = time.perf_counter()
            space = embedder.model_id, embedder.dimension
            write_index(writer, generation, space, IndexLimits.of(settings))
            writer.publish(generation, *space)
            return time.perf_counter() - began_at
        finally:
            writer.close()


def _disk(folder: Path) -> dict[str, float]:
    """Return what a knowledge base takes on the disk, in megabytes of 10^6 bytes: the database, and all else."""
    sizes = {path: path.stat().st_size / 1e6 for path in folder.rglob("*") if path.is_file()}
    database = sum(size for path, size in sizes.items() if path.name.startswith(DATABASE_NAME))
    return {"database": round(database, 1), "index": round(sum(sizes.values()) - database, 1)}


def _questions(
    samples: Mapping[Language, Sample], embedder: Embedder, golden: Sequence[GoldenQuestion], seed: int
) -> list[Question]:
    """Return the golden questions, and as many whose words are generated, with the vectors of others."""
    real = [
        Question(one.question, one.language, embedder.embed_queries([one.question]))
        for one in golden
        if one.language in samples
    ]
    draw = random.Random(seed)
    return [
        *real,
        *(Question(generated_question(samples[one.language], draw), one.language, one.vectors) for one in real),
    ]


def _searched(
    settings: Settings, embedder: Embedder, samples: Mapping[Language, Sample], questions: Sequence[Question], seed: int
) -> dict[str, object]:
    store = KnowledgeStore(settings.knowledge_dir)
    try:
        engine = engine_of(settings)
        view = GenerationView.open(store, store.require_generation(), embedder.model_id, engine=engine)
        wall, processor = [], []
        for number, one in enumerate([*questions[:_WARMING_QUESTIONS], *questions]):
            query = Query.of(one.text, one.language, one.vectors)
            began_at, used_at = time.perf_counter(), time.thread_time()
            search_view(view, store, query, settings.candidates)
            if number >= _WARMING_QUESTIONS:
                wall.append((time.perf_counter() - began_at) * 1000)
                processor.append((time.thread_time() - used_at) * 1000)
        return {
            "questions": len(questions),
            "hybrid_ms": _percentiles(wall),
            "hybrid_processor_ms": _percentiles(processor),
            f"recall_at_{NEIGHBOURS}": _recalls(view, _query_vectors(samples, questions, seed)),
        }
    finally:
        store.close()


def _query_vectors(
    samples: Mapping[Language, Sample], questions: Sequence[Question], seed: int
) -> dict[Language, FloatMatrix]:
    """Return for each language its questions' own vectors, and as many mixed as the passages' are."""
    numbers = np.random.default_rng(seed + 1)
    found = {}
    for language, sample in samples.items():
        own = [one.vectors.vectors for one in questions if one.language == language]
        if own:
            real = np.concatenate(own[: len(own) // 2])  # the other half are the same again
            found[language] = np.concatenate([real, sample.mixed(real, numbers)])
    return found


def _recalls(view: GenerationView, queries: Mapping[Language, FloatMatrix]) -> dict[str, float]:
    """Return for each language the share of the exact nearest chunks that the index finds."""
    recalls: dict[str, float] = {}
    for language, rows in queries.items():
        exact = view.vectors[language].nearest_exactly(rows, NEIGHBOURS, _COMPARED_AT_ONCE)
        found = [{hit.chunk_id for hit in view.vectors[language].search(row[None], NEIGHBOURS)} for row in rows]
        shares = [len(ids & set(own)) / len(own) for ids, own in zip(found, exact, strict=True)]
        recalls[language] = round(float(np.mean(shares)), 4)
    return recalls


def _changed(settings: Settings, open_embedder: OpenEmbedder, embedder: Embedder) -> dict[str, object]:
    """Change one document of one file again and again, and let a desk in another process look for each change."""
    file = settings.knowledge_dir / "changing" / "changing.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    seconds = []
    with Desk(settings, open_embedder) as desk:
        opened = desk.opened()
        for number in range(_CHANGES + 1):
            text = f"The quetzal lamp Q{number}77 takes {number} batteries."
            desk.ask(f"quetzal lamp Q{number}77", "en", text)
            began_at = time.time()
            file.write_text(f"# Quetzal lamp\n\n{text}\n", encoding="utf-8")
            ingest([file], settings, embedder)
            seconds.append(desk.answered_at() - began_at)
    return {
        "opened_seconds": round(opened.seconds, 2),
        "opened_megabytes": round(opened.megabytes),
        "added_until_answered_seconds": round(seconds[0], 2),
        "changed_until_answered_seconds": [round(one, 2) for one in seconds[1:]],
    }


def _percentiles(times: Sequence[float]) -> dict[str, float | None]:
    found = Percentiles.of(times)
    return {"p50": found.p50, "p95": found.p95, "p99": found.p99}
