"""How well the right documents are found: every question through the product's own ingest and retriever, no model."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eval.core.knowledge import knowledge_folder
from eval.core.progress import SILENT, Progress, counted
from eval.core.question_sets import QuestionSet, by_name
from eval.core.runs import Run, keep_asking, knowledge_name
from eval.retrieval.rankings import RANKINGS, Ranking, summarise
from ingest.golden import GoldenQuestion
from rag.protocols import Embedder
from rag.retrieval.filters import Filters
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

    Raises ``SettingsError`` when the run of that name measured something else, and a ``KnowledgeError``.
    """
    by_set: dict[str, Sequence[Ranking]] = {}
    for name, one in by_name(sets).items():
        own = kept if len(sets) == 1 else Run(kept.folder / name)
        by_set[name] = run(one, settings, embedder, own, progress)
        own.save_figures({"embedder": embedder.model_id, **summarise({name: by_set[name]})})
    return {"embedder": embedder.model_id, **summarise(by_set)}


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
    folder = knowledge_folder(one, settings, embedder, progress)
    store = KnowledgeStore(folder)
    identity: dict[str, object] = {"command": "retrieval", "set": one.name, "generation": store.require_generation()}
    if any(question.without for question in one.questions):
        identity["left_out"] = "answers in the question's own language"
    kept.begin({**identity, "embedder": embedder.model_id, "knowledge": knowledge_name(folder)}, one.questions)
    ask_one = asking(store, one.questions, settings, embedder)
    found = keep_asking(
        kept.folder / "records.jsonl",
        RANKINGS,
        [(question.question_id, question) for question in one.questions],
        ask_one,
        lambda ranking: ranking.question_id,
        counted(progress, one.name, len(one.questions)),
    )
    store.close()
    return found


def ask(
    one: QuestionSet, folder: Path, settings: Settings, embedder: Embedder, progress: Callable[[Ranking], None]
) -> list[Ranking]:
    """Ask every question of the knowledge base in ``folder``, one after another; nothing is kept."""
    store = KnowledgeStore(folder)
    ask_one = asking(store, one.questions, settings, embedder)
    rankings = []
    for question in one.questions:
        rankings.append(ask_one(question))
        progress(rankings[-1])
    store.close()
    return rankings


def asking(
    store: KnowledgeStore, questions: Sequence[GoldenQuestion], settings: Settings, embedder: Embedder
) -> Callable[[GoldenQuestion], Ranking]:
    """Return what asks one question.  The first one is asked beforehand, for it opens the index."""
    retriever = Retriever(store, embedder, settings)
    for first in questions[:1]:
        retriever.retrieve(first.question, first.language, Trace())

    def ask_one(question: GoldenQuestion) -> Ranking:
        began_at = time.perf_counter()
        retrieval = retriever.retrieve(
            question.question,
            question_language(question.question),
            Trace(),
            earlier=[question.previous],
            filters=Filters(without=frozenset(question.without)),
        )
        duration_ms = (time.perf_counter() - began_at) * 1000
        documents = tuple(dict.fromkeys(found.chunk.document_id for found in retrieval.chunks))
        return Ranking(question.question_id, question.relevant, documents, duration_ms)

    return ask_one
