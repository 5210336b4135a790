"""One question, as a stream of events.  Reads only: whoever asks keeps the turns.

    clean -> embed, search, enough? -> pack -> [Retrieved] -> wait for a slot -> prompt, thinking, answer -> citations

Below the calibrated probability the answer is a refusal, and no model is called.  It is one as well, and names the
model, where the model says that the passages do not hold the answer, or no sentence of its reply rests on them.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.answering.citations import Grounding, ground
from rag.answering.evidence import PackingLimits, pack
from rag.answering.governor import Budget, Governed, govern
from rag.answering.language import question_language
from rag.answering.not_found import says_not_found
from rag.answering.prompt import build_messages
from rag.answering.question import clean_question, needs_thought
from rag.answering.refusal import refusal_text
from rag.answering.selection import choose_sentences
from rag.errors import AnswerCancelled, SettingsError
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, Generator
from rag.schema import (
    Answer,
    AnswerDelta,
    Completed,
    Event,
    Evidence,
    Language,
    Queued,
    Retrieval,
    Retrieved,
    TextSpan,
    ThinkingDelta,
)
from rag.serving.admission import Admission
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

_LARGEST_TOP_K = 20


class Retrieves(Protocol):
    """What the pipeline needs of ``rag.retrieval.retriever.Retriever``."""

    def retrieve(self, question: str, language: Language, trace: Trace) -> Retrieval:
        """Return the passages found, best first, and whether they can hold the answer."""


SentenceScorer = Callable[[Retrieval, str, Sequence[tuple[int, int]]], Sequence[float] | NDArray[np.float64] | None]


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What a pipeline is made of; ``rag.factory`` chooses them.

    ``count_tokens`` is the embedder's.  ``sentence_scores`` says how well spans of a document answer to the question of
    a retrieval: float64 [spans], or None (``rag/retrieval/sentence_similarity.py``).  ``ensure_server`` starts the
    model server where that is possible and raises a ``ServingError`` where not; ``warm_ups`` are what ``Pipeline.warm``
    runs.  ``today`` tells which rules have expired.
    """

    settings: Settings
    store: KnowledgeStore
    retriever: Retrieves
    generator: Generator
    admission: Admission
    count_tokens: Callable[[str], int]
    sentence_scores: SentenceScorer = lambda retrieval, document_id, spans: None
    ensure_server: Callable[[], object] = lambda: None
    warm_ups: Sequence[Callable[[], object]] = ()
    today: Callable[[], date] = date.today


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question on its way: what was found for it, and where its time goes."""

    question: str
    language: Language
    think: bool
    evidence: tuple[Evidence, ...]
    generation: int
    trace: Trace
    cancelled: threading.Event

    def check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise AnswerCancelled


class Pipeline:
    """Answers questions from one knowledge base with one model.  Safe to use from many threads.

    ``for event in pipeline.stream("..."): ...`` or ``pipeline.answer("...").text``.
    """

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts

    def start_model(self) -> str:
        """Start the model server where that is possible; return the name of the model that will answer.

        Raises a ``ServingError`` where there is no server or no model.
        """
        self._parts.ensure_server()
        return self._parts.generator.model

    @property
    def generation(self) -> int:
        """Number of the published knowledge-base generation; 0 where there is none."""
        return self._parts.store.current_generation()

    def warm(self) -> None:
        """Load what the first question would wait for; asks no model."""
        for warm_up in self._parts.warm_ups:
            warm_up()

    def answer(
        self,
        question: str,
        *,
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
    ) -> Answer:
        """Return the answer as a whole.  Arguments and errors are those of ``stream``."""
        for event in self.stream(question, think=think, top_k=top_k, cancelled=cancelled):
            if isinstance(event, Completed):
                return event.answer
        raise AssertionError("a stream ends with Completed or an error")

    def stream(
        self,
        question: str,
        *,
        think: bool | None = None,
        top_k: int | None = None,
        cancelled: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Yield ``Retrieved``, ``Queued`` while others are served, the deltas, and ``Completed``.

        ``think`` None leaves the choice to the settings; ``top_k`` in [1, 20] limits the passages found.  Setting
        ``cancelled``, or closing the iterator, frees the model within a quarter of a second.  Raises an
        ``AnswerdeskError``; what was yielded before stays valid, evidence above all.
        """
        parts = self._parts
        limit = top_k if top_k is not None else parts.settings.top_k
        if not 1 <= limit <= _LARGEST_TOP_K:
            raise SettingsError(reason=f"top_k must be between 1 and {_LARGEST_TOP_K}, not {limit}")
        trace = Trace()
        text = clean_question(question, parts.settings.question_limit_characters)
        language = question_language(text)
        retrieval = parts.retriever.retrieve(text, language, trace)
        with trace.span("pack"):
            evidence = self._packed(text, retrieval, limit)
        asked = _Asked(
            question=text,
            language=language,
            think=self._is_to_think(text, think),
            evidence=evidence,
            generation=retrieval.generation,
            trace=trace,
            cancelled=cancelled or threading.Event(),
        )
        asked.check_cancelled()
        answerable = retrieval.answerable and bool(evidence)
        yield Retrieved(evidence, answerable, retrieval.answerable_probability, retrieval.generation)
        if answerable:
            yield from self._queue_and_generate(asked)
        else:
            yield Completed(_refusal(asked, model="", stand_in=False, thinking=""))

    def _packed(self, question: str, retrieval: Retrieval, chunks: int) -> tuple[Evidence, ...]:
        parts = self._parts
        limits = PackingLimits(parts.count_tokens, parts.settings.evidence_budget_tokens, chunks, parts.today())

        def scores(passage: Evidence, spans: Sequence[TextSpan]) -> Sequence[float] | None:
            found = parts.sentence_scores(retrieval, passage.document_id, [(span.start, span.end) for span in spans])
            return None if found is None else list(found)

        return choose_sentences(
            pack(retrieval, parts.store, limits),
            question,
            scores,
            parts.settings.prompt_evidence_tokens,
            parts.count_tokens,
        )

    def _is_to_think(self, question: str, think: bool | None) -> bool:
        if think is not None:
            return think
        setting = self._parts.settings.thinking
        return needs_thought(question) if setting == "auto" else setting == "on"

    def _queue_and_generate(self, asked: _Asked) -> Iterator[Event]:
        waiting_since = time.perf_counter()
        with self._parts.admission.ticket(cancelled=asked.cancelled) as ticket:
            has_waited = False
            for wait in ticket.waits():
                has_waited = True
                yield Queued(wait.ahead, wait.wait_seconds)
            asked.trace.record("wait", _ms_since(waiting_since))
            if has_waited:
                yield Queued(0)
            yield from self._generate(asked)

    def _generate(self, asked: _Asked) -> Iterator[Event]:
        parts = self._parts
        clock = _GenerationClock()
        parts.ensure_server()
        model, stand_in = parts.generator.model, parts.generator.stand_in
        settings = parts.settings
        budget = Budget(settings.thinking_budget_tokens, settings.answer_budget_tokens)
        messages = build_messages(asked.question, asked.evidence, asked.language)
        reply = govern(parts.generator, messages, think=asked.think, language=asked.language, budget=budget)
        governed: Governed | None = None
        try:
            for part in reply:
                asked.check_cancelled()
                if isinstance(part, Governed):
                    governed = part
                elif part.text:
                    yield clock.saw(part)
        finally:
            if isinstance(reply, GeneratorObject):
                reply.close()
        assert governed is not None  # govern ends with it or raises
        clock.record(asked.trace, governed.finished)
        with asked.trace.span("citations"):
            grounding = ground(governed.text, asked.evidence, asked.question)
            is_refusal = says_not_found(governed.text) or _rests_on_nothing(grounding, asked)
        if is_refusal:
            yield Completed(_refusal(asked, model=model, stand_in=stand_in, thinking=governed.thinking))
        else:
            yield Completed(_answer(asked, governed, grounding, model=model, stand_in=stand_in))


class _GenerationClock:
    """Tells when the model began to think and to answer, in seconds of ``perf_counter``."""

    def __init__(self) -> None:
        self._began_at = time.perf_counter()
        self._thought_at: float | None = None
        self._answered_at: float | None = None

    def saw(self, part: GeneratedThinking | GeneratedText) -> Event:
        """Note the time of a part and return the event that passes it on."""
        if isinstance(part, GeneratedThinking):
            self._thought_at = self._thought_at or time.perf_counter()
            return ThinkingDelta(part.text)
        self._answered_at = self._answered_at or time.perf_counter()
        return AnswerDelta(part.text)

    def record(self, trace: Trace, finished: GenerationFinished) -> None:
        """Divide the time up to now into load, prompt, thinking and answer."""
        ended_at = time.perf_counter()
        answered_at = self._answered_at or ended_at
        first_at = self._thought_at or answered_at
        until_first_ms = (first_at - self._began_at) * 1000
        load_ms = min(finished.load_ms, until_first_ms)
        trace.record("load", load_ms)
        trace.record("prompt", until_first_ms - load_ms)
        if self._thought_at is not None:
            trace.record("thinking", (answered_at - self._thought_at) * 1000)
        trace.record("answer", (ended_at - answered_at) * 1000)


def _rests_on_nothing(grounding: Grounding, asked: _Asked) -> bool:
    """Tell whether not one sentence of a reply is supported: it is then made up, or obeys somebody else's instruction.

    Where the best passage is in another language its words cannot be compared, and the reply is only marked.
    """
    is_comparable = asked.evidence[0].language == asked.language
    return is_comparable and bool(grounding.unsupported) and not grounding.citations


def _answer(asked: _Asked, governed: Governed, grounding: Grounding, *, model: str, stand_in: bool) -> Answer:
    asked.trace.record("total", asked.trace.elapsed_ms())
    return Answer(
        text=governed.text,
        language=asked.language,
        refused=False,
        thinking=governed.thinking,
        citations=grounding.citations,
        unsupported=grounding.unsupported,
        spans=asked.trace.spans(),
        model=model,
        stand_in=stand_in,
        generation=asked.generation,
    )


def _refusal(asked: _Asked, *, model: str, stand_in: bool, thinking: str) -> Answer:
    asked.trace.record("total", asked.trace.elapsed_ms())
    return Answer(
        text=refusal_text(asked.evidence, asked.language, model_tried=bool(model)),
        language=asked.language,
        refused=True,
        thinking=thinking,
        citations=(),
        unsupported=(),
        spans=asked.trace.spans(),
        model=model,
        stand_in=stand_in,
        generation=asked.generation,
    )


def _ms_since(started_at: float) -> float:
    return (time.perf_counter() - started_at) * 1000
