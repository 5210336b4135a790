"""Which host's slot a question gets: the least busy one's, its conversation's, and never that of a host left out."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rag.errors import NoHostAnswers, QueueFull
from rag.ollama import hosts as hosts_module
from rag.ollama.hosts import host_name
from rag.queue.admission import Admission, Ticket
from rag.queue.estimate import Work
from rag.queue.queue_tables import QueueFile
from rag.queue.ticket_queue import Slots, TicketQueue, TicketRequest
from rag.settings import Settings
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub
from tests.rag.ollama.conftest import until
from tests.support.places import Places

pytestmark = pytest.mark.slow

MODEL = "m"


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "LOOK_EVERY_SECONDS", 0.02)


@pytest.fixture
def stubs() -> Iterator[list[OllamaStub]]:
    with ExitStack() as stack:
        yield [stack.enter_context(OllamaStub(models=[MODEL])) for _ in range(2)]


def settings_of(places: Places, *urls: str, slots: int = 2, waiting: int = 9) -> Settings:
    return Settings(
        data_dir=places.folder / "d",
        cache_dir=places.folder / "c",
        database_url=places.url,
        ollama_host=",".join(urls),
        model=MODEL,
        parallel_slots=slots,
        max_waiting=waiting,
    )


def of(owner: str, *, follows_up: bool = False) -> TicketRequest:
    return TicketRequest(Work(), owner, follows_up)


def admitted(ticket: Ticket) -> str:
    for _ in ticket.waits():
        pass
    return ticket.host


def test_questions_go_to_the_least_busy_host_and_there_are_the_slots_of_all(
    places: Places, stubs: list[OllamaStub]
) -> None:
    names = [host_name(stub.url) for stub in stubs]
    admission = Admission.of(settings_of(places, *(stub.url for stub in stubs), waiting=1))
    tickets = [admission.ticket() for _ in range(4)]
    assert [ticket.host for ticket in tickets] == [names[0], names[1], names[0], names[1]]
    assert (admission.occupancy().slots, admission.occupancy().running, admission.host_count) == (4, 4, 2)
    late = admission.ticket()
    assert late.host == ""
    with pytest.raises(QueueFull):
        admission.ticket()
    tickets[1].close()
    assert admitted(late) == names[1]
    tickets[0].close()
    assert admission.busy() == {names[0]: 1, names[1]: 2}
    assert admission.ticket().host == names[0]


def test_processes_share_the_hosts_slots_also_by_another_line(places: Places, stubs: list[OllamaStub]) -> None:
    names = [host_name(stub.url) for stub in stubs]
    urls = [stub.url for stub in stubs]
    one = Admission.of(settings_of(places, *urls, slots=1))
    other = Admission.of(settings_of(places, *reversed(urls), slots=1))
    alone = Admission.of(settings_of(places, urls[0], slots=1))
    of_alone = alone.ticket()
    assert of_alone.host == names[0]
    first, second = one.ticket(), other.ticket()
    assert (first.host, second.host) == (names[1], "")
    assert next(second.waits()).ahead == 2
    of_alone.close()
    assert admitted(second) == names[0]
    assert not alone.ticket().admitted.is_set()


def test_a_follow_up_goes_where_its_conversation_was_read_if_there_is_a_free_slot(
    places: Places, stubs: list[OllamaStub]
) -> None:
    names = [host_name(stub.url) for stub in stubs]
    admission = Admission.of(settings_of(places, *(stub.url for stub in stubs)))
    held = admission.ticket(of("ben"))
    first = admission.ticket(of("anna"))
    assert (held.host, first.host) == (names[0], names[1])
    first.close()
    held.close()
    others = [admission.ticket(of("ben", follows_up=True))]
    assert others[0].host == names[0]
    busier = admission.ticket(of("cleo"))
    assert busier.host == names[1]
    follow_up = admission.ticket(of("anna", follows_up=True))  # both hosts are as busy: its own
    assert follow_up.host == names[1]
    another = admission.ticket(of("anna", follows_up=True))  # its own is full
    assert another.host == names[0]
    for ticket in (follow_up, another, busier, *others):
        ticket.close()


def test_what_a_host_read_long_ago_is_not_in_its_cache_any_more() -> None:
    slots: Slots = {"a": 1, "b": 1}
    line = TicketQueue(None, "a,b", lambda: 0.0)

    def host_of(request: TicketRequest) -> str:
        number, state = line.join(request, slots=slots, max_waiting=0)
        assert number is not None
        [place] = [place for place in state.running if place.ticket == number]
        line.leave(number, slots=slots, finished=False)
        return place.host

    blocker, _ = line.join(of("ben"), slots=slots, max_waiting=0)
    assert blocker is not None
    assert host_of(of("anna")) == "b"
    line.leave(blocker, slots=slots, finished=False)
    assert host_of(of("anna", follows_up=True)) == "b"
    assert host_of(of("anna")) == "a"  # a first question goes anywhere
    blocker, _ = line.join(of("ben"), slots={"a": 1}, max_waiting=0)
    assert blocker is not None
    assert host_of(of("cleo")) == "b"  # the one slot of b keeps cleo's prompt now
    line.leave(blocker, slots=slots, finished=False)
    assert host_of(of("anna", follows_up=True)) == "a"


def test_a_host_that_goes_away_takes_its_slots_along_and_brings_them_back(places: Places) -> None:
    port = free_port()
    with OllamaStub(models=[MODEL]) as one, ExitStack() as second_life:
        with OllamaStub(models=[MODEL], port=port) as other:
            admission = Admission.of(settings_of(places, one.url, other.url, slots=1))
            tickets = [admission.ticket() for _ in range(2)]
            waiting = admission.ticket()
            lost = host_name(other.url)
            assert tickets[1].host == lost
        until(lambda: admission.occupancy().slots == 1)
        tickets[1].close()  # its slot is not there any more, so nobody gets it
        next(waiting.waits())
        assert not waiting.admitted.is_set()
        second_life.enter_context(OllamaStub(models=[MODEL], port=port))
        assert admitted(waiting) == lost


def test_a_ticket_whose_host_failed_gets_another_one_before_all_others(places: Places, stubs: list[OllamaStub]) -> None:
    names = [host_name(stub.url) for stub in stubs]
    admission = Admission.of(settings_of(places, *(stub.url for stub in stubs), slots=1))
    failed, running = admission.ticket(of("anna")), admission.ticket(of("ben"))
    late = admission.ticket(of("cleo"))
    stubs[0].answers.pop("/api/version")
    failed.put_back()
    assert not failed.admitted.is_set()
    assert next(failed.waits()).ahead == 1
    assert admission.occupancy().slots == 1
    running.close()
    assert admitted(failed) == names[1]
    assert not late.admitted.is_set()
    failed.close()
    assert admitted(late) == names[1]


def test_a_host_that_failed_but_answers_is_the_last_choice(places: Places, stubs: list[OllamaStub]) -> None:
    names = [host_name(stub.url) for stub in stubs]
    admission = Admission.of(settings_of(places, *(stub.url for stub in stubs)))
    busy = [admission.ticket(), admission.ticket(), admission.ticket()]
    busy[0].close()
    busy[2].close()
    ticket = admission.ticket()
    assert ticket.host == names[0]
    ticket.put_back()
    assert admitted(ticket) == names[1]
    ticket.put_back()  # it has been at both
    assert admitted(ticket) == names[0]


def test_those_who_wait_are_told_when_no_host_is_left(places: Places) -> None:
    with OllamaStub(models=[MODEL]) as one, OllamaStub(models=[MODEL]) as other:
        admission = Admission.of(settings_of(places, one.url, other.url, slots=1))
        running = [admission.ticket(), admission.ticket()]
        waiting = admission.ticket()
        failed: list[BaseException] = []

        def wait() -> None:
            try:
                with waiting:
                    admitted(waiting)
            except NoHostAnswers as error:
                failed.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
    thread.join(timeout=20)
    assert len(failed) == 1
    with pytest.raises(NoHostAnswers):
        admission.ticket()
    for ticket in running:
        ticket.close()
    assert (admission.occupancy().running, admission.occupancy().waiting) == (0, 0)


def test_without_the_file_the_hosts_are_still_shared_within_the_process(
    tmp_path: Path, stubs: list[OllamaStub]
) -> None:
    admission = Admission.of(settings_of(Places(tmp_path), *(stub.url for stub in stubs), slots=1))
    running = [admission.ticket(), admission.ticket()]
    waiting = admission.ticket()
    assert admission._line is not None
    assert isinstance(admission._line._tables, QueueFile)
    admission._line._tables._connection.execute("DROP TABLE ticket")
    running[1].close()
    assert admitted(waiting) == running[1].host
    assert len(admission.busy()) == 2
