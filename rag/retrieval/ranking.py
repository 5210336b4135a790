"""Ranks the candidates of dense and lexical search in both languages: fuses them, then combines three scores.

    score = z(dense) + 0.5 z(lexical) + 2 z(late interaction)

z is the standard score over the candidates of one question.  Ranks alone would lose the margins; reciprocal rank fusion
only selects the candidates for late interaction.  Pure functions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rag.schema import Language, Retrieval, RetrievedChunk

KEPT_CHUNKS = 24
"""Chunks returned for a question: the largest ``top_k``."""

FOREIGN_HANDICAP = 0.5
"""Standard deviations by which a passage in the other language must stand out more: readers prefer their own language.
Late interaction prefers it by itself, so little is needed.  Chosen from 0, 0.5, 1 and 1.5 on XQuAD's passages, a third
of them in English only and a third in Chinese only: the own passage is first as often as with the own language alone,
and 8 in 10 passages that exist only in the other language are among the first 5."""


@dataclass(frozen=True, slots=True)
class DenseHit:
    """A chunk found by dense search.

    ``standardized`` is the standard score of its cosine among the question's cosines to all chunks of its language;
    ``gain`` is its cosine less the mean cosine of two such chunks.
    """

    chunk_id: int
    cosine: float
    standardized: float
    gain: float
    language: Language
    foreign: bool

    @property
    def standout(self) -> float:
        """By how many standard deviations it stands out, less the handicap of the other language.

        Cosines of two languages cannot be compared: each language has a region of its own in the vector space.
        """
        return self.standardized - FOREIGN_HANDICAP * self.foreign


def by_standout(hits: Iterable[DenseHit]) -> list[DenseHit]:
    """Return the hits of all languages, best first.  Equal ones keep their order."""
    return sorted(hits, key=lambda hit: -hit.standout)


def fuse(ranked: Sequence[DenseHit], bm25: Mapping[int, float]) -> list[int]:
    """Return the chunks of both searches, most promising first; ``ranked`` is best first, ``bm25`` has scores by chunk.

    Lexical search hardly finds passages in the other language, but for names and abbreviations; the dense rank of those
    that it does not find counts twice, or two searches would always beat one.
    """
    lexical = sorted(bm25, key=lambda chunk_id: -bm25[chunk_id])
    one_leg = {hit.chunk_id for hit in ranked if hit.foreign and hit.chunk_id not in bm25}
    fused = reciprocal_rank_fusion([[hit.chunk_id for hit in ranked], lexical])
    doubled = [(chunk_id, score * (2 if chunk_id in one_leg else 1)) for chunk_id, score in fused]
    return [chunk_id for chunk_id, _ in sorted(doubled, key=lambda pair: -pair[1])]


RANK_CONSTANT = 10
"""Measured best with e5 and BM25 on support questions; the literature's 60 suits longer lists."""


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[int]], rank_constant: int = RANK_CONSTANT
) -> list[tuple[int, float]]:
    """Return (id, score) of every id in ``rankings``, best first.

    Each ranking holds distinct ids, best first; the id at rank r, counted from 1, earns ``1 / (rank_constant + r)``.
    Equal scores keep the order in which the ids are met, reading all first places, then all second places, and so on.

    >>> [identifier for identifier, _ in reciprocal_rank_fusion([[1, 2, 3], [3, 1]])]
    [1, 3, 2]
    """
    if rank_constant < 0:
        raise ValueError(f"rank_constant must not be negative, not {rank_constant}")
    scores: dict[int, float] = {}
    for place in range(max((len(ranking) for ranking in rankings), default=0)):
        for ranking in rankings:
            if place < len(ranking):
                scores[ranking[place]] = scores.get(ranking[place], 0.0) + 1.0 / (rank_constant + place + 1)
    return sorted(scores.items(), key=lambda item: -item[1])


Scores = NDArray[np.float64]

DENSE, WORDS, LATE = 1.0, 0.5, 2.0
"""On seven question sets R@1 was 82 % with these, 78 % with reciprocal rank fusion alone."""

DENSE_WITHOUT_TOKENS, WORDS_WITHOUT_TOKENS = 0.7, 0.3
"""For candidates without stored tokens, as in old knowledge bases: 80 % on the same sets."""

_SMALLEST_SPREAD = 1e-6

TRANSLATED_LATE = 0.76
"""A translation's late interaction as a share of the passage's own: .73 for 290 questions about XQuAD's paragraphs with
the shipped projection of tokens, .69 without, where .72 had been found best."""

_STANDOUT_SHARE = 0.1
USUAL_PLACE = 3
_PLACES = ((1.26, 0), (0.9, 1), (0.63, USUAL_PLACE), (float("-inf"), 8))
"""The place of the other language's best passage, by the least standing that it needs."""

QUOTED_LIKENESS = 0.9
"""The likeness from which on another language is quoted too (``other_language_likeness``): for 91 of 388 customers'
texts over six companies' pages, 244 of which then have their facts quoted; with .86 for 135, and 251 have them."""


def z_scores(values: Scores) -> Scores:
    """Return the standard score of each value, float64 [n]; 0 if all are equal."""
    if not len(values):
        return values
    return np.asarray((values - values.mean()) / (values.std() + _SMALLEST_SPREAD), dtype=np.float64)


def final_scores(dense: Scores, words: Scores, unseen: NDArray[np.bool_], late: Scores | None) -> Scores:
    """Return the combined scores, float64 [n], higher is better.

    ``unseen`` marks candidates in the other language that share no term; their lexical score counts as 0.  ``late`` is
    None if the late interaction of some candidate is unknown.
    """
    by_words = np.zeros(len(words))
    by_words[~unseen] = z_scores(words[~unseen])
    if late is None:
        return DENSE_WITHOUT_TOKENS * z_scores(dense) + WORDS_WITHOUT_TOKENS * by_words
    return DENSE * z_scores(dense) + WORDS * by_words + LATE * z_scores(late)


def other_language_place(own: Sequence[float | None], other: Sequence[float | None]) -> int:
    """Return the place, from 0, of the best passage in the other language among those in the question's own.

    ``own`` and ``other`` are their late interactions, and that of a translation is lower (``TRANSLATED_LATE``), with a
    standard deviation of .09.  So from .9 on the other language more likely holds the answer, as it does if its best
    passage stands out more than the own language's best.  Without passages in one of the languages the place is the
    usual one.
    """
    mine = np.array([one for one in own if one is not None])
    others = np.array([one for one in other if one is not None])
    if not len(mine) or not len(others):
        return USUAL_PLACE
    likeness = others.max() / max(mine.max(), _SMALLEST_SPREAD)
    standing = likeness + _STANDOUT_SHARE * float(_standout(others) - _standout(mine))
    return next(place for least, place in _PLACES if standing >= least)


def other_language_likeness(retrieval: Retrieval, language: Language) -> float:
    """Return the best late interaction of another language than the question's as a share of its own language's best.

    Infinite if only passages in another language were found; 0 if none was, or their late interaction is unknown.
    """
    chunks = [*retrieval.chunks, *chain.from_iterable(part.chunks for part in retrieval.parts)]
    if chunks and all(one.chunk.language != language for one in chunks):
        return math.inf
    own, others = late_interactions(chunks, language)
    return max(others) / max(*own, _SMALLEST_SPREAD) if own and others else 0.0


def late_interactions(chunks: Iterable[RetrievedChunk], language: Language) -> tuple[list[float], list[float]]:
    """Return the known late interactions of the chunks in a language, and of those in another."""
    known = [(one.late, one.chunk.language == language) for one in chunks if one.late is not None]
    return [late for late, is_own in known if is_own], [late for late, is_own in known if not is_own]


def _standout(values: Scores) -> float:
    return float((values.max() - values.mean()) / (values.std() + _SMALLEST_SPREAD))
