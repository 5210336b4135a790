"""From a question to the passages that may answer it: embed, search both legs in both languages, fuse, load, judge."""

import threading
from dataclasses import dataclass

from rag.protocols import Embedder, FloatMatrix
from rag.retrieval.candidates import DenseHit, by_standout, fuse
from rag.retrieval.confidence import Confidence, Signals, load_confidence
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.signals import read_signals
from rag.retrieval.terms import is_code, terms
from rag.schema import Language, Retrieval, RetrievedChunk
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

KEPT_CHUNKS = 20
"""Chunks returned for a question: as many as may be asked for as evidence (``top_k``)."""


@dataclass(frozen=True, slots=True)
class Found:
    """The best chunks of one generation, and what they say about whether the answer is among them."""

    chunks: tuple[RetrievedChunk, ...]
    signals: Signals
    generation: int


class Retriever:
    """Searches the current generation of a knowledge base.  Safe to call from several threads.

    A question is searched, ranked and loaded in one generation, whatever is published meanwhile.  Where two languages
    share a knowledge base, each is searched by meaning; by words only the question's own, and codes in both.
    """

    def __init__(
        self, store: KnowledgeStore, embedder: Embedder, settings: Settings, confidence: Confidence | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._limit = settings.candidates
        self._confidence = confidence or load_confidence(embedder.model_id)
        asked = settings.refusal_threshold
        self._threshold = self._confidence.threshold if asked is None else asked
        self._view: GenerationView | None = None
        self._opening = threading.Lock()

    def retrieve(self, question: str, language: Language, trace: Trace) -> Retrieval:
        """Return the best chunks, and how probable it is that they hold the answer.

        Raises ``KnowledgeBaseMissing``, ``EmbedderMismatch`` or ``IndexDamaged``.
        """
        found = self.find(question, language, trace)
        probability = self._confidence.probability(found.signals)
        answerable = bool(found.chunks) and probability >= self._threshold
        return Retrieval(found.chunks, probability, answerable, found.generation)

    def find(self, question: str, language: Language, trace: Trace) -> Found:
        """Return the best chunks and the signals, without judging.  Errors are those of ``retrieve``."""
        with trace.span("embed"):
            query = self._embedder.embed_queries([question]).vectors
        with trace.span("search"):
            view = self._current_view()
            wanted = terms(question)
            dense = self._by_meaning(view, query, language)
            bm25 = self._by_words(view, wanted, language)
            candidates = fuse(dense, bm25)[:KEPT_CHUNKS]
            loaded = self._store.chunks([candidate.chunk_id for candidate in candidates], view.generation)
            chunks = tuple(
                RetrievedChunk(loaded[one.chunk_id], one.fused_score, one.cosine, one.bm25)
                for one in candidates
                if one.chunk_id in loaded
            )
            first = [one.chunk for one in chunks]
            signals = read_signals(dense, bm25, first, view.lexical.term_weights(wanted))
        return Found(chunks, signals, view.generation)

    def _by_meaning(self, view: GenerationView, query: FloatMatrix, language: Language) -> list[DenseHit]:
        hits: list[DenseHit] = []
        for own, vectors in view.vectors.items():
            similarities, closeness = vectors.similarities(query), vectors.closeness
            hits += [
                DenseHit(
                    chunk_id=hit.chunk_id,
                    cosine=hit.score,
                    standardized=similarities.standardized(hit.score),
                    gain=hit.score - closeness,
                    language=own,
                    foreign=own != language,
                )
                for hit in vectors.index.search(query, self._limit)
            ]
        return by_standout(hits)

    def _by_words(self, view: GenerationView, wanted: list[str], language: Language) -> dict[int, float]:
        """Search the question's language by all of its terms, and the other by what is written alike in both."""
        codes = [term for term in wanted if is_code(term)]
        found: dict[int, float] = {}
        for own in view.vectors:
            searched = wanted if own == language else codes
            hits = view.lexical.search_terms(searched, self._limit, own)
            found.update((hit.chunk_id, hit.score) for hit in hits)
        return found

    def _current_view(self) -> GenerationView:
        """Return the current generation, opened by the first question that sees it."""
        generation = self._store.require_generation()
        view = self._view
        if view is not None and view.generation == generation:
            return view
        with self._opening:
            if self._view is None or self._view.generation < generation:
                self._view = GenerationView.open(self._store, generation, self._embedder.model_id)
            return self._view
