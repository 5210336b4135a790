"""Retrieves passages for a question: embed, search dense and lexical, fuse, rerank, load, judge."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag.errors import IndexDamaged, VectorEngineError
from rag.protocols import Embedder, FloatMatrix, Reranker
from rag.retrieval.confidence import Confidence, OwnCalibration, Signals, calibrations_of, load_confidence, read_signals
from rag.retrieval.filters import EVERYTHING, PLAIN_SEARCH, Expansion, Filters, SearchOptions
from rag.retrieval.generation_view import GenerationView, LanguageCandidates, Search
from rag.retrieval.late_interaction import limit_blas_threads, similarities_and_cosines, weighed
from rag.retrieval.query import Query, SearchRequest, Wording, corrected, glossary_of, queries_of
from rag.retrieval.question import in_context, last_said, leans, parts_of, read_message
from rag.retrieval.ranking import KEPT_CHUNKS, DenseHit, final_scores, fuse, other_language_place
from rag.retrieval.vector_engine import engine_of
from rag.schema import Language, QuestionTokens, Retrieval, RetrievedChunk, RetrievedPart
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.text.language import third_language
from rag.text.terms import terms
from rag.tracing import Trace

RANKED_CHUNKS = 40
"""Chunks of the fused legs that are compared token by token; of these the first ``KEPT_CHUNKS`` are returned."""

OTHER_LANGUAGE_CHUNKS = 8
"""Chunks in the other language than the question's that may stand among those returned."""

_KEPT_FILTERS = 16
_OF_EACH_PART = 3
"""So many chunks of each part stand in front, behind the best one of the whole.  Of 480 questions of the sample that
were asked two or three at once, the facts of so many are among what is shown: 411 with 1, 423 with 2, 425 with 3, 427
with 4, of three parts at the most; 437 with 3, of four."""
_MOST_OF_IT = 0.75
_MOST_SEARCHES = 3
_BEFORE_EXPANSION, _OF_EXPANSION = 4, 3
"""So many chunks stand before those that an expansion finds, and so many of these stand there."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """One question on its way into one generation: the whole of it, and its parts where it asks for several things.

    ``standalone`` is the question as a reader needs it: behind what was said before where it leans on that.
    """

    view: GenerationView
    whole: Query
    parts: tuple[Query, ...] = ()
    standalone: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best chunks of one generation, and what they say about whether the answer is among them.

    ``model_id`` is the vector space in which they were found; ``parts`` what was found for each part by itself.
    ``problem`` is why some passages were looked for by words alone.
    """

    chunks: tuple[RetrievedChunk, ...]
    signals: Signals
    generation: int
    tokens: QuestionTokens
    model_id: str
    parts: tuple[RetrievedPart, ...] = ()
    problem: VectorEngineError | None = None


class Retriever:
    """Searches the current generation of a knowledge base.  Safe to call from several threads.

    A question is searched, ranked and loaded in one generation, whatever is published meanwhile.  Where two languages
    share a knowledge base, each is searched by meaning; by words only the question's own, and codes in both.

    ``other_embedder`` gives the embedder of a generation that ``embedder`` did not embed, by its ``model_id``; without
    it such a generation raises ``EmbedderMismatch``.  With a ``reranker`` the chunks that are returned stand in its
    order; which ones they are, and whether they hold the answer, is found without it.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        embedder: Embedder,
        settings: Settings,
        confidence: Confidence | None = None,
        *,
        other_embedder: Callable[[str], Embedder] | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._other_embedder = other_embedder
        self._reranker = reranker
        self._limit = settings.candidates
        self._engine = engine_of(settings)
        self._confidence = confidence
        self._asked_threshold = settings.refusal_threshold
        self._glossary = glossary_of(settings.glossary, settings.knowledge_dir)
        self._view: GenerationView | None = None
        self._fewer: Mapping[tuple[int, Filters], GenerationView] = {}
        self._opening = threading.Lock()
        limit_blas_threads()

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        """Return the best chunks, and how probable it is that they hold the answer.

        The options' ``filters`` say which documents may be found at all.  With an ``expansion`` its words alone are
        searched, and what was found for the question is returned with what they find.  Where an engine has the vectors
        and fails, passages are looked for by words alone, and the result says so in its ``problem``.  Raises
        ``KnowledgeBaseMissing``, ``EmbedderMismatch``, ``IndexDamaged`` or ``VectorEngineUnset``.
        """
        if options.expansion is not None:
            return self._expanded(options.expansion, language, options.filters)
        found = self._find(question, language, trace, options, by_words_alone=True)
        fit = self._fit(found)
        shipped = fit.probability(found.signals)
        search, automatic = calibrations_of(self._store.folder, found.model_id)
        calibration = OwnCalibration.from_json(search) if search else None
        probability = calibration.probability(shipped) if calibration else shipped
        threshold = self._asked_threshold
        if threshold is None and calibration is not None:
            threshold = calibration.threshold
        if threshold is None:
            threshold = float(str(automatic.get("threshold", fit.threshold)))
        answerable = bool(found.chunks) and probability >= threshold
        return Retrieval(
            found.chunks,
            probability,
            answerable,
            found.generation,
            found.tokens,
            shipped,
            threshold,
            found.parts,
            problem=found.problem,
        )

    def find(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> SearchResult:
        """Return the best chunks and the signals, without judging: for measuring, so never by words alone.

        Arguments are those of ``retrieve``, and so are errors, and ``VectorEngineError``.
        """
        return self._find(question, language, trace, options, by_words_alone=False)

    def _find(
        self, question: str, language: Language, trace: Trace, options: SearchOptions, *, by_words_alone: bool
    ) -> SearchResult:
        """Search again where so many generations were published during a search that its own is deleted."""
        for _ in range(_MOST_SEARCHES - 1):
            generation = self._store.require_generation()
            try:
                found = self._find_once(question, language, trace, options, by_words_alone=by_words_alone)
            except (IndexDamaged, VectorEngineError):
                if self._store.is_kept(generation):
                    raise
            else:
                if self._store.is_kept(found.generation):
                    return found
        return self._find_once(question, language, trace, options, by_words_alone=by_words_alone)

    def _find_once(
        self, question: str, language: Language, trace: Trace, options: SearchOptions, *, by_words_alone: bool
    ) -> SearchResult:
        with trace.span("embed"):
            prepared = self.prepare(question, language, options.earlier)
        with trace.span("search"):
            fewer = self._filtered(prepared.view, options.filters)
            queries = prepared.whole, *prepared.parts
            whole, *others = [self._found(fewer, query, by_words_alone=by_words_alone) for query in queries]
        if self._reranker is not None:
            with trace.span("rerank"):
                whole = reranked(whole, prepared.standalone, self._reranker)
        return self._joined(whole, others) if others else whole

    def _expanded(self, expansion: Expansion, language: Language, filters: Filters) -> Retrieval:
        """Return what was found with what other words find behind the best; they are a part of the question.

        What they say about whether the answer is there is not known: the probability stays.  So does all of what was
        found where another generation has been published since.
        """
        found, view = expansion.found, self._current_view()
        if view.generation != found.generation:
            return found
        [query] = queries_of([SearchRequest(Wording(expansion.words))], language, self._embedder_of(view.model_id))
        try:
            more = self._found(self._filtered(view, filters), query, by_words_alone=True)
        except IndexDamaged:
            if self._store.is_kept(view.generation):
                raise
            return found
        first = (*found.chunks[:_BEFORE_EXPANSION], *more.chunks[:_OF_EXPANSION])
        parts = (*found.parts, RetrievedPart(more.chunks, more.tokens))
        return replace(
            found, chunks=with_first(found.chunks, first), parts=parts, problem=found.problem or more.problem
        )

    def _found(self, view: GenerationView, query: Query, *, by_words_alone: bool) -> SearchResult:
        return find_in(view, self._store, query, self._limit, by_words_alone=by_words_alone)

    def prepare(self, question: str, language: Language, earlier: Sequence[str] = ()) -> SearchPlan:
        """Return what is searched for a question, and where.  Arguments and errors are those of ``retrieve``."""
        view = self._current_view()
        third = third_language(question)
        message = read_message(question)
        question = message.question
        parts = parts_of(question)
        # A part may lean on the one before it: "and how do I return it?"
        before = [message.background or last_said(earlier), *parts]
        texts = [(question, before[0])]
        for place, part in enumerate(parts):
            if len(part) < _MOST_OF_IT * len(question):  # what is most of a question is found by the whole of it
                texts.append((part, before[place] if place == 0 or leans(part) else ""))
        told = (message.background, *parts)
        asked = [SearchRequest(self._wording(view, text, third), said, said in told) for text, said in texts]
        whole, *others = queries_of(asked, third or language, self._embedder_of(view.model_id))
        standalone = in_context(whole.question, before[0] if leans(whole.question) else "")
        return SearchPlan(view, whole, tuple(others), standalone)

    def _joined(self, whole: SearchResult, parts: Sequence[SearchResult]) -> SearchResult:
        """Return what was found for the whole question with each part's best chunks near its beginning.

        The signals are those of the surest: a question is worth an answer where one of its parts is.
        """
        chunks = with_best_of_parts(whole.chunks, [part.chunks for part in parts])
        surest = max([whole, *parts], key=lambda found: self._fit(found).probability(found.signals))
        found = tuple(RetrievedPart(part.chunks, part.tokens) for part in parts)
        problem = next((one.problem for one in (whole, *parts) if one.problem is not None), None)
        return replace(whole, chunks=chunks, signals=surest.signals, parts=found, problem=problem)

    def _fit(self, found: SearchResult) -> Confidence:
        return self._confidence or load_confidence(found.model_id)

    def _filtered(self, view: GenerationView, filters: Filters) -> GenerationView:
        """Return what the filters leave of a generation; the last ones asked for are kept."""
        if filters == EVERYTHING:
            return view
        key = view.generation, filters
        fewer = self._fewer.get(key) or view.only(self._store, filters)
        self._fewer = {**{old: kept for old, kept in self._fewer.items() if old != key}, key: fewer}
        self._fewer = dict(list(self._fewer.items())[-_KEPT_FILTERS:])
        return fewer

    def _wording(self, view: GenerationView, question: str, third: str) -> Wording:
        """Return the wording; in a third language every word is unknown to the index, and none is a typing error."""
        is_word = self._embedder_of(view.model_id).is_word
        mended = question if third else corrected(question, view.lexical.frequencies, is_word)
        return Wording(mended, self._glossary.alternatives(mended))

    def _current_view(self) -> GenerationView:
        """Return the current generation, opened by the first question that sees it."""
        generation = self._store.require_generation()
        view = self._view
        if view is not None and view.generation == generation:
            return view
        with self._opening:
            if self._view is None or self._view.generation != generation:
                embedder = self._embedder
                if self._other_embedder is not None:
                    embedder = self._embedder_of(self._store.generation_info(generation).embedder_model)
                self._view = GenerationView.open(self._store, generation, embedder.model_id, self._view, self._engine)
            return self._view

    def _embedder_of(self, model_id: str) -> Embedder:
        if model_id == self._embedder.model_id or self._other_embedder is None:
            return self._embedder
        return self._other_embedder(model_id)


def find_in(
    view: GenerationView, store: KnowledgeStore, query: Query, limit: int, *, by_words_alone: bool = False
) -> SearchResult:
    """Return the best ``KEPT_CHUNKS`` of one generation, published or not, from ``limit`` hits of each leg.

    ``by_words_alone`` lets it go on where an engine fails; else ``VectorEngineError`` is raised then.
    """
    search = Search(view, query.language, query.vector, query.terms, query.wider, by_words_alone=by_words_alone)
    searched = search.run(limit)
    asked = tokens_of(view, query)
    ranked = rank(view, searched, asked)[:KEPT_CHUNKS]
    loaded = store.chunks([one.hit.chunk_id for one in ranked], view.generation)
    chunks = tuple(
        RetrievedChunk(loaded[one.hit.chunk_id], one.score, one.hit.cosine, one.bm25, one.late)
        for one in ranked
        if one.hit.chunk_id in loaded
    )
    signals = read_signals(searched.by_meaning, searched.bm25, chunks, view.lexical.term_weights(terms(query.question)))
    # copies: a view would keep the cosines of all candidates
    compared = {one.hit.chunk_id: one.cosines.copy() for one in ranked if one.cosines is not None}
    tokens = replace(asked, cosines=compared)
    return SearchResult(chunks, signals, view.generation, tokens, view.model_id, problem=searched.problem)


def reranked(found: SearchResult, question: str, reranker: Reranker) -> SearchResult:
    """Return the same chunks as the reranker orders them: each place keeps its score, so that scores still go down.

    The signals stay those of the ranking before, which the fit knows.
    """
    scores = reranker.scores(question, [one.chunk.embedded_text for one in found.chunks])
    order = np.argsort(-scores, kind="stable")
    chunks = (replace(found.chunks[best], score=place.score) for best, place in zip(order, found.chunks, strict=True))
    return replace(found, chunks=tuple(chunks))


def with_best_of_parts(
    chunks: Sequence[RetrievedChunk], parts: Sequence[Sequence[RetrievedChunk]]
) -> tuple[RetrievedChunk, ...]:
    """Return the chunks with the best ones of each part, part by part in turns, behind the one best for the whole.

    Scores go down as before.
    """
    in_turns = (found[place] for place in range(_OF_EACH_PART) for found in parts if place < len(found))
    return with_first(chunks, (*chunks[:1], *in_turns))


def with_first(chunks: Sequence[RetrievedChunk], first: Sequence[RetrievedChunk]) -> tuple[RetrievedChunk, ...]:
    """Return as many chunks as before with some ``first``, each once.  Scores go down as before."""
    order = {one.chunk.chunk_id: one for one in (*first, *chunks)}
    kept = list(order.values())[: len(chunks) or None]
    scores = sorted((one.score for one in kept), reverse=True)
    return tuple(replace(one, score=score) for one, score in zip(kept, scores, strict=True))


def tokens_of(view: GenerationView, query: Query) -> QuestionTokens:
    """Return a query's tokens with their weights in one generation."""
    return weighed(query.tokens, view.weights.of(query.tokens.numbers) * query.shares)


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate with its scores: ``bm25`` None where words did not find it, ``late`` where no tokens are kept.

    ``cosines``, float32 [t, q], are those of its tokens with the question's, from which ``late`` comes.
    """

    hit: DenseHit
    bm25: float | None
    late: float | None
    score: float
    cosines: FloatMatrix | None = field(default=None, compare=False, repr=False)


def rank(view: GenerationView, searched: LanguageCandidates, asked: QuestionTokens) -> list[ScoredCandidate]:
    """Return the candidates, best first: those in the question's language, with the other one's in their places.

    Each language is ranked by itself, for neither cosines nor late interaction compare across languages.
    """
    own, other = (_ranked_in(view, searched, asked, foreign=foreign) for foreign in (False, True))
    first = other_language_place([one.late for one in own], [one.late for one in other])
    return with_other_language(own, other, first)


def _ranked_in(
    view: GenerationView, searched: LanguageCandidates, asked: QuestionTokens, *, foreign: bool
) -> list[ScoredCandidate]:
    by_meaning = [hit for hit in searched.by_meaning if hit.foreign == foreign]
    by_words = {number: bm25 for number, bm25 in searched.by_words.items() if searched.seen[number].foreign == foreign}
    wider = [number for number in searched.wider if searched.seen[number].foreign == foreign]
    fused = fuse(by_meaning, by_words)[:RANKED_CHUNKS]
    hits = [searched.seen[chunk_id] for chunk_id in dict.fromkeys([*fused, *wider])]
    # a question without tokens says nothing of any passage: its embedder has none
    signs = view.tokens.token_signs([hit.chunk_id for hit in hits]) if len(asked.vectors) else {}
    kept = [hit.chunk_id for hit in hits if hit.chunk_id in signs]
    likenesses, of_each = similarities_and_cosines(asked, [signs[number] for number in kept])
    late, cosines = dict(zip(kept, likenesses.tolist(), strict=True)), dict(zip(kept, of_each, strict=True))
    scores = final_scores(
        dense=np.array([hit.standout for hit in hits]),
        words=np.array([searched.bm25.get(hit.chunk_id, 0.0) for hit in hits]),
        unseen=np.array([hit.foreign and hit.chunk_id not in searched.bm25 for hit in hits], dtype=np.bool_),
        late=np.array([late[hit.chunk_id] for hit in hits]) if len(late) == len(hits) else None,
    )
    return [
        ScoredCandidate(
            hits[place],
            searched.bm25.get(hits[place].chunk_id),
            late.get(hits[place].chunk_id),
            float(scores[place]),
            cosines.get(hits[place].chunk_id),
        )
        for place in np.argsort(-scores, kind="stable")
    ]


def with_other_language(
    own: Sequence[ScoredCandidate], other: Sequence[ScoredCandidate], first: int
) -> list[ScoredCandidate]:
    """Return both lists as one, scores falling: the other language's best at place ``first``, one of three from there.

    Of the other language there are ``OTHER_LANGUAGE_CHUNKS`` at the most where there is anything in the question's own.
    """
    if not own or not other:
        return [*own, *other]
    joined = list(own[:first])
    mine, others = iter(own[first:]), iter(other[:OTHER_LANGUAGE_CHUNKS])
    for place in range(len(own) + len(other)):
        turn = (others, mine) if place % 3 == 0 else (mine, others)
        one = next(turn[0], None) or next(turn[1], None)
        if one is None:
            break
        joined.append(one)
    lowest = np.minimum.accumulate([one.score for one in joined])
    return [replace(one, score=float(score)) for one, score in zip(joined, lowest, strict=True)]
