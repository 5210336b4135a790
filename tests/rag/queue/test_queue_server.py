"""The queue on a server: seen by all desks, freed by kills, and whole again after the server was away."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator as GeneratorObject
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from rag.errors import DatabaseUnavailable
from rag.generation.gateway import GenerationRequest, ModelGateway
from rag.protocols import Generator
from rag.queue.admission import Admission, Ticket, Wait
from rag.queue.estimate import Work
from rag.queue.queue_server import QueueOnServer
from rag.queue.queue_tables import QUEUE_MIGRATIONS
from rag.queue.ticket_queue import TicketQueue, TicketRequest
from rag.settings import ServerDatabase
from rag.storage.connection import open_database
from rag.storage.server_session import CHANNEL, ServerSession, session_of
from rag.testing import ScriptedGenerator
from tests.rag.command import CHECKOUT
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

pytestmark = pytest.mark.real

BACK_WITHIN_SECONDS = 10.0
SLOTS = 2

HEAD = """
import sys, threading, time
from rag.errors import DatabaseUnavailable
from rag.queue.admission import Admission
from rag.settings import ServerDatabase
admission = Admission(int(sys.argv[2]), 99, place=ServerDatabase("queue", sys.argv[1]), server="gpu:11434")
"""
HOLD = """
held = [admission.ticket() for _ in range(int(sys.argv[2]))]
for ticket in held:
    for _ in ticket.waits():
        pass
print("held", flush=True)
sys.stdin.readline()
for ticket in held:
    ticket.close()
print("left", flush=True)
sys.stdin.readline()
"""
WAIT = """
ticket = admission.ticket()
for wait in ticket.waits():
    print(wait.ahead, wait.wait_seconds, flush=True)
print("admitted", flush=True)
ticket.close()
"""
LOAD = """
stop, writing = threading.Event(), threading.Lock()
def ask():
    while not stop.is_set():
        word = "away"
        began = time.monotonic()
        try:
            with admission.slot():
                word, began = "answered", time.monotonic()
                time.sleep(0.1)
                ended = time.monotonic()
        except DatabaseUnavailable:
            time.sleep(0.05)
            ended = time.monotonic()
        with writing:
            print(word, began, ended, flush=True)
threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads:
    thread.start()
sys.stdin.readline()
stop.set()
for thread in threads:
    thread.join()
"""


@contextmanager
def desk(url: str, program: str, slots: int = SLOTS) -> Iterator["subprocess.Popen[str]"]:
    """Start another desk's process with an ``admission``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + program, url, str(slots)],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def queue_at(url: str, slots: int = SLOTS, waiting: int = 99) -> Admission:
    return Admission(slots, waiting, place=ServerDatabase("queue", url), server="gpu:11434")


def until_admitted(ticket: Ticket) -> float:
    """Return the seconds until a ticket has a slot."""
    began = time.monotonic()
    for _ in ticket.waits():
        pass
    return time.monotonic() - began


def test_the_other_desk_sees_its_place_and_how_long_it_will_take(server_places: Places) -> None:
    here = queue_at(server_places.url, slots=1)
    first = here.ticket()
    time.sleep(1.0)
    first.close()
    running, waiting = here.ticket(TicketRequest(Work(), "lin")), here.ticket(TicketRequest(Work(), "lin"))
    with desk(server_places.url, WAIT, slots=1) as other:
        ahead, seconds = line_of(other).split()
        assert ahead == "1", "the running one: lin's second question is in a later round"
        assert 0.0 <= float(seconds) <= 1.5, "answers take a second"
        until(lambda: here.occupancy().waiting == 2)
        assert next(waiting.waits()).ahead == 2
        running.close()
        while (line := line_of(other)) != "admitted":
            assert line
        until_admitted(waiting)
    here.close()


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.nightly)])
def test_the_slots_of_a_desk_that_is_killed_are_free_at_once(server_places: Places, times: int) -> None:
    here = queue_at(server_places.url)
    took: list[float] = []
    for _ in range(times):
        with desk(server_places.url, HOLD) as doomed:
            assert line_of(doomed) == "held"
            waiting = [here.ticket() for _ in range(SLOTS)]
            assert not any(ticket.admitted.is_set() for ticket in waiting)
            os.kill(doomed.pid, signal.SIGKILL)
            took.append(max(until_admitted(ticket) for ticket in waiting))
            for ticket in waiting:
                ticket.close()
    assert max(took) < BACK_WITHIN_SECONDS
    assert here.occupancy().running == 0
    here.close()


def test_a_slot_that_one_desk_gives_back_wakes_the_other(server_places: Places) -> None:
    here = queue_at(server_places.url)
    with desk(server_places.url, HOLD) as other:
        assert line_of(other) == "held"
        waiting = here.ticket()
        admitted: list[float] = []
        thread = threading.Thread(target=lambda: admitted.append(until_admitted(waiting)))
        thread.start()
        go_on(other)
        thread.join(BACK_WITHIN_SECONDS)
        assert len(admitted) == 1
    waiting.close()
    here.close()


class Listener:
    """Hears what the session of this process hears, and knows when there is nothing more."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._all_is_heard = threading.Event()
        session_of(url).join("listener", self._hear)

    def wait_until_all_is_heard(self) -> None:
        self._all_is_heard.clear()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"NOTIFY {CHANNEL}, 'all'")
        assert self._all_is_heard.wait(20)

    def close(self) -> None:
        session_of(self._url).leave("listener")

    def _hear(self, payload: str, is_anew: bool) -> None:
        if payload == "all":
            self._all_is_heard.set()


def test_a_lost_session_costs_nobody_a_slot_or_a_place(server_places: Places) -> None:
    here, other = queue_at(server_places.url, slots=1), queue_at(server_places.url, slots=1)
    running, second = here.ticket(TicketRequest(Work(), "lin")), here.ticket(TicketRequest(Work(), "lin"))
    third = other.ticket(TicketRequest(Work(), "mia"))
    sessions = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
    database = open_database(server_places("queue"), QUEUE_MIGRATIONS)
    listener = Listener(server_places.url)
    for _ in range(5):
        listener.wait_until_all_is_heard()
        with database.transaction() as server:  # as one who took them for dead would, and nobody looks in between
            server.execute(f"SELECT pg_terminate_backend(pid) FROM ({sessions}) AS session")
            server.execute("DELETE FROM ticket")
        until(lambda: database.value("SELECT count(*) FROM ticket") == 3)  # by the session's thread: nobody asks
        assert here.occupancy().running == other.occupancy().running == 1
    until(lambda: [next(ticket.waits()).ahead for ticket in (third, second)] == [1, 2])
    running.close()
    until_admitted(third)
    third.close()
    until_admitted(second)
    listener.close()
    for admission in (here, other):
        admission.close()


class Joins:
    """Lets another one join as soon as it hears of news, and waits for that."""

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self.joined = threading.Event()

    def hear(self, payload: str, is_anew: bool) -> None:
        if payload == "news" and not self.joined.is_set():
            joining = threading.Thread(target=self._session.join, args=("later", self.hear))
            joining.start()
            joining.join(10)
            assert not joining.is_alive()
            self.joined.set()


def test_who_is_told_of_news_may_wait_for_somebody_who_joins(server_places: Places) -> None:
    """The session's lock and its connection's own are taken in one order."""
    session = session_of(server_places.url)
    member = Joins(session)
    session.join("first", member.hear)
    try:
        with psycopg.connect(server_places.url, autocommit=True) as connection:
            connection.execute(f"NOTIFY {CHANNEL}, 'news'")
        assert member.joined.wait(20)
    finally:
        session.leave("first")
        session.leave("later")


def test_a_loopback_address_is_another_host_on_each_machine(
    server_places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = {"127.0.0.1:11434": 1, "gpu:11434": 1}
    admitted = []
    lines = []
    for machine in ("one", "two"):
        monkeypatch.setattr("socket.gethostname", lambda machine=machine: machine)
        lines.append(TicketQueue(server_places("queue"), "127.0.0.1:11434,gpu:11434"))
        for _ in slots:
            ticket, state = lines[-1].join(TicketRequest(), slots=slots, max_waiting=9)
            admitted += [(machine, place.host) for place in state.running if place.ticket == ticket]
    assert admitted == [("one", "127.0.0.1:11434"), ("one", "gpu:11434"), ("two", "127.0.0.1:11434")]
    for line in lines:
        line.close()


def test_a_forked_child_keeps_nobody_alive(server_places: Places) -> None:
    forked = "import os\nif os.fork() == 0:\n    time.sleep(60)\n    os._exit(0)\n"
    here = queue_at(server_places.url)
    with desk(server_places.url, HOLD.replace('print("held"', f'{forked}print("held"')) as doomed:
        assert line_of(doomed) == "held"
        waiting = here.ticket()
        children = Path(f"/proc/{doomed.pid}/task/{doomed.pid}/children").read_text().split()
        os.kill(doomed.pid, signal.SIGKILL)
        assert until_admitted(waiting) < BACK_WITHIN_SECONDS
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    here.close()


def test_a_server_that_stands_still_keeps_nobody_waiting_and_loses_no_answer(own_postgres: PostgresServer) -> None:
    here = queue_at(own_postgres.url(), slots=1)
    running, waiting = here.ticket(), here.ticket()
    own_postgres.freeze(frozen=True)
    took: dict[str, float] = {}

    def time_of(name: str, ticket: Ticket | None) -> None:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            until_admitted(ticket or here.ticket())
        took[name] = time.monotonic() - began

    threads = [threading.Thread(target=time_of, args=(name, ticket)) for name, ticket in (("w", waiting), ("j", None))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    began = time.monotonic()
    waiting.close()
    running.close()  # its answer is whole, and whoever shows it is not kept
    assert here.occupancy().slots == 1
    took["leave"] = time.monotonic() - began
    assert set(took) == {"w", "j", "leave"}
    assert max(took.values()) < BACK_WITHIN_SECONDS
    own_postgres.freeze(frozen=False)
    until(lambda: _has_slot(here), seconds=30)
    assert (here.occupancy().running, here.occupancy().waiting) == (0, 0)
    here.close()


def test_an_answer_that_is_being_written_is_whole_though_the_server_goes_away(own_postgres: PostgresServer) -> None:
    gateway = ModelGateway(ScriptedGenerator(), queue_at(own_postgres.url(), slots=1))

    def run(generator: Generator) -> GeneratorObject[str, None, str]:
        own_postgres.stop()
        yield "two "
        return "two years"

    assert gateway.result(GenerationRequest(run)) == "two years"
    with pytest.raises(DatabaseUnavailable):
        gateway.result(GenerationRequest(run))
    own_postgres.start()
    until(lambda: _has_slot(gateway.admission), seconds=30)
    gateway.admission.close()


def test_a_short_restart_is_not_noticed_by_who_waits(own_postgres: PostgresServer) -> None:
    here, other = queue_at(own_postgres.url(), slots=1), queue_at(own_postgres.url(), slots=1)
    running, waiting, last = here.ticket(), other.ticket(), here.ticket()
    waits: list[Wait] = []
    thread = threading.Thread(target=lambda: waits.extend(waiting.waits()))
    thread.start()
    for how in (signal.SIGINT, signal.SIGQUIT):
        own_postgres.stop(how)
        own_postgres.start()
        until(lambda: not other.occupancy().slots or other._away is None, seconds=20)
    assert not waiting.admitted.is_set(), "a crash has emptied the tables, and the slot is held all the same"
    running.close()
    thread.join(20)
    assert waiting.admitted.is_set()
    assert {wait.ahead for wait in waits} <= {0, 1}
    waiting.close()
    until_admitted(last)
    for admission in (here, other):
        admission.close()


@pytest.mark.parametrize("restarts", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_restarts_under_load_lose_no_slot_and_give_none_twice(own_postgres: PostgresServer, restarts: int) -> None:
    lines: tuple[list[str], list[str]] = ([], [])
    with desk(own_postgres.url(), LOAD) as one, desk(own_postgres.url(), LOAD) as two:

        def read(number: int) -> None:
            output = (one, two)[number].stdout
            assert output is not None
            for line in output:
                lines[number].append(line)

        threads = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        until(lambda: all(lines), seconds=60)
        for number in range(restarts):
            answered = [len(of) for of in lines]
            own_postgres.stop((signal.SIGQUIT, signal.SIGINT)[number % 2])  # as in a crash, and as told to
            time.sleep(0.3)
            own_postgres.start()
            until(lambda before=answered: _all_answer_again(lines, before), seconds=60)
        for process in (one, two):
            go_on(process)
        for thread in threads:
            thread.join(60)
    told = [line.split() for line in (*lines[0], *lines[1])]
    moments = sorted(
        moment
        for word, began, ended in told
        if word == "answered"
        for moment in ((float(began), 1), (float(ended), -1))
    )
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    assert most == SLOTS
    assert {word for word, _, _ in told} == {"answered", "away"}
    here = queue_at(own_postgres.url())
    assert all(here.ticket().admitted.is_set() for _ in range(SLOTS)), "no slot was lost"
    here.close()


def test_names_of_hosts_and_the_clock_are_the_servers(server_places: Places) -> None:
    tables = QueueOnServer(ServerDatabase("queue", server_places.url))
    with tables.transaction():
        pass
    assert abs(tables.now() - time.time()) < 5.0
    assert tables.host_name("::1:11434") == tables.host_name("localhost:11434") != "localhost:11434"
    assert tables.host_name("gpu:11434") == "gpu:11434"
    tables.close()


def _has_slot(admission: Admission) -> bool:
    with suppress(DatabaseUnavailable), admission.ticket() as ticket:
        return ticket.admitted.is_set()
    return False


def _all_answer_again(lines: tuple[list[str], list[str]], before: list[int]) -> bool:
    return all(
        sum(line.startswith("answered") for line in of[count:]) >= 5 for of, count in zip(lines, before, strict=True)
    )
