"""The one way to a model: a ticket, a slot on a host, a running server, retries, and cancellation.

    def run(generator: Generator) -> GeneratorObject[str, None, int]:   # yields parts and returns a result
        ...

    for event in gateway.generate(GenerationRequest(run)):   # Wait while others are served, Admitted, then the parts
        ...
    result = gateway.result(GenerationRequest(run))          # the same, blocking

The generator of each host handles models that do not fit into memory (``oom_fallback.py``).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rag.errors import (
    AnswerCancelled,
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaUnavailable,
    ServingError,
)
from rag.protocols import GenerationPart, Generator, Message
from rag.queue.admission import Admission, Ticket, Wait
from rag.queue.ticket_queue import TicketRequest
from rag.schema import Retrieved
from rag.settings import Settings

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemOut = TypeVar("ItemOut", covariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)

_ANYBODY = TicketRequest()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A slot is held.  ``waited_seconds`` is the time in the queue, ``was_queued`` whether others were served first."""

    waited_seconds: float
    was_queued: bool


@dataclass(frozen=True, slots=True)
class GenerationRequest(Generic[ItemOut, ResultOut]):
    """Work for a model.  ``run`` takes the generator of the slot's host, yields parts and returns the result.

    If the model is lost before the first part, ``run`` is called again, on another host if there is one; with
    ``restartable`` also after parts, for a caller who shows none of them.  ``cancelled`` ends the wait and the
    generation with ``AnswerCancelled``.  The duration updates the queue's estimate unless ``is_typical`` is false.
    """

    run: Callable[[Generator], GeneratorObject[ItemOut, None, ResultOut]]
    ticket: TicketRequest = _ANYBODY
    cancelled: threading.Event | None = None
    restartable: bool = False
    is_typical: bool = True


@dataclass(frozen=True, slots=True)
class ModelGateway:
    """A model with its queue and its server.  Safe to use from several threads.

    ``ensure_server`` starts the model server if it can and raises a ``ServingError`` if it cannot.  ``generator_of``
    returns the generator of a host by the host's name; None: ``generator`` serves every slot.  ``context_tokens``
    returns the model's context window; None: the settings'.

    >>> from rag.testing import ScriptedGenerator
    >>> gateway = ModelGateway(ScriptedGenerator(), Admission(slots=1, max_waiting=8))
    >>> gateway.result(GenerationRequest(blocking(lambda generator: generator.model)))
    'scripted'
    """

    generator: Generator
    admission: Admission
    ensure_server: Callable[[], object] = lambda: None
    generator_of: Callable[[str], Generator] | None = None
    context_tokens: Callable[[], int] | None = None

    def with_generator(self, generator: Generator) -> "ModelGateway":
        """Return a gateway with the same queue and server in which ``generator`` serves every slot."""
        return replace(self, generator=generator, generator_of=None)

    def context_window_tokens(self, settings: Settings) -> int:
        """Return the size of the model's context window."""
        return settings.context_tokens if self.context_tokens is None else self.context_tokens()

    def start(self) -> str:
        """Start the server if possible and return the name of the model.

        Raises a ``ServingError`` if there is no server or no model.
        """
        self.ensure_server()
        return self.generator.model

    def generate(
        self, request: GenerationRequest[Item, Result]
    ) -> GeneratorObject[Wait | Admitted | Item, None, Result]:
        """Yield ``Wait`` while others are served, ``Admitted``, and the parts of ``run``; return its result.

        The slot is free again once the result is returned, and as soon as the iterator is closed.
        Raises a ``ServingError``, after which nothing is held.
        """
        ticket = self.admission.ticket(request.ticket, cancelled=request.cancelled)
        is_typical = False
        try:
            yield from _admission(ticket)
            result = yield from self._attempts(request, ticket)
            is_typical = request.is_typical
            return result
        finally:
            ticket.close(finished=is_typical)

    def result(
        self,
        request: GenerationRequest[Item, Result],
        watch: Callable[[Wait | Admitted | Item], None] = lambda event: None,
    ) -> Result:
        """Block until the result is there.  ``watch`` gets what ``generate`` yields; raising in it ends the work."""
        with closing(self.generate(request)) as events:
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                watch(event)

    def _attempts(
        self, request: GenerationRequest[Item, Result], ticket: Ticket
    ) -> GeneratorObject[Wait | Admitted | Item, None, Result]:
        """Run the request; again if the model was lost, which by then is restarted or has a slot on another host.

        Passages may be yielded twice, words of an answer may not.
        """
        hosts = self.admission.host_count
        for is_last in (*[False] * max(1, hosts - 1), True):
            self.ensure_server()
            host = self.generator if self.generator_of is None else self.generator_of(ticket.host)
            has_yielded = False
            try:
                with closing(request.run(_cancellable(host, request.cancelled))) as parts:
                    while True:
                        try:
                            part = next(parts)
                        except StopIteration as end:
                            result: Result = end.value
                            return result
                        has_yielded = has_yielded or not (request.restartable or isinstance(part, Retrieved))
                        yield part
            except (ModelStoppedHalfway, OllamaUnavailable, ModelMissing, ModelTimedOut) as error:
                if has_yielded or is_last or not self._may_succeed_elsewhere(error, ticket.host):
                    raise
            if hosts > 1:
                ticket.put_back()
                yield from _admission(ticket)
        raise AssertionError("the last attempt returns or raises")

    def _may_succeed_elsewhere(self, error: ServingError, host: str) -> bool:
        """Tell whether another host, or this one after a restart, may succeed."""
        if isinstance(error, ModelStoppedHalfway | OllamaUnavailable):
            return True
        if isinstance(error, ModelTimedOut):  # after minutes: only where the host is not slow but gone
            return self.admission.host_count > 1 and not self.admission.is_answering(host)
        return self.admission.host_count > 1


def blocking(
    work: Callable[[Generator], Result],
) -> Callable[[Generator], GeneratorObject[GenerationPart, None, Result]]:
    """Return a ``run`` for work that yields no parts."""

    def run(generator: Generator) -> GeneratorObject[GenerationPart, None, Result]:
        yield from ()
        return work(generator)

    return run


class WatchedGenerator:
    """Wraps a generator and calls ``watch`` with each part first; an error in ``watch`` frees the model."""

    def __init__(self, generator: Generator, watch: Callable[[GenerationPart], None]) -> None:
        self._generator = generator
        self._watch = watch

    @property
    def model(self) -> str:
        """Name of the model that will answer."""
        return self._generator.model

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""
        return self._generator.stand_in

    @property
    def continues_replies(self) -> bool:
        """True when the model continues a last message of the assistant."""
        return self._generator.continues_replies

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield what the generator yields, at least four times a second."""
        parts = self._generator.generate(messages, think=think, max_tokens=max_tokens, candidates=candidates)
        with closing(parts):
            for part in parts:
                self._watch(part)
                yield part


def _cancellable(generator: Generator, cancelled: threading.Event | None) -> WatchedGenerator:
    """Return the generator so that it raises ``AnswerCancelled`` once ``cancelled`` is set."""

    def check(_: GenerationPart) -> None:
        if cancelled is not None and cancelled.is_set():
            raise AnswerCancelled

    return WatchedGenerator(generator, check)


def _admission(ticket: Ticket) -> Iterator[Wait | Admitted]:
    waiting_since = time.perf_counter()
    was_queued = False
    for wait in ticket.waits():
        was_queued = True
        yield wait
    yield Admitted(time.perf_counter() - waiting_since, was_queued)
