"""The parts of the ingest's benchmark that need the real embedder: how near it comes to the encoder's own speed."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eval.bench.ingest.child_processes import run_child
from eval.bench.ingest.corpus import FORMATS, write_corpus
from eval.bench.ingest.targets import Result, encoder_result, langchain_result
from ingest.pipeline import ingest
from ingest.summary import IngestSummary
from rag.priority import usable_cores
from rag.protocols import Embedder
from rag.retrieval.model_folders import read_identity, reference_folder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

Say = Callable[[str], None]

_CHUNKS_A_FILE = {True: 4.6, False: 2.3}  # mixed formats, Markdown alone; measured
_BATCH = 32


def measure_encoder(folder: Path, chunks: int, seed: int, settings: Settings, embedder: Embedder, say: Say) -> Result:
    """Ingest a folder of mixed formats twice, into empty knowledge bases, and in between give the encoder its passages.

    So a machine that grows busier bears on both sides alike.  The encoder gets them sorted by length, on all cores.
    ``cpu_ratio`` compares processor time instead: what would be left if nothing went on at the same time.
    """
    say("writing corpus")
    write_corpus(folder / "corpus", round(chunks / _CHUNKS_A_FILE[True]), seed)
    say("ingesting")
    embedder.embed_passages(["warm"] * 8)
    first = _ingest(folder / "corpus", folder / "first", settings, embedder)
    texts = sorted(_embedded_texts(first[0], folder / "first", settings), key=lambda text: -len(text.encode()))
    say("encoding")
    encoder = _encode(texts, embedder, settings.embedder_threads or usable_cores())
    say("ingesting again")
    second = _ingest(folder / "corpus", folder / "second", settings, embedder)
    seconds, cpu_seconds = ((one + other) / 2 for one, other in zip(first[1:], second[1:], strict=True))
    return encoder_result(
        len(texts),
        seconds,
        encoder[0],
        cpu_ratio=round(encoder[1] / cpu_seconds, 3),
        each_ingest_seconds=[round(first[1], 2), round(second[1], 2)],
        documents=first[0].documents,
        formats=sorted(set(FORMATS)),
        failures=len(first[0].failures),
    )


def measure_langchain(folder: Path, chunks: int, seed: int, settings: Settings, embedder: Embedder, say: Say) -> Result:
    """Ingest a folder of Markdown with this program and with LangChain's parts, one after the other."""
    read_identity(reference_folder(settings))  # raises EmbedderMissing
    say("writing corpus")
    write_corpus(folder / "corpus", round(chunks / _CHUNKS_A_FILE[False]), seed, formats=("md",))
    say("ingesting")
    embedder.embed_passages(["warm"] * 8)
    summary, seconds, _ = _ingest(folder / "corpus", folder / "own", settings, embedder)
    texts = _embedded_texts(summary, folder / "own", settings)
    own = {"chunks": len(texts), "tokens": sum(map(embedder.count_tokens, texts)), "seconds": seconds}
    say("running langchain")
    other = run_child(
        "eval.bench.langchain.ingest", folder / "corpus", reference_folder(settings), str(settings.chunk_tokens)
    )
    return langchain_result(own, other)


def _ingest(corpus: Path, data_dir: Path, settings: Settings, embedder: Embedder) -> tuple[IngestSummary, float, float]:
    """Ingest into an empty knowledge base; return the summary, seconds, and seconds of processor time."""
    began_at, cpu_began_at = time.perf_counter(), _cpu_seconds()
    summary = ingest([corpus], settings.changed(data_dir=data_dir), embedder)
    return summary, time.perf_counter() - began_at, _cpu_seconds() - cpu_began_at


def _encode(texts: Sequence[str], embedder: Embedder, threads: int) -> tuple[float, float]:
    batches = [texts[begin : begin + _BATCH] for begin in range(0, len(texts), _BATCH)]
    began_at, cpu_began_at = time.perf_counter(), _cpu_seconds()
    with ThreadPoolExecutor(threads) as pool:
        deque(pool.map(embedder.embed_passages, batches), maxlen=0)
    return time.perf_counter() - began_at, _cpu_seconds() - cpu_began_at


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _embedded_texts(summary: IngestSummary, data_dir: Path, settings: Settings) -> list[str]:
    """Return the distinct texts that were embedded."""
    store = KnowledgeStore(settings.changed(data_dir=data_dir).knowledge_dir)
    try:
        chunks = store.chunks(store.visible_chunk_ids(summary.generation), summary.generation)
        return sorted({chunk.embedded_text for chunk in chunks.values()})
    finally:
        store.close()
