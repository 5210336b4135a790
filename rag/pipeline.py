"""One question, as a stream of events.  Reads only: the caller stores the turns.

    clean -> embed, search, enough? -> pack, choose sentences -> [Retrieved] -> wait for a slot -> draft, citations

Below the calibrated probability the answer is a refusal, and no model is called.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol, TypedDict, Unpack, get_args

from rag.errors import AnswerCancelled, OwnQueueFull, ServingError, SettingsError
from rag.evidence.packing import PackingLimits, append_second_search, is_valid_for, pack, passage_places
from rag.evidence.quotation import Quoting
from rag.evidence.selection import QuestionPart, RankedSentences, SentenceLikeness
from rag.generation.answer import AnswerRequest, SecondSearch, quotation, refusal
from rag.generation.answerability import AnswerabilityFit, AnswerabilitySample, judge_answerable
from rag.generation.gateway import GenerationRequest, ModelGateway, blocking
from rag.generation.prompt import ContextFit, build_messages, evidence_room
from rag.generation.query_expansion import QUICK_TOKENS_A_SECOND, SURE_PROBABILITY, TRANSLATED_LIKENESS
from rag.generation.queued_answer import AnswerGeneration, Asker
from rag.grounding.confirmation import evidence_for_audience
from rag.grounding.conflicts import newest_first
from rag.grounding.prompt_injection import without_injection
from rag.protocols import Message
from rag.queue.estimate import FEWEST_TOKENS, PromptSpeed
from rag.retrieval.filters import EVERYTHING, PLAIN_SEARCH, Expansion, Filters, SearchOptions
from rag.retrieval.late_interaction import DocumentSpan, Likeness
from rag.retrieval.question import clean_question, in_context, needs_thought, question_before, visible
from rag.retrieval.ranking import KEPT_CHUNKS, QUOTED_LIKENESS, other_language_likeness
from rag.reuse.cache import AnswerSources
from rag.schema import (
    Answer,
    AnswerDelta,
    Audience,
    Completed,
    Event,
    Evidence,
    Language,
    Retrieval,
    Retrieved,
)
from rag.settings import Settings
from rag.storage.contact_details import ContactDetailTable
from rag.storage.store import KnowledgeStore
from rag.text.language import prompt_language, tells_language, third_language_after
from rag.tracing import Trace

_CHUNK_TOKENS = 100
"""What a chunk has at least, as a rule, of the embedder's tokens."""
_FEWEST_READ_TOKENS = 160
"""Of passages beside a long question in a small context: with fewer, the answer is seldom among them."""


class Retrieves(Protocol):
    """The part of ``rag.retrieval.retriever.Retriever`` that the pipeline needs."""

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        """Return the passages found, best first, and whether they can hold the answer."""


SentenceScorer = Callable[[Retrieval, Sequence[DocumentSpan]], Likeness | None]


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """The parts of a pipeline; ``rag.factory`` chooses them.

    ``count_tokens`` is the embedder's. ``sentence_likeness`` says how well spans of a document answer to the question
    of a retrieval, or None (``rag/retrieval/late_interaction.py``). ``reading_fit`` gives a model's
    fit, None where it is not asked if the answer is there. ``Pipeline.warm`` runs the ``warm_ups``. ``today`` tells
    which rules are in force.
    """

    settings: Settings
    store: KnowledgeStore
    retriever: Retrieves
    gateway: ModelGateway
    count_tokens: Callable[[str], int]
    sentence_likeness: SentenceScorer = lambda retrieval, sentences: None
    reading_fit: Callable[[str], AnswerabilityFit | None] = lambda model: None
    warm_ups: Sequence[Callable[[], object]] = ()
    today: Callable[[], date] = date.today
    answer_sources: AnswerSources | None = None


_CHOICES = {"audience": get_args(Audience), "quote": get_args(Quoting), "reader_language": get_args(Language)}


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is to be answered.

    ``earlier`` are the conversation's earlier questions, oldest first: where the question leans on the last of them,
    that one is searched and read with it.  ``filters`` say which documents may be found.  ``think`` None leaves the
    choice to the settings; so does ``top_k`` None, else in [1, 24]: the distinct chunks of the ranking that are packed
    into passages.  Setting ``cancelled`` frees the model within a quarter of a second, unless another question waits
    for the same answer.  For the ``public`` audience the answer rests on no internal document, whichever way it comes,
    and on no sentence with an unconfirmed address.

    The queue before the model is fair among ``owner``s, each of whom may have ``Settings.person_waiting`` questions in
    it; empty: this process, which may have any number.  ``conversation`` names the conversation whose prompt the model
    may have in its cache; empty: the owner's.  ``fresh`` skips stored answers.  ``quote`` gives the sentences that
    answer best, word for word, in the model's place: where the model cannot answer now, or whenever there are any.
    ``reader_language`` is that of the answer to a question without words, such as a code that begins a conversation.

    Raises ``SettingsError`` for a value that is none of these: a misspelt audience must not open internal documents.
    """

    earlier: Sequence[str] = ()
    filters: Filters = EVERYTHING
    think: bool | None = None
    top_k: int | None = None
    cancelled: threading.Event | None = None
    owner: str = ""
    conversation: str = ""
    fresh: bool = False
    quote: Quoting = "never"
    audience: Audience = "internal"
    reader_language: Language = "en"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                given, known = repr(getattr(self, name)), ", ".join(map(repr, choices))
                raise SettingsError(reason="option_choice", option=name, given=given, choices=known)
        if isinstance(self.earlier, str):
            raise SettingsError(reason="option_list", option="earlier", given=repr(self.earlier))
        if not isinstance(self.filters, Filters):
            raise SettingsError(reason="option_filters", option="filters", given=repr(self.filters))
        if self.top_k is not None and not (isinstance(self.top_k, int) and 1 <= self.top_k <= KEPT_CHUNKS):
            raise SettingsError(reason="top_k", limit=KEPT_CHUNKS, given=repr(self.top_k))

    def language_of(self, question: str) -> Language:
        """Return the language of the prompt for a question."""
        telling = (text for text in (question, *self.earlier[-1:]) if tells_language(text))
        return next(map(prompt_language, telling), self.reader_language)

    @property
    def document_filters(self) -> Filters:
        """The filters for documents: the given ones, within the audience."""
        return replace(self.filters, audience="public") if self.audience == "public" else self.filters

    @property
    def is_selective(self) -> bool:
        """Whether only a part of the knowledge base may be found, so that no stored answer fits."""
        return self.filters != EVERYTHING or self.top_k is not None


@dataclass(frozen=True, slots=True)
class _Packed:
    """The passages to be shown, with what can be quoted, and the sentences of those in force.

    The ``numbers`` of these are in the ranking's order.  ``quotation_probability`` is that of ``AnswerRequest``.
    """

    passages: Sequence[Evidence]
    numbers: Sequence[int]
    sentences: RankedSentences
    quotation_probability: float

    def evidence(self, budget_tokens: int) -> tuple[Evidence, ...]:
        """Return the passages with what the model is to read, so many embedder tokens."""
        sent = dict(zip(self.numbers, self.sentences.spans_to_send(budget_tokens), strict=True))
        return tuple(replace(one, sent=sent.get(one.number, ())) for one in self.passages)


class AskKeywords(TypedDict, total=False):
    """The fields of ``AskOptions`` as keywords, for callers who write one or two of them."""

    earlier: Sequence[str]
    filters: Filters
    think: bool | None
    top_k: int | None
    cancelled: threading.Event | None
    owner: str
    conversation: str
    fresh: bool
    quote: Quoting
    audience: Audience
    reader_language: Language


class Pipeline:
    """Answers questions from one knowledge base with one model; made of ``parts``.  Safe to use from many threads.

    ``for event in pipeline.stream("..."): ...`` or ``pipeline.answer("...").text``.
    """

    def __init__(self, parts: PipelineParts) -> None:
        self.parts = parts
        self._pace = PromptSpeed()
        self._context_fit = ContextFit(lambda: parts.gateway.context_window_tokens(parts.settings), parts.count_tokens)
        self._drafting = AnswerGeneration(
            parts.gateway, parts.settings, self._context_fit, parts.reading_fit, self._pace
        )

    @property
    def generation(self) -> int:
        """Number of the published knowledge-base generation; 0 where there is none."""
        return self.parts.store.current_generation()

    def warm(self) -> None:
        """Load models and indexes before the first question; asks no model."""
        for warm_up in self.parts.warm_ups:
            warm_up()

    def answer(self, question: str, options: AskOptions | None = None, **keywords: Unpack[AskKeywords]) -> Answer:
        """Return the answer as a whole.  Arguments and errors are those of ``stream``."""
        for event in self.stream(question, options, **keywords):
            if isinstance(event, Completed):
                return event.answer
        raise AssertionError("a stream ends with Completed or an error")

    def stream(
        self, question: str, options: AskOptions | None = None, **keywords: Unpack[AskKeywords]
    ) -> Generator[Event, None, None]:
        """Yield ``Retrieved``, ``Queued`` while others are served, the deltas, and ``Completed``.

        A second ``Retrieved`` follows where other words find more (``rag/generation/query_expansion.py``): all passages
        of the first with their numbers, and new ones after them.  ``keywords`` are fields of ``AskOptions`` and
        replace those of ``options``.  Closing the iterator frees the model as ``AskOptions.cancelled`` does.  Raises an
        ``AnswerdeskError``; events yielded before it stay valid, evidence above all.
        """
        return self._events(question, replace(options or AskOptions(), **keywords))

    def _events(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        trace, text = Trace(), self._clean(question)
        standalone_question = in_context(text, question_before(text, options.earlier))
        answer_sources = None if options.is_selective else self.parts.answer_sources
        served = None
        if answer_sources is not None and not options.fresh:
            language = options.language_of(text)
            served = answer_sources.find(standalone_question, language, options.think, trace, options.audience)
        if served is not None:
            yield served.retrieved
            yield served.completed
            return
        request, retrieval = self._prepare(text, trace, options)
        evidence = request.evidence
        answerable = retrieval.answerable and any(passage.sent for passage in request.evidence)
        yield Retrieved(
            request.evidence,
            answerable,
            retrieval.answerable_probability,
            retrieval.generation,
            by_words_alone=request.by_words_alone,
        )
        if not answerable:
            completed = Completed(refusal(request))
            _require_whole_search(completed, request)
            yield completed
            return
        if options.quote == "only" and (answer := quotation(request)) is not None:
            yield Completed(answer)
            return
        request = self._allow_second_search(request, retrieval, options)
        asker = Asker(options.owner, options.conversation, bool(options.earlier))
        has_spoken = False
        try:
            with closing(self._drafting.events(request, asker)) as events:
                for event in events:
                    has_spoken = has_spoken or isinstance(event, AnswerDelta)
                    if isinstance(event, Retrieved):
                        evidence = event.evidence
                    _require_whole_search(event, request)
                    if answer_sources is not None and isinstance(event, Completed):
                        answer_sources.keep(standalone_question, options.think, evidence, event, options.audience)
                    yield event
        except ServingError as error:
            ends_it = isinstance(error, AnswerCancelled | OwnQueueFull)  # the owner's own doing, who can ask again
            may_quote = options.quote == "if_needed" and not has_spoken and not ends_it
            answer = quotation(request, type(error).__name__) if may_quote else None
            if answer is None:
                raise
            yield Completed(answer)

    def limits(self, chunks: int | None = None) -> PackingLimits:
        """Return how much may be packed, of ``chunks`` of the ranking; None: of as many as the settings say.

        Where the model is quick and so reads more than that, as much more is shown.
        """
        settings = self.parts.settings
        more = max(0, self.prompt_evidence_tokens - settings.prompt_evidence_tokens)
        limit = min(KEPT_CHUNKS, settings.top_k + more // _CHUNK_TOKENS) if chunks is None else chunks
        return PackingLimits(self.parts.count_tokens, settings.evidence_budget_tokens + more, limit, self.parts.today())

    @property
    def prompt_evidence_tokens(self) -> int:
        """How many embedder tokens of the passages the model is to read now: by its pace and its context."""
        settings = self.parts.settings
        context = self.parts.gateway.context_window_tokens(settings)
        room = evidence_room(context, settings.reply_budget_tokens(think=True))
        return self._pace.affordable_tokens(
            settings.prompt_evidence_seconds,
            unknown=settings.prompt_evidence_tokens,
            most=max(FEWEST_TOKENS, min(settings.prompt_evidence_most_tokens, room)),
        )

    def prepare(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        audience: Audience = "internal",
        filters: Filters = EVERYTHING,
        reader_language: Language = "en",
    ) -> tuple[AnswerRequest, Retrieval]:
        """Return all that is known before a model is asked; arguments and errors as for ``stream``."""
        options = AskOptions(earlier, filters, audience=audience, reader_language=reader_language)
        return self._prepare(self._clean(question), Trace(), options)

    def rank_sentences(self, question: str, options: AskOptions) -> RankedSentences:
        """Return all sentences that a model might read; arguments and errors as for ``stream``."""
        request, retrieval = self._prepare(self._clean(question), Trace(), options)
        asked = in_context(request.question, request.previous)
        return self._pack(asked, retrieval, options.top_k, options.audience, request.language).sentences

    def judge_answerable(self, question: str, *, earlier: Sequence[str] = ()) -> AnswerabilitySample:
        """Ask the model only whether the passages found hold the answer; arguments and errors as for ``stream``."""
        request, _ = self.prepare(question, earlier=earlier)
        messages = build_messages(request.question, request.evidence, request.language, request.previous)
        run = blocking(lambda generator: judge_answerable(generator, messages, request.language))
        found = self.parts.gateway.result(GenerationRequest(run, cancelled=request.cancelled))
        return AnswerabilitySample(request.language, request.retrieval_probability, found.yes)

    def _clean(self, question: str) -> str:
        return without_injection(clean_question(question, self.parts.settings.question_limit_characters))

    def _allow_second_search(self, request: AnswerRequest, retrieval: Retrieval, options: AskOptions) -> AnswerRequest:
        """Let the request search the model's words too, if that promises more and time allows."""
        is_quick = (self._pace.tokens_a_second or 0.0) >= QUICK_TOKENS_A_SECOND
        if not is_quick or not self.parts.settings.query_expansion:
            return request
        language = self._language_to_search_again(request, retrieval)
        if language is None:
            return request

        def search(words: str) -> tuple[AnswerRequest, Retrieved] | None:
            return self._search_again(request, options, Expansion(words, language, retrieval))

        return replace(request, second_search=SecondSearch(language, search))

    @staticmethod
    def _language_to_search_again(request: AnswerRequest, retrieval: Retrieval) -> Language | None:
        """Return another language in which documents may answer better, or the own one if the search was unsure."""
        languages = {found.chunk.language for found in retrieval.chunks} if not request.third_language else set()
        is_unsure = retrieval.base_probability < SURE_PROBABILITY
        for other in languages - {request.language}:
            if is_unsure or other_language_likeness(retrieval, request.language) >= TRANSLATED_LIKENESS:
                return other
        return request.language if is_unsure else None

    def _search_again(
        self, request: AnswerRequest, options: AskOptions, expansion: Expansion
    ) -> tuple[AnswerRequest, Retrieved] | None:
        """Search again with other words; return the extended request, None if nothing new was found."""
        search = SearchOptions(filters=options.document_filters, expansion=expansion)
        retrieval = self.parts.retriever.retrieve(request.question, request.language, request.trace, search)
        if retrieval is expansion.found:
            return None
        with request.trace.span("pack"):
            extended = self._with_evidence(request, retrieval, options)
            evidence = append_second_search(request.evidence, extended.evidence)
        request.check_cancelled()
        if evidence == request.evidence:
            return None
        found = Retrieved(
            evidence,
            answerable=True,
            answerable_probability=retrieval.answerable_probability,
            generation=request.generation,
        )
        problem = request.problem or retrieval.problem
        return replace(extended, evidence=evidence, second_search=None, problem=problem), found

    def _prepare(self, text: str, trace: Trace, options: AskOptions) -> tuple[AnswerRequest, Retrieval]:
        """Search and pack."""
        third = third_language_after(text, options.earlier[-1] if options.earlier else "")
        language: Language = "en" if third else options.language_of(text)
        earlier = [visible(one) for one in options.earlier]
        search = SearchOptions(earlier, options.document_filters)
        retrieval = self.parts.retriever.retrieve(text, language, trace, search)
        request = AnswerRequest(
            question=text,
            previous=question_before(text, earlier),
            language=language,
            think=self._should_think(text, options.think),
            evidence=(),
            retrieval_probability=retrieval.base_probability,
            generation=retrieval.generation,
            trace=trace,
            cancelled=options.cancelled or threading.Event(),
            nearest_document=next((one.chunk.document_id for one in retrieval.chunks), ""),
            third_language=third,
            thought_by_itself=options.think is None and self.parts.settings.thinking == "auto",
            filters=options.document_filters,
            problem=retrieval.problem,
            is_doubtful=retrieval.is_doubtful and not third,
        )
        with trace.span("pack"):
            request = self._with_evidence(request, retrieval, options)
        request.check_cancelled()
        return request, retrieval

    def _with_evidence(self, request: AnswerRequest, retrieval: Retrieval, options: AskOptions) -> AnswerRequest:
        """Return the request with the passages of what was found, and what the model is to read of them."""
        text, previous = request.question, request.previous
        packed = self._pack(in_context(text, previous), retrieval, options.top_k, options.audience, request.language)

        def messages(evidence: Sequence[Evidence]) -> list[Message]:
            return build_messages(text, evidence, request.language, previous)

        evidence = self._fit_to_budget(packed, messages, request.think)
        return replace(request, evidence=evidence, quotation_probability=packed.quotation_probability)

    def _pack(
        self, question: str, retrieval: Retrieval, chunks: int | None, audience: Audience, language: Language
    ) -> _Packed:
        parts = self.parts

        def likeness_to(asked: Retrieval) -> SentenceLikeness:
            return lambda sentences: parts.sentence_likeness(
                asked, [(passage.document_id, span.start, span.end) for passage, span in sentences]
            )

        found = newest_first(pack(retrieval, parts.store, self.limits(chunks), question))
        passages = self._mark_unconfirmed(found, retrieval.generation, audience)
        relevant = [one for one in passages if is_valid_for(question, one, parts.today())] or passages
        asked = [
            QuestionPart(likeness_to(replace(retrieval, tokens=part.tokens)), passage_places(relevant, part.chunks))
            for part in retrieval.parts
        ]
        ranked = RankedSentences(relevant, question, likeness_to(retrieval), parts.count_tokens, asked)
        below_reply = ranked.below_reply(lambda one: one.may_be_quoted and one.language == language)
        spans = below_reply.spans
        if other_language_likeness(retrieval, language) >= QUOTED_LIKENESS:
            others = ranked.below_reply(lambda one: one.may_be_quoted and one.language != language)
            spans = tuple(own or other for own, other in zip(spans, others.spans, strict=True))
        quotable = {
            one.number: replace(one, quoted=best, below_reply=below)
            for one, best, below in zip(relevant, ranked.spans_to_quote(), spans, strict=True)
        }
        shown = [quotable.get(one.number, one) for one in passages]
        return _Packed(shown, list(quotable), ranked, below_reply.probability)

    def _fit_to_budget(
        self, packed: _Packed, messages: Callable[[Sequence[Evidence]], list[Message]], think: bool
    ) -> tuple[Evidence, ...]:
        """Cut the text to be read to the model's time and context.

        What a prompt says around its sentences (titles, dates, a long question) is known only once it is written.
        """
        reply_tokens = self.parts.settings.reply_budget_tokens(think)
        budget = self.prompt_evidence_tokens
        while True:
            evidence = packed.evidence(budget)
            excess = self._context_fit.excess_tokens(messages(evidence), reply_tokens)
            if not excess or budget <= _FEWEST_READ_TOKENS:
                return evidence
            budget = max(_FEWEST_READ_TOKENS, budget - excess)

    def _mark_unconfirmed(
        self, passages: Sequence[Evidence], generation: int, audience: Audience
    ) -> tuple[Evidence, ...]:
        """Mark the unconfirmed addresses in the passages, or, for the public, remove them."""
        document_ids = sorted({one.document_id for one in passages})
        unconfirmed = ContactDetailTable(self.parts.store).unconfirmed_of(document_ids, generation)
        return evidence_for_audience(audience, passages, unconfirmed)

    def _should_think(self, question: str, think: bool | None) -> bool:
        if think is not None:
            return think
        setting = self.parts.settings.thinking
        return needs_thought(question) if setting == "auto" else setting == "on"


def _require_whole_search(event: Event, request: AnswerRequest) -> None:
    """Raise the error of the failed half of the search when an event denies that the documents hold the answer."""
    if isinstance(event, Completed) and event.answer.refused and request.problem is not None:
        raise request.problem
