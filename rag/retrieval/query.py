"""A query: its vector, terms and token vectors, each with its weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix, QueryTokens, QueryVectors
from rag.schema import Language
from rag.text.characters import simplified
from rag.text.terms import terms

ALTERNATIVE_SHARE = 1.0
"""How much a glossary's other words count by words, beside the question's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """``vector`` is float32 [1, dimension] of length 1; ``shares``, float64 [q], are those of the ``tokens``.

    ``question`` is in the user's own words, mended; ``terms`` may hold more than its own.  What is near ``wider``, a
    second vector like the first, is looked at as well.
    """

    question: str
    language: Language
    vector: FloatMatrix
    terms: Mapping[str, float]
    tokens: QueryTokens
    shares: NDArray[np.float64]
    wider: FloatMatrix | None = None

    @classmethod
    def of(cls, question: str, language: Language, vectors: QueryVectors) -> Self:
        """Return the query of a question by itself; ``vectors`` are those of this one question."""
        return cls.worded(Wording(question), language, vectors)

    @classmethod
    def worded(cls, wording: "Wording", language: Language, vectors: QueryVectors) -> Self:
        """Return the query of a question; ``vectors`` are those of what is ``embedded`` of it."""
        tokens = vectors.tokens[0]
        shares = np.ones(len(tokens.numbers))
        return cls(wording.question, language, vectors.vectors[:1], wording.terms, tokens, shares)


def joined_tokens(*parts: tuple[QueryTokens, float]) -> tuple[QueryTokens, NDArray[np.float64]]:
    """Return the tokens of all parts, one after another, and each one's share, float64 [q]."""
    tokens = QueryTokens(
        np.concatenate([part.numbers for part, _ in parts]), np.concatenate([part.vectors for part, _ in parts])
    )
    return tokens, np.concatenate([np.full(len(part.numbers), share) for part, share in parts])


@dataclass(frozen=True, slots=True)
class Wording:
    """A question as it is searched: mended, and the other words for what it names, of a team's own glossary."""

    question: str
    alternatives: tuple[str, ...] = ()

    @property
    def embedded(self) -> str:
        """The question with the other words behind it, in simplified characters, as the embedder is to read it."""
        return simplified(" ".join([self.question, *self.alternatives]))

    @property
    def terms(self) -> dict[str, float]:
        """The question's terms, and by their share those of the other words."""
        others = dict.fromkeys((term for word in self.alternatives for term in terms(word)), ALTERNATIVE_SHARE)
        return others | dict.fromkeys(terms(self.question), 1.0)
