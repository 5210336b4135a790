"""Explains a search: each chunk's dense and lexical rank and score, and why a chosen document was cut.

It runs the search of ``retriever.py`` and keeps its intermediate results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.retrieval.crowding import distinct_candidates
from rag.retrieval.generation_view import GenerationView, LanguageCandidates, Search
from rag.retrieval.late_interaction import similarities
from rag.retrieval.query import Query
from rag.retrieval.ranking import fuse
from rag.retrieval.retriever import SearchPlan, rank, tokens_of
from rag.schema import Chunk, Language
from rag.storage.store import KnowledgeStore
from rag.text.terms import terms

EXACT_PLACES_UP_TO_CHUNKS = 200_000
"""Up to this size of a knowledge base, a chosen document's chunks get their ranks among all chunks."""

_VECTORS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class TermUse:
    """A term of the question, its weight (0 or more), and the number of chunks that contain it."""

    term: str
    weight: float
    chunks: int


@dataclass(frozen=True, slots=True)
class ChunkTrace:
    """One chunk's scores and ranks in a search.  Ranks count from 1; None if that step did not have the chunk.

    ``meaning_rank`` and ``words_rank`` are those of dense and lexical search, with ``candidates`` each; ``fused_rank``
    is that of both together; ``rank`` is the final one, of the chunks with a late interaction (``late``).
    """

    chunk: Chunk
    cosine: float | None = None
    meaning_rank: int | None = None
    bm25: float | None = None
    words_rank: int | None = None
    fused_rank: int | None = None
    late: float | None = None
    score: float | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """``searched`` is the corrected question; ``chunks`` are the candidates of both searches, best first.

    ``parts`` are searched as well if the question asks for several things.  ``chosen`` are the chunks of the chosen
    document, nearest first, with their dense and lexical ranks among *all* chunks of their language.
    """

    searched: str
    parts: tuple[str, ...]
    terms: tuple[TermUse, ...]
    chunks: tuple[ChunkTrace, ...]
    chosen: tuple[ChunkTrace, ...]
    generation: int


def inspect(plan: SearchPlan, store: KnowledgeStore, limit: int, document_id: str = "") -> Inspection:
    """Search as the retriever that ``prepared`` it does, with ``limit`` hits of either search, and keep the results.

    ``document_id`` names a document whose chunks are included, whatever their ranks.
    """
    view, query = plan.view, plan.whole
    search = Search(view, query.language, query.vector, query.terms, query.wider)
    candidates = distinct_candidates(search, store, limit)
    traces = _candidate_traces(view, store, candidates, query)
    chunks = store.document_chunks(document_id, view.generation) if document_id else ()
    chosen = _document_traces(view, chunks, query, {one.chunk.chunk_id: one for one in traces})
    weights = view.lexical.term_weights(list(query.terms) or terms(query.question))
    return Inspection(
        searched=query.question,
        parts=tuple(part.question for part in plan.parts),
        terms=tuple(TermUse(term, weight.idf, weight.chunks) for term, weight in weights.items()),
        chunks=traces,
        chosen=chosen,
        generation=view.generation,
    )


def _candidate_traces(
    view: GenerationView, store: KnowledgeStore, candidates: LanguageCandidates, query: Query
) -> tuple[ChunkTrace, ...]:
    """Return the candidates of both searches: in the final order, then the unranked ones in the fused order."""
    by_words = sorted(candidates.by_words, key=lambda chunk_id: -candidates.by_words[chunk_id])
    in_meaning = _places([hit.chunk_id for hit in candidates.by_meaning])
    in_words, in_fusion = _places(by_words), _places(fuse(candidates.by_meaning, candidates.by_words))
    other_leads = view.lexical.are_elsewhere(query.names, query.language)
    order = rank(view, candidates, tokens_of(view, query), other_leads=other_leads)
    ranked = {one.hit.chunk_id: one for one in order}
    finally_at = _places(list(ranked))
    numbers = list(dict.fromkeys([*ranked, *in_fusion]))
    loaded = store.chunks(numbers, view.generation)
    return tuple(
        ChunkTrace(
            chunk=loaded[chunk_id],
            cosine=candidates.seen[chunk_id].cosine,
            meaning_rank=in_meaning.get(chunk_id),
            bm25=candidates.bm25.get(chunk_id),
            words_rank=in_words.get(chunk_id),
            fused_rank=in_fusion.get(chunk_id),
            late=ranked[chunk_id].late if chunk_id in ranked else None,
            score=ranked[chunk_id].score if chunk_id in ranked else None,
            rank=finally_at.get(chunk_id),
        )
        for chunk_id in numbers
        if chunk_id in loaded
    )


def _document_traces(
    view: GenerationView, chunks: Sequence[Chunk], query: Query, candidates: Mapping[int, ChunkTrace]
) -> tuple[ChunkTrace, ...]:
    """Return the traces of a document's chunks, with their ranks among all chunks of their language."""
    if not chunks or chunks[0].language not in view.vectors:
        return ()
    language = chunks[0].language
    numbers = [chunk.chunk_id for chunk in chunks]
    tokens = tokens_of(view, query)
    signs = view.tokens.token_signs(numbers) if len(tokens.vectors) else {}
    kept = [number for number in numbers if number in signs]
    late = dict(zip(kept, similarities(tokens, [signs[number] for number in kept]).tolist(), strict=True))
    cosines = dict(zip(numbers, view.vectors[language].cosines(query.vector, numbers), strict=True))
    bm25 = view.lexical.scores(query.terms, language).of(numbers)
    by_meaning, by_words = _exact_places(view, language, query)
    traces = [
        ChunkTrace(
            chunk=chunk,
            cosine=cosines[chunk.chunk_id],
            meaning_rank=by_meaning.get(chunk.chunk_id),
            bm25=bm25.get(chunk.chunk_id),
            words_rank=by_words.get(chunk.chunk_id),
            fused_rank=candidates[chunk.chunk_id].fused_rank if chunk.chunk_id in candidates else None,
            late=late.get(chunk.chunk_id),
            score=candidates[chunk.chunk_id].score if chunk.chunk_id in candidates else None,
            rank=candidates[chunk.chunk_id].rank if chunk.chunk_id in candidates else None,
        )
        for chunk in chunks
    ]
    return tuple(sorted(traces, key=lambda one: (one.rank or len(candidates) + 1, -(one.late or one.cosine or 0.0))))


def _exact_places(view: GenerationView, language: Language, query: Query) -> tuple[dict[int, int], dict[int, int]]:
    """Return the dense and lexical ranks of all chunks of one language; none if there are too many chunks."""
    vectors = view.vectors[language]
    count = vectors.similarities(query.vector).count
    if count > EXACT_PLACES_UP_TO_CHUNKS:
        return {}, {}
    (nearest,) = vectors.nearest_exactly(query.vector, count, _VECTORS_AT_ONCE)
    worded = [hit.chunk_id for hit in view.lexical.scores(query.terms, language).best(count)]
    return _places(nearest), _places(worded)


def _places(chunk_ids: Sequence[int]) -> dict[int, int]:
    return {chunk_id: place for place, chunk_id in enumerate(chunk_ids, start=1)}
