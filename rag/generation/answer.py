"""From evidence to an answer: the model writes a reply, and the reply is checked against the evidence.

Before the model writes, it may be asked whether the passages hold the answer (``answerability.py``); if that is
improbable, the answer is a refusal.  So it is if the reply says that they do not.  Unsupported sentences are marked, or
removed if a passage holds instructions to the model; ``output_filter.py`` removes other sentences from any reply.  A
part of the question that no supported sentence answers is quoted from the passages or asked again by itself, and named
if that brings nothing (``answered_parts.py``).

A reply without any support is invented or obeys somebody's injected instruction, so it is never passed on; nor is a
reply that repeats the question.  The model gets a second attempt, in which it quotes the documents before it concludes,
and a supported conclusion stands.  If there is none, it gets a third, in which it reads nothing but the stretch that
answers best; if the search is doubtful, it gets only this one.  If that brings nothing either, the stretch itself is
the answer where it probably holds what is asked (``QUOTED_PROBABILITY``), else the answer is a refusal.

The second attempt begins with words of the documents, so that a small model copies the deciding sentence before it
judges.  Asked "Can I ...?", a model of 1.5 billion weights tends to say yes and to invent a reason.  Given the first
words of its reply, it copies a sentence and concludes from that.  As a first attempt this was no better (13 instead of
12 of 24 customers' texts right, with half as many words again).  Nor was the best match as the only evidence (18
instead of 24 of 46); as a last attempt it finds words that the documents support where they hold the answer, and hardly
ever where they do not (docs/measurements.md).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

from rag.errors import AnswerCancelled, AnswerdeskError
from rag.evidence.quotation import quoted_citations, quoted_text, with_quotation
from rag.generation.answerability import AnswerabilityFit, judge_answerable, judge_if_doubtful, least_if_doubtful
from rag.generation.guard import Budget, GuardedReply, add_counts, guard_reply
from rag.generation.output_filter import filter_output, recites_passages, without_preamble, without_spans
from rag.generation.prompt import (
    build_messages,
    conclusion,
    conclusion_opening,
    is_closed,
    letters_in,
    opening_of,
    quotation_of,
    reply_prompt,
    without_quoted_name,
)
from rag.generation.refusal import refusal_text, unanswered_parts_text
from rag.generation.reply_languages import reply_language, says_not_found_in
from rag.grounding.answered_parts import PartsOfReply, lacks_expected_value, says_not_found, stating_spans
from rag.grounding.citations import (
    Grounding,
    ground,
    has_its_figures_from,
    is_bare_verdict,
    repeats_question,
    with_restrictions,
)
from rag.grounding.claims import QuotableSpan
from rag.grounding.confirmation import unconfirmed_sentences
from rag.grounding.conflicts import find_conflicts
from rag.grounding.prompt_injection import injection_spans
from rag.grounding.topic_match import known_names
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, Generator, Message
from rag.retrieval.filters import EVERYTHING, Filters
from rag.retrieval.message import asks_something, read_message
from rag.retrieval.question import in_context, message_parts, questions_of
from rag.schema import (
    Answer,
    AnswerDelta,
    Citation,
    Completed,
    Event,
    Evidence,
    Guard,
    Lane,
    Language,
    Retrieved,
    TextSpan,
    ThinkingDelta,
)
from rag.settings import Settings
from rag.text.language import is_certainly_not_in, third_language_after
from rag.text.markup import QUESTION_ENDS, without_list_mark
from rag.text.questions import asks_for_figure, expected_value
from rag.text.sentences import split_sentences
from rag.text.statements import content_words, read_statement
from rag.text.translated_figures import figures_in_english
from rag.tracing import Trace

QUOTED_PROBABILITY = 0.2
"""The least probability with which the stretch below a reply stands in for a reply that nothing supports.

Of 62 customers' texts with an answer eight refusals then become quotations, of which seven hold it, and none of 11 near
misses and false premises does (docs/measurements.md).
"""


class GenerationClock:
    """Records when the model began to think and to answer, in seconds of ``perf_counter``."""

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self._thought_at: float | None = None
        self._answered_at: float | None = None
        self._load_ms = 0.0

    def add_load_time(self, finished: GenerationFinished) -> None:
        """Add the time that the server took to load the model."""
        self._load_ms += finished.load_ms

    def stamp(self, part: GeneratedThinking | GeneratedText) -> Event:
        """Note the time of a part and return its event."""
        if isinstance(part, GeneratedThinking):
            self._thought_at = self._thought_at or time.perf_counter()
            return ThinkingDelta(part.text)
        self._answered_at = self._answered_at or time.perf_counter()
        return AnswerDelta(part.text)

    def record(self, trace: Trace) -> None:
        """Split the time until now, without the citations' share, into load, prompt, thinking and answer."""
        ended_at = time.perf_counter()
        answered_at = self._answered_at or ended_at
        first_at = self._thought_at or answered_at
        until_first_ms = (first_at - self._began_at) * 1000
        load_ms = min(self._load_ms, until_first_ms)
        trace.record("load", load_ms)
        trace.record("prompt", until_first_ms - load_ms)
        if self._thought_at is not None:
            trace.record("thinking", (answered_at - self._thought_at) * 1000)
        writing_ms = (ended_at - answered_at) * 1000 - trace.recorded_ms("citations")
        trace.record("answer", max(0.0, writing_ms))  # the model may have written nothing before the check


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question with its evidence and its trace.

    ``previous`` is the question before it if this one may depend on that, else empty.  ``nearest_document`` is the id
    of the first document found, even if its rule holds at another time.  ``third_language`` is the customer's language
    if it is neither Chinese nor English: the prompt is then English, the reply in that language.
    ``thought_by_itself``: the question calls for a thought but nobody asked for one, so a stand-in, which was not
    trained to think, answers without (docs/measurements.md).  ``second_search`` is set if the search is not sure.
    It applies the ``filters``, so only questions with equal filters may share an answer.  ``is_doubtful``: the search
    is hardly sure enough for an answer.  ``problem`` is the error because of which only the lexical search ran:
    passages may be missing, so nothing is refused for want of them.  ``quotation_probability`` is the calibrated one
    that what may be quoted below a reply, in the question's language, holds the answer.
    """

    question: str
    language: Language
    think: bool
    evidence: tuple[Evidence, ...]
    retrieval_probability: float
    generation: int
    trace: Trace
    cancelled: threading.Event
    previous: str = ""
    nearest_document: str = ""
    third_language: str = ""
    thought_by_itself: bool = False
    second_search: "SecondSearch | None" = None
    filters: Filters = EVERYTHING
    problem: Exception | None = None
    is_doubtful: bool = False
    quotation_probability: float = 0.0

    @property
    def by_words_alone(self) -> str:
        """The name of the error that left only the lexical search; empty if both searches ran."""
        return type(self.problem).__name__ if self.problem is not None else ""

    @property
    def reply_language(self) -> str:
        """The language of the reply, as an ISO 639-1 code."""
        return self.third_language or self.language

    @property
    def in_context(self) -> str:
        """The previous question, if any, and this one."""
        return in_context(self.question, self.previous)

    def messages(self) -> list[Message]:
        """Return the messages with the passages and the question."""
        return build_messages(self.question, self.evidence, self.language, self.previous)

    def opening_for(self, generator: Generator) -> str:
        """Return the beginning of a quoting attempt, empty if there is none.

        There is none if the model thinks first or cannot continue a reply, nor if the search is doubtful: then this
        attempt makes a quotation of anything and a conclusion from it (docs/measurements.md).
        """
        is_left_out = self.think or self.third_language or self.is_doubtful
        return "" if is_left_out or not generator.continues_replies else opening_of(self.evidence, self.language)

    def is_supported(self, sentence: str) -> bool:
        """Tell whether the passages support a sentence, or hold its figures together."""
        return bool(ground(sentence, self.evidence, self.in_context).citations) or self.holds_figures_of(sentence)

    def holds_figures_of(self, text: str) -> bool:
        """Tell whether one sentence of the evidence holds all figures of each sentence, except the question's own.

        Of what no passage names, such as a country, they hold no figure.  In a third language names cannot be known.
        """
        names = frozenset[str]() if self.third_language_in(text) else read_statement(text).names
        return names == known_names(names, self.evidence) and has_its_figures_from(text, self.evidence, self.in_context)

    def third_language_in(self, text: str) -> str:
        """Return the third language of a reply or else of the customer; empty if both are Chinese or English."""
        return third_language_after(text, self.question) or self.third_language

    def check_cancelled(self) -> None:
        """Raise ``AnswerCancelled`` if nobody waits for the answer any more."""
        if self.cancelled.is_set():
            raise AnswerCancelled


@dataclass(frozen=True, slots=True)
class SecondSearch:
    """A search with other words for a request's question, in ``language``.

    ``search`` returns the request with their passages added, or None if there are no new ones.
    """

    language: Language
    search: Callable[[str], tuple[AnswerRequest, Retrieved] | None]


@dataclass(frozen=True, slots=True)
class _Author:
    """The author of an answer; ``model`` is empty if retrieval alone decided."""

    model: str = ""
    stand_in: bool = False
    thinking: str = ""


def generate_answer(
    request: AnswerRequest, generator: Generator, settings: Settings, fit: AnswerabilityFit | None
) -> GeneratorObject[Event, None, Completed]:
    """Yield the deltas as they come and return ``Completed``.  Without a ``fit``, answerability is not judged first.

    Closing the iterator frees the model.  Raises what the generator raises.
    """
    if request.thought_by_itself and generator.stand_in:
        request = replace(request, think=False)
    clock = GenerationClock()
    author = _Author(generator.model, generator.stand_in)
    budget = Budget(settings.thinking_budget_tokens, settings.answer_budget_tokens)
    messages = request.messages()
    denied = (
        _is_denied(request, generator, messages, clock)
        if fit is None
        else _is_missing(request, generator, messages, fit, clock)
    )
    if denied:
        clock.record(request.trace)
        return Completed(_build_refusal(request, author), stopped_by="answerability")
    not_said = () if fit is None else _missing_parts(request, generator, messages, fit, clock)
    guarded = yield from _stream_reply(request, generator, messages, budget, clock)
    clock.add_load_time(guarded.finished)
    reply = _check_reply(request, guarded.text)
    for attempt in (_quoting_attempt, _attempt_with_stretch):
        if reply.refused and reply.stopped_by != "not_found":
            before, guarded = guarded, attempt(request, generator, budget, guarded)
            if guarded.text != before.text:
                reply = _check_reply(request, guarded.text)
    guarded, reply = yield from _with_open_part(request, generator, guarded, reply, not_said, budget, clock)
    clock.record(request.trace)
    author = replace(author, thinking=guarded.thinking)
    answer = _answer_from_reply(request, reply, author, quotes=settings.quote_below_reply)
    answer = _with_open_parts_named(request, answer, (*reply.unanswered, *not_said))
    finished = guarded.finished
    return Completed(
        answer,
        finished.generated_tokens,
        finished.generation_ms,
        guarded.text,
        reply.stopped_by,
        prompt_tokens=finished.prompt_tokens,
        finish_reason=finished.reason,
    )


def refusal(request: AnswerRequest) -> Answer:
    """Return the refusal of a question for which nothing near was found; it needs no model."""
    return _build_refusal(request, _Author())


def quotation(request: AnswerRequest, instead_of: str = "") -> Answer | None:
    """Return the best sentences word for word, as an answer without a model; None if none may be quoted.

    Internal passages are not quoted, nor rules of another time, which ``packing.best_match`` may hold: this answer may
    reach a customer unread.  The question's own language comes first.  ``instead_of`` names the error that kept the
    model from answering.
    """
    usable = [passage for passage in request.evidence if passage.quoted and passage.may_be_passed_on]
    own = [passage for passage in usable if passage.language == request.language] or usable
    answer = _quotation_of(request, own, _Author())
    return replace(answer, instead_of=instead_of) if answer is not None else None


def _quotation_of(request: AnswerRequest, passages: Sequence[Evidence], author: _Author) -> Answer | None:
    """Return what is quoted of the passages as an answer; None if that is nothing."""
    text = quoted_text(passages)
    return _build_answer(request, author, text, quoted_citations(passages), lane="quotation") if text else None


def _is_missing(
    request: AnswerRequest,
    generator: Generator,
    messages: list[Message],
    fit: AnswerabilityFit,
    clock: GenerationClock,
    part: str = "",
) -> bool:
    """Tell whether the passages probably lack the answer to the question, or to a ``part`` of it."""
    judgement = judge_answerable(generator, messages, request.language, part)
    clock.add_load_time(judgement.finished)
    if judgement.yes is None:  # the model said neither yes nor no
        return False
    probability = fit.probability(yes=judgement.yes, retrieval=request.retrieval_probability, language=request.language)
    return probability < fit.refuse_below


def _is_denied(request: AnswerRequest, generator: Generator, messages: list[Message], clock: GenerationClock) -> bool:
    """Tell whether the search is doubtful and the model, asked about its passages, says no."""
    least = least_if_doubtful(generator.model, request.language) if request.is_doubtful else None
    if least is None:
        return False
    judgement = judge_if_doubtful(generator, messages, request.language)
    clock.add_load_time(judgement.finished)
    return judgement.yes is not None and judgement.yes < least


def _missing_parts(
    request: AnswerRequest, generator: Generator, messages: list[Message], fit: AnswerabilityFit, clock: GenerationClock
) -> tuple[str, ...]:
    """Return the parts of the question whose answer the passages probably lack; none if that would be all of them."""
    parts = message_parts(request.question)
    missing = tuple(part for part in parts if _is_missing(request, generator, messages, fit, clock, part))
    return missing if len(missing) < len(parts) else ()


def _stream_reply(
    request: AnswerRequest, generator: Generator, messages: list[Message], budget: Budget, clock: GenerationClock
) -> GeneratorObject[Event, None, GuardedReply]:
    """Yield the model's reply as it comes, and return it."""
    prompt = reply_prompt(messages, request.question, request.language, third_language=request.third_language)
    reply = guard_reply(generator, prompt, think=request.think, language=request.reply_language, budget=budget)
    guarded: GuardedReply | None = None
    with closing(reply):
        for part in reply:
            if isinstance(part, GuardedReply):
                guarded = part
            elif part.text:
                yield clock.stamp(part)
    assert guarded is not None  # it ends with one or raises
    request.check_cancelled()
    return guarded


def _quoting_attempt(request: AnswerRequest, generator: Generator, budget: Budget, first: GuardedReply) -> GuardedReply:
    """Return an attempt that quotes the documents and draws a supported conclusion; ``first`` if it does not.

    Everything but its own words is in the model's prefix cache.  The counts are those of all calls, except of a
    quotation that was broken off.
    """
    language, opening = request.language, request.opening_for(generator)
    if not opening:
        return first
    messages = request.messages()
    prompt = reply_prompt(messages, request.question, language, opening)
    copying = guard_reply(generator, prompt, think=False, language=language, budget=budget)
    with closing(copying):
        copied, counts = _quotation(copying)
    counts = add_counts(first.finished, counts)
    longer_opening = conclusion_opening(copied, request.evidence, language)
    if not longer_opening:
        return replace(first, finished=replace(counts, reason=first.finished.reason))
    prompt = reply_prompt(messages, request.question, language, longer_opening)
    *_, second = guard_reply(generator, prompt, think=False, language=language, budget=budget)
    assert isinstance(second, GuardedReply)  # it ends with one or raises
    counts = add_counts(counts, second.finished)
    ending = conclusion(second.text)
    if request.is_supported(ending) and not says_not_found(ending):
        return replace(second, thinking=first.thinking, finished=counts)
    return replace(first, finished=replace(counts, reason=first.finished.reason))


def _attempt_with_stretch(
    request: AnswerRequest, generator: Generator, budget: Budget, before: GuardedReply
) -> GuardedReply:
    """Return an attempt whose only evidence is the stretch to be quoted below a reply.

    ``before`` if nothing supports it either, or if the stretch is all that the model has read.
    """
    stretch = tuple(replace(passage, sent=passage.below_reply) for passage in request.evidence if passage.below_reply)
    is_shorter = _characters_sent(stretch) < _characters_sent(request.evidence)
    if not stretch or not is_shorter or request.third_language:
        return before
    messages = replace(request, evidence=stretch).messages()
    prompt = reply_prompt(messages, request.question, request.language)
    *_, last = guard_reply(generator, prompt, think=False, language=request.language, budget=budget)
    assert isinstance(last, GuardedReply)  # it ends with one or raises
    request.check_cancelled()
    counts = add_counts(before.finished, last.finished)
    if _check_reply(request, last.text).refused:
        return replace(before, finished=replace(counts, reason=before.finished.reason))
    return replace(last, thinking=before.thinking, finished=counts)


def _characters_sent(evidence: Sequence[Evidence]) -> int:
    return sum(len(passage.sent_text) for passage in evidence)


def _quotation(reply: Iterator[GeneratedThinking | GeneratedText | GuardedReply]) -> tuple[str, GenerationFinished]:
    """Return the quotation that a reply begins with and its counts, which are 0 if it is broken off there."""
    text = ""
    for part in reply:
        if isinstance(part, GuardedReply):
            return text, part.finished
        if isinstance(part, GeneratedText):
            text += part.text
        if is_closed(text):
            break
    return text, GenerationFinished()


def _with_open_part(
    request: AnswerRequest,
    generator: Generator,
    guarded: GuardedReply,
    reply: "_Reply",
    not_said: Sequence[str],
    budget: Budget,
    clock: GenerationClock,
) -> GeneratorObject[Event, None, tuple[GuardedReply, "_Reply"]]:
    """Return the reply with the figures that it leaves open: quoted from the passages, or else the first asked for.

    Asked two things, a small model answers one.  The passages are in its prefix cache.  Parts that the passages
    probably lack (``not_said``) are left open, and so are those without a figure: of these two in five got an answer
    to something else (docs/measurements.md).
    """
    parts = _question_parts(request)
    if len(parts) == 1 or reply.stopped_by == "not_found" or request.third_language:
        return guarded, reply
    for part in parts:
        if (reply.refused or part in reply.unanswered) and part not in not_said:
            reply = _with_quoted_figure(request, reply, part)
    if reply.refused:
        return guarded, reply
    left_open = [part for part in reply.unanswered if part not in not_said and expected_value(part) is not None]
    if reply.stopped_by or not left_open:  # a reply that was shortened has tried, and invented something
        return guarded, reply
    part = left_open[0]
    others = " ".join(other for other in parts if other != part)
    asked = replace(request, question=part, previous=others, think=False)
    messages = build_messages(part, request.evidence, request.language, others)
    yield AnswerDelta("\n\n")
    try:
        more = yield from _stream_reply(asked, generator, messages, budget, clock)
    except AnswerCancelled:
        raise
    except AnswerdeskError:  # what was written is an answer all the same
        return guarded, reply
    added = _added_sentences(asked, more.text, reply)
    whole = _check_reply(request, f"{reply.text}\n\n{added}") if added else reply
    counts = add_counts(guarded.finished, more.finished)
    if guarded.finished.reason != "stop":  # the answer holds both texts: that one of them was cut must not be forgotten
        counts = replace(counts, reason=guarded.finished.reason)
    guarded = replace(guarded, text=f"{guarded.text}\n\n{more.text}", finished=counts)
    return guarded, reply if whole.refused or part in whole.unanswered else whole


def _with_quoted_figure(request: AnswerRequest, reply: "_Reply", part: str) -> "_Reply":
    """Return the reply with the sentence of the passages that gives the figure of a ``part``, if there is one."""
    spans = stating_spans(part, request.evidence, request.in_context)
    span = next((span for span in spans if _may_be_quoted(span, request)), None)
    if span is None:
        return reply
    passage = replace(request.evidence[span.passage_index], quoted=(TextSpan(span.start, span.end),))
    quoted = quotation_of(without_list_mark(quoted_text([passage])), request.language)
    kept = "" if reply.refused else without_spans(reply.text, _other_values(request, reply, part, span))
    whole = _check_reply(request, f"{kept}\n\n{quoted}".strip())
    if whole.refused or (part in whole.unanswered and not reply.refused):
        return reply
    return replace(whole, stopped_by="" if reply.refused else reply.stopped_by)


def _other_values(request: AnswerRequest, reply: "_Reply", part: str, span: QuotableSpan) -> list[TextSpan]:
    """Return the unsupported sentences that give a ``part``, and no other, another value than the span."""
    value, stated = expected_value(part), span.quantities
    others = content_words("\n".join(_question_parts(request))) - content_words(part)

    def is_other(sentence: TextSpan) -> bool:
        text = reply.text[sentence.start : sentence.end]
        matching = value.matching(read_statement(text).quantities) if value is not None else frozenset()
        return bool(matching) and not matching & stated and content_words(text).isdisjoint(others)

    return list(filter(is_other, reply.grounding.unsupported))


def _with_open_parts_named(request: AnswerRequest, answer: Answer, unanswered: Sequence[str]) -> Answer:
    """Return the answer with the parts of the question that its reply does not answer, unless these are all."""
    parts = _question_parts(request)
    left_open = tuple(part for part in parts if part in unanswered)
    if answer.refused or not 0 < len(left_open) < len(parts):
        return answer
    numbers = _parts_in_quotation(request, answer, parts)
    passages = {part: numbers.get(part) or _passage_about(request, part) for part in left_open}
    words = unanswered_parts_text(passages, request.language)
    text = f"{answer.text}\n\n{words.strip()}" if answer.quotation else answer.text + words
    return replace(answer, text=text, left_open=left_open)


def _parts_in_quotation(request: AnswerRequest, answer: Answer, parts: Sequence[str]) -> dict[str, int]:
    """Return the parts that an answer with its quotation may answer, each with the number of the passage that may."""
    quotation = answer.quotation
    if quotation is None:
        return {}
    grounding = ground(answer.text, request.evidence, request.in_context)
    open_still = PartsOfReply(answer.text, grounding, request.evidence, request.in_context, parts).unanswered
    lines = [one for one in answer.citations if one.start >= quotation.start]

    def passage_with_most_words_of(part: str) -> int:
        words = content_words(part)
        line = max(lines, key=lambda one: len(words & content_words(one.quote)))
        return next(passage.number for passage in request.evidence if passage.holds(line))

    return {part: passage_with_most_words_of(part) for part in parts if part not in open_still}


def _passage_about(request: AnswerRequest, part: str) -> int:
    """Return the number of the passage that may give the figure of a ``part``; 0 if none may."""
    spans = stating_spans(part, request.evidence, request.in_context)
    return request.evidence[spans[0].passage_index].number if spans else 0


_CELLS_OF_WIDE_ROW = 2
"""Cells besides the first one, which says what the row is about."""


def _may_be_quoted(span: QuotableSpan, request: AnswerRequest) -> bool:
    """Tell whether a customer may and can read a sentence; a wide table row says nothing without its header."""
    passage = request.evidence[span.passage_index]
    is_readable = passage.may_be_quoted and passage.language == request.language
    return is_readable and len(span.cells) < _CELLS_OF_WIDE_ROW


def _added_sentences(request: AnswerRequest, text: str, before: "_Reply") -> str:
    """Return the supported sentences that give a figure which the reply ``before`` lacks; empty if none answers."""
    reply, value = _check_reply(request, text), expected_value(request.question)
    if reply.refused or reply.unanswered or value is None:
        return ""
    said = without_spans(before.text, before.grounding.unsupported)
    known = read_statement(said).quantities

    def adds_nothing(span: TextSpan) -> bool:
        sentence = reply.text[span.start : span.end]
        is_known = read_statement(sentence).quantities <= known and not value.is_given_in_words(sentence)
        return is_known or span in reply.grounding.unsupported

    return without_spans(reply.text, list(filter(adds_nothing, split_sentences(reply.text))))


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply after the checks.  ``stopped_by`` is the guard that refused or shortened it.

    ``unanswered`` are the parts of the question that it does not answer.
    """

    text: str
    grounding: Grounding
    unanswered: tuple[str, ...]
    refused: bool
    stopped_by: Guard


def _check_reply(request: AnswerRequest, text: str) -> _Reply:
    """Check a reply against the passages and remove what must not be passed on."""
    with request.trace.span("citations"):
        return _check_against_passages(request, text)


def _check_against_passages(request: AnswerRequest, raw_text: str) -> _Reply:
    reply = without_quoted_name(without_preamble(raw_text, request.question), request.evidence, request.question)
    text = filter_output(reply, request.question, request.evidence, request.is_supported)
    grounding = ground(text, request.evidence, request.in_context)
    if grounding.unsupported and grounding.citations and any(map(_gives_orders, request.evidence)):
        text = without_spans(text, grounding.unsupported)
        grounding = ground(text, request.evidence, request.in_context)
    question_parts = _question_parts(request)
    parts = PartsOfReply(text, grounding, request.evidence, request.in_context, question_parts)
    unanswered = parts.unanswered
    if 0 < len(unanswered) < len(question_parts) and (invented := parts.invented_sentences()):
        text = without_spans(text, invented)
        grounding = ground(text, request.evidence, request.in_context)
    guard = _guard_against(request, text, grounding, unanswered)
    return _Reply(text, grounding, unanswered, bool(guard), guard or ("output_filter" if text != reply else ""))


def _answer_from_reply(request: AnswerRequest, reply: _Reply, author: _Author, *, quotes: bool) -> Answer:
    """Return the answer; ``quotes`` allows for a quotation of the passages below the reply."""
    is_read_by_agent = request.filters.audience != "public"  # who takes out what is not about the question
    may_quote = quotes and is_read_by_agent and not request.third_language
    if reply.refused:
        is_denied = reply.stopped_by == "not_found"
        answer = _quotation_for_reply(request, author) if may_quote and not is_denied else None
        return answer or _build_refusal(request, author)
    unsupported = reply.grounding.unsupported
    if is_bare_verdict(reply.text):  # it has nothing to compare with the passages
        unsupported = (TextSpan(0, len(reply.text)),)
    citations = reply.grounding.citations
    quoted = with_quotation(reply.text, request.evidence, request.language) if may_quote else None
    if quoted is None:
        return _build_answer(request, author, reply.text, citations, unsupported)
    answer = _build_answer(request, author, quoted.text, (*citations, *quoted.citations), unsupported)
    return replace(answer, quotation=quoted.span)


def _quotation_for_reply(request: AnswerRequest, author: _Author) -> Answer | None:
    """Return the stretch below the reply in its place; None unless it holds the answer probably enough."""
    own = [one for one in request.evidence if one.may_be_quoted and one.language == request.language]
    if request.quotation_probability < QUOTED_PROBABILITY or _lacks_asked_figure(request, own):
        return None
    return _quotation_of(request, [replace(one, quoted=one.below_reply) for one in own], author)


def _lacks_asked_figure(request: AnswerRequest, passages: Sequence[Evidence]) -> bool:
    """Tell whether the question asks for figures, and no sentence of the stretch below the reply states one of them."""
    parts = list(filter(asks_for_figure, _question_parts(request)))
    stating = (span for part in parts for span in stating_spans(part, passages, request.in_context))
    return bool(parts) and not any(
        quoted.start < span.end and span.start < quoted.end
        for span in stating
        for quoted in passages[span.passage_index].below_reply
    )


def _guard_against(request: AnswerRequest, text: str, grounding: Grounding, unanswered: Sequence[str]) -> Guard:
    """Return the guard that refuses a reply; empty if it stands."""
    if not text or recites_passages(text, request.evidence):
        return "output_filter"
    if says_not_found(text) or _says_not_found_in_third(request, text, grounding):
        return "not_found"
    if _repeats_message(request, text):
        return "unsupported"
    if not (grounding.citations or grounding.unsupported):
        is_no_reply = (
            _only_repeats_question(request, text) or _says_nothing(text) or _asks_as_documents_do(request, text)
        )
        return "unsupported" if is_no_reply else ""
    if not grounding.citations and _is_comparable(request, text) and not request.holds_figures_of(text):
        return "unsupported"
    return "no_value" if lacks_expected_value(text, _question_parts(request), unanswered) else ""


def _says_not_found_in_third(request: AnswerRequest, text: str, grounding: Grounding) -> bool:
    """Tell whether an unsupported reply in a third language says that the documents lack the answer."""
    third = third_language_after(text, request.question)
    return bool(third) and not grounding.citations and says_not_found_in(third, text)


def _only_repeats_question(request: AnswerRequest, text: str) -> bool:
    """Tell whether a reply only repeats the question: all of it, or the question within a mail."""
    return any(repeats_question(text, asked) for asked in (request.in_context, read_message(request.question).question))


def _repeats_message(request: AnswerRequest, text: str) -> bool:
    """Tell whether a reply says nothing but what the customer did, who pasted an error message and asked nothing."""
    words = content_words(text)
    return bool(words) and words <= content_words(request.in_context) and not asks_something(request.in_context)


def _asks_as_documents_do(request: AnswerRequest, text: str) -> bool:
    """Tell whether a reply is a question that is a title or a sentence of the passages: "常见的骗局有哪些？"."""
    if not text.rstrip().endswith(QUESTION_ENDS):
        return False
    lines = (
        passage.text[span.start : span.end] for passage in request.evidence for span in split_sentences(passage.text)
    )
    titles = (passage.title for passage in request.evidence)
    return letters_in(text.rpartition("：")[2]) in map(letters_in, chain(titles, lines))


def _says_nothing(text: str) -> bool:
    """Tell whether a reply that states nothing is neither a question nor a verdict.

    "Sorry, but I can't assist with that."
    """
    return not is_bare_verdict(text) and not text.rstrip().endswith(QUESTION_ENDS)


def _question_parts(request: AnswerRequest) -> tuple[str, ...]:
    """Return the parts of the question; in a third language, whose words are not known, the whole."""
    if request.third_language:
        return (request.question,)
    return questions_of(request.question)


def _gives_orders(passage: Evidence) -> bool:
    """Tell whether a passage holds instructions to the model, which an unsupported sentence may obey."""
    return bool(injection_spans(passage.text))


def _is_comparable(request: AnswerRequest, text: str) -> bool:
    """Tell whether words can be compared; if not, an unsupported reply is marked instead of refused.

    They cannot if the best passage is in the other language.  In a third language no reply without figures can be
    compared.
    """
    third = request.third_language_in(text)
    if third:
        return bool(read_statement(figures_in_english(text, third)).quantities)
    return request.evidence[0].language == request.language


def _build_refusal(request: AnswerRequest, author: _Author) -> Answer:
    tried, nearest = bool(author.model), request.nearest_document
    text = refusal_text(
        request.evidence,
        request.language,
        model_tried=tried,
        nearest_document=nearest,
        third_language=request.third_language,
        audience=request.filters.audience,
    )
    return _build_answer(request, author, text, lane="refusal")


def _build_answer(
    request: AnswerRequest,
    author: _Author,
    text: str,
    citations: tuple[Citation, ...] = (),
    unsupported: tuple[TextSpan, ...] = (),
    *,
    lane: Lane = "model",
) -> Answer:
    unconfirmed = () if lane == "refusal" else unconfirmed_sentences(text, citations, request.evidence)
    request.trace.record("total", request.trace.elapsed_ms())
    return Answer(
        text=text,
        language=request.language,
        refused=lane == "refusal",
        thinking=author.thinking,
        citations=with_restrictions(text, citations, request.evidence, request.in_context),
        unsupported=unsupported,
        spans=request.trace.spans(),
        model=author.model,
        stand_in=author.stand_in,
        generation=request.generation,
        conflicts=find_conflicts(request.evidence),
        lane=lane,
        unconfirmed=unconfirmed,
        third_language=_third_language_of(request, text, lane),
        by_words_alone=request.by_words_alone,
    )


def _third_language_of(request: AnswerRequest, text: str, lane: Lane) -> str:
    """Return the third language of an answer's text, if any; a quotation is in the documents' language."""
    if lane == "quotation" or not request.third_language:
        return ""
    if lane == "refusal":
        return request.third_language if reply_language(request.third_language).handoff else ""
    third = third_language_after(text, request.question)
    return request.third_language if third and not is_certainly_not_in(text, request.third_language) else third
