"""How well the right documents are found: every question through the product's own ingest and retriever, no model."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from eval.bootstrap import mean_interval
from eval.knowledge import knowledge_folder, knowledge_name
from eval.question_sets import QuestionSet
from eval.retrieval.metrics import ndcg_at, recall_at, reciprocal_rank_at
from eval.runs import Run, keep_asking
from ingest.golden import GoldenQuestion
from rag.answering.language import question_language
from rag.percentiles import Percentiles
from rag.protocols import Embedder
from rag.retrieval.filters import Filters
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace


@dataclass(frozen=True, slots=True)
class Ranking:
    """What came of one question: the documents found, best first, and how long that took in milliseconds."""

    question_id: str
    relevant: tuple[str, ...]
    documents: tuple[str, ...]
    duration_ms: float


METRICS = {
    "recall_at_1": (recall_at, 1),
    "recall_at_5": (recall_at, 5),
    "recall_at_10": (recall_at, 10),
    "mrr_at_10": (reciprocal_rank_at, 10),
    "ndcg_at_10": (ndcg_at, 10),
}
RANKINGS = TypeAdapter(Ranking)


def run(
    one: QuestionSet,
    settings: Settings,
    embedder: Embedder,
    kept: Run,
    progress: Callable[[Ranking], None] = lambda ranking: None,
) -> list[Ranking]:
    """Ask what the run does not hold yet, one question after another, and return all rankings in order.

    Raises ``SettingsError`` when the run of that name measured something else, and a ``KnowledgeError``.
    """
    folder = knowledge_folder(one, settings, embedder)
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
        progress,
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


def figures(rankings: Sequence[Ranking]) -> dict[str, object]:
    """Return the means over questions, in [0, 1], and the times of one question."""
    times = Percentiles.of([one.duration_ms for one in rankings])
    measured = {
        name: [metric(one.documents, one.relevant, k) for one in rankings] for name, (metric, k) in METRICS.items()
    }
    return {
        "n": len(rankings),
        **{name: _mean(values) for name, values in measured.items()},
        "intervals": {name: mean_interval(values) for name, values in measured.items()},
        "latency_ms": {"p50": times.p50, "p95": times.p95, "p99": times.p99},
    }


def summarise(by_set: dict[str, Sequence[Ranking]]) -> dict[str, object]:
    """Return the means over the sets, each counting alike, and under ``by_set`` the figures of each."""
    every = {name: figures(rankings) for name, rankings in by_set.items()}
    together = figures([ranking for rankings in by_set.values() for ranking in rankings])
    means = {name: _mean([float(str(one[name])) for one in every.values()]) for name in METRICS}
    if len(every) > 1:
        del together["intervals"]  # those of the questions thrown together are not those of the sets' mean
    return {**together, **means, "by_set": every}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
