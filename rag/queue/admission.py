"""Admits as many answers at once as the model has slots; the others wait in one fair queue and see their position.

    with admission.slot(on_wait=show, cancelled=stop):
        ...                                   # a slot is held here

A caller that is itself an iterator and passes the waiting on takes the ticket instead:

    with admission.ticket(Request(owner="agent-7"), cancelled=stop) as ticket:
        for wait in ticket.waits():           # ends when the slot is ours; empty when one was free at once
            yield Queued(wait.ahead, wait.wait_seconds)
        ...                                   # a slot is held here

All processes that use the same model server, or the same hosts (``hosts.py``), share one line (``ticket_queue.py``):
those of this machine with a file, of several machines with a database server.  It is fair among owners.  A ticket that
is closed, cancelled or abandoned by an exception gives its place or its slot back at once, and so does a process that
dies for any reason.
"""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from rag.errors import AnswerCancelled, AnswerdeskError, DatabaseUnavailable, OwnQueueFull, QueueFull, WaitedTooLong
from rag.ollama.hosts import Hosts, host_name, hosts_of
from rag.queue.estimate import WaitEstimate
from rag.queue.ticket_queue import QueueEntry, QueueState, TicketQueue, TicketRequest
from rag.settings import DatabasePlace, Settings

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_ESTIMATE_EVERY_SECONDS = 0.25
_ANYTHING = TicketRequest()
LOOK_EVERY_SECONDS = 0.05
"""How soon a cancelled caller leaves the queue, and changes of other processes are seen."""

AWAY_LIMIT_SECONDS = 8.0
"""How long a waiting caller waits for a database server that is away; noticing it takes 6 of them."""

_NEWS_EVERY_SECONDS = 1.0  # the estimate shrinks while nothing moves, so it is repeated


@dataclass(frozen=True, slots=True)
class Wait:
    """The position of a waiting caller.

    ``ahead`` counts the waiting callers before this one and the answers being generated.  ``wait_seconds`` is None
    until a first answer has shown how long one takes.
    """

    ahead: int
    wait_seconds: float | None


class Ticket:
    """One caller's place: waiting, then holding a slot, then closed.  Use it as a context manager."""

    def __init__(self, admission: "Admission", number: int, cancelled: threading.Event | None) -> None:
        self._admission = admission
        self.number = number
        self._cancelled = cancelled
        self._joined_at = time.monotonic()
        self.admitted = threading.Event()
        self.host = ""  # of the slot that is held

    def waits(self) -> Iterator[Wait]:
        """Yield the place in the line at once, when it changes and every second; end when a slot is held.

        Raises ``AnswerCancelled`` within 0.1 s after the ``cancelled`` event was set, ``WaitedTooLong`` if the
        admission has a limit, ``NoHostAnswers`` or ``ModelMissing`` if none of several hosts is left, and
        ``DatabaseUnavailable`` if the line's server stays away.
        """
        last: Wait | None = None
        yielded_at = 0.0
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
            if wait is not None and (moved or now - yielded_at >= _NEWS_EVERY_SECONDS):
                last, yielded_at = wait, now
                yield wait
            self._admission.check_hosts()
            self._admission.check_line()
            self._admission.check_waited(now - self._joined_at)
            self.admitted.wait(LOOK_EVERY_SECONDS)

    def put_back(self) -> None:
        """Wait again, at the same place, for a slot of another host after a failure; see ``waits``."""
        self._admission.put_back(self)

    def close(self, *, finished: bool = True) -> None:
        """Give the place or the slot back; a second call does nothing.

        Only a ``finished`` answer updates the estimate: an aborted one says nothing about the others' length.
        """
        self._admission.leave(self, finished=finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(finished=kind is None)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The load of the model.  ``average_seconds`` is None until a first answer was finished."""

    slots: int
    running: int
    waiting: int
    average_seconds: float | None


class Admission:
    """The slots of one model and the line before them.

    Without a ``place`` the line is this object's own; with one it is shared by all with the same ``place`` and
    ``server``.  With ``hosts`` the slots are those of the usable ones.  If a file cannot be used (the disk is full, the
    file damaged), the line continues in this process alone, which is logged.  A database server that is away is not
    replaced, because several machines share it: nobody is admitted, running answers continue, and waiting callers wait
    for its return, ``AWAY_LIMIT_SECONDS`` at the most.  ``clock`` gives seconds, the same in all processes; None: that
    of the place.

    >>> admission = Admission(slots=1, max_waiting=8)
    >>> with admission.slot():
    ...     admission.occupancy().running
    1
    """

    def __init__(
        self,
        slots: int,
        max_waiting: int,
        *,
        place: DatabasePlace | None = None,
        server: str = "",
        wait_limit_seconds: float | None = None,
        hosts: Hosts | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots}")
        if max_waiting < 0:
            raise ValueError(f"max_waiting must not be negative, not {max_waiting}")
        self._slots = {server: slots}
        self._hosts = hosts
        self._max_waiting = max_waiting
        self._wait_limit_seconds = wait_limit_seconds
        self._place = place
        self._server = server
        self._clock = clock
        self._lock = threading.RLock()
        self._tickets: dict[int, Ticket] = {}
        self._line: TicketQueue | None = None  # opened by the first question: building an object writes nothing
        self._state = QueueState()
        self._away: tuple[float, DatabaseUnavailable] | None = None  # since when, and why
        self._durations = WaitEstimate(())
        self._estimates: tuple[float, QueueState, list[float | None]] = (0.0, QueueState(), [])
        self._look_due_at = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "Admission":
        """Return the admission that all programs with these settings' queue and model server share."""
        names = sorted(host_name(url) for url in settings.ollama_urls)
        return cls(
            settings.parallel_slots,
            settings.max_waiting,
            place=settings.queue_database,
            server=",".join(names),
            wait_limit_seconds=settings.wait_limit_seconds,
            hosts=hosts_of(settings),
        )

    @property
    def host_count(self) -> int:
        """The number of configured hosts, answering or not."""
        return 1 if self._hosts is None else len(self._hosts.names)

    def ticket(self, request: TicketRequest = _ANYTHING, *, cancelled: threading.Event | None = None) -> Ticket:
        """Join the line, or take a free slot.

        Raises ``QueueFull`` if ``max_waiting`` callers wait already, ``OwnQueueFull`` if the most of its owner do,
        ``NoHostAnswers`` or ``ModelMissing`` if none of several hosts can be used, and ``DatabaseUnavailable`` if
        the line's server is away.
        """
        self.check_hosts()
        with self._lock:
            self.check_line(for_seconds=0.0)
            try:
                number, state = self._use_line(
                    lambda line: line.join(request, slots=self._slots_now(), max_waiting=self._max_waiting)
                )
            except OwnQueueFull as error:
                raise OwnQueueFull(**error.details, retry_seconds=self._first_wait_seconds()) from None
            if number is None:
                self._store_state(state)
                raise QueueFull(waiting=len(state.waiting), retry_seconds=self._first_wait_seconds())
            ticket = Ticket(self, number, cancelled)
            self._tickets[number] = ticket
            self._store_state(state)
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
        """Return how many run and wait now, in all processes; the last known state while the server is away."""
        with self._lock:
            self._refresh()
            state = self._state
            slots = sum(self._slots_now().values())
            return Occupancy(slots, len(state.running), len(state.waiting), self._durations.average_seconds)

    def busy(self) -> dict[str, int]:
        """Return how many questions each host answers now, in all processes; hosts without any are left out."""
        with self._lock:
            self._refresh()
            return dict(Counter(place.host for place in self._state.running))

    def place_of(self, ticket: Ticket) -> Wait | None:
        """Return the position of a ticket; None if it holds a slot or was closed."""
        with self._lock:
            if ticket.number in self._tickets and time.monotonic() >= self._look_due_at:
                self._refresh()
            before = [place.ticket for place in self._state.waiting]
            if self._tickets.get(ticket.number) is not ticket or ticket.number not in before:
                return None
            ahead = before.index(ticket.number)
            return Wait(ahead + len(self._state.running), self._waits_seconds()[ahead])

    def check_waited(self, seconds: float) -> None:
        """Raise ``WaitedTooLong`` if ``seconds`` reach the limit."""
        if self._wait_limit_seconds is not None and seconds >= self._wait_limit_seconds:
            raise WaitedTooLong(seconds=self._wait_limit_seconds)

    def check_hosts(self) -> None:
        """Raise ``NoHostAnswers`` or ``ModelMissing`` if none of several hosts can be used."""
        if self._hosts is not None:
            self._hosts.require()

    def check_line(self, *, for_seconds: float = AWAY_LIMIT_SECONDS) -> None:
        """Raise ``DatabaseUnavailable`` if the line's server has been away for so long."""
        away = self._away
        if away is not None and time.monotonic() - away[0] >= for_seconds:
            raise DatabaseUnavailable(**away[1].details)

    def is_answering(self, host: str) -> bool:
        """Check one of several hosts after a failure, and tell whether it answers."""
        return self._hosts is None or self._hosts.suspect(host)

    def put_back(self, ticket: Ticket) -> None:
        """Take a ticket's slot away, as its host failed, and let it wait for one of another host."""
        if ticket.host:
            self.is_answering(ticket.host)
        with self._lock:
            if self._tickets.get(ticket.number) is ticket:
                ticket.admitted.clear()
                self._store_state(self._use_line(lambda line: line.put_back(ticket.number, slots=self._slots_now())))

    def leave(self, ticket: Ticket, *, finished: bool) -> None:
        """Take a ticket out and let the next one in."""
        with self._lock:
            if self._tickets.pop(ticket.number, None) is None:
                return
            if self._away is not None and self._line is not None:
                self._line.abandon(ticket.number)
                return
            with suppress(DatabaseUnavailable):  # the line takes the ticket out when its server is back
                self._store_state(
                    self._use_line(lambda line: line.leave(ticket.number, slots=self._slots_now(), finished=finished))
                )

    def close(self) -> None:
        """Give up this process's tickets and the line's file; the next question opens it again."""
        with self._lock:
            if self._line is not None:
                self._line.close()
            self._line, self._away = None, None
            self._tickets.clear()
            self._state = QueueState()

    def _slots_now(self) -> Mapping[str, int]:
        return self._slots if self._hosts is None else self._hosts.slots()

    def _refresh(self) -> None:
        self._look_due_at = time.monotonic() + LOOK_EVERY_SECONDS
        if self._away is None:
            with suppress(DatabaseUnavailable):  # ``check_line`` tells those who wait
                self._store_state(self._use_line(lambda line: line.look(slots=self._slots_now())))

    def _on_notice(self, is_anew: bool) -> None:
        """Check for changes after a notice, which may concern a waiting ticket; ``is_anew``: any ticket."""
        with self._lock:
            if is_anew:
                self._away = None
            waits = any(not ticket.admitted.is_set() for ticket in self._tickets.values())
            if self._line is not None and (is_anew or waits):
                try:
                    self._refresh()
                except AnswerdeskError as error:  # the next caller gets the error
                    logger.warning("the queue cannot be looked at: %s", error)

    def _store_state(self, state: QueueState) -> None:
        """Store the latest state of the queue, and wake the callers of this process whose turn it is."""
        if state.finished != self._state.finished:
            self._durations = WaitEstimate(state.finished)
        self._state = state
        for place in state.running:
            ticket = self._tickets.get(place.ticket)
            if ticket is not None:
                ticket.host = place.host
                ticket.admitted.set()

    def _use_line(self, work: Callable[[TicketQueue], Result]) -> Result:
        """Call ``work`` with the line; if its file fails, with a line of this process alone from now on.

        If its server fails, it is not used until it is back.
        """
        began = time.monotonic()
        try:
            return work(self._open_line())
        except DatabaseUnavailable as error:
            if self._line is not None and self._away is None:
                self._away = began, error
                logger.warning("the queue cannot be reached: %s", error)
            raise
        except (sqlite3.Error, OSError) as error:
            if self._place is None:
                raise
            logger.warning("the line of %s is not shared any more: %s", self._place, type(error).__name__)
        self._place, self._line = None, None
        ours = [place for place in (*self._state.running, *self._state.waiting) if place.ticket in self._tickets]
        self._open_line().adopt(ours, self._state.finished)
        return work(self._open_line())

    def _open_line(self) -> TicketQueue:
        if self._line is None:
            self._line = TicketQueue(self._place, self._server, self._clock, self._on_notice)
        return self._line

    def _first_wait_seconds(self) -> float | None:
        """Return when a place in the line will be free; None if unknown."""
        return next(iter(self._waits_seconds()), None)

    def _waits_seconds(self) -> list[float | None]:
        """Return the estimates of all waiting tickets, next one first; renewed when the queue moved or time went on."""
        now = self._open_line().now()
        made_at, state, waits = self._estimates
        if state is not self._state or now - made_at >= _ESTIMATE_EVERY_SECONDS:
            running = [(place.work, _elapsed(place, now)) for place in self._state.running]
            waiting = [place.work for place in self._state.waiting]
            slots = max(1, sum(self._slots_now().values()))
            waits = self._durations.waits_seconds(running, waiting, slots)
            self._estimates = (now, self._state, waits)
        return waits


def _elapsed(place: QueueEntry, now: float) -> float:
    return now - place.admitted_at if place.admitted_at is not None else 0.0
