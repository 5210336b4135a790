"""Answers from the model: events of one generation, shared by identical questions that arrive while it is in flight.

Nobody owns a shared stream.  The first participant to need the next event fetches it for all.  So the stream continues
when the question that began it leaves, and ends when the last one does.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from collections.abc import Generator as GeneratorObject
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rag.errors import AnswerCancelled, OwnQueueFull
from rag.generation.answer import AnswerRequest, generate_answer
from rag.generation.answerability import AnswerabilityFit
from rag.generation.gateway import Admitted, GenerationRequest, ModelGateway
from rag.generation.prompt import ContextFit
from rag.generation.query_expansion import with_second_search
from rag.protocols import Generator, Message
from rag.queue.admission import Wait
from rag.queue.estimate import PromptSpeed, Work
from rag.queue.ticket_queue import TicketRequest
from rag.schema import AnswerDelta, Completed, Event, Queued, ThinkingDelta
from rag.settings import Settings

Item = TypeVar("Item")

_LOOK_EVERY_SECONDS = 0.1  # how soon a participant that waits for another's fetch notices its cancellation


class _AllCancelled(threading.Event):
    """Set while all participants are cancelled."""

    def __init__(self, run: "_Run[Item]") -> None:
        super().__init__()
        self._run = run

    def is_set(self) -> bool:
        return all(cancelled.is_set() for cancelled in list(self._run.participants.values()))


class _Run(Generic[Item]):
    """One stream and its participants, by number."""

    def __init__(self, begin: Callable[[threading.Event], Iterator[Item]]) -> None:
        self.participants: dict[int, threading.Event] = {}
        self.joined_count = 0
        self.ended = False
        self._changed = threading.Condition()
        self._items: list[Item] = []
        self._error: BaseException | None = None
        self._is_fetching = False
        self._source = begin(_AllCancelled(self))

    def item_at(self, place: int, cancelled: threading.Event) -> Item | None:
        """Return the item at a place, None after the last; wait for it or fetch it.  Raises the stream's errors."""
        while True:
            with self._changed:
                if place < len(self._items):
                    return self._items[place]
                if self._error is not None:
                    raise self._error
                if self.ended:
                    return None
                if cancelled.is_set():
                    raise AnswerCancelled
                if self._is_fetching:
                    self._changed.wait(_LOOK_EVERY_SECONDS)
                    continue
                self._is_fetching = True
            self._fetch()

    def close(self) -> None:
        """End the stream, which has no participants any more."""
        if isinstance(self._source, GeneratorObject):
            self._source.close()

    def _fetch(self) -> None:
        error: BaseException | None = None
        items: list[Item] = []
        try:
            items = [next(self._source)]
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001  (raised again, in each participant)
            error = raised
        with self._changed:
            self._is_fetching = False
            self._items += items
            self._error = error
            self.ended = not items
            self._changed.notify_all()


class SharedStreams(Generic[Item]):
    """The streams in flight, by their keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[Hashable, _Run[Item]] = {}

    def stream(
        self, key: Hashable, cancelled: threading.Event, begin: Callable[[threading.Event], Iterator[Item]]
    ) -> GeneratorObject[tuple[Item, bool], None, None]:
        """Yield the items of the stream under ``key``, each with whether another participant began the stream.

        ``begin`` starts the stream if there is none; its argument is an event that is set once all participants are
        cancelled.  A cancelled participant leaves with ``AnswerCancelled`` as soon as it would have to wait.
        """
        with self._lock:
            run = self._runs.get(key)
            is_joined = run is not None and not run.ended
            if run is None or not is_joined:
                run = self._runs[key] = _Run(begin)
            number = run.joined_count
            run.joined_count += 1
            run.participants[number] = cancelled
        place = 0
        try:
            while (item := run.item_at(place, cancelled)) is not None:
                place += 1
                yield item, is_joined
        finally:
            self._leave(key, run, number)

    def _leave(self, key: Hashable, run: _Run[Item], number: int) -> None:
        with self._lock:
            del run.participants[number]
            is_last = not run.participants
            if (is_last or run.ended) and self._runs.get(key) is run:
                del self._runs[key]
        if is_last:
            run.close()


@dataclass(frozen=True, slots=True)
class Asker:
    """The owner of a ticket; the fields are those of ``rag.queue.ticket_queue.TicketRequest``."""

    owner: str = ""
    conversation: str = ""
    follows_up: bool = False


class AnswerGeneration:
    """Asks the model.  Safe to use from many threads.

    Questions with the same words, passages, filters and thinking mode share one generation while it is in flight.  Each
    has its own stream, and may be cancelled or closed without affecting the others; the last to leave frees the model.
    """

    def __init__(
        self,
        gateway: ModelGateway,
        settings: Settings,
        context_fit: ContextFit,
        fit_of: Callable[[str], AnswerabilityFit | None],
        speed: PromptSpeed,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._context_fit = context_fit
        self._fit_of = fit_of
        self._speed = speed
        self._shared: SharedStreams[Event] = SharedStreams()

    def events(self, request: AnswerRequest, asker: Asker) -> GeneratorObject[Event, None, None]:
        """Yield ``Queued`` while others are served, the deltas, and ``Completed``.

        Raises a ``ServingError``, or ``PromptTooLong`` before anything is sent.
        """
        while True:
            try:
                yield from self._shared_events(request, asker)
            except OwnQueueFull as error:
                if error.details["owner"] == asker.owner:
                    raise
                continue  # the owner of the question that began the generation has too many waiting, not this one's
            return

    def _shared_events(self, request: AnswerRequest, asker: Asker) -> GeneratorObject[Event, None, None]:
        def begin(all_cancelled: threading.Event) -> Iterator[Event]:
            return self._queue_and_generate(replace(request, cancelled=all_cancelled), asker)

        key = (
            request.question,
            request.previous,
            request.language,
            request.think,
            request.evidence,
            request.filters,
            request.by_words_alone,
        )
        joined_at = time.perf_counter()
        spoke_at = 0.0
        with closing(self._shared.stream(key, request.cancelled, begin)) as shared:
            for event, is_joined in shared:
                if is_joined and isinstance(event, ThinkingDelta | AnswerDelta):
                    spoke_at = spoke_at or time.perf_counter()
                if is_joined and isinstance(event, Completed):
                    yield _completed_for_joiner(event, request, joined_at, spoke_at or time.perf_counter())
                else:
                    yield event

    def _ticket(self, request: AnswerRequest, asker: Asker, messages: list[Message]) -> TicketRequest:
        """Describe the work to the queue: the length of the prompt after its common beginning, and whether to think."""
        settings = self._settings
        self._context_fit.require(messages, request.in_context, settings.reply_budget_tokens(request.think))
        work = Work(self._context_fit.count_tokens(messages[-1].content), request.think)
        limits = (settings.person_waiting, settings.key_waiting) if asker.owner else (None, None)
        return TicketRequest(work, asker.owner, asker.follows_up, asker.conversation, *limits)

    def _queue_and_generate(self, request: AnswerRequest, asker: Asker) -> Iterator[Event]:
        messages = request.messages()
        ticket = self._ticket(request, asker, messages)

        def run(generator: Generator) -> GeneratorObject[Event, None, Completed]:
            expanded = request
            if request.second_search is not None:
                expanded = yield from with_second_search(request, request.second_search, generator)
            return (yield from generate_answer(expanded, generator, self._settings, self._fit_of(generator.model)))

        # The slot is free by the time ``Completed`` is yielded: leaving after it does not count as breaking off.
        completed = yield from _events(self._gateway, GenerationRequest(run, ticket, request.cancelled), request)
        spans = completed.answer.spans
        prompt_ms = next((span.duration_ms for span in spans if span.name == "prompt"), 0.0)
        self._speed.learn(ticket.work.prompt_tokens, prompt_ms / 1000, messages[-1].content)
        yield completed


def _events(
    gateway: ModelGateway, generation: GenerationRequest[Event, Completed], request: AnswerRequest
) -> GeneratorObject[Event, None, Completed]:
    """Yield the generation's events, and ``Queued`` while it waits in the queue; return ``Completed``."""
    with closing(gateway.generate(generation)) as events:
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                completed: Completed = end.value
                return completed
            if isinstance(event, Wait):
                yield Queued(event.ahead, event.wait_seconds)
            elif isinstance(event, Admitted):
                request.trace.record("wait", event.waited_seconds * 1000)
                if event.was_queued:
                    yield Queued(0)
            else:
                yield event


def _completed_for_joiner(completed: Completed, request: AnswerRequest, joined_at: float, spoke_at: float) -> Completed:
    """Return the answer with the times of a later participant; its tokens are counted for the first one."""
    request.trace.record("wait", (spoke_at - joined_at) * 1000)
    request.trace.record("answer", _ms_since(spoke_at))
    request.trace.record("total", request.trace.elapsed_ms())
    return Completed(replace(completed.answer, spans=request.trace.spans()))


def _ms_since(started_at: float) -> float:
    return (time.perf_counter() - started_at) * 1000
