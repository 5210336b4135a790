"""A line of sessions that ask again as soon as they are answered, played in simulated time with recorded durations."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.queue.admission import Admission, Ticket
from rag.queue.estimate import Work
from rag.queue.ticket_queue import TicketRequest

# Seconds at the model of 53 questions of a test set, asked one at a time: stand-in of 1.5B weights, Q4_K_M, 2 cores.
RECORDED_SECONDS = (
    23.18, 8.86, 8.59, 10.05, 8.04, 4.94, 6.3, 7.37, 5.73, 5.86, 7.19, 5.61, 7.05, 7.62, 7.69, 7.79, 6.63, 6.04, 4.81,
    14.67, 10.19, 7.44, 8.67, 7.8, 10.54, 5.78, 7.31, 4.9, 8.09, 8.09, 7.08, 5.05, 10.83, 7.61, 5.19, 6.56, 6.11, 10.17,
    8.38, 5.11, 11.77, 7.9, 8.95, 6.21, 5.07, 7.0, 11.02, 9.63, 6.06, 6.1, 6.47, 4.48, 5.36,
)  # fmt: skip


@dataclass
class Clock:
    """Simulated seconds."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class _Open:
    ticket: Ticket
    owner: int
    work: Work
    lasts_seconds: float
    admitted_at: float | None = None
    told: list[tuple[float, float]] = field(default_factory=list)  # when, and the estimate


def relative_errors(answers: Sequence[tuple[Work, float]], *, sessions: int, slots: int, seed: int) -> list[float]:
    """Return ``|estimate - wait| / wait`` of every estimate that was told, once a second, to every waiting session.

    Estimates of waits under half a second are left out: nobody reads them.
    """
    order = random.Random(seed).sample(list(answers), len(answers))
    clock = Clock()
    admission = Admission(slots, sessions, clock=clock)
    opened: list[_Open] = []
    ended: list[_Open] = []

    def ask(owner: int) -> None:
        if order:
            work, seconds = order.pop()
            ticket = admission.ticket(TicketRequest(work, f"session {owner}"))
            opened.append(_Open(ticket, owner, work, seconds))

    for owner in range(sessions):
        ask(owner)
    while opened:
        for one in [one for one in opened if one.admitted_at is None and one.ticket.admitted.is_set()]:
            one.admitted_at = clock.seconds
        done = [
            one
            for one in opened
            if one.admitted_at is not None and clock.seconds >= one.admitted_at + one.lasts_seconds
        ]
        if done:
            one = done[0]
            one.ticket.close()
            opened.remove(one)
            ended.append(one)
            ask(one.owner)
            continue
        if clock.seconds % 1.0 == 0.0:
            for one in opened:
                wait = admission.place_of(one.ticket)
                if wait is not None and wait.wait_seconds is not None:
                    one.told.append((clock.seconds, wait.wait_seconds))
        ends = [one.admitted_at + one.lasts_seconds for one in opened if one.admitted_at is not None]
        clock.seconds = min([*ends, float(int(clock.seconds)) + 1.0])
    return [
        abs(estimate - (one.admitted_at - at)) / (one.admitted_at - at)
        for one in ended
        for at, estimate in one.told
        if one.admitted_at is not None and one.admitted_at - at >= 0.5
    ]
