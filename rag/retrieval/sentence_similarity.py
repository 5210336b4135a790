"""Scores single sentences against the question by late interaction, using stored token vectors."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import Embedder, FloatMatrix
from rag.retrieval.late_interaction import Likeness, Span, span_likeness, token_cosines
from rag.schema import Chunk, QuestionTokens, Retrieval
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore

_REMEMBERED_CHUNKS = 2_048
"""What is found for a question was mostly found for others before: 4 MB at most."""


class SentenceSimilarity:
    """Compares a question's tokens with those of sentences.  Nothing is embedded: the signs of all tokens are kept.

    What the ranking has compared already is not compared again; of the last ``_REMEMBERED_CHUNKS`` texts it is
    remembered where their tokens end, which the text and the embedder of its generation decide.

    ``other_embedder`` is that of ``Retriever``.  Safe to call from several threads.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        embedder: Embedder,
        *,
        other_embedder: Callable[[str], Embedder] | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._other_embedder = other_embedder
        self._of_generation: tuple[int, Embedder] | None = None
        self._remembered_ends = lru_cache(maxsize=_REMEMBERED_CHUNKS)(self._token_ends)

    def likeness(self, retrieval: Retrieval, document_id: str, sentences: Sequence[Span]) -> Likeness | None:
        """Return how well each sentence answers, comparable within one question also between documents.

        A sentence is [start, end) in the document's text; one that no chunk holds whole is judged by the chunk that
        holds most of it.  None where the tokens of a chunk are not kept, or the question's are not known, or a sentence
        is in no chunk that was found.
        """
        if retrieval.tokens is None or not len(retrieval.tokens.vectors):
            return None
        chunks = [found.chunk for found in retrieval.chunks if found.chunk.document_id == document_id]
        homes = [home for home in (_home(sentence, chunks) for sentence in sentences) if home is not None]
        if len(homes) < len(sentences):
            return None
        embedder = self._embedder_of(retrieval.generation)
        cosines = self._cosines(retrieval.tokens, [chunks[home].chunk_id for home in sorted(set(homes))], embedder)
        found = Likeness(np.zeros(len(sentences)), np.zeros((len(sentences), len(retrieval.tokens.weights))))
        for home in sorted(set(homes)):
            chunk = chunks[home]
            if not len(cosines.get(chunk.chunk_id, ())):
                return None
            mine = [place for place, other in enumerate(homes) if other == home]
            spans = [sentences[place] for place in mine]
            ends = self._remembered_ends(retrieval.generation, chunk.embedded_text)
            here = _likeness_in(retrieval.tokens, chunk, cosines[chunk.chunk_id], ends, spans)
            found.scores[mine], found.shares[mine] = here.scores, here.shares
        return found

    def _cosines(self, tokens: QuestionTokens, chunk_ids: Sequence[int], embedder: Embedder) -> dict[int, FloatMatrix]:
        """Return the cosines with the tokens of chunks; a chunk whose tokens are not kept is left out."""
        known = {chunk_id: tokens.cosines[chunk_id] for chunk_id in chunk_ids if chunk_id in tokens.cosines}
        unknown = [chunk_id for chunk_id in chunk_ids if chunk_id not in known]
        if not unknown:
            return known
        table = EmbeddingTable(self._store, embedder.model_id, embedder.dimension)
        signs = table.token_signs(unknown)
        return known | {chunk_id: token_cosines(tokens.vectors, one) for chunk_id, one in signs.items()}

    def _token_ends(self, generation: int, text: str) -> NDArray[np.int64]:
        return np.array([end for _, end in self._embedder_of(generation).token_spans(text)], dtype=np.int64)

    def _embedder_of(self, generation: int) -> Embedder:
        """Return that of a generation; the last one asked for is kept, as it is asked for passage by passage."""
        if self._other_embedder is None:
            return self._embedder
        kept = self._of_generation
        if kept is not None and kept[0] == generation:
            return kept[1]
        model_id = self._store.generation_info(generation).embedder_model
        embedder = self._embedder if model_id == self._embedder.model_id else self._other_embedder(model_id)
        self._of_generation = generation, embedder
        return embedder


def _likeness_in(
    question: QuestionTokens, chunk: Chunk, cosines: FloatMatrix, ends: NDArray[np.int64], sentences: Sequence[Span]
) -> Likeness:
    before = len(chunk.embedded_text) - len(chunk.text) - chunk.start  # titles stand in front
    if len(ends) != len(cosines):
        raise IndexDamaged(reason=f"chunk {chunk.chunk_id} has {len(ends)} tokens, {len(cosines)} are kept")
    return span_likeness(question, cosines, ends - before, sentences)


def _home(sentence: Span, chunks: Sequence[Chunk]) -> int | None:
    start, end = sentence
    held = [min(end, chunk.end) - max(start, chunk.start) for chunk in chunks]
    best = max(range(len(chunks)), key=held.__getitem__, default=None)
    return best if best is not None and held[best] > 0 else None
