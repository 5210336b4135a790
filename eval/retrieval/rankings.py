"""What came of the search of each question, and the figures of many: without the search itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from eval.core.bootstrap import mean_interval
from eval.retrieval.metrics import ndcg_at, recall_at, reciprocal_rank_at
from rag.percentiles import Percentiles


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
