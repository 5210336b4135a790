"""Several desks over one PostgreSQL server, each in a process of its own, and what one of them does alone."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO

from eval.bench.database import deleted_afterwards
from eval.bench.load.desk import OPTIONS, ORDERS, REPLIES, DeskOptions, Order
from eval.bench.load.records import Asking, LoadRecord, RecordFile, warm
from ingest.golden import GoldenQuestion
from rag.errors import DatabaseNotEmpty, SettingsError
from rag.settings import ServerDatabase
from rag.storage.turn_store import TurnStore
from rag.terminal import terminal_language
from rag.translate import translate

_CHECKOUT = Path(__file__).resolve().parents[3]
_READY_SECONDS = 300.0
_END_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.25


class DeskLink:
    """A desk somewhere else; safe from many threads.

    ``orders`` is what it reads, ``replies`` what it writes, ``log`` the file where it says why it ended.
    """

    def __init__(self, orders: IO[str], replies: IO[str], log: Path) -> None:
        self._orders = orders
        self._log = log
        self._numbers = count(1)
        self._asked: dict[int, Future[LoadRecord]] = {}
        self._ready: Future[None] = Future()
        self._lock = threading.Lock()
        self._is_over = False
        self.lost: list[LoadRecord] = []
        self._thread = threading.Thread(target=self._listen, args=(replies,), name="desk", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Wait until it has loaded what it needs.  Raises ``SettingsError`` where it does not come up."""
        try:
            self._ready.result(_READY_SECONDS)
        except TimeoutError:
            raise self._ended() from None

    def ask(self, asking: Asking, arm: str) -> LoadRecord:
        """Ask for an arm, and return what was seen.  Raises ``SettingsError`` where the desk has ended."""
        found: Future[LoadRecord] = Future()
        with self._lock:
            if self._is_over:
                raise self._ended()
            number = next(self._numbers)
            self._asked[number] = found
        self._send(
            Order(number, asking.question, arm, asking.round, asking.session, asking.due_at, planned=asking.planned)
        )
        is_stopped = False
        while True:
            with suppress(TimeoutError):
                return found.result(_LOOK_EVERY_SECONDS)
            if asking.stop.is_set() and not is_stopped:
                self._send(Order(number))
                is_stopped = True

    def end(self) -> None:
        """Let it end what is under way."""
        with suppress(BrokenPipeError):
            self._orders.close()

    def listen_to_the_end(self) -> None:
        """Wait for its last words: what was ``lost``."""
        self._thread.join(_END_SECONDS)

    def _send(self, order: Order) -> None:
        with self._lock, suppress(BrokenPipeError, ValueError):  # it ended: the thread that listens tells
            self._orders.write(ORDERS.dump_json(order).decode() + "\n")
            self._orders.flush()

    def _listen(self, replies: IO[str]) -> None:
        for line in replies:
            reply = REPLIES.validate_json(line)
            if reply.record is None:
                self._ready.set_result(None)
            elif reply.number in self._asked:
                self._asked.pop(reply.number).set_result(reply.record)
            else:
                self.lost.append(reply.record)
        with self._lock:
            self._is_over = True
        if not self._ready.done():
            self._ready.set_exception(self._ended())
        for found in self._asked.values():
            found.set_exception(self._ended())

    def _ended(self) -> SettingsError:
        return SettingsError(reason=translate("bench_load.desk_ended", terminal_language(), log=self._log))


class DesksArm:
    """Shares the sessions out among desks: one after the other, as a balancer does with people."""

    process_id = None

    def __init__(self, name: str, desks: Sequence[DeskLink]) -> None:
        self.name = name
        self._desks = desks

    def warm(self, question: GoldenQuestion) -> None:
        """Ask once at each desk.  Raises ``SettingsError`` where that fails."""
        for desk in self._desks:
            warm(partial(desk.ask, arm=self.name), question)

    def ask(self, asking: Asking) -> LoadRecord:
        """Ask at the session's desk, and return what was seen."""
        return self._desks[asking.session % len(self._desks)].ask(asking, self.name)


def require_no_turns(place: ServerDatabase) -> None:
    """Raise ``DatabaseNotEmpty`` where a database holds questions, which the benchmark would delete with its own."""
    with TurnStore(place) as store:
        if store.list(None, limit=1):
            raise DatabaseNotEmpty(place="the server's database")


@contextmanager
def desks_arms(place: ServerDatabase, number: int, options: DeskOptions, file: RecordFile) -> Iterator[list[DesksArm]]:
    """Start so many desks over the server, and give two arms: all sessions at the first desk, and shared out among all.

    Their logs lie beside ``file``, and there is noted at the end what was lost.  The server's turns are deleted then.
    Raises ``DatabaseNotEmpty`` where it has some already, and ``SettingsError`` where a desk does not come up.
    """
    require_no_turns(place)
    with deleted_afterwards(place), ExitStack() as running:
        desks: list[DeskLink] = []

        def note_lost() -> None:
            for record in (record for desk in desks for record in desk.lost):
                file.keep(record)
            TurnStore(place).close()  # what a desk that died was answering counts as ended then, and can be deleted

        running.callback(note_lost)
        for one in range(number):
            log = file.path.with_name(f"desk-{one + 1}.log")
            desks.append(running.enter_context(_desk(options, log)))
        for desk in desks:
            desk.wait_until_ready()
        yield [DesksArm("one_desk", desks[:1]), DesksArm("desks", desks)]


@contextmanager
def _desk(options: DeskOptions, log: Path) -> Iterator[DeskLink]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "eval.bench.load.desk", OPTIONS.dump_json(options).decode()],
            cwd=_CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: the questions under way are ended first
        )
    assert process.stdin is not None and process.stdout is not None  # asked for with PIPE
    desk = DeskLink(process.stdin, process.stdout, log)
    try:
        yield desk
    finally:
        desk.end()
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        desk.listen_to_the_end()
        process.stdout.close()
