"""Builds a generation's index: incrementally after small changes, otherwise from the database.

With a vector engine (``vector_engine.py``), the vectors of a large base are in the engine before the index names them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.protocols import FloatMatrix
from rag.retrieval.generation_index import (
    AnyPart,
    GenerationIndex,
    LanguageIndex,
    Moments,
    Part,
    PartEntry,
    StoredPart,
    collections_of,
    empty_part,
    is_of_former_format,
    write_chunk_ids,
    write_postings,
    write_vectors,
)
from rag.retrieval.late_interaction import TokenWeights
from rag.retrieval.postings import Postings, PostingsBuilder
from rag.retrieval.vector_engine import Batch, VectorEngine, collection_name, engine_of
from rag.retrieval.vector_index import FaissVectorIndex, VectorIndexBuilder, require_unit_rows, sample_size
from rag.schema import Language
from rag.settings import Settings
from rag.storage.connection import Database
from rag.storage.embeddings import EmbeddingTable, IndexSource, VectorRows
from rag.storage.store import engine_owner

_TOKENS_AT_ONCE = 1 << 20  # each count goes through all earlier tokens, however few are added


@dataclass(frozen=True, slots=True)
class IndexLimits:
    """How many chunks of a language are compared one by one, and what share may change before bases are rebuilt.

    ``engine`` gets the vectors of larger languages; None: they are clustered here.
    """

    exact_chunks: int
    merge_share: float
    engine: VectorEngine | None = None

    @classmethod
    def of(cls, settings: Settings) -> "IndexLimits":
        """Take those of the settings.  Raises ``ExtraMissing``."""
        return cls(settings.exact_search_chunks, settings.index_merge_share, engine_of(settings))


def next_index(
    database: Database,
    generation: int,
    former: Path,
    model_id: str,
    dimension: int,
    limits: IndexLimits,
    folder: Path | None = None,
) -> GenerationIndex:
    """Return the index of a generation that is written but not yet published.

    ``former`` is the folder of the previous generation.  If it cannot be read, or if the result does not match the
    database, which is the truth, the index is rebuilt in ``folder`` by ``build_index``.  So it is if the vectors are in
    the wrong place: an engine was set or changed, or has lost them.  Raises ``VectorEngineUnavailable``.
    """
    try:
        stored = GenerationIndex.open(former, model_id)
        stored.require_files()
        index = _changed_index(stored, database, generation, limits)
    except (IndexDamaged, EmbedderMismatch):
        index = None
    if index is not None and index.dimension == dimension and _is_in_place(index, limits):
        chunk_ids = index.chunk_ids()
        if (len(chunk_ids), int(chunk_ids.sum())) == IndexSource(database, model_id, dimension).count_and_sum(
            generation
        ):
            return index
    return build_index(database, generation, model_id, dimension, limits, folder)


def _changed_index(
    index: GenerationIndex, database: Database, generation: int, limits: IndexLimits
) -> GenerationIndex | None:
    """Return the index with the changes applied; None if these are too many."""
    source = IndexSource(database, index.model_id, index.dimension)
    removed, added = source.removed_ids(generation), source.added_counts(generation)
    largest = max((one.fresh.count + added.get(language, 0) for language, one in index.languages.items()), default=0)
    changes = index.changes + sum(added.values()) + len(removed)
    if largest > limits.exact_chunks or changes > limits.merge_share * index.base_count:
        return None
    tokens = EmbeddingTable(database, index.model_id, index.dimension).token_numbers(removed)
    return index.changed(source.added_rows(generation), removed, source.vectors_of(removed), tokens)


def _is_in_place(index: GenerationIndex, limits: IndexLimits) -> bool:
    """Tell whether the vectors of each base are where the limits want them: in the engine or not."""
    for one in index.languages.values():
        collection = one.base.entry.collection if isinstance(one.base, StoredPart) else ""
        if bool(collection) != (limits.engine is not None and one.base.count > limits.exact_chunks):
            return False
        if collection and limits.engine is not None and limits.engine.count(collection) != one.base.count:
            return False
    return True


def drop_unused_collections(folder: Path, engine: VectorEngine | None) -> None:
    """Delete an engine's collections of the knowledge base in ``folder`` that no kept generation needs.

    The caller is its only writer.  Raises ``VectorEngineError``, and ``IndexDamaged`` if the needed ones are unknown.
    """
    owner = engine_owner(folder) if engine is not None else ""
    if not owner or engine is None:
        return
    needed: set[str] = set()
    for generation in sorted((folder / "generations").glob("*")):
        if generation.name.isdigit() and not is_of_former_format(generation):
            needed |= collections_of(generation)
    for collection in engine.collections(owner):
        if collection not in needed:
            engine.drop(collection)


def build_index(
    database: Database,
    generation: int,
    model_id: str,
    dimension: int,
    limits: IndexLimits,
    folder: Path | None = None,
) -> GenerationIndex:
    """Build the index from the rows of a generation without holding all of them in memory.

    With the ``folder`` of the index, each language is written there and released before the next begins, postings
    first: memory holds at most one language's vectors, or all postings.  Raises ``OSError`` then.  Vectors go to an
    engine only with a ``folder``; otherwise nothing would name their collection.
    """
    source = IndexSource(database, model_id, dimension)
    counts = source.counts(generation)
    bases = {language: _Base(source, generation, language, folder) for language in counts}
    for base in bases.values():
        base.collect_terms()
    passages = sum(base.chunk_count for base in bases.values())
    mean_length = sum(base.length for base in bases.values()) / max(1, passages)
    for base in bases.values():
        base.finish_postings(mean_length)
    weights = TokenWeights.none()
    languages: dict[Language, LanguageIndex] = {}
    for language, base in bases.items():
        languages[language], weights = base.finish_vectors(dimension, counts[language], limits, weights)
    return GenerationIndex(model_id, dimension, languages, weights, mean_length)


class _Base:
    """One language's base under construction.  Each method is called once, in this order."""

    def __init__(self, source: IndexSource, generation: int, language: Language, folder: Path | None) -> None:
        self._source = source
        self._generation = generation
        self._language = language
        self._folder = folder
        self._name = f"{language}-base"
        self._builder = PostingsBuilder()
        self._postings: Postings | None = None
        self._files: dict[str, str] = {}

    def collect_terms(self) -> None:
        for terms in self._source.terms(self._generation, self._language):
            self._builder.add(terms)

    @property
    def length(self) -> int:
        """The number of terms in all chunks."""
        return self._builder.length

    @property
    def chunk_count(self) -> int:
        """The number of their chunks."""
        return self._builder.count

    def finish_postings(self, mean_length: float) -> None:
        postings = self._builder.finish(mean_length)
        if self._folder is None:
            self._postings = postings
        elif postings.count:
            self._files |= write_postings(self._folder, self._name, postings)

    def finish_vectors(
        self, dimension: int, count: int, limits: IndexLimits, weights: TokenWeights
    ) -> tuple[LanguageIndex, TokenWeights]:
        """Return the language's index, and the token weights updated with its tokens."""
        engine = limits.engine if self._folder is not None and count > limits.exact_chunks else None
        if engine is not None:
            numbers = _ChunkNumbers()
            moments, weights = self._stream_vectors(numbers, dimension, weights)
            base = self._engine_part(engine, numbers.all(), dimension)
        else:
            builder = self._vector_builder(dimension, count, limits)
            moments, weights = self._stream_vectors(builder, dimension, weights)
            base = self._finished_part(builder.finish())
        return LanguageIndex(base, empty_part(dimension), np.empty(0, np.int64), moments), weights

    def _vector_builder(self, dimension: int, count: int, limits: IndexLimits) -> VectorIndexBuilder:
        """Return a builder for so many vectors, with reserved room if they are clustered."""
        sample = None
        if count > limits.exact_chunks:
            ids = self._source.spread_ids(self._generation, self._language, sample_size(count))
            sample = self._source.vectors_of(ids)
        builder = VectorIndexBuilder(dimension, sample, count)
        del sample
        if builder.is_clustered:
            builder.make_room(rows.vectors for rows in self._rows())
        return builder

    def _stream_vectors(
        self, consumer: "VectorIndexBuilder | _ChunkNumbers", dimension: int, weights: TokenWeights
    ) -> tuple[Moments, TokenWeights]:
        """Pass all vectors to the ``consumer``; return their moments, and the updated token weights."""
        moments = Moments.none(dimension)
        uncounted, passages = list[NDArray[np.int32]](), 0
        for rows in self._rows():
            consumer.add(rows.chunk_ids, rows.vectors)
            moments = moments.changed(rows.vectors)
            uncounted.append(rows.token_numbers)
            passages += len(rows.chunk_ids)
            if sum(map(len, uncounted)) > _TOKENS_AT_ONCE:
                weights, passages = weights.changed(np.concatenate(uncounted), passages), 0
                uncounted.clear()
        return moments, weights.changed(np.concatenate([np.empty(0, np.int32), *uncounted]), passages)

    def _rows(self) -> Iterator[VectorRows]:
        return self._source.vectors(self._generation, self._language)

    def _finished_part(self, vectors: FaissVectorIndex) -> AnyPart:
        if len(vectors) != self.chunk_count:
            raise IndexDamaged(reason=f"{self.chunk_count} chunks have terms and {len(vectors)} have vectors")
        if self._postings is not None:
            return Part(vectors, self._postings)
        if self._folder is None or not len(vectors):
            return empty_part(vectors.dimension)
        files = self._files | write_vectors(self._folder, self._name, vectors)
        entry = PartEntry(len(vectors), vectors.probes, files)
        return StoredPart(self._folder, self._name, entry, vectors.chunk_ids)

    def _engine_part(self, engine: VectorEngine, chunk_ids: NDArray[np.int64], dimension: int) -> AnyPart:
        """Store the vectors in an engine; return the part that names their collection."""
        assert self._folder is not None
        if len(chunk_ids) != self.chunk_count:
            raise IndexDamaged(reason=f"{self.chunk_count} chunks have terms and {len(chunk_ids)} have vectors")
        owner = engine_owner(self._source.folder, make=True)
        collection = collection_name(owner, self._source.digest(self._generation, self._language))
        engine.fill(collection, dimension, len(chunk_ids), self._batches())
        files = self._files | write_chunk_ids(self._folder, self._name, chunk_ids)
        return StoredPart(self._folder, self._name, PartEntry(len(chunk_ids), 0, files, collection), chunk_ids)

    def _batches(self) -> Iterator[Batch]:
        for rows in self._rows():
            yield rows.chunk_ids, rows.vectors


class _ChunkNumbers:
    """Takes vectors as ``VectorIndexBuilder`` does, and keeps only the numbers: the vectors go to an engine."""

    def __init__(self) -> None:
        self._chunk_ids: list[NDArray[np.int64]] = [np.empty(0, np.int64)]

    def add(self, chunk_ids: NDArray[np.int64], vectors: FloatMatrix) -> None:
        require_unit_rows(vectors)
        self._chunk_ids.append(chunk_ids.astype(np.int64))

    def all(self) -> NDArray[np.int64]:
        return np.concatenate(self._chunk_ids)
