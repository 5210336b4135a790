"""The line is fair, says where one stands, and never loses a slot."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import AnswerCancelled, OwnQueueFull, QueueFull
from rag.queue.admission import Admission, Occupancy, Ticket, Wait
from rag.queue.estimate import Work
from rag.queue.ticket_queue import TicketRequest


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def until_waiting(admission: Admission, count: int) -> None:
    deadline = time.monotonic() + 5
    while admission.occupancy().waiting != count:
        assert time.monotonic() < deadline, f"{count} callers did not wait within 5 s"
        time.sleep(0.005)


def first_wait(ticket: Ticket) -> Wait:
    return next(ticket.waits())


def test_free_slot_is_given_at_once_and_no_wait_is_told() -> None:
    told: list[Wait] = []
    admission = Admission(slots=1, max_waiting=1)
    with admission.slot(on_wait=told.append):
        assert admission.occupancy() == Occupancy(slots=1, running=1, waiting=0, average_seconds=None)
    assert told == []
    assert admission.occupancy().running == 0


def test_place_counts_running_and_waiting() -> None:
    admission = Admission(slots=2, max_waiting=5)
    tickets = [admission.ticket() for _ in range(5)]
    assert [first_wait(ticket).ahead for ticket in tickets[2:]] == [2, 3, 4]
    tickets[0].close()
    assert list(tickets[2].waits()) == []
    assert [first_wait(ticket).ahead for ticket in tickets[3:]] == [2, 3]


def test_estimate_is_unknown_until_a_first_answer() -> None:
    clock = Clock()
    admission = Admission(slots=1, max_waiting=5, clock=clock)
    first, second, third, fourth = (admission.ticket() for _ in range(4))
    assert first_wait(second) == Wait(ahead=1, wait_seconds=None)
    clock.seconds = 10.0
    first.close()
    # An answer took 10 s. The second began just now, so the third waits 10 s and the fourth 20 s.
    assert first_wait(third) == Wait(ahead=1, wait_seconds=10.0)
    assert first_wait(fourth) == Wait(ahead=2, wait_seconds=20.0)
    clock.seconds = 14.0
    assert first_wait(third) == Wait(ahead=1, wait_seconds=6.0)
    clock.seconds = 30.0  # the second is late: its end is due now, not in the past
    assert first_wait(third) == Wait(ahead=1, wait_seconds=0.0)
    assert first_wait(fourth) == Wait(ahead=2, wait_seconds=10.0)


def test_estimate_uses_all_slots() -> None:
    clock = Clock()
    admission = Admission(slots=2, max_waiting=5, clock=clock)
    first = admission.ticket()
    clock.seconds = 8.0
    first.close()  # 8 s
    early = admission.ticket()
    clock.seconds = 11.0
    admission.ticket()
    third, fourth, fifth = (admission.ticket() for _ in range(3))
    # Slots are free in 5 s (the early one) and in 8 s; the fifth takes the slot that the third gives back: 5 + 8.
    assert [first_wait(ticket).wait_seconds for ticket in (third, fourth, fifth)] == [5.0, 8.0, 13.0]
    early.close(finished=False)


def test_average_leans_to_the_newest_and_ignores_broken_answers() -> None:
    clock = Clock()
    admission = Admission(slots=1, max_waiting=0, clock=clock)
    for seconds in (10.0, 20.0):
        ticket = admission.ticket()
        clock.seconds += seconds
        ticket.close()
    assert admission.occupancy().average_seconds == pytest.approx(13.0)  # 10 + 0.3 * (20 - 10)
    broken = admission.ticket()
    clock.seconds += 1.0
    with pytest.raises(RuntimeError), broken:
        raise RuntimeError
    assert admission.occupancy().average_seconds == pytest.approx(13.0)


def test_full_line_refuses_at_once_with_the_count() -> None:
    admission = Admission(slots=1, max_waiting=2)
    tickets = [admission.ticket() for _ in range(3)]
    with pytest.raises(QueueFull) as error, admission.slot():
        pass
    assert error.value.details == {"waiting": 2, "retry_seconds": None}  # no answer was seen yet
    tickets[2].close()
    admission.ticket().close()


def test_a_full_line_says_when_its_next_place_is_free() -> None:
    clock = Clock()
    admission = Admission(slots=1, max_waiting=2, clock=clock)
    first = admission.ticket()
    clock.seconds = 8.0
    first.close()  # an answer takes 8 s
    admission.ticket()
    clock.seconds = 11.0
    limited = TicketRequest(Work(), "lin", most_waiting=1)
    admission.ticket(limited)
    with pytest.raises(OwnQueueFull) as own:
        admission.ticket(limited)
    admission.ticket()
    with pytest.raises(QueueFull) as full:
        admission.ticket()
    assert own.value.details["retry_seconds"] == full.value.details["retry_seconds"] == 5.0


def test_closing_a_waiting_ticket_moves_the_others_up() -> None:
    admission = Admission(slots=1, max_waiting=5)
    _running, second, third = (admission.ticket() for _ in range(3))
    second.close()
    assert first_wait(third).ahead == 1
    with pytest.raises(AnswerCancelled):
        list(second.waits())


def test_cancelled_while_waiting_leaves_the_line_within_a_second() -> None:
    admission = Admission(slots=1, max_waiting=5)
    running = admission.ticket()
    cancelled = threading.Event()
    outcome: list[type[Exception]] = []

    def wait() -> None:
        try:
            with admission.slot(cancelled=cancelled):
                pass
        except AnswerCancelled as error:
            outcome.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    until_waiting(admission, 1)
    cancelled.set()
    thread.join(timeout=1)
    assert outcome == [AnswerCancelled]
    assert admission.occupancy().waiting == 0
    running.close()
    assert admission.occupancy().running == 0


def test_first_come_first_served_across_threads() -> None:
    admission = Admission(slots=1, max_waiting=10)
    gate = admission.ticket()
    served: list[int] = []

    def ask(number: int) -> None:
        with admission.slot():
            served.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        until_waiting(admission, number + 1)
    gate.close()
    for thread in threads:
        thread.join(timeout=5)
    assert served == list(range(8))


@pytest.mark.slow
def test_never_more_than_the_slots_at_once() -> None:
    admission = Admission(slots=3, max_waiting=100)
    running: set[int] = set()
    most = 0
    guard = threading.Lock()

    def ask(number: int) -> None:
        nonlocal most
        with admission.slot():
            with guard:
                running.add(number)
                most = max(most, len(running))
            time.sleep(0.002)
            with guard:
                running.remove(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most == 3
    assert admission.occupancy() == Occupancy(3, 0, 0, admission.occupancy().average_seconds)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(slots=st.integers(1, 4), actions=st.lists(st.integers(-1, 12), max_size=40))
def test_slots_and_places_are_conserved(slots: int, actions: list[int]) -> None:
    """-1 joins; n closes the n-th ticket (again, perhaps).  A free slot never exists beside a waiting caller."""
    admission = Admission(slots=slots, max_waiting=100)
    tickets: list[Ticket] = []
    open_tickets: set[int] = set()
    for action in actions:
        if action < 0:
            open_tickets.add(len(tickets))
            tickets.append(admission.ticket())
        elif action < len(tickets):
            tickets[action].close()
            open_tickets.discard(action)
        occupancy = admission.occupancy()
        assert occupancy.running == min(slots, len(open_tickets))
        assert occupancy.waiting == len(open_tickets) - occupancy.running
        admitted = {number for number in open_tickets if tickets[number].admitted.is_set()}
        assert admitted == set(sorted(open_tickets)[: occupancy.running])


@pytest.mark.parametrize(("slots", "max_waiting"), [(0, 1), (-1, 1), (1, -1)])
def test_impossible_sizes_are_refused(slots: int, max_waiting: int) -> None:
    with pytest.raises(ValueError, match="must"):
        Admission(slots=slots, max_waiting=max_waiting)
