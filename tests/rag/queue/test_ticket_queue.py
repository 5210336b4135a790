"""The line is fair among owners, one for all who share its file, and outlives those who leave it badly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import OwnQueueFull, QueueFull, WaitedTooLong
from rag.queue.admission import Admission, Ticket, Wait
from rag.queue.estimate import Work
from rag.queue.queue_tables import QueueFile
from rag.queue.ticket_queue import TicketQueue, TicketRequest
from tests.support.places import Places
from tests.support.waiting import until


def of(owner: str, *, follows_up: bool = False) -> TicketRequest:
    return TicketRequest(Work(), owner, follows_up)


def until_admitted(ticket: Ticket) -> None:
    for _ in ticket.waits():
        pass
    assert ticket.admitted.is_set()


def serve_all(admission: Admission, waiting: dict[str, Ticket], running: Ticket) -> list[str]:
    """End one answer after another, and return the names in the order in which they were served."""
    served: list[str] = []
    while True:
        running.close()
        admitted = [name for name, ticket in waiting.items() if ticket.admitted.is_set() and name not in served]
        if not admitted:
            return served
        [name] = admitted
        served.append(name)
        running = waiting[name]


def test_owners_take_turns_however_many_questions_one_has() -> None:
    admission = Admission(slots=1, max_waiting=50)
    running = admission.ticket(of("batch"))
    waiting = {f"batch {number}": admission.ticket(of("batch")) for number in range(5)}
    waiting |= {f"anna {number}": admission.ticket(of("anna")) for number in range(2)}
    waiting["ben 0"] = admission.ticket(of("ben"))
    assert serve_all(admission, waiting, running) == [
        "anna 0", "ben 0", "batch 0", "anna 1", "batch 1", "batch 2", "batch 3", "batch 4",
    ]  # fmt: skip


def test_follow_ups_go_first_within_a_round_and_pass_nobody_for_ever() -> None:
    admission = Admission(slots=1, max_waiting=50)
    running = admission.ticket(of("other"))
    waiting = {"new": admission.ticket(of("ben"))}
    waiting |= {f"follow {number}": admission.ticket(of("anna", follows_up=True)) for number in range(3)}
    assert serve_all(admission, waiting, running) == ["follow 0", "new", "follow 1", "follow 2"]


def test_an_owner_without_a_name_is_its_process(places: Places) -> None:
    one, other = (Admission(1, 50, place=places("queue")) for _ in range(2))
    running = one.ticket()
    own = [one.ticket() for _ in range(2)]
    late = other.ticket()
    assert next(late.waits()).ahead == 1
    assert [next(ticket.waits()).ahead for ticket in own] == [2, 3]
    running.close()


def test_all_who_share_a_file_and_a_server_stand_in_one_line(places: Places) -> None:
    place = places("queue")
    one, other = (Admission(2, 2, place=place, server="a:1") for _ in range(2))
    elsewhere = Admission(2, 2, place=place, server="b:1")
    tickets = [one.ticket(of("anna")), other.ticket(of("ben")), one.ticket(of("anna")), other.ticket(of("ben"))]
    assert [ticket.admitted.is_set() for ticket in tickets] == [True, True, False, False]
    assert [next(ticket.waits()).ahead for ticket in tickets[2:]] == [2, 3]
    for admission in (one, other):
        with pytest.raises(QueueFull):
            admission.ticket()
    assert elsewhere.ticket().admitted.is_set()
    tickets[1].close()  # a slot that one gives back goes to the other's ticket
    until_admitted(tickets[2])
    until(lambda: (one.occupancy().running, other.occupancy().waiting) == (2, 1))


def test_what_one_has_learnt_all_know(places: Places) -> None:
    now = [0.0]
    one, other = (Admission(1, 9, place=places("queue"), clock=lambda: now[0]) for _ in range(2))
    first = one.ticket()
    now[0] = 12.0
    first.close()
    one.ticket()
    now[0] = 15.0
    assert next(other.ticket().waits()) == Wait(ahead=1, wait_seconds=9.0)


@pytest.mark.slow
def test_those_who_left_badly_hold_nothing(places: Places) -> None:
    one, other = (Admission(1, 9, place=places("queue")) for _ in range(2))
    one.ticket()
    one.ticket()
    late = other.ticket()
    assert next(late.waits()).ahead == 1
    one.close()  # takes its lock away, and leaves its rows as a killed process would
    until_admitted(late)
    assert other.occupancy().running == 1


def test_a_wait_has_a_limit() -> None:
    admission = Admission(slots=1, max_waiting=9, wait_limit_seconds=0.01)
    running = admission.ticket()
    with pytest.raises(WaitedTooLong) as error, admission.ticket() as ticket:
        list(ticket.waits())
    assert "0 s" in error.value.text("en")
    assert "0 秒" in error.value.text("zh")
    assert admission.occupancy().waiting == 0
    running.close()


@pytest.mark.parametrize("broken", ["damaged", "a folder", "no folder possible"])
def test_without_a_usable_file_questions_are_answered_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    path = tmp_path / "folder" / "line.db"
    if broken == "no folder possible":
        (tmp_path / "folder").write_text("a file")
    elif broken == "a folder":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_bytes(b"no database at all" * 100)
    admission = Admission(1, 1, place=path)
    running, waiting = admission.ticket(), admission.ticket()
    assert (running.admitted.is_set(), waiting.admitted.is_set()) == (True, False)
    with pytest.raises(QueueFull):
        admission.ticket()
    assert [record.message.count("not shared") for record in caplog.records] == [1]


def test_a_file_that_breaks_later_costs_nobody_a_place(tmp_path: Path) -> None:
    path = tmp_path / "line.db"
    admission = Admission(1, 9, place=path)
    running, second, third = (admission.ticket(of("anna")) for _ in range(3))
    assert admission._line is not None
    assert isinstance(admission._line._tables, QueueFile)
    admission._line._tables._connection.execute("DROP TABLE ticket")
    running.close()
    assert (second.admitted.is_set(), third.admitted.is_set()) == (True, False)
    assert next(third.waits()).ahead == 1
    second.close()
    assert third.admitted.is_set()


Actions = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(-3, 12)), max_size=40)


@pytest.mark.slow
@given(slots=st.integers(1, 3), actions=Actions)
def test_no_slot_is_lost_and_no_owner_is_served_twice_while_another_waits(
    slots: int, actions: list[tuple[str, bool, int]]
) -> None:
    """A negative number joins for an owner; n closes the n-th ticket (again, perhaps)."""
    admission = Admission(slots=slots, max_waiting=100)
    tickets: list[Ticket] = []
    owners: list[str] = []
    opened: set[int] = set()
    admitted: set[int] = set()
    served_since: dict[int, list[str]] = {}  # of each waiting ticket: who was served since it came first in its owner's
    for owner, follows_up, number in actions:
        if number < 0:
            opened.add(len(tickets))
            owners.append(owner)
            tickets.append(admission.ticket(of(owner, follows_up=follows_up)))
        elif number < len(tickets):
            tickets[number].close()
            opened.discard(number)
            served_since.pop(number, None)
        now = {one for one in opened if tickets[one].admitted.is_set()}
        assert len(now) == min(slots, len(opened))
        for newly in sorted(now - admitted):
            served_since.pop(newly, None)
            for others in served_since.values():
                others.append(owners[newly])
        admitted |= now
        for name in "abc":
            own = sorted(one for one in opened - admitted if owners[one] == name)
            if own and not any(owners[one] == name for one in now):
                served_since.setdefault(own[0], [])
        for others in served_since.values():
            assert all(others.count(name) <= 2 for name in "abc")


def test_beyond_the_questions_that_may_wait_one_person_is_refused_and_nobody_else(places: Places) -> None:
    place = places("queue")
    one, other = (Admission(1, 64, place=place, server="a:1") for _ in range(2))
    limited = TicketRequest(Work(), "flooder", most_waiting=4)
    running = one.ticket(limited)
    waiting = [admission.ticket(limited) for admission in (one, other, one, other)]
    for admission in (one, other):  # the places are counted over all programs
        with pytest.raises(OwnQueueFull, match="4 of your questions") as raised:
            admission.ticket(limited)
        assert raised.value.details == {"waiting": 4, "owner": "flooder", "retry_seconds": None}
    assert not other.ticket(TicketRequest(Work(), "anna", most_waiting=4)).admitted.is_set()
    assert next(one.ticket(of("batch")).waits()).ahead == 2, "the running one, and anna's"
    waiting[0].close()
    one.ticket(limited)
    running.close()


def test_the_users_of_a_key_have_a_part_of_the_line_together_and_the_others_have_theirs(places: Places) -> None:
    place = places("queue")
    one, other = (Admission(1, 64, place=place, server="a:1") for _ in range(2))

    def of_user(user: str) -> TicketRequest:
        return TicketRequest(Work(), user, most_waiting=4, most_waiting_of_key=16)

    running = one.ticket(of_user("key:shop/0"))
    waiting = [(one, other)[number % 2].ticket(of_user(f"key:shop/{number}")) for number in range(1, 17)]
    for admission in (one, other):
        for user in ("key:shop/17", "key:shop"):
            with pytest.raises(OwnQueueFull, match="16 of your questions") as raised:
                admission.ticket(of_user(user))
            assert raised.value.details["owner"] == user
    for user in ("key:shop2/1", "key:desk", "anna"):
        assert not other.ticket(of_user(user)).admitted.is_set(), "it waits"
    waiting[0].close()
    one.ticket(of_user("key:shop/17"))
    running.close()


def test_a_person_without_a_limit_may_have_any_number_waiting() -> None:
    admission = Admission(slots=1, max_waiting=50)
    tickets = [admission.ticket(of("batch")) for _ in range(51)]
    assert sum(ticket.admitted.is_set() for ticket in tickets) == 1
    with pytest.raises(QueueFull):
        admission.ticket(of("batch"))


def test_a_follow_up_goes_back_to_the_host_of_its_conversation_whatever_else_its_owner_asked(places: Places) -> None:
    slots = {"one": 2, "two": 2}
    line = TicketQueue(places("queue"), "server", lambda: 0.0)

    def ask(conversation: str, *, follows_up: bool = False) -> tuple[int, str]:
        request = TicketRequest(Work(), "lin", follows_up, conversation)
        ticket, state = line.join(request, slots=slots, max_waiting=9)
        assert ticket is not None
        return ticket, next(place.host for place in state.running if place.ticket == ticket)

    first, host_of_first = ask("tab 1")
    second, host_of_second = ask("tab 2")
    assert {host_of_first, host_of_second} == {"one", "two"}
    line.leave(first, slots=slots, finished=True)
    for conversation, host in (("tab 2", host_of_second), ("tab 1", host_of_first)):
        ticket, chosen = ask(conversation, follows_up=True)
        assert chosen == host, "the other host is no busier, and has another tab's prompt"
        line.leave(ticket, slots=slots, finished=True)
    line.leave(second, slots=slots, finished=True)
    line.close()
