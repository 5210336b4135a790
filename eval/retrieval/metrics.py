"""How well a ranking of documents matches what is relevant: pure functions on ids.

Definitions as in C. D. Manning, P. Raghavan, H. Schütze, *Introduction to Information Retrieval*, chapter 8.
"""

import math
from collections.abc import Collection, Sequence


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
