"""How well a passage answers the words of a question one by one: pure functions on token vectors.

Late interaction as in O. Khattab and M. Zaharia, https://arxiv.org/abs/2004.12832, with the embedder's own tokens: each
token of the question looks for the token of the passage that is most like it, and the likenesses are averaged by how
rare the question's tokens are in the knowledge base.  A passage's tokens are signs, so their cosine with a question's
token is the sum of its numbers with those signs, over the square root of the dimension.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix, QueryTokens
from rag.schema import QuestionTokens

Signs = NDArray[np.uint8]
Span = tuple[int, int]

WEIGHED_TOKENS = 64
"""Of a longer question only the rarest tokens are compared; a question has a dozen."""

_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1
_NO_TOKENS = 0.0


def weighed(tokens: QueryTokens, weights: NDArray[np.float64]) -> QuestionTokens:
    """Take the heaviest of a question's tokens, ``WEIGHED_TOKENS`` at the most; ``weights`` are float64 [q]."""
    heaviest = np.argsort(-weights, kind="stable")[:WEIGHED_TOKENS]
    return QuestionTokens(tokens.vectors[heaviest], weights[heaviest])


def similarities(question: QuestionTokens, passages: Sequence[Signs]) -> NDArray[np.float64]:
    """Return how well each of n passages answers to all of a question's tokens together, float64 [n] in [-1, 1]."""
    return weighted_mean(best_in_each(question.vectors, passages), question.weights)


def span_similarities(
    question: QuestionTokens, signs: Signs, token_spans: Sequence[Span], spans: Sequence[Span]
) -> NDArray[np.float64]:
    """Return the same for n stretches of one passage, such as its sentences; 0 for one without a token.

    ``token_spans`` say where the passage's tokens stand, in the characters that ``spans`` count in, [start, end).  A
    token belongs to the stretch that holds its last character: the blank before a word is part of the word's token.
    """
    last = np.array([end - 1 for _, end in token_spans], dtype=np.int64)
    return similarities(question, [signs[(start <= last) & (last < end)] for start, end in spans])


def token_cosines(query: FloatMatrix, signs: Signs) -> FloatMatrix:
    """Return float32 [t, q]: cosines in [-1, 1] of signs [t, dimension / 8] with unit rows, float32 [q, dimension]."""
    dimension = query.shape[1]
    rows = np.take(_SIGNS_OF_BYTE, signs, axis=0).reshape(len(signs), -1)[:, :dimension]
    return np.asarray(rows @ (query.T / np.sqrt(np.float32(dimension))), dtype=np.float32)


def best_in_each(query: FloatMatrix, passages: Sequence[Signs]) -> FloatMatrix:
    """Return float32 [q, n]: each of the question's tokens' best cosine in each of n passages, 0 in an empty one."""
    best = np.full((len(query), len(passages)), _NO_TOKENS, dtype=np.float32)
    lengths = np.array([len(signs) for signs in passages])
    if len(query) and lengths.any():
        cosines = token_cosines(query, np.concatenate(passages))
        starts = (np.cumsum(lengths) - lengths)[lengths > 0]
        best[:, lengths > 0] = np.maximum.reduceat(cosines, starts, axis=0).T
    return best


def weighted_mean(best: FloatMatrix, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 [n]: the mean of ``best`` [q, n] by the weights [q] of the question's tokens; 0 without any."""
    total = weights.sum()
    return np.asarray(weights @ best / total if total > 0 else np.zeros(best.shape[1]), dtype=np.float64)
