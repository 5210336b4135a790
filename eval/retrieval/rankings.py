"""Rankings of documents, one a question, and their figures: pure functions, without the search itself.

Definitions as in C. D. Manning, P. Raghavan, H. Schütze, *Introduction to Information Retrieval*, chapter 8.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from eval.core.statistics import Interval, mean_interval, right_interval, rounded_mean
from rag.tracing import Percentiles


def recall_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return 1.0 when one of the first ``k`` documents is relevant, else 0.0 (one right article is enough to answer).

    Raises ``ValueError`` when nothing is relevant: such a question has no recall.
    """
    _check(relevant, k)
    return 1.0 if any(document in relevant for document in ranking[:k]) else 0.0


def reciprocal_rank_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return 1 / rank of the first relevant document within the first ``k``, else 0.0."""
    _check(relevant, k)
    for rank, document in enumerate(ranking[:k], start=1):
        if document in relevant:
            return 1.0 / rank
    return 0.0


def ndcg_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the normalised discounted cumulative gain in [0, 1] with gain 1 for each relevant document."""
    _check(relevant, k)
    gain = sum(1.0 / math.log2(rank + 1) for rank, doc in enumerate(ranking[:k], start=1) if doc in relevant)
    ideal = sum(1.0 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / ideal


def _check(relevant: Collection[str], k: int) -> None:
    if not relevant:
        raise ValueError("at least one relevant document is needed")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The result of one question: the documents found, best first, and how long that took in milliseconds."""

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


def figures(rankings: Sequence[Ranking]) -> dict[str, object]:
    """Return the means over questions, in [0, 1], and the times of one question."""
    times = Percentiles.of([one.duration_ms for one in rankings])
    measured = {
        name: [metric(one.documents, one.relevant, k) for one in rankings] for name, (metric, k) in METRICS.items()
    }
    return {
        "n": len(rankings),
        **{name: rounded_mean(values) for name, values in measured.items()},
        "intervals": {name: _interval(name, values) for name, values in measured.items()},
        "latency_ms": {"p50": times.p50, "p95": times.p95, "p99": times.p99},
    }


def _interval(name: str, values: Sequence[float]) -> Interval | None:
    return right_interval(values) if METRICS[name][0] is recall_at else mean_interval(values)


def summarise(by_set: dict[str, Sequence[Ranking]]) -> dict[str, object]:
    """Return the means over the sets, each counting alike, and under ``by_set`` the figures of each."""
    every = {name: figures(rankings) for name, rankings in by_set.items()}
    together = figures([ranking for rankings in by_set.values() for ranking in rankings])
    means = {name: rounded_mean([float(str(one[name])) for one in every.values()]) for name in METRICS}
    if len(every) > 1:
        del together["intervals"]  # those of the questions thrown together are not those of the sets' mean
    return {**together, **means, "by_set": every}
