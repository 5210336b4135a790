"""Late-interaction scoring of passages against a question's token vectors: pure functions.

Late interaction as in O. Khattab and M. Zaharia, https://arxiv.org/abs/2004.12832, with the embedder's own tokens: each
token of the question looks for the token of the passage that is most like it, and the likenesses are averaged by how
rare the question's tokens are in the knowledge base.  Half of the score is the same within the passage's best stretch:
words that stand together answer better than words spread over a page.  A passage's tokens are signs, so their cosine
with a question's token is the sum of its numbers with those signs, over the square root of the dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rag.protocols import FloatMatrix, QueryTokens
from rag.schema import QuestionTokens

Signs = NDArray[np.uint8]
Span = tuple[int, int]

WEIGHED_TOKENS = 64
"""Of a longer question only the rarest tokens are compared; a question has a dozen."""

STRETCH_TOKENS = 32
"""Of 16, 32 and 64 the best on seven question sets, with 0.2 points of R@1 over the passage as a whole."""

_STEP = STRETCH_TOKENS // 2

_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1


@cache
def limit_blas_threads() -> None:
    """Give numpy's products one thread, for the whole process and for good; later calls do nothing.

    One question is too little work to share: beside a busy model server a team of threads waits for itself, 7 ms
    instead of 2.4.  The embedder's threads are of another kind and stay as they are.
    """
    threadpool_limits(limits=1, user_api="blas")


def weighed(tokens: QueryTokens, weights: NDArray[np.float64]) -> QuestionTokens:
    """Take the heaviest of a question's tokens, ``WEIGHED_TOKENS`` at the most; ``weights`` are float64 [q]."""
    heaviest = np.argsort(-weights, kind="stable")[:WEIGHED_TOKENS]
    return QuestionTokens(tokens.vectors[heaviest], weights[heaviest])


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well n texts answer to a question: ``scores`` float64 [n] in [-1, 1].

    ``shares`` float64 [n, q] is what each of the question's tokens adds, its best cosine in the text times its share of
    the weight: the largest of each column, added up, is how well several texts answer together.  Both are 0 for a text
    without tokens, and for a question without tokens that weigh anything.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]


def similarities(question: QuestionTokens, passages: Sequence[Signs]) -> NDArray[np.float64]:
    """Return the ``Likeness.scores`` of n passages, float64 [n] in [-1, 1]."""
    return likeness(question, passages).scores


def likeness(question: QuestionTokens, passages: Sequence[Signs]) -> Likeness:
    """Return how well each of n passages answers to all of a question's tokens together."""
    return _likeness(question, *_compared(question, passages))


def similarities_and_cosines(
    question: QuestionTokens, passages: Sequence[Signs]
) -> tuple[NDArray[np.float64], list[FloatMatrix]]:
    """Return the ``Likeness.scores`` of n passages, and the cosines that they come from: float32 [t, q] of each."""
    cosines, lengths = _compared(question, passages)
    of_each = np.split(cosines, np.cumsum(lengths)[:-1]) if passages else []
    return _likeness(question, cosines, lengths).scores, of_each


def _compared(question: QuestionTokens, passages: Sequence[Signs]) -> tuple[FloatMatrix, NDArray[np.int64]]:
    """Return the cosines [t, q] of all passages' tokens, one passage after another, and how many each has, [n]."""
    lengths = np.array([len(signs) for signs in passages], dtype=np.int64)
    if not lengths.any():
        return np.empty((0, len(question.weights)), dtype=np.float32), lengths
    return token_cosines(question.vectors, np.concatenate(passages)), lengths


def _likeness(question: QuestionTokens, cosines: FloatMatrix, lengths: NDArray[np.int64]) -> Likeness:
    """Return the likeness of n passages from the cosines of their tokens; 0 for one without tokens."""
    found = Likeness(np.zeros(len(lengths)), np.zeros((len(lengths), len(question.weights))))
    weight = question.weights.sum()
    if weight > 0 and lengths.any():
        of_some = _by_passage(cosines, lengths[lengths > 0], question.weights / weight)
        found.scores[lengths > 0], found.shares[lengths > 0] = of_some.scores, of_some.shares
    return found


def _by_passage(cosines: FloatMatrix, lengths: NDArray[np.int64], weights: NDArray[np.float64]) -> Likeness:
    """Return the likeness from the cosines [t, q] of n passages' tokens, ``lengths`` of them in each, none empty."""
    begins = np.cumsum(lengths) - lengths
    steps = -(-lengths // _STEP)  # of a passage's tokens, the last step may be short
    first_steps = np.cumsum(steps) - steps
    step_in_passage = np.arange(steps.sum()) - np.repeat(first_steps, steps)
    best = np.maximum.reduceat(cosines, np.repeat(begins, steps) + step_in_passage * _STEP, axis=0)
    stretches = best.copy()  # two steps each; a passage's last step is a stretch with the one before
    goes_on = step_in_passage[1:] > 0
    stretches[:-1][goes_on] = np.maximum(best[:-1], best[1:])[goes_on]
    shares = np.maximum.reduceat(best, first_steps, axis=0) * weights
    within_a_stretch = np.maximum.reduceat(stretches @ weights, first_steps)
    return Likeness(np.asarray((shares.sum(axis=1) + within_a_stretch) / 2, dtype=np.float64), shares)


def span_likeness(
    question: QuestionTokens, cosines: FloatMatrix, token_ends: NDArray[np.int64], spans: Sequence[Span]
) -> Likeness:
    """Return the same for n stretches of one passage, such as its sentences; 0 for one without a token.

    ``cosines`` are the passage's, float32 [t, q]; ``token_ends``, int64 [t], say where its tokens end, in the
    characters that ``spans`` count in.  A token belongs to the stretch that holds its last character: the blank before
    a word is part of the word's token.
    """
    rows = [np.flatnonzero((start < token_ends) & (token_ends <= end)) for start, end in spans]
    lengths = np.array([len(own) for own in rows], dtype=np.int64)
    return _likeness(question, cosines[np.concatenate(rows)] if rows else cosines[:0], lengths)


def token_cosines(query: FloatMatrix, signs: Signs) -> FloatMatrix:
    """Return float32 [t, q]: cosines in [-1, 1] of signs [t, dimension / 8] with unit rows, float32 [q, dimension]."""
    dimension = query.shape[1]
    rows = np.take(_SIGNS_OF_BYTE, signs, axis=0).reshape(len(signs), -1)[:, :dimension]
    return np.asarray(rows @ (query.T / np.sqrt(np.float32(dimension))), dtype=np.float32)
