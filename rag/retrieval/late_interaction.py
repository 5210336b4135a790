"""How well a passage answers the words of a question one by one: pure functions on token vectors.

Late interaction as in O. Khattab and M. Zaharia, https://arxiv.org/abs/2004.12832, with the embedder's own tokens: each
token of the question looks for the token of the passage that is most like it, and the likenesses are averaged by how
rare the question's tokens are in the knowledge base.  A passage's tokens are signs, so their cosine with a question's
token is the sum of its numbers with those signs, over the square root of the dimension.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix, QueryTokens

Signs = NDArray[np.uint8]

WEIGHED_TOKENS = 64
"""Of a longer question only the rarest tokens are compared; a question has a dozen."""

_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1
_NO_TOKENS = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class QuestionTokens:
    """A question's tokens, float32 [q, dimension], rows of length 1, and how much each weighs, float64 [q]."""

    vectors: FloatMatrix
    weights: NDArray[np.float64]

    @classmethod
    def weighed(cls, tokens: QueryTokens, weights: NDArray[np.float64]) -> Self:
        """Take the rarest of a question's tokens, ``WEIGHED_TOKENS`` at the most."""
        rarest = np.argsort(-weights, kind="stable")[:WEIGHED_TOKENS]
        return cls(tokens.vectors[rarest], weights[rarest])

    def similarities(self, passages: Sequence[Signs]) -> NDArray[np.float64]:
        """Return how well each of n passages answers to all tokens together, float64 [n] in [-1, 1]."""
        return weighted_mean(best_in_each(self.vectors, passages), self.weights)


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
