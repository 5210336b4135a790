"""How well the right documents are found: every question through the product's own ingest and retriever, no model.

Also with several chunk sizes, everything else being as in the product.
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from eval.core.conditions import ranking_conditions
from eval.core.knowledge import knowledge_folder
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import QuestionSet, index_by_name
from eval.core.runs import Run, keep_asking, knowledge_name
from eval.retrieval.rankings import RANKINGS, Ranking, summarise
from ingest.gate import without_documents
from ingest.golden import GoldenQuestion
from ingest.pipeline import IngestOptions, ingest
from rag.protocols import Embedder
from rag.retrieval.filters import Filters, SearchOptions
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.text.language import question_language
from rag.tracing import Trace


def measure_retrieval(
    sets: Sequence[QuestionSet],
    settings: Settings,
    embedder: Embedder,
    kept: Run,
    progress: Progress = SILENT,
) -> dict[str, object]:
    """Run (or resume) every set and return the figures; each of several has a run of its own below ``kept``.

    ``unknown`` counts the questions none of whose relevant documents is in the knowledge base: no search finds those.

    Raises ``SettingsError`` when the run of that name measured something else, and a ``KnowledgeError``.
    """
    by_set: dict[str, Sequence[Ranking]] = {}
    of_all = 0
    for name, one in index_by_name(sets).items():
        own = kept if len(sets) == 1 else Run(kept.folder / name)
        folder = knowledge_folder(one, settings, embedder, progress)
        by_set[name] = _run_in(folder, one, settings, embedder, own, progress)
        unknown = _count_unknown(folder, one.questions)
        of_all += unknown
        own.save_figures({"embedder": embedder.model_id, **summarise({name: by_set[name]}), "unknown": unknown})
    return {"embedder": embedder.model_id, **summarise(by_set), "unknown": of_all}


def run(
    one: QuestionSet,
    settings: Settings,
    embedder: Embedder,
    kept: Run,
    progress: Progress = SILENT,
) -> list[Ranking]:
    """Ask what the run does not hold yet, one question after another, and return all rankings in order.

    Raises ``SettingsError`` when the run of that name measured something else, and a ``KnowledgeError``.
    """
    return _run_in(knowledge_folder(one, settings, embedder, progress), one, settings, embedder, kept, progress)


def _count_unknown(folder: Path, questions: Sequence[GoldenQuestion]) -> int:
    with KnowledgeStore(folder) as store:
        return len(without_documents([one.relevant for one in questions], store))


def _run_in(
    folder: Path, one: QuestionSet, settings: Settings, embedder: Embedder, kept: Run, progress: Progress
) -> list[Ranking]:
    store = KnowledgeStore(folder)
    identity: dict[str, object] = {"command": "retrieval", "set": one.name, "generation": store.require_generation()}
    if any(question.without for question in one.questions):
        identity["left_out"] = "answers in the question's own language"
    identity |= {"embedder": embedder.model_id, "knowledge": knowledge_name(folder)}
    kept.begin(identity | {"settings": ranking_conditions(settings, folder)}, one.questions)
    ask_one = question_asker(store, one.questions, settings, embedder)
    found = keep_asking(
        kept.folder / "records.jsonl",
        RANKINGS,
        [(question.question_id, question) for question in one.questions],
        ask_one,
        lambda ranking: ranking.question_id,
        question_counter(progress, one.name, len(one.questions)),
    )
    store.close()
    return found


def ask(
    one: QuestionSet, folder: Path, settings: Settings, embedder: Embedder, progress: Callable[[Ranking], None]
) -> list[Ranking]:
    """Ask every question of the knowledge base in ``folder``, one after another; nothing is kept."""
    store = KnowledgeStore(folder)
    ask_one = question_asker(store, one.questions, settings, embedder)
    rankings = []
    for question in one.questions:
        rankings.append(ask_one(question))
        progress(rankings[-1])
    store.close()
    return rankings


def question_asker(
    store: KnowledgeStore, questions: Sequence[GoldenQuestion], settings: Settings, embedder: Embedder
) -> Callable[[GoldenQuestion], Ranking]:
    """Return a function that asks one question.  The first one is asked beforehand, for it opens the index."""
    retriever = Retriever(store, embedder, settings)
    for first in questions[:1]:
        retriever.retrieve(first.question, first.language, Trace())

    def ask_one(question: GoldenQuestion) -> Ranking:
        began_at = time.perf_counter()
        retrieval = retriever.retrieve(
            question.question,
            question_language(question.question),
            Trace(),
            SearchOptions([question.previous], Filters(without=frozenset(question.without))),
        )
        duration_ms = (time.perf_counter() - began_at) * 1000
        documents = tuple(dict.fromkeys(found.chunk.document_id for found in retrieval.chunks))
        return Ranking(question.question_id, question.relevant, documents, duration_ms)

    return ask_one


def corpus_of(one: QuestionSet) -> Path:
    """Return the corpus of a set out of a folder, which has one."""
    assert one.corpus is not None
    return one.corpus


def smaller_corpus(one: QuestionSet, documents: int, seed: int, place: Path) -> QuestionSet:
    """Return the set with ``documents`` of its corpus, written to ``place``: what is relevant, and others by the seed.

    Where more are relevant all of those stay.  Fewer documents make the questions easier, for each size alike.
    """
    rows = [line for line in corpus_of(one).read_text(encoding="utf-8").split("\n") if line.strip()]
    relevant = {document for question in one.questions for document in question.relevant}
    kept = [number for number, line in enumerate(rows) if json.loads(line)["id"] in relevant]
    others = sorted(set(range(len(rows))) - set(kept))
    kept += random.Random(seed).sample(others, min(len(others), max(0, documents - len(kept))))
    place.write_text("".join(f"{rows[number]}\n" for number in sorted(kept)), encoding="utf-8")
    return replace(one, corpus=place)


def measure_chunk_sizes(
    sets: Sequence[QuestionSet],
    sizes: Sequence[int],
    settings: Settings,
    embedder: Embedder,
    folder: Path,
    progress: Progress = SILENT,
) -> dict[int, dict[str, object]]:
    """Return for each size (tokens) the means over the sets, the figures of each under ``by_set``, and ``chunks``.

    Each set has one knowledge base for all sizes, in ``folder``: a passage that two sizes share is embedded once.
    """
    rankings: dict[int, dict[str, Sequence[Ranking]]] = {size: {} for size in sizes}
    chunks = dict.fromkeys(sizes, 0)
    for number, one in enumerate(sets):
        for size in sizes:
            own = settings.changed(data_dir=folder / str(number), chunk_tokens=size)
            with progress.ingest() as report:
                summary = ingest([corpus_of(one)], own, embedder, IngestOptions(prune=True), progress=report)
            advance = question_counter(progress, f"{one.name} {size}", len(one.questions))
            rankings[size][one.name] = ask(one, own.knowledge_dir, own, embedder, advance)
            chunks[size] += summary.chunks
    return {size: {**summarise(rankings[size]), "chunks": chunks[size]} for size in sizes}
