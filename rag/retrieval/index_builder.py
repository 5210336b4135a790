"""A generation's index: made from the one before where little has changed, else anew from the database."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.retrieval.generation_index import GenerationIndex, LanguageIndex, Moments, empty_part
from rag.retrieval.index_part import Part
from rag.retrieval.postings import PostingsBuilder
from rag.retrieval.token_weights import TokenWeights
from rag.retrieval.vector_index import VectorIndexBuilder, sample_size
from rag.schema import Language
from rag.settings import Settings
from rag.storage.connection import Database
from rag.storage.embeddings import EmbeddingTable
from rag.storage.index_source import IndexRows, IndexSource
from rag.storage.store import KnowledgeStore


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
    database: Database | KnowledgeStore,
    generation: int,
    former: Path,
    model_id: str,
    dimension: int,
    limits: IndexLimits,
) -> GenerationIndex:
    """Return the index of a generation that is written and not yet published.

    ``former`` is the folder of the generation before.  Where that cannot be read, or where the database shows
    other chunks than came out, everything is made anew: the database is the truth.
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
    return build_index(database, generation, model_id, dimension, limits)


def _changed(
    index: GenerationIndex, database: Database | KnowledgeStore, generation: int, limits: IndexLimits
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
    database: Database | KnowledgeStore, generation: int, model_id: str, dimension: int, limits: IndexLimits
) -> GenerationIndex:
    """Make everything anew from the rows that a generation shows, without holding them all."""
    source = IndexSource(database, model_id, dimension)
    builders: dict[Language, _LanguageBuilder] = {}
    weights = TokenWeights.none()
    for language, count in source.counts(generation).items():
        sample = None
        if count > limits.exact_chunks:
            sample = source.vectors_of(source.spread_ids(generation, language, sample_size(count)))
        builders[language] = _LanguageBuilder(VectorIndexBuilder(dimension, sample, count), Moments.none(dimension))
    for rows in source.index_rows(generation):
        builders[rows.language].add(rows)
        weights = weights.changed(rows.token_numbers, len(rows.chunk_ids))
    length = sum(builder.postings.length for builder in builders.values())
    mean_length = length / max(1, weights.passages)
    languages = {language: builder.finish(dimension, mean_length) for language, builder in builders.items()}
    return GenerationIndex(model_id, dimension, languages, weights, mean_length)


class _LanguageBuilder:
    """Takes the rows of one language as they come."""

    def __init__(self, vectors: VectorIndexBuilder, moments: Moments) -> None:
        self.vectors = vectors
        self.postings = PostingsBuilder()
        self._moments = moments

    def add(self, rows: IndexRows) -> None:
        self.vectors.add(rows.chunk_ids, rows.vectors)
        self.postings.add(rows.terms)
        self._moments = self._moments.changed(rows.vectors)

    def finish(self, dimension: int, mean_length: float) -> LanguageIndex:
        base = Part(self.vectors.finish(), self.postings.finish(mean_length))
        return LanguageIndex(base, empty_part(dimension), np.empty(0, np.int64), self._moments)
