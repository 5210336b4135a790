"""Computes, from what a search found, the signals that ``confidence.py`` judges by: pure functions."""

from collections.abc import Mapping, Sequence

from rag.retrieval.candidates import DenseHit
from rag.retrieval.confidence import Signals
from rag.retrieval.terms import is_code, terms
from rag.schema import Chunk

JUDGED_CHUNKS = 5
"""First passages of the ranking whose words are looked at."""


def read_signals(
    dense: Sequence[DenseHit], bm25: Mapping[int, float], first: Sequence[Chunk], weights: Mapping[str, float]
) -> Signals:
    """Return the signals.

    ``dense`` is best first, ``bm25`` the scores by chunk, ``first`` the best chunks after fusion, and ``weights`` the
    question's terms with their inverse document frequencies.
    """
    held = [set(terms(chunk.embedded_text)) for chunk in first[:JUDGED_CHUNKS]]
    together = set().union(*held)
    total = sum(weights.values())
    codes = [term for term in weights if is_code(term)]
    best = dense[0] if dense else None
    behind = [hit.cosine for hit in dense[1:6]]
    return Signals(
        cosine=best.cosine if best else 0.0,
        standout=best.standardized if best else 0.0,
        margin=best.cosine - sum(behind) / len(behind) if best and behind else 0.0,
        coverage=max((covered(weights, one) for one in held), default=0.0),
        joint_coverage=covered(weights, together),
        bm25_ratio=max(bm25.values(), default=0.0) / total if total else 0.0,
        codes=sum(code in together for code in codes) / len(codes) if codes else 1.0,
        foreign=float(best is not None and best.foreign),
    )


def covered(weights: Mapping[str, float], held: set[str]) -> float:
    """Return in [0, 1] how much of the terms' weight is held; 0 without any terms.

    >>> covered({"fee": 1.0, "w203": 3.0}, {"w203", "error"})
    0.75
    """
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in held) / total if total else 0.0
