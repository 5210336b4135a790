"""Merges dense and lexical hits of both languages into rerank candidates: pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.retrieval.fusion import reciprocal_rank_fusion
from rag.schema import Language

KEPT_CHUNKS = 24
"""Chunks returned for a question: as many as may be asked for as evidence (``top_k``)."""

FOREIGN_HANDICAP = 0.5
"""Standard deviations by which a passage in the other language must stand out more: a reader wants their own language.
Late interaction prefers that by itself, so little is needed.  Of 0, 0.5, 1 and 1.5, measured on XQuAD's passages with a
third in English only and a third in Chinese only: the own passage is first as often as with the own language alone, and
8 in 10 passages that only the other language has are among the first 5."""


@dataclass(frozen=True, slots=True)
class DenseHit:
    """A chunk seen by meaning.

    ``standardized`` is its cosine among the question's cosines to all chunks of its language; ``gain`` what the cosine
    has over the mean one between two of those chunks.
    """

    chunk_id: int
    cosine: float
    standardized: float
    gain: float
    language: Language
    foreign: bool

    @property
    def standout(self) -> float:
        """By how many standard deviations it stands out, less the handicap of another language.

        Cosines of two languages cannot be compared (each language lies in a place of its own in the vector space).
        """
        return self.standardized - FOREIGN_HANDICAP * self.foreign


def by_standout(hits: Iterable[DenseHit]) -> list[DenseHit]:
    """Return the hits of all languages, best first.  Equal ones keep their order."""
    return sorted(hits, key=lambda hit: -hit.standout)


def fuse(ranked: Sequence[DenseHit], bm25: Mapping[int, float]) -> list[int]:
    """Return the chunks of both legs, most promising first; ``ranked`` is best first, ``bm25`` the scores by chunk.

    The ranking by words cannot see passages in the other language; for those the dense rank counts for both, lest two
    legs always beat one.
    """
    lexical = sorted(bm25, key=lambda chunk_id: -bm25[chunk_id])
    one_leg = {hit.chunk_id for hit in ranked if hit.foreign and hit.chunk_id not in bm25}
    fused = reciprocal_rank_fusion([[hit.chunk_id for hit in ranked], lexical])
    doubled = [(chunk_id, score * (2 if chunk_id in one_leg else 1)) for chunk_id, score in fused]
    return [chunk_id for chunk_id, _ in sorted(doubled, key=lambda pair: -pair[1])]
