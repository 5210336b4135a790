"""Retrieves passages for a question: embed, search dense and lexical, fuse, rerank, load, judge."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rag.errors import IndexDamaged, VectorEngineError
from rag.protocols import Embedder, FloatMatrix, Reranker
from rag.retrieval.confidence import (
    Confidence,
    OwnCalibration,
    Signals,
    calibrations_of,
    load_confidence,
    names_found_code,
    read_signals,
)
from rag.retrieval.crowding import RANKED_CHUNKS, distinct_candidates
from rag.retrieval.filters import EVERYTHING, PLAIN_SEARCH, Expansion, Filters, SearchOptions
from rag.retrieval.generation_view import GenerationView, LanguageCandidates, Search
from rag.retrieval.late_interaction import heaviest_tokens, limit_blas_threads, similarities_and_cosines
from rag.retrieval.message import read_message
from rag.retrieval.query import Query, SearchRequest, Wording, corrected, glossary_of, latin_names, queries_of
from rag.retrieval.question import (
    in_context,
    last_real_question,
    may_be_follow_up,
    parts_of,
    question_alone,
)
from rag.retrieval.ranking import (
    KEPT_CHUNKS,
    TRANSLATED_LATE,
    USUAL_PLACE,
    DenseHit,
    final_scores,
    fuse,
    late_interactions,
    other_language_place,
)
from rag.retrieval.vector_engine import engine_of
from rag.schema import Language, QuestionTokens, Retrieval, RetrievedChunk, RetrievedPart
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.text.language import third_language
from rag.text.statements import labelling_numbers, possible_codes
from rag.text.terms import terms
from rag.tracing import Trace

OTHER_LANGUAGE_CHUNKS = 8
"""Chunks in the other language than the question's that may be among those returned."""

_KEPT_FILTERS = 16
_CHUNKS_OF_EACH_PART = 3
"""So many chunks of each part come first, after the best one of the whole.  Of 480 questions of the sample that were
asked two or three at once, the facts of so many are shown: 411 with 1, 423 with 2, 425 with 3, 427 with 4, of three
parts at the most; 437 with 3, of four."""
_MOST_OF_QUESTION = 0.75
_MOST_SEARCHES = 3
_BEFORE_EXPANSION, _OF_EXPANSION = 4, 3
"""So many chunks come before those that an expansion finds, and so many of these follow."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The queries of one question for one generation: the whole, and its parts if it asks for several things.

    ``standalone`` is the question with the one before it, if it may depend on that.  ``has_story``: the only part is
    a short text's question without its story.
    """

    view: GenerationView
    whole: Query
    parts: tuple[Query, ...] = ()
    standalone: str = ""
    has_story: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best chunks of one generation, and the signals about whether the answer is among them.

    ``model_id`` is the vector space of the search; ``parts`` are the results of each part by itself.  ``problem`` is
    why some passages were searched by words alone.  ``has_its_code``: they hold a rare code that the question names.
    """

    chunks: tuple[RetrievedChunk, ...]
    signals: Signals
    generation: int
    tokens: QuestionTokens
    model_id: str
    parts: tuple[RetrievedPart, ...] = ()
    problem: VectorEngineError | None = None
    has_its_code: bool = False


_TRANSLATION_MARGIN = 0.03
"""Late interaction by which the other language's best chunk must match a translation better than the question's own
language's best chunk matches the question.  Of 80 unsure texts, 43 are above: 15 of the 16 that only the other language
answers, and all but one of those whose facts are read because of the translation.  Of 26, 8 were answered right; 6 with
every translation's chunks, 7 with none."""

_DOUBTFUL_MARGIN = 0.15
"""Less than this above the refusal threshold lie 93 % of other trades' texts (a hundred in each of seven knowledge
bases), and 28 % of 377 customers' texts with an answer."""


class Retriever:
    """Searches the current generation of a knowledge base.  Safe to call from several threads.

    A question is searched, ranked and loaded in one generation, whatever is published meanwhile.  Where two languages
    share a knowledge base, each is searched by itself, by meaning and by words.

    ``other_embedder`` returns the embedder of a generation that ``embedder`` did not embed, by its ``model_id``;
    without it such a generation raises ``EmbedderMismatch``.  A ``reranker`` only orders the returned chunks; it does
    not select them, nor decide whether they hold the answer.
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
        self._configured_threshold = settings.refusal_threshold
        self._glossary = glossary_of(settings.glossary, settings.knowledge_dir)
        self._view: GenerationView | None = None
        self._views: Mapping[tuple[int, Filters], GenerationView] = {}
        self._opening = threading.Lock()
        limit_blas_threads()

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        """Return the best chunks, and how probable it is that they hold the answer.

        The options' ``filters`` restrict the documents.  With an ``expansion`` only its words are searched, and their
        chunks are added to those of the question.  If an engine has the vectors and fails, passages are searched by
        words alone, and ``problem`` is the error.  Raises ``KnowledgeBaseMissing``, ``EmbedderMismatch``,
        ``IndexDamaged`` or ``VectorEngineUnset``.
        """
        if options.expansion is not None:
            return self._add_expansion(options.expansion, language, trace, options.filters)
        result = self._find_with_retries(question, language, trace, options, by_words_alone=True)
        fit = self._fit(result)
        shipped = fit.probability(result.signals)
        search, automatic = calibrations_of(self._store.folder, result.model_id)
        calibration = OwnCalibration.from_json(search) if search else None
        probability = calibration.probability(shipped) if calibration else shipped
        threshold = self._configured_threshold
        if threshold is None and calibration is not None:
            threshold = calibration.threshold
        if threshold is None:
            threshold = float(str(automatic.get("threshold", fit.threshold)))
        is_probable = probability >= threshold or (result.has_its_code and threshold < 1)
        answerable = bool(result.chunks) and is_probable
        is_unsure = probability < threshold + _DOUBTFUL_MARGIN and not result.has_its_code
        return Retrieval(
            result.chunks,
            probability,
            answerable,
            result.generation,
            result.tokens,
            shipped,
            threshold,
            result.parts,
            problem=result.problem,
            is_doubtful=is_unsure and result.problem is None,  # by words alone the probability says too little
        )

    def find(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> SearchResult:
        """Return the best chunks and the signals, without judging: for measuring, so never by words alone.

        Arguments and errors are those of ``retrieve``; also raises ``VectorEngineError``.
        """
        return self._find_with_retries(question, language, trace, options, by_words_alone=False)

    def _find_with_retries(
        self, question: str, language: Language, trace: Trace, options: SearchOptions, *, by_words_alone: bool
    ) -> SearchResult:
        """Search again if so many generations were published meanwhile that the searched one is deleted."""
        for _ in range(_MOST_SEARCHES - 1):
            generation = self._store.require_generation()
            try:
                result = self._find_once(question, language, trace, options, by_words_alone=by_words_alone)
            except (IndexDamaged, VectorEngineError):
                if self._store.is_kept(generation):
                    raise
            else:
                if self._store.is_kept(result.generation):
                    return result
        return self._find_once(question, language, trace, options, by_words_alone=by_words_alone)

    def _find_once(
        self, question: str, language: Language, trace: Trace, options: SearchOptions, *, by_words_alone: bool
    ) -> SearchResult:
        with trace.span("embed"):
            plan = self.prepare(question, language, options.earlier)
        with trace.span("search"):
            view = self._filtered_view(plan.view, options.filters)
            queries = plan.whole, *plan.parts
            whole, *others = [self._search_view(view, query, by_words_alone=by_words_alone) for query in queries]
        if self._reranker is not None:
            with trace.span("rerank"):
                whole = reranked(whole, plan.standalone, self._reranker)
        return self._merge_parts(whole, others, has_story=plan.has_story) if others else whole

    def _add_expansion(self, expansion: Expansion, language: Language, trace: Trace, filters: Filters) -> Retrieval:
        """Return the earlier result with the chunks of other words after its best; these words become a part.

        The probability stays, as the fit does not know these words' signals.  If another generation has been published
        since, or a translation finds nothing better, the earlier result is returned.
        """
        found, view = expansion.found, self._current_view()
        if view.generation != found.generation:
            return found
        with trace.span("embed"):
            request, names = SearchRequest(Wording(expansion.words)), latin_names(expansion.words)
            [query] = queries_of([request], expansion.language, self._embedder_of(view.model_id), names)
        try:
            with trace.span("search"):
                more = self._search_view(self._filtered_view(view, filters), query, by_words_alone=True)
        except IndexDamaged:
            if self._store.is_kept(view.generation):
                raise
            return found
        if expansion.language != language and not _matches_better(more.chunks, found.chunks, expansion.language):
            return found
        first = (*found.chunks[:_BEFORE_EXPANSION], *more.chunks[:_OF_EXPANSION])
        parts = (*found.parts, RetrievedPart(more.chunks, more.tokens))
        return replace(found, chunks=put_first(found.chunks, first), parts=parts, problem=found.problem or more.problem)

    def _search_view(self, view: GenerationView, query: Query, *, by_words_alone: bool) -> SearchResult:
        return search_view(view, self._store, query, self._limit, by_words_alone=by_words_alone)

    def prepare(self, question: str, language: Language, earlier: Sequence[str] = ()) -> SearchPlan:
        """Return the queries of a question and their generation.  Arguments and errors are those of ``retrieve``."""
        view = self._current_view()
        third = third_language(question)
        message = read_message(question)
        question = message.question
        parts = parts_of(question)
        # A part may depend on the one before it: "and how do I return it?"
        before = [message.background or last_real_question(earlier), *parts]
        texts = [(question, before[0])]
        for place, part in enumerate(parts):
            if len(part) < _MOST_OF_QUESTION * len(question):  # else it is searched as the whole
                texts.append((part, before[place] if place == 0 or may_be_follow_up(part) else ""))
        has_story = not parts and (alone := question_alone(question)) != question
        if has_story:
            texts.append((alone, ""))
        own = (message.background, *parts)
        requests = [SearchRequest(self._wording(view, text, third), prior, prior in own) for text, prior in texts]
        names = latin_names("\n".join((last_real_question(earlier), message.background, question)))
        whole, *others = queries_of(requests, third or language, self._embedder_of(view.model_id), names)
        standalone = in_context(whole.question, before[0] if may_be_follow_up(whole.question) else "")
        return SearchPlan(view, whole, tuple(others), standalone, has_story)

    def _merge_parts(self, whole: SearchResult, parts: Sequence[SearchResult], *, has_story: bool) -> SearchResult:
        """Return the whole question's chunks with each part's best ones near the beginning.

        The signals are those of the surest: a question is worth an answer if one of its parts is.  Where that is the
        question without its story, its chunks come first.
        """
        surest = max([whole, *parts], key=self._probability)
        first, others = (surest, [whole]) if has_story and surest is not whole else (whole, parts)
        chunks = put_parts_first(first.chunks, [other.chunks for other in others])
        retrieved = tuple(RetrievedPart(part.chunks, part.tokens) for part in parts)
        problem = next((one.problem for one in (whole, *parts) if one.problem is not None), None)
        return replace(whole, chunks=chunks, signals=surest.signals, parts=retrieved, problem=problem)

    def _probability(self, result: SearchResult) -> float:
        return self._fit(result).probability(result.signals)

    def _fit(self, result: SearchResult) -> Confidence:
        return self._confidence or load_confidence(result.model_id)

    def _filtered_view(self, view: GenerationView, filters: Filters) -> GenerationView:
        """Return the filtered view of a generation; the last ones are cached."""
        if filters == EVERYTHING:
            return view
        key = view.generation, filters
        filtered = self._views.get(key) or view.only(self._store, filters)
        self._views = {**{old: kept for old, kept in self._views.items() if old != key}, key: filtered}
        self._views = dict(list(self._views.items())[-_KEPT_FILTERS:])
        return filtered

    def _wording(self, view: GenerationView, question: str, third: str) -> Wording:
        """Return the wording; in a third language no word is corrected, as the index knows none."""
        is_word = self._embedder_of(view.model_id).is_word
        spelled = question if third else corrected(question, view.lexical.frequencies, is_word)
        return Wording(spelled, self._glossary.alternatives(spelled))

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


_LABELLED_CHUNKS = 2
"""Best chunks in which a line begins with a number of the question, such as an error's, that come first."""


def search_view(
    view: GenerationView, store: KnowledgeStore, query: Query, limit: int, *, by_words_alone: bool = False
) -> SearchResult:
    """Return the best ``KEPT_CHUNKS`` of one generation, published or not, from ``limit`` hits of each leg.

    If an engine fails, ``by_words_alone`` lets it continue; else ``VectorEngineError`` is raised.
    """
    codes = possible_codes(query.question)
    search = Search(view, query.language, query.vector, query.terms, query.wider, sorted(codes), by_words_alone)
    candidates = distinct_candidates(search, store, limit)
    question_tokens = tokens_of(view, query)
    other_leads = view.lexical.are_elsewhere(query.names, query.language)
    ranked = rank(view, candidates, question_tokens, other_leads=other_leads)
    ranked = [one for place, one in enumerate(ranked) if place < KEPT_CHUNKS or one.hit.chunk_id in candidates.numbered]
    loaded = store.chunks([one.hit.chunk_id for one in ranked], view.generation)
    chunks = tuple(
        RetrievedChunk(loaded[one.hit.chunk_id], one.score, one.hit.cosine, one.bm25, one.late)
        for one in ranked
        if one.hit.chunk_id in loaded
    )
    labelled = [one for one in chunks if codes and codes & labelling_numbers(one.chunk.text)]
    chunks = put_first(chunks, labelled[:_LABELLED_CHUNKS])[:KEPT_CHUNKS]
    weights = view.lexical.term_weights(terms(query.question))
    judged = [_as_in_own_language(one, query.language) for one in chunks] if other_leads else chunks
    signals = read_signals(candidates.by_meaning, candidates.bm25, judged, weights)
    # copies: a view would keep the cosines of all candidates
    cosines = {one.hit.chunk_id: one.cosines.copy() for one in ranked if one.cosines is not None}
    tokens = replace(question_tokens, cosines=cosines)
    has_its_code = names_found_code(weights, signals)
    return SearchResult(
        chunks, signals, view.generation, tokens, view.model_id, problem=candidates.problem, has_its_code=has_its_code
    )


def reranked(result: SearchResult, question: str, reranker: Reranker) -> SearchResult:
    """Return the same chunks in the reranker's order: each place keeps its score, so that scores still go down.

    The signals stay those of the ranking before, for which the fit was made.
    """
    scores = reranker.scores(question, [one.chunk.embedded_text for one in result.chunks])
    order = np.argsort(-scores, kind="stable")
    chunks = (replace(result.chunks[best], score=place.score) for best, place in zip(order, result.chunks, strict=True))
    return replace(result, chunks=tuple(chunks))


def _matches_better(translated: Sequence[RetrievedChunk], found: Sequence[RetrievedChunk], language: Language) -> bool:
    """Tell whether the best chunk in a translation's ``language`` matches better than the best one in the question's.

    Late interaction within one language compares across languages.  True if it is unknown.
    """
    _, own = late_interactions(found, language)
    other, _ = late_interactions(translated, language)
    return not own or not other or max(other) >= max(own) + _TRANSLATION_MARGIN


def put_parts_first(
    chunks: Sequence[RetrievedChunk], parts: Sequence[Sequence[RetrievedChunk]]
) -> tuple[RetrievedChunk, ...]:
    """Return the chunks with the parts' best ones, in turns, after the best one of the whole; scores still go down."""
    in_turns = (part[place] for place in range(_CHUNKS_OF_EACH_PART) for part in parts if place < len(part))
    return put_first(chunks, (*chunks[:1], *in_turns))


def put_first(chunks: Sequence[RetrievedChunk], first: Sequence[RetrievedChunk]) -> tuple[RetrievedChunk, ...]:
    """Return as many chunks, each once, with ``first`` before the others; scores still go down."""
    order = {one.chunk.chunk_id: one for one in (*first, *chunks)}
    kept = list(order.values())[: len(chunks) or None]
    scores = sorted((one.score for one in kept), reverse=True)
    return tuple(
        one if one.score == score else replace(one, score=score) for one, score in zip(kept, scores, strict=True)
    )


def tokens_of(view: GenerationView, query: Query) -> QuestionTokens:
    """Return a query's tokens with their weights in one generation."""
    return heaviest_tokens(query.tokens, view.weights.of(query.tokens.numbers) * query.shares)


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate with its scores: ``bm25`` None without a lexical hit, ``late`` None without stored tokens.

    ``cosines``, float32 [t, q], are those of its tokens with the question's, from which ``late`` comes.
    """

    hit: DenseHit
    bm25: float | None
    late: float | None
    score: float
    cosines: FloatMatrix | None = field(default=None, compare=False, repr=False)


def _as_in_own_language(one: RetrievedChunk, language: str) -> RetrievedChunk:
    """Return a chunk of the other language with the late interaction that its translation would have."""
    if one.late is None or one.chunk.language == language:
        return one
    return replace(one, late=one.late / TRANSLATED_LATE)


def rank(
    view: GenerationView, candidates: LanguageCandidates, tokens: QuestionTokens, *, other_leads: bool = False
) -> list[ScoredCandidate]:
    """Return the candidates of both languages, best first.

    Each language is ranked by itself, because neither cosines nor late interaction compare across languages.  The
    question's own language leads, unless ``other_leads``: only the other one's documents have a name of the question.
    """
    own, other = (_rank_language(view, candidates, tokens, foreign=foreign) for foreign in (False, True))
    if other_leads:
        return interleave_languages(other, own, USUAL_PLACE)
    first = other_language_place([one.late for one in own], [one.late for one in other])
    return interleave_languages(own, other, first)


def _rank_language(
    view: GenerationView, candidates: LanguageCandidates, tokens: QuestionTokens, *, foreign: bool
) -> list[ScoredCandidate]:
    seen = candidates.seen
    by_meaning = [hit for hit in candidates.by_meaning if hit.foreign == foreign]
    by_words = {number: bm25 for number, bm25 in candidates.by_words.items() if seen[number].foreign == foreign}
    wider = [number for number in candidates.wider if seen[number].foreign == foreign]
    fused = fuse(by_meaning, by_words)[:RANKED_CHUNKS]
    hits = [seen[chunk_id] for chunk_id in dict.fromkeys([*fused, *wider])]
    # without tokens of the question (its embedder gives none) there is no late interaction
    signs = view.tokens.token_signs([hit.chunk_id for hit in hits]) if len(tokens.vectors) else {}
    kept = [hit.chunk_id for hit in hits if hit.chunk_id in signs]
    likenesses, of_each = similarities_and_cosines(tokens, [signs[number] for number in kept])
    late, cosines = dict(zip(kept, likenesses.tolist(), strict=True)), dict(zip(kept, of_each, strict=True))
    scores = final_scores(
        dense=np.array([hit.standout for hit in hits]),
        words=np.array([candidates.bm25.get(hit.chunk_id, 0.0) for hit in hits]),
        unseen=np.array([hit.foreign and hit.chunk_id not in candidates.bm25 for hit in hits], dtype=np.bool_),
        late=np.array([late[hit.chunk_id] for hit in hits]) if len(late) == len(hits) else None,
    )
    return [
        ScoredCandidate(
            hits[place],
            candidates.bm25.get(hits[place].chunk_id),
            late.get(hits[place].chunk_id),
            float(scores[place]),
            cosines.get(hits[place].chunk_id),
        )
        for place in np.argsort(-scores, kind="stable")
    ]


def interleave_languages(
    own: Sequence[ScoredCandidate], other: Sequence[ScoredCandidate], first: int
) -> list[ScoredCandidate]:
    """Return both lists as one, scores falling: every third from place ``first`` on is one of the ``other`` list.

    These are ``OTHER_LANGUAGE_CHUNKS`` at the most, unless the first list is empty.
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
    lowest = np.minimum.accumulate([one.score for one in joined]).tolist()
    return [one if one.score == score else replace(one, score=score) for one, score in zip(joined, lowest, strict=True)]
