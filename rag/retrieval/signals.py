"""Computes the search signals that ``confidence.py`` uses: pure functions."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from rag.retrieval.candidates import DenseHit
from rag.retrieval.confidence import Signals
from rag.retrieval.lexical_index import TermWeight
from rag.schema import RetrievedChunk
from rag.text.terms import is_code, terms

JUDGED_CHUNKS = 5
"""First passages of the ranking whose words are looked at."""


def read_signals(
    dense: Sequence[DenseHit],
    bm25: Mapping[int, float],
    ranked: Sequence[RetrievedChunk],
    weights: Mapping[str, TermWeight],
) -> Signals:
    """Return the signals.

    ``dense`` is best first, ``bm25`` the scores by chunk, ``ranked`` the final ranking, and ``weights`` those of the
    question's terms in the whole knowledge base.
    """
    held = set().union(*(_terms_of(one.chunk.embedded_text) for one in ranked[:JUDGED_CHUNKS]))
    late = [one.late for one in ranked if one.late is not None]
    behind = late[1 : 1 + JUDGED_CHUNKS]
    codes = [term for term in weights if is_code(term)]
    total = sum(weight.idf for weight in weights.values())
    best = dense[0] if dense else None
    return Signals(
        late=max(late, default=0.0),
        gain=best.gain if best else 0.0,
        coverage=_share(weights, held),
        unknown=_share(weights, {term for term, weight in weights.items() if weight.chunks == 0}),
        codes=sum(code in held for code in codes) / len(codes) if codes else 1.0,
        bm25_ratio=max(bm25.values(), default=0.0) / total if total else 0.0,
        lead=late[0] - sum(behind) / len(behind) if behind else 0.0,
        chinese=float(best is not None and best.language == "zh"),
        foreign=float(best is not None and best.foreign),
    )


@lru_cache(maxsize=2048)
def _terms_of(text: str) -> frozenset[str]:
    return frozenset(terms(text))


def _share(weights: Mapping[str, TermWeight], wanted: set[str]) -> float:
    """Return in [0, 1] how much of the weight of all terms the wanted ones have; 0 without any terms."""
    total = sum(weight.idf for weight in weights.values())
    return sum(weight.idf for term, weight in weights.items() if term in wanted) / total if total else 0.0
