"""Late interaction: compares a question's tokens with those of passages and of their sentences.

As in O. Khattab and M. Zaharia, https://arxiv.org/abs/2004.12832, with the embedder's own tokens: each
token of the question is matched with the most similar token of the passage, and the similarities are averaged by how
rare the question's tokens are in the knowledge base.  Half of the score is the same within the passage's best stretch:
words close together answer better than words spread over a page.  A passage's tokens are signs, so their cosine
with a question's token is the sum of its numbers with those signs, over the square root of the dimension.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rag.errors import IndexDamaged
from rag.protocols import Embedder, FloatMatrix, QueryTokens
from rag.schema import Chunk, QuestionTokens, Retrieval
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore


@dataclass(frozen=True, slots=True, eq=False)
class TokenWeights:
    """In how many of ``passages`` passages each token is: ``numbers``, ascending, and ``frequencies``, int64 [v]."""

    numbers: NDArray[np.int32]
    frequencies: NDArray[np.int64]
    passages: int

    @classmethod
    def count(cls, numbers: NDArray[np.int32], passages: int) -> Self:
        """Count the distinct tokens of each of ``passages`` passages, one passage after another."""
        return cls.none().changed(numbers, passages)

    @classmethod
    def none(cls) -> Self:
        """Return the weights of no passages."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), 0)

    def changed(self, numbers: NDArray[np.int32], passages: int, sign: int = 1) -> Self:
        """Return the weights with further passages' tokens, or, if ``sign`` is -1, without those of removed ones."""
        found, times = np.unique(numbers, return_counts=True)
        every = np.union1d(self.numbers, found)
        frequencies = np.zeros(len(every), dtype=np.int64)
        frequencies[np.searchsorted(every, self.numbers)] = self.frequencies
        frequencies[np.searchsorted(every, found)] += sign * times
        held = frequencies > 0
        return type(self)(every[held].astype(np.int32), frequencies[held], self.passages + sign * passages)

    def of(self, numbers: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the inverse document frequency of each token, ln(1 + (N - df + .5) / (df + .5)), float64 [n]."""
        places = np.searchsorted(self.numbers, numbers)
        inside = np.minimum(places, max(0, len(self.numbers) - 1))
        if len(self.numbers):
            frequencies = np.where(self.numbers[inside] == numbers, self.frequencies[inside], 0)
        else:
            frequencies = np.zeros(len(numbers), dtype=np.int64)
        return np.asarray(np.log1p((self.passages - frequencies + 0.5) / (frequencies + 0.5)), dtype=np.float64)


Signs = NDArray[np.uint8]
Span = tuple[int, int]
DocumentSpan = tuple[str, int, int]
"""A document's id, and a stretch of its text, [start, end)."""

WEIGHED_TOKENS = 64
"""Of a longer question only the rarest tokens are compared; a question has a dozen."""

STRETCH_TOKENS = 32
"""Of 16, 32 and 64 the best on seven question sets, with 0.2 points of R@1 over the passage as a whole."""

_STEP = STRETCH_TOKENS // 2

_UNPACKED_TOKENS = 256
"""Of as many tokens at a time the signs are made numbers: these stay in the core's cache, which takes two thirds of the
time of all at once."""

_SIGNS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1


@cache
def limit_blas_threads() -> None:
    """Give numpy's products one thread, for the whole process and for good; later calls do nothing.

    One question is too little work to share: beside a busy model server a team of threads waits for itself, 7 ms
    instead of 2.4.  The embedder's threads are of another kind and stay as they are.
    """
    threadpool_limits(limits=1, user_api="blas")


def heaviest_tokens(tokens: QueryTokens, weights: NDArray[np.float64]) -> QuestionTokens:
    """Return a question's heaviest tokens, ``WEIGHED_TOKENS`` at the most; ``weights`` are float64 [q]."""
    heaviest = np.argsort(-weights, kind="stable")[:WEIGHED_TOKENS]
    return QuestionTokens(tokens.vectors[heaviest], weights[heaviest])


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well n texts match a question: ``scores`` float64 [n] in [-1, 1].

    ``shares`` float64 [n, q] is what each of the question's tokens adds, its best cosine in the text times its share of
    the weight: the sum of the columns' largest values is how well several texts match together.  Both are 0 for a text
    without tokens, and for a question whose tokens have no weight.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]


def similarities(question: QuestionTokens, passages: Sequence[Signs]) -> NDArray[np.float64]:
    """Return the ``Likeness.scores`` of n passages, float64 [n] in [-1, 1]."""
    return likeness(question, passages).scores


def likeness(question: QuestionTokens, passages: Sequence[Signs]) -> Likeness:
    """Return how well each of n passages matches all of a question's tokens together."""
    return _likeness(question, *_all_cosines(question, passages))


def similarities_and_cosines(
    question: QuestionTokens, passages: Sequence[Signs]
) -> tuple[NDArray[np.float64], list[FloatMatrix]]:
    """Return the ``Likeness.scores`` of n passages, and each one's cosines, float32 [t, q], which they come from."""
    cosines, lengths = _all_cosines(question, passages)
    return _likeness(question, cosines, lengths).scores, _split_by_passage(cosines, lengths)


def cosines_of_each(question: QuestionTokens, passages: Sequence[Signs]) -> list[FloatMatrix]:
    """Return the cosines of each of n passages' tokens with the question's, float32 [t, q]."""
    return _split_by_passage(*_all_cosines(question, passages))


def _split_by_passage(cosines: FloatMatrix, lengths: NDArray[np.int64]) -> list[FloatMatrix]:
    return np.split(cosines, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _all_cosines(question: QuestionTokens, passages: Sequence[Signs]) -> tuple[FloatMatrix, NDArray[np.int64]]:
    """Return the cosines [t, q] of all passages' tokens, one passage after another, and how many each has, [n]."""
    lengths = np.array([len(signs) for signs in passages], dtype=np.int64)
    if not lengths.any():
        return np.empty((0, len(question.weights)), dtype=np.float32), lengths
    return token_cosines(question.vectors, np.concatenate(passages)), lengths


def _likeness(question: QuestionTokens, cosines: FloatMatrix, lengths: NDArray[np.int64]) -> Likeness:
    """Return the likeness of n passages from the cosines of their tokens; 0 for one without tokens."""
    result = Likeness(np.zeros(len(lengths)), np.zeros((len(lengths), len(question.weights))))
    weight = question.weights.sum()
    if weight > 0 and lengths.any():
        of_some = _passage_likeness(cosines, lengths[lengths > 0], question.weights / weight)
        result.scores[lengths > 0], result.shares[lengths > 0] = of_some.scores, of_some.shares
    return result


def _passage_likeness(cosines: FloatMatrix, lengths: NDArray[np.int64], weights: NDArray[np.float64]) -> Likeness:
    """Return the likeness from the cosines [t, q] of n passages' tokens, ``lengths`` of them in each, none empty."""
    begins = np.cumsum(lengths) - lengths
    steps = -(-lengths // _STEP)  # of a passage's tokens, the last step may be short
    first_steps = np.cumsum(steps) - steps
    step_in_passage = np.arange(steps.sum()) - np.repeat(first_steps, steps)
    best = np.maximum.reduceat(cosines, np.repeat(begins, steps) + step_in_passage * _STEP, axis=0)
    stretches = best.copy()  # two steps each; a passage's last step is a stretch with the one before
    is_continued = step_in_passage[1:] > 0
    stretches[:-1][is_continued] = np.maximum(best[:-1], best[1:])[is_continued]
    shares = np.maximum.reduceat(best, first_steps, axis=0) * weights
    within_a_stretch = np.maximum.reduceat(stretches @ weights, first_steps)
    return Likeness(np.asarray((shares.sum(axis=1) + within_a_stretch) / 2, dtype=np.float64), shares)


def tokens_of_spans(
    token_ends: NDArray[np.int64], spans: Sequence[Span]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for n stretches of a passage the first of their tokens, int64 [n], and how many these are, int64 [n].

    ``token_ends``, int64 [t] ascending, are the ends of the passage's tokens, in the characters of ``spans``.  A token
    belongs to the stretch with its last character: the blank before a word is part of the word's token.
    """
    bounds = np.searchsorted(token_ends, np.array(spans, dtype=np.int64).reshape(-1, 2), side="right")
    return bounds[:, 0], bounds[:, 1] - bounds[:, 0]


def _stretch_likeness(
    question: QuestionTokens, cosines: FloatMatrix, first: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Likeness:
    """Return the likeness of n stretches, each of so many rows of the ``cosines`` [t, q] from the ``first`` on."""
    behind = np.cumsum(lengths)
    rows = np.arange(behind[-1] if len(behind) else 0) + np.repeat(first - (behind - lengths), lengths)
    return _likeness(question, cosines[rows], lengths)


def unpack_signs(signs: Signs, dimension: int) -> FloatMatrix:
    """Return -1 or 1 for each sign, float32 [t, dimension]."""
    return np.asarray(_SIGNS_OF_BYTE[signs].reshape(len(signs), -1)[:, :dimension], dtype=np.float32)


def token_cosines(query: FloatMatrix, signs: Signs) -> FloatMatrix:
    """Return float32 [t, q]: cosines in [-1, 1] of signs [t, dimension / 8] with unit rows, float32 [q, dimension]."""
    dimension = query.shape[1]
    scaled = query.T / np.sqrt(np.float32(dimension))
    cosines = np.empty((len(signs), len(query)), dtype=np.float32)
    unpacked = np.empty((min(len(signs), _UNPACKED_TOKENS), signs.shape[1], 8), dtype=np.float32)
    for begin in range(0, len(signs), _UNPACKED_TOKENS):
        block = signs[begin : begin + _UNPACKED_TOKENS]
        rows = np.take(_SIGNS_OF_BYTE, block, axis=0, out=unpacked[: len(block)], mode="clip")  # unbuffered
        np.matmul(rows.reshape(len(block), -1)[:, :dimension], scaled, out=cosines[begin : begin + len(block)])
    return cosines


_REMEMBERED_CHUNKS = 2_048
"""Most chunks found for a question were found for others before: 4 MB at most."""


class SentenceSimilarity:
    """Compares a question's tokens with those of sentences.  Nothing is embedded: the signs of all tokens are stored.

    The ranking's cosines are reused; the ends of the tokens, which depend on the text and the embedder of its
    generation, are cached for the last ``_REMEMBERED_CHUNKS`` texts.

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

    def likeness(self, retrieval: Retrieval, sentences: Sequence[DocumentSpan]) -> Likeness | None:
        """Return how well each sentence matches, comparable within one question also between documents.

        A sentence across chunks is judged by the chunk that holds most of it.  None if the tokens of a chunk are not
        stored, the question's are unknown, or a sentence is in no retrieved chunk.
        """
        tokens = retrieval.tokens
        if tokens is None or not len(tokens.vectors):
            return None
        by_chunk = _group_by_chunk(sentences, [retrieved.chunk for retrieved in retrieval.chunks])
        if by_chunk is None:
            return None
        cosines = self._cosines(tokens, list(by_chunk), self._embedder_of(retrieval.generation))
        if not all(len(cosines.get(chunk_id, ())) for chunk_id in by_chunk):
            return None
        first, lengths = (np.empty(len(sentences), np.int64) for _ in range(2))
        begin = 0
        for chunk_id, (chunk, places) in by_chunk.items():
            ends = self._ends_in_document(retrieval.generation, chunk, len(cosines[chunk_id]))
            own, lengths[places] = tokens_of_spans(ends, [sentences[place][1:] for place in places])
            first[places] = begin + own
            begin += len(ends)
        nothing = np.empty((0, len(tokens.weights)), dtype=np.float32)
        cosine_rows = np.concatenate([nothing, *(cosines[chunk_id] for chunk_id in by_chunk)])
        return _stretch_likeness(tokens, cosine_rows, first, lengths)

    def _cosines(self, tokens: QuestionTokens, chunk_ids: Sequence[int], embedder: Embedder) -> dict[int, FloatMatrix]:
        """Return the cosines with the tokens of chunks; a chunk without stored tokens is left out."""
        known = {chunk_id: tokens.cosines[chunk_id] for chunk_id in chunk_ids if chunk_id in tokens.cosines}
        unknown = [chunk_id for chunk_id in chunk_ids if chunk_id not in known]
        if not unknown:
            return known
        table = EmbeddingTable(self._store, embedder.model_id, embedder.dimension)
        signs = table.token_signs(unknown)
        return known | dict(zip(signs, cosines_of_each(tokens, list(signs.values())), strict=True))

    def _ends_in_document(self, generation: int, chunk: Chunk, count: int) -> NDArray[np.int64]:
        """Return where a chunk's ``count`` tokens end in its document's text."""
        ends = self._remembered_ends(generation, chunk.embedded_text)
        if len(ends) != count:
            raise IndexDamaged(reason=f"chunk {chunk.chunk_id} has {len(ends)} tokens, {count} are kept")
        return ends - (chunk.text_offset - chunk.start)

    def _token_ends(self, generation: int, text: str) -> NDArray[np.int64]:
        return np.array([end for _, end in self._embedder_of(generation).token_spans(text)], dtype=np.int64)

    def _embedder_of(self, generation: int) -> Embedder:
        """Return the embedder of a generation; the last one is cached, as it is needed passage by passage."""
        if self._other_embedder is None:
            return self._embedder
        kept = self._of_generation
        if kept is not None and kept[0] == generation:
            return kept[1]
        model_id = self._store.generation_info(generation).embedder_model
        embedder = self._embedder if model_id == self._embedder.model_id else self._other_embedder(model_id)
        self._of_generation = generation, embedder
        return embedder


def _group_by_chunk(
    sentences: Sequence[DocumentSpan], chunks: Sequence[Chunk]
) -> dict[int, tuple[Chunk, list[int]]] | None:
    """Return the chunks that hold most of a sentence, by their numbers, each with the places of these sentences.

    None if a sentence is in no chunk.
    """
    of_document: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        of_document.setdefault(chunk.document_id, []).append(chunk)
    by_chunk: dict[int, tuple[Chunk, list[int]]] = {}
    for place, (document_id, start, end) in enumerate(sentences):
        home = _home_chunk((start, end), of_document.get(document_id, ()))
        if home is None:
            return None
        by_chunk.setdefault(home.chunk_id, (home, []))[1].append(place)
    return by_chunk


def _home_chunk(sentence: Span, chunks: Sequence[Chunk]) -> Chunk | None:
    """Return the first chunk that holds most of a sentence; None if no chunk holds any of it."""
    start, end = sentence
    most, home = 0, None
    for chunk in chunks:
        shared = min(end, chunk.end) - max(start, chunk.start)
        if shared > most:
            most, home = shared, chunk
    return home
