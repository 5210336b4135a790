"""Builds a generation's index: incrementally after small changes, else anew from the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.retrieval.generation_index import (
    AnyPart,
    GenerationIndex,
    LanguageIndex,
    Moments,
    Part,
    PartEntry,
    StoredPart,
    empty_part,
    write_postings,
    write_vectors,
)
from rag.retrieval.late_interaction import TokenWeights
from rag.retrieval.postings import Postings, PostingsBuilder
from rag.retrieval.vector_index import FaissVectorIndex, VectorIndexBuilder, sample_size
from rag.schema import Language
from rag.settings import Settings
from rag.storage.connection import Database
from rag.storage.embeddings import EmbeddingTable
from rag.storage.index_source import IndexSource, VectorRows

_TOKENS_AT_ONCE = 1 << 20  # counting few costs as much: all that were met before are looked through


@dataclass(frozen=True, slots=True)
class IndexLimits:
    """How many chunks of a language are compared one by one, and what share may change before bases are made anew."""

    exact_chunks: int
    merge_share: float

    @classmethod
    def of(cls, settings: Settings) -> "IndexLimits":
        """Take those of the settings."""
        return cls(settings.exact_search_chunks, settings.index_merge_share)


def next_index(
    database: Database,
    generation: int,
    former: Path,
    model_id: str,
    dimension: int,
    limits: IndexLimits,
    folder: Path | None = None,
) -> GenerationIndex:
    """Return the index of a generation that is written and not yet published.

    ``former`` is the folder of the generation before.  Where that cannot be read, or where the database shows
    other chunks than came out, everything is made anew, in ``folder`` as ``build_index`` does: the database is the
    truth.
    """
    try:
        index = _changed(GenerationIndex.open(former, model_id), database, generation, limits)
    except (IndexDamaged, EmbedderMismatch):
        index = None
    if index is not None and index.dimension == dimension:
        chunk_ids = index.chunk_ids()
        if (len(chunk_ids), int(chunk_ids.sum())) == IndexSource(database, model_id, dimension).count_and_sum(
            generation
        ):
            return index
    return build_index(database, generation, model_id, dimension, limits, folder)


def _changed(
    index: GenerationIndex, database: Database, generation: int, limits: IndexLimits
) -> GenerationIndex | None:
    """Return the index with what came and went; None where that is too much."""
    source = IndexSource(database, index.model_id, index.dimension)
    removed, added = source.removed_ids(generation), source.added_counts(generation)
    largest = max((one.fresh.count + added.get(language, 0) for language, one in index.languages.items()), default=0)
    changes = index.changes + sum(added.values()) + len(removed)
    if largest > limits.exact_chunks or changes > limits.merge_share * index.base_count:
        return None
    tokens = EmbeddingTable(database, index.model_id, index.dimension).token_numbers(removed)
    return index.changed(source.added_rows(generation), removed, source.vectors_of(removed), tokens)


def build_index(
    database: Database,
    generation: int,
    model_id: str,
    dimension: int,
    limits: IndexLimits,
    folder: Path | None = None,
) -> GenerationIndex:
    """Make everything anew from the rows that a generation shows, without holding them all.

    With the ``folder`` that the index is to be written to, what is made of one language is written there and forgotten
    before the next is begun, postings first: no more is in memory than one language's vectors, or all postings.
    Raises ``OSError`` then.
    """
    source = IndexSource(database, model_id, dimension)
    counts = source.counts(generation)
    bases = {language: _Base(source, generation, language, folder) for language in counts}
    for base in bases.values():
        base.collect_terms()
    passages = sum(base.collected for base in bases.values())
    mean_length = sum(base.length for base in bases.values()) / max(1, passages)
    for base in bases.values():
        base.finish_postings(mean_length)
    weights = TokenWeights.none()
    languages: dict[Language, LanguageIndex] = {}
    for language, base in bases.items():
        languages[language], weights = base.with_vectors(dimension, counts[language], limits, weights)
    return GenerationIndex(model_id, dimension, languages, weights, mean_length)


class _Base:
    """One language's base in the making.  The methods are called once each, in their order here."""

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
        """How many terms there are in all."""
        return self._builder.length

    @property
    def collected(self) -> int:
        """How many chunks they are of."""
        return self._builder.count

    def finish_postings(self, mean_length: float) -> None:
        postings = self._builder.finish(mean_length)
        if self._folder is None:
            self._postings = postings
        elif postings.count:
            self._files |= write_postings(self._folder, self._name, postings)

    def with_vectors(
        self, dimension: int, count: int, limits: IndexLimits, weights: TokenWeights
    ) -> tuple[LanguageIndex, TokenWeights]:
        """Return the language's index, and the weights with its tokens counted as well."""
        sample = None
        if count > limits.exact_chunks:
            ids = self._source.spread_ids(self._generation, self._language, sample_size(count))
            sample = self._source.vectors_of(ids)
        builder = VectorIndexBuilder(dimension, sample, count)
        del sample
        if builder.is_clustered:
            builder.make_room(rows.vectors for rows in self._rows())
        moments = Moments.none(dimension)
        uncounted, passages = list[NDArray[np.int32]](), 0
        for rows in self._rows():
            builder.add(rows.chunk_ids, rows.vectors)
            moments = moments.changed(rows.vectors)
            uncounted.append(rows.token_numbers)
            passages += len(rows.chunk_ids)
            if sum(map(len, uncounted)) > _TOKENS_AT_ONCE:
                weights, passages = weights.changed(np.concatenate(uncounted), passages), 0
                uncounted.clear()
        weights = weights.changed(np.concatenate([np.empty(0, np.int32), *uncounted]), passages)
        base = self._kept(builder.finish())
        return LanguageIndex(base, empty_part(dimension), np.empty(0, np.int64), moments), weights

    def _rows(self) -> Iterator[VectorRows]:
        return self._source.vectors(self._generation, self._language)

    def _kept(self, vectors: FaissVectorIndex) -> AnyPart:
        if len(vectors) != self.collected:
            raise IndexDamaged(reason=f"{self.collected} chunks have terms and {len(vectors)} have vectors")
        if self._postings is not None:
            return Part(vectors, self._postings)
        if self._folder is None or not len(vectors):
            return empty_part(vectors.dimension)
        files = self._files | write_vectors(self._folder, self._name, vectors)
        entry = PartEntry(len(vectors), vectors.probes, files)
        return StoredPart(self._folder, self._name, entry, vectors.chunk_ids)
