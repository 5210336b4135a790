"""As many answers at once as the model has slots; the rest wait in one fair line and are told where they stand.

    with admission.slot(on_wait=show, cancelled=stop):
        ...                                   # a slot is held here

A caller that is itself an iterator and must pass the waiting on takes the ticket instead:

    with admission.ticket(cancelled=stop) as ticket:
        for wait in ticket.waits():           # ends when the slot is ours; empty when one was free at once
            yield Queued(wait.ahead, wait.wait_seconds)
        ...                                   # a slot is held here

The line is first come, first served, over all threads of this process.  A ticket that is closed, cancelled or
abandoned by an exception gives its place or its slot back at once.
"""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rag.errors import AnswerCancelled, QueueFull

_NEWEST_WEIGHT = 0.3  # of the newest duration in the average: about the last five answers count
_NEWS_EVERY_SECONDS = 1.0  # the estimate shrinks while nothing moves, so waiting callers hear it again
_LOOK_EVERY_SECONDS = 0.1  # how soon a cancelled caller leaves the line


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a waiting caller stands.

    ``ahead`` counts the waiting callers before this one and the answers being generated.  ``wait_seconds`` is None
    until a first answer has shown how long one takes.
    """

    ahead: int
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How busy the model is.  ``average_seconds`` is None until a first answer was finished."""

    slots: int
    running: int
    waiting: int
    average_seconds: float | None


class Ticket:
    """One caller's place: waiting, then holding a slot, then closed.  Use it as a context manager."""

    def __init__(self, admission: "Admission", cancelled: threading.Event | None) -> None:
        self._admission = admission
        self._cancelled = cancelled
        self.admitted = threading.Event()
        self.admitted_at = 0.0

    def waits(self) -> Iterator[Wait]:
        """Yield the place in the line at once, when it changes and every second; end when a slot is held.

        Raises ``AnswerCancelled`` within 0.1 s after the ``cancelled`` event was set.
        """
        last: Wait | None = None
        told_at = 0.0
        while True:
            if self._cancelled is not None and self._cancelled.is_set():
                raise AnswerCancelled
            if self.admitted.is_set():
                return
            wait = self._admission.place_of(self)
            now = time.monotonic()
            moved = last is None or (wait is not None and wait.ahead != last.ahead)
            if wait is None and not self.admitted.is_set():
                raise AnswerCancelled  # closed by another thread
            if wait is not None and (moved or now - told_at >= _NEWS_EVERY_SECONDS):
                last, told_at = wait, now
                yield wait
            self.admitted.wait(_LOOK_EVERY_SECONDS)

    def close(self, *, finished: bool = True) -> None:
        """Give the place or the slot back; a second call does nothing.

        Only a ``finished`` answer teaches the estimate: one that broke off says nothing about the others' length.
        """
        self._admission.leave(self, finished=finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(finished=kind is None)


class Admission:
    """The slots of one model and the line before them.

    >>> admission = Admission(slots=1, max_waiting=8)
    >>> with admission.slot():
    ...     admission.occupancy().running
    1
    """

    def __init__(self, slots: int, max_waiting: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots}")
        if max_waiting < 0:
            raise ValueError(f"max_waiting must not be negative, not {max_waiting}")
        self._slots = slots
        self._max_waiting = max_waiting
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._average_seconds: float | None = None

    def ticket(self, *, cancelled: threading.Event | None = None) -> Ticket:
        """Join the line, or take a free slot.  Raises ``QueueFull`` when ``max_waiting`` callers wait already."""
        ticket = Ticket(self, cancelled)
        with self._lock:
            if len(self._running) < self._slots and not self._waiting:
                self._admit(ticket)
            elif len(self._waiting) >= self._max_waiting:
                raise QueueFull(waiting=len(self._waiting))
            else:
                self._waiting.append(ticket)
        return ticket

    @contextmanager
    def slot(
        self, *, on_wait: Callable[[Wait], None] | None = None, cancelled: threading.Event | None = None
    ) -> Iterator[None]:
        """Hold a slot for a block.  ``on_wait`` is called in this thread while it waits.

        Raises ``QueueFull`` at once, and ``AnswerCancelled`` when ``cancelled`` is set while waiting.
        """
        with self.ticket(cancelled=cancelled) as ticket:
            for wait in ticket.waits():
                if on_wait is not None:
                    on_wait(wait)
            yield

    def occupancy(self) -> Occupancy:
        """Return how many run and wait now."""
        with self._lock:
            return Occupancy(self._slots, len(self._running), len(self._waiting), self._average_seconds)

    def place_of(self, ticket: Ticket) -> Wait | None:
        """Return where a ticket stands; None when it holds a slot or was closed."""
        with self._lock:
            if ticket not in self._waiting:
                return None
            before = self._waiting.index(ticket)
            return Wait(before + len(self._running), self._estimate_seconds(before))

    def leave(self, ticket: Ticket, *, finished: bool) -> None:
        """Take a ticket out and let the next one in."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            elif ticket in self._running:
                self._running.remove(ticket)
                if finished:
                    self._learn(self._clock() - ticket.admitted_at)
            while self._waiting and len(self._running) < self._slots:
                self._admit(self._waiting.popleft())

    def _admit(self, ticket: Ticket) -> None:
        ticket.admitted_at = self._clock()
        self._running.add(ticket)
        ticket.admitted.set()

    def _learn(self, duration_seconds: float) -> None:
        if self._average_seconds is None:
            self._average_seconds = duration_seconds
        else:
            self._average_seconds += _NEWEST_WEIGHT * (duration_seconds - self._average_seconds)

    def _estimate_seconds(self, before: int) -> float | None:
        """Play the line forward: every answer takes the average, a running one what is left of it."""
        average = self._average_seconds
        if average is None:
            return None
        now = self._clock()
        free_in = [max(0.0, average - (now - ticket.admitted_at)) for ticket in self._running]
        heapq.heapify(free_in)
        for _ in range(before):
            heapq.heappush(free_in, heapq.heappop(free_in) + average)
        return free_in[0]
