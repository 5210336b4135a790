"""One generation of the knowledge base, opened for searching: its vectors, its full-text index, and its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix
from rag.retrieval.lexical_index import SqliteLexicalIndex
from rag.retrieval.token_weights import TokenWeights
from rag.retrieval.vector_index import FaissVectorIndex
from rag.schema import Language
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore

_SMALLEST_SPREAD = 1e-6
_USUAL_CLOSENESS = 0.84
_USUAL_WEIGHT = 50
"""How close e5's passages are (.82 to .87 in four knowledge bases), standing in while there are only a few passages."""

_COUNTED_CHUNKS = 20_000
"""Rarity of tokens is counted over so many chunks at the most: it hardly changes with more, and opening stays quick."""


@dataclass(frozen=True, slots=True)
class Similarities:
    """Mean and standard deviation of a question's cosines to all ``count`` chunks of one language."""

    mean: float
    spread: float
    count: int

    def standardized(self, cosine: float) -> float:
        """Return by how many standard deviations a cosine stands out; 0 where all are the same."""
        return (cosine - self.mean) / self.spread if self.spread > _SMALLEST_SPREAD else 0.0


class LanguageVectors:
    """The vectors of one language's chunks.

    The mean and covariance of the vectors are kept, for they give the mean and spread of *all* cosines to a question
    without comparing them: E[q·c] = q·E[c], and Var[q·c] = q' Cov[c] q.
    """

    def __init__(self, chunk_ids: NDArray[np.int64], vectors: FloatMatrix) -> None:
        self.index = FaissVectorIndex.build(chunk_ids, vectors)
        self._count = len(chunk_ids)
        self._mean = vectors.mean(axis=0, dtype=np.float64)
        self._second_moment = (vectors.T @ vectors).astype(np.float64) / self._count

    @property
    def closeness(self) -> float:
        """The mean cosine between two passages: how much alike everything here is, whatever is asked."""
        pairs = self._count * (self._count - 1)
        among = (self._count**2 * float(self._mean @ self._mean) - self._count) / pairs if pairs else 0.0
        count = self._count if pairs else 0
        return (count * among + _USUAL_WEIGHT * _USUAL_CLOSENESS) / (count + _USUAL_WEIGHT)

    def similarities(self, query: FloatMatrix) -> Similarities:
        """Return the mean and spread of the cosines of a unit query, float32 [1, dimension], to all chunks."""
        row = query[0].astype(np.float64)
        mean = float(row @ self._mean)
        variance = float(row @ self._second_moment @ row) - mean * mean
        return Similarities(mean, float(np.sqrt(max(variance, 0.0))), self._count)


@dataclass(frozen=True, slots=True)
class GenerationView:
    """What a search needs of one generation.  Safe to share between threads."""

    generation: int
    lexical: SqliteLexicalIndex
    vectors: dict[Language, LanguageVectors]
    tokens: EmbeddingTable
    weights: TokenWeights

    @classmethod
    def open(cls, store: KnowledgeStore, generation: int, model_id: str) -> Self:
        """Read the generation's index, and count its tokens.

        Raises ``EmbedderMismatch`` when it was built by another model, and ``IndexDamaged`` when a file is missing or
        does not hold the chunks that the database shows.
        """
        whole = FaissVectorIndex.read(store.generation_folder(generation), model_id)
        chunk_ids, vectors = whole.contents()
        by_language: dict[Language, LanguageVectors] = {}
        for language in store.languages(generation):
            members = np.isin(chunk_ids, store.visible_chunk_ids(generation, language))
            if members.any():
                by_language[language] = LanguageVectors(chunk_ids[members], vectors[members])
        tokens = EmbeddingTable(store, model_id, vectors.shape[1])
        counted = _spread(chunk_ids, _COUNTED_CHUNKS)
        return cls(
            generation=generation,
            lexical=SqliteLexicalIndex(store, generation),
            vectors=by_language,
            tokens=tokens,
            weights=TokenWeights.count(tokens.token_numbers(counted), len(counted)),
        )


def _spread(chunk_ids: NDArray[np.int64], count: int) -> Sequence[int]:
    """Return up to ``count`` of the numbers, evenly spread."""
    places = np.linspace(0, len(chunk_ids) - 1, min(count, len(chunk_ids))).round().astype(np.int64)
    chosen: list[int] = chunk_ids[places].tolist()
    return chosen
