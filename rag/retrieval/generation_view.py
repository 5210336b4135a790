"""One generation of the knowledge base, opened for searching: vectors, postings and token vectors.

Dense and lexical search run in each language separately; every chunk found gets its exact cosine.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.errors import EmbedderMismatch, VectorEngineError
from rag.protocols import FloatMatrix
from rag.retrieval.filters import Filters, permitted_chunks
from rag.retrieval.generation_index import GenerationIndex, LanguageIndex, Part, StoredPart, is_of_former_format
from rag.retrieval.index_builder import IndexLimits, build_index
from rag.retrieval.late_interaction import TokenWeights
from rag.retrieval.lexical_index import Bm25Index
from rag.retrieval.ranking import DenseHit, by_standout
from rag.retrieval.vector_engine import EngineReader, EngineVectorIndex, VectorEngine
from rag.retrieval.vector_index import Selection
from rag.schema import Hit, Language
from rag.settings import load_settings
from rag.storage.embeddings import EmbeddingTable, IndexSource
from rag.storage.store import KnowledgeStore

_SMALLEST_SPREAD = 1e-6
_USUAL_CLOSENESS = 0.84
_USUAL_WEIGHT = 50
"""The mean cosine of e5's passages (.82 to .87 in four knowledge bases), used while there are only a few passages."""


@dataclass(frozen=True, slots=True)
class Similarities:
    """Mean and standard deviation of a question's cosines to all ``count`` chunks of one language."""

    mean: float
    spread: float
    count: int

    def standardized(self, cosine: float) -> float:
        """Return the standard score of a cosine; 0 if all cosines are equal."""
        return (cosine - self.mean) / self.spread if self.spread > _SMALLEST_SPREAD else 0.0


class LanguageVectors:
    """The vectors of one language's chunks: a large base shared with other generations, and a small fresh part.

    The mean and covariance of the vectors give the mean and variance of the question's cosines to *all* chunks without
    computing these: E[q·c] = q·E[c], and Var[q·c] = q' Cov[c] q.
    """

    def __init__(self, index: LanguageIndex) -> None:
        self._base, self._fresh = index.base.loaded({}), index.fresh.loaded({})
        kept = np.ones(self._base.count, np.bool_)
        kept[index.retired] = False
        self._kept = None if kept.all() else Selection(kept)
        self._fresh_kept: Selection | None = None
        self._count = index.count
        self._mean = index.moments.total / index.count
        self._second_moment = index.moments.products / index.count

    def search(self, query: FloatMatrix, limit: int) -> list[Hit]:
        """Return up to ``limit`` hits for a unit query, float32 [1, dimension], best first; the score is the cosine.

        Raises ``VectorEngineError`` if the base is in an engine, and its search fails.
        """
        hits = self._base.vectors.search(query, limit, self._kept)
        if self._fresh.count:
            fresh = self._fresh.vectors.search(query, limit, self._fresh_kept)
            hits = sorted([*hits, *fresh], key=lambda hit: -hit.score)
        return hits[:limit]

    def nearest_of(self, query: FloatMatrix, chunk_ids: Sequence[int], limit: int) -> list[Hit]:
        """Return the nearest of these chunks and the fresh part, as ``search`` does, without an engine."""
        fresh = self._fresh.vectors.search(query, limit, self._fresh_kept) if self._fresh.count else []
        others = sorted({*chunk_ids} - {hit.chunk_id for hit in fresh})
        hits = [*fresh, *map(Hit, others, self.cosines(query, others))]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    @property
    def are_in_engine(self) -> bool:
        """Whether an engine has the base, so that a search mostly waits."""
        return isinstance(self._base.vectors, EngineVectorIndex)

    def verify(self) -> None:
        """Check that an engine, if it has the base, has all of it.  Raises ``VectorEngineError``."""
        if isinstance(self._base.vectors, EngineVectorIndex):
            self._base.vectors.verify()

    def only(self, permitted: NDArray[np.int64]) -> "LanguageVectors":
        """Return vectors of which only these chunks (ascending) are found; statistics stay those of all."""
        restricted = copy(self)
        kept = np.isin(self._base.chunk_ids, permitted)
        if self._kept is not None:
            shown = np.zeros(self._base.count, np.bool_)
            shown[self._kept.rows] = True
            kept &= shown
        restricted._kept = Selection(kept)
        restricted._fresh_kept = Selection(np.isin(self._fresh.chunk_ids, permitted))
        return restricted

    def nearest_exactly(self, queries: FloatMatrix, limit: int, at_once: int) -> list[list[int]]:
        """Return the nearest chunks for n unit queries, float32 [n, dimension], by brute force.

        For measuring the recall of ``search``; ``at_once`` vectors are in memory beside the index.
        """
        scores = np.empty((len(queries), 0), np.float32)
        numbers = np.empty((len(queries), 0), np.int64)
        shown = self._base.chunk_ids if self._kept is None else self._base.chunk_ids[self._kept.rows]
        for part, chunk_ids in ((self._base, shown), (self._fresh, self._fresh.chunk_ids)):
            for begin in range(0, len(chunk_ids), at_once):
                batch = chunk_ids[begin : begin + at_once]
                scores = np.hstack([scores, queries @ part.vectors.vectors(batch).T])
                numbers = np.hstack([numbers, np.broadcast_to(batch, (len(queries), len(batch)))])
                best = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
                scores, numbers = np.take_along_axis(scores, best, axis=1), np.take_along_axis(numbers, best, axis=1)
        found: list[list[int]] = numbers.tolist()
        return found

    def cosines(self, query: FloatMatrix, chunk_ids: Sequence[int]) -> list[float]:
        """Return the cosine of a unit query, float32 [1, dimension], with each of the chunks.

        Raises ``IndexDamaged`` if one is missing.
        """
        in_fresh = self._fresh.vectors.holds(chunk_ids)
        cosines = np.empty(len(chunk_ids))
        wanted = np.asarray(chunk_ids, dtype=np.int64)
        for part, members in ((self._base, ~in_fresh), (self._fresh, in_fresh)):
            cosines[members] = part.vectors.cosines(query, wanted[members].tolist())
        found: list[float] = cosines.tolist()
        return found

    @property
    def closeness(self) -> float:
        """The mean cosine of two passages."""
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
    """Everything that a search needs of one generation.  Safe to share between threads."""

    generation: int
    model_id: str
    lexical: Bm25Index
    vectors: dict[Language, LanguageVectors]
    tokens: EmbeddingTable
    weights: TokenWeights
    parts: Mapping[str, Part]

    @classmethod
    def open(
        cls,
        store: KnowledgeStore,
        generation: int,
        model_id: str,
        former: Self | None = None,
        engine: VectorEngine | None = None,
    ) -> Self:
        """Read the generation's index; parts of a ``former`` view are reused.

        ``engine`` is that of the settings; only searches use it.  Raises ``EmbedderMismatch`` if the index was built
        with another model, ``IndexDamaged`` if a file is missing or differs from its manifest, and
        ``VectorEngineUnset`` if the vectors are in an engine and none is given.
        """
        folder = store.generation_folder(generation)
        if is_of_former_format(folder):
            return cls._of(_rebuilt(store, generation, model_id), generation, store, {})
        stored = GenerationIndex.open(folder, model_id)
        reader = EngineReader(engine, IndexSource(store, model_id, stored.dimension)) if engine is not None else None
        index = stored.loaded(former.parts if former is not None else {}, reader)
        parts = {
            of_disk.key: part
            for pair, loaded in zip(stored.parts(), index.parts(), strict=True)
            for of_disk, part in zip(pair, loaded, strict=True)
            if isinstance(of_disk, StoredPart) and isinstance(part, Part)
        }
        return cls._of(index, generation, store, parts)

    def only(self, store: KnowledgeStore, filters: Filters) -> Self:
        """Return a view of the same generation that finds only documents allowed by the filters."""
        vectors = {name: one for name, one in self.vectors.items() if filters.language in (None, name)}
        if not filters.restrict:
            return replace(self, vectors=vectors)
        permitted = permitted_chunks(store, self.generation, filters)
        restricted = {language: one.only(permitted) for language, one in vectors.items()}
        return replace(self, vectors=restricted, lexical=self.lexical.only(permitted))

    @classmethod
    def _of(cls, index: GenerationIndex, generation: int, store: KnowledgeStore, parts: Mapping[str, Part]) -> Self:
        return cls(
            generation=generation,
            model_id=index.model_id,
            lexical=Bm25Index(index.languages),
            vectors={language: LanguageVectors(one) for language, one in index.languages.items() if one.count},
            tokens=EmbeddingTable(store, index.model_id, index.dimension),
            weights=index.weights,
            parts=parts,
        )


def _rebuilt(store: KnowledgeStore, generation: int, model_id: str) -> GenerationIndex:
    """Build the index of a generation from before an index had parts."""
    info = store.generation_info(generation)
    if info.embedder_model != model_id:
        raise EmbedderMismatch(found=info.embedder_model, expected=model_id)
    return build_index(store, generation, model_id, info.dimension, IndexLimits.of(load_settings()))


WIDER_CHUNKS = 20
"""Candidates in each language that are nearest to a query's second vector."""


CHUNKS_OF_A_NUMBER = 8
"""Candidates in each language that have one of a query's numbers."""


@dataclass(frozen=True, slots=True)
class LanguageCandidates:
    """The candidates of a search: ``by_meaning`` is the dense ranking, ``by_words`` has the BM25 of the lexical hits.

    ``bm25`` also has the scores of dense hits; ``seen`` has the chunks of both, and those of ``wider``, of which
    ``numbered`` have a number of the query.  ``problem`` is the error because of which dense search is missing or
    incomplete.
    """

    by_meaning: list[DenseHit]
    by_words: dict[int, float]
    bm25: dict[int, float]
    seen: dict[int, DenseHit]
    wider: tuple[int, ...] = ()
    numbered: frozenset[int] = frozenset()
    problem: VectorEngineError | None = None


_ENGINE_SEARCHES_AT_ONCE = 8


@cache
def _engine_searches() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_ENGINE_SEARCHES_AT_ONCE, "engine-search")


@dataclass(frozen=True, slots=True)
class Search:
    """Searches one generation with one question: its language, its vector, float32 [1, dimension], and its terms.

    ``wanted`` has the weight of each term.  All are searched in every language: Chinese customers write "HSTS" as
    English pages do.  The chunks nearest to ``wider`` are candidates as well, and those with one of the ``numbers``.

    If an engine fails, ``by_words_alone`` lets the search go on with the lexical hits and the nearest of these; else
    the search fails.
    """

    view: GenerationView
    language: str
    query: FloatMatrix
    wanted: Mapping[str, float]
    wider: FloatMatrix | None = None
    numbers: Sequence[str] = ()
    by_words_alone: bool = False

    def run(self, limit: int) -> LanguageCandidates:
        """Return up to ``limit`` hits of either search in each language.  Raises ``VectorEngineError``."""
        problem: VectorEngineError | None = None
        by_meaning: list[DenseHit] = []
        others_only: list[DenseHit] = []
        wider: list[int] = []
        numbered: set[int] = set()
        by_words: dict[int, float] = {}
        bm25: dict[int, float] = {}
        # An engine searches all languages at once, and while the words are searched here.
        begun = {
            language: _engine_searches().submit(vectors.search, self.query, limit)
            for language, vectors in self.view.vectors.items()
            if vectors.are_in_engine
        }
        for language, vectors in self.view.vectors.items():
            scores = self.view.lexical.scores(self.wanted, language)
            lexical = {hit.chunk_id: hit.score for hit in scores.best(limit)}
            by_words.update(lexical)
            try:
                nearest = begun[language].result() if language in begun else vectors.search(self.query, limit)
                extra = [] if self.wider is None else [hit.chunk_id for hit in vectors.search(self.wider, WIDER_CHUNKS)]
            except VectorEngineError as error:
                if not self.by_words_alone:
                    raise
                problem, nearest, extra = error, vectors.nearest_of(self.query, list(lexical), limit), []
            with_numbers = self._with_numbers(language)
            numbered.update(with_numbers)
            extra += with_numbers
            wider += extra
            bm25.update(lexical | scores.of([*(hit.chunk_id for hit in nearest), *extra]))
            others = sorted({*lexical, *extra} - {hit.chunk_id for hit in nearest})
            cosines = vectors.cosines(self.query, others)
            seen = self._dense_hits([*nearest, *map(Hit, others, cosines)], language)
            by_meaning += seen[: len(nearest)]
            others_only += seen[len(nearest) :]
        by_chunk = {hit.chunk_id: hit for hit in (*by_meaning, *others_only)}
        ranked = by_standout(by_meaning)
        return LanguageCandidates(ranked, by_words, bm25, by_chunk, tuple(wider), frozenset(numbered), problem)

    def _with_numbers(self, language: Language) -> list[int]:
        """Return the chunks of a language in which one of the numbers is most frequent."""
        hits = (self.view.lexical.search_terms([number], CHUNKS_OF_A_NUMBER, language) for number in self.numbers)
        return [hit.chunk_id for hit in chain.from_iterable(hits)]

    def _dense_hits(self, hits: Iterable[Hit], language: Language) -> list[DenseHit]:
        vectors = self.view.vectors[language]
        similarities, closeness = vectors.similarities(self.query), vectors.closeness
        return [
            DenseHit(
                chunk_id=hit.chunk_id,
                cosine=hit.score,
                standardized=similarities.standardized(hit.score),
                gain=hit.score - closeness,
                language=language,
                foreign=language != self.language,
            )
            for hit in hits
        ]
