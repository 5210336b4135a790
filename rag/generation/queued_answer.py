"""The model's own answer: a place in the line, a draft, and one of both for all who ask the same at the same time."""

import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Generator as GeneratorObject
from contextlib import closing
from dataclasses import dataclass, replace

from rag.errors import (
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaUnavailable,
    OwnQueueFull,
    ServingError,
)
from rag.generation.answer import AnswerRequest, generate_answer
from rag.generation.answerability import AnswerabilityFit
from rag.generation.context_fit import ContextFit
from rag.generation.hosted_generator import generator_at
from rag.generation.prompt import build_messages
from rag.generation.shared_streams import SharedStreams
from rag.protocols import Generator
from rag.queue.admission import Admission
from rag.queue.estimate import Work
from rag.queue.prompt_speed import PromptSpeed
from rag.queue.ticket import Ticket
from rag.queue.ticket_queue import TicketRequest
from rag.schema import Answer, AnswerDelta, Completed, Event, Queued, ThinkingDelta
from rag.settings import Settings


@dataclass(frozen=True, slots=True)
class AnswerGenerationParts:
    """What drafting needs; the fields are those of ``rag.pipeline.PipelineParts``."""

    settings: Settings
    generator: Generator
    admission: Admission
    count_tokens: Callable[[str], int]
    reading_fit: Callable[[str], AnswerabilityFit | None]
    ensure_server: Callable[[], object]
    context_tokens: Callable[[], int]
    pace: PromptSpeed


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom a place in the line is taken; the fields are those of ``rag.queue.ticket_queue.TicketRequest``."""

    owner: str = ""
    conversation: str = ""
    follows_up: bool = False


class AnswerGeneration:
    """Asks the model.  Safe to use from many threads.

    Questions with the same words, passages and wish for a thought share one generation while it is in flight.  Each has
    its own stream: one that is cancelled or closed leaves the others theirs, and the last to leave frees the model.
    """

    def __init__(self, parts: AnswerGenerationParts) -> None:
        self._parts = parts
        self._shared: SharedStreams[Event] = SharedStreams()
        self._fit = ContextFit(parts.context_tokens, parts.count_tokens)

    def events(self, asked: AnswerRequest, asker: Asker) -> GeneratorObject[Event, None, None]:
        """Yield ``Queued`` while others are served, the deltas, and ``Completed``.

        Raises a ``ServingError``, or ``PromptTooLong`` before anything is sent.
        """
        while True:
            try:
                yield from self._shared_events(asked, asker)
            except OwnQueueFull as error:
                if error.details["owner"] == asker.owner:
                    raise
                continue  # whoever began the generation has too many questions waiting, not this one's owner
            return

    def _shared_events(self, asked: AnswerRequest, asker: Asker) -> GeneratorObject[Event, None, None]:
        def begin(all_left: threading.Event) -> Iterator[Event]:
            return self._queue_and_generate(replace(asked, cancelled=all_left), asker)

        key = (asked.question, asked.previous, asked.think, asked.evidence)
        joined_at = time.perf_counter()
        spoke_at = 0.0
        with closing(self._shared.stream(key, asked.cancelled, begin)) as shared:
            for event, is_joined in shared:
                if is_joined and isinstance(event, ThinkingDelta | AnswerDelta):
                    spoke_at = spoke_at or time.perf_counter()
                if is_joined and isinstance(event, Completed):
                    yield _as_joined(event, asked, joined_at, spoke_at or time.perf_counter())
                else:
                    yield event

    def _request(self, asked: AnswerRequest, asker: Asker) -> TicketRequest:
        """Say what the line may know: how long the prompt is behind its beginning, and whether there is a thought."""
        messages = build_messages(asked.question, asked.evidence, asked.language, asked.previous)
        settings = self._parts.settings
        thought = settings.thinking_budget_tokens if asked.think else 0
        self._fit.require(messages, asked.in_context, settings.answer_budget_tokens + thought)
        work = Work(self._parts.count_tokens(messages[-1].content), asked.think)
        most_waiting = settings.person_waiting if asker.owner else None
        return TicketRequest(work, asker.owner, asker.follows_up, asker.conversation, most_waiting)

    def _queue_and_generate(self, asked: AnswerRequest, asker: Asker) -> Iterator[Event]:
        waiting_since = time.perf_counter()
        request = self._request(asked, asker)
        with self._parts.admission.ticket(request, cancelled=asked.cancelled) as ticket:
            yield from _admitted(asked, ticket, waiting_since)
            for event in self._drafted(asked, ticket):
                if isinstance(event, Completed):
                    ticket.close()  # who has the answer may leave at once, and that is no breaking off
                    self._learn_pace(request.work, event.answer)
                yield event

    def _learn_pace(self, work: Work, answer: Answer) -> None:
        prompt_ms = next((span.duration_ms for span in answer.spans if span.name == "prompt"), 0.0)
        self._parts.pace.learn(work.prompt_tokens, prompt_ms / 1000)

    def _drafted(self, asked: AnswerRequest, ticket: Ticket) -> Iterator[Event]:
        """Draft; again where the model was lost before its first word: it is started anew by then, or is elsewhere."""
        parts = self._parts
        hosts = parts.admission.host_count
        for is_last in (*[False] * max(1, hosts - 1), True):
            parts.ensure_server()
            generator = generator_at(parts.generator, ticket.host)
            has_spoken = False
            try:
                for event in generate_answer(asked, generator, parts.settings, parts.reading_fit(generator.model)):
                    has_spoken = True
                    yield event
                return
            except (ModelStoppedHalfway, OllamaUnavailable, ModelMissing, ModelTimedOut) as error:
                if has_spoken or is_last or not self._may_be_tried_again(error, ticket.host):
                    raise
            if hosts > 1:
                waiting_since = time.perf_counter()
                ticket.put_back()
                yield from _admitted(asked, ticket, waiting_since)

    def _may_be_tried_again(self, error: ServingError, host: str) -> bool:
        """Tell whether another host, or this one once it is started anew, may do better."""
        if isinstance(error, ModelStoppedHalfway | OllamaUnavailable):
            return True
        admission = self._parts.admission
        if isinstance(error, ModelTimedOut):  # after minutes: only where it is not slow but gone
            return admission.host_count > 1 and not admission.answers(host)
        return admission.host_count > 1


def _admitted(asked: AnswerRequest, ticket: Ticket, waiting_since: float) -> Iterator[Event]:
    """Yield ``Queued`` until a slot is held."""
    has_waited = False
    for wait in ticket.waits():
        has_waited = True
        yield Queued(wait.ahead, wait.wait_seconds)
    asked.trace.record("wait", _ms_since(waiting_since))
    if has_waited:
        yield Queued(0)


def _as_joined(completed: Completed, asked: AnswerRequest, joined_at: float, spoke_at: float) -> Completed:
    """Return the answer with the times of one who joined; the tokens are counted where the generation began."""
    asked.trace.record("wait", (spoke_at - joined_at) * 1000)
    asked.trace.record("answer", _ms_since(spoke_at))
    asked.trace.record("total", asked.trace.elapsed_ms())
    return Completed(replace(completed.answer, spans=asked.trace.spans()))


def _ms_since(started_at: float) -> float:
    return (time.perf_counter() - started_at) * 1000
