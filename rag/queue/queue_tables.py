"""The tables of the ticket queue: in one SQLite file for all processes of a machine, in memory, or on a server.

They are disposable: places, and the durations of the last answers.  They hold no question and no answer.
"""

import fcntl
import os
import secrets
import sqlite3
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rag.errors import ExtraMissing
from rag.settings import DatabasePlace
from rag.storage.connection import Connection, Row, SharedMigration, is_sqlite, set_unlogged

LOOK_FOR_DEAD_EVERY_SECONDS = 0.5
FIRST_NUMBER = 10**9
"""The first ticket number on a server; a lower one means that a crash emptied its tables (see there)."""

_ALONE = "alone"  # the only process of a line in memory
_BUSY_SECONDS = 5.0
_TABLES = (
    """CREATE TABLE IF NOT EXISTS ticket (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    process TEXT NOT NULL,
    owner TEXT NOT NULL,
    conversation TEXT NOT NULL,
    round INTEGER NOT NULL,
    follows_up INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    thinks INTEGER NOT NULL,
    admitted_at REAL,
    host TEXT,
    avoided TEXT NOT NULL DEFAULT ''
)""",
    """CREATE TABLE IF NOT EXISTS recent (
    host TEXT NOT NULL,
    conversation TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    PRIMARY KEY (host, conversation)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS served (
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (server, owner)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS finished (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    thinks INTEGER NOT NULL,
    seconds REAL NOT NULL
)""",
    "CREATE INDEX IF NOT EXISTS ticket_of_server ON ticket (server)",
    "CREATE INDEX IF NOT EXISTS finished_of_server ON finished (server, number)",
)

_SUFFIX = ".lock"


class Liveness:
    """One process among those that share ``folder``, which is created if missing.  Raises ``OSError``.

    ``name`` is unique, also among several of one process.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.name, descriptor = _new_lock(folder)
        self._finalizer = weakref.finalize(self, _release, descriptor, self._path(self.name), os.getpid())
        _held_locks[self.name] = descriptor
        self._sweep()

    def is_alive(self, name: str) -> bool:
        """Tell whether the process called ``name`` is alive; the file of a dead one is removed."""
        return name == self.name or not _remove_if_free(self._path(name))

    def close(self) -> None:
        """Leave."""
        self._finalizer()

    def _sweep(self) -> None:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.stem != self.name:
                _remove_if_free(path)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


_held_locks: dict[str, int] = {}


def _close_in_child() -> None:
    """Close the copies that a fork has made: a lock is held until its last copy is closed."""
    for descriptor in _held_locks.values():
        os.close(descriptor)
    _held_locks.clear()


os.register_at_fork(after_in_child=_close_in_child)


def _new_lock(folder: Path) -> tuple[str, int]:
    while True:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        path = folder / f"{name}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return name, descriptor
        except BlockingIOError:
            pass  # another process's sweep was quicker, and removes it
        os.close(descriptor)


def _remove_if_free(path: Path) -> bool:
    """Remove a lock file that nobody holds, and tell whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _release(descriptor: int, path: Path, pid: int) -> None:
    if os.getpid() == pid:
        _held_locks.pop(path.stem, None)
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _v1_queue(connection: Connection) -> None:
    """Tickets, whose prompt each host read last, the round of each owner, and the last answers."""
    for statement in _TABLES:
        connection.execute(statement)
    if not is_sqlite(connection):
        set_unlogged(connection, ("ticket", "recent", "served", "finished"))
        connection.execute("SELECT setval('ticket_ticket_seq', ?)", (FIRST_NUMBER,))


QUEUE_MIGRATIONS: tuple[SharedMigration, ...] = (_v1_queue,)
"""Of a server; a file has the version of its tables in its name instead, so an older program uses another line."""


class QueueTables(ABC):
    """The tables of a queue, and the liveness of its processes."""

    process: str
    """The name of this process among those that share the tables."""

    is_whole = True
    """Whether all live tickets are in the tables; nobody is admitted while some may be missing."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """Run the block as the only reader and writer; see ``SharedDatabase.transaction``."""

    @abstractmethod
    def version(self) -> int:
        """Return a number that changes when others have written.  Cheap."""

    @abstractmethod
    def are_alive(self, processes: Collection[str]) -> bool:
        """Tell whether processes are believed to be alive; cheap, as it checks only now and then."""

    @abstractmethod
    def forget_dead(self, connection: Connection) -> bool:
        """Delete the tickets of dead processes, and tell whether there were any."""

    @abstractmethod
    def close(self) -> None:
        """Leave: this process is dead for the others."""

    @abstractmethod
    def now(self) -> float:
        """Return the seconds of a clock that all processes share."""

    @abstractmethod
    def host_name(self, host: str) -> str:
        """Return the name of a model server that all processes share."""

    @abstractmethod
    def notify(self, connection: Connection) -> None:
        """Notify others, when the transaction ends, that the line has changed."""

    @abstractmethod
    def note_own(self, tickets: Sequence[Row]) -> None:
        """Record the tickets of this process, valid when the transaction ends, in case the tables lose them."""

    @abstractmethod
    def disown(self, ticket: int) -> None:
        """Record that a ticket is not needed any more, even if the transaction that deletes it fails."""


class QueueFile(QueueTables):
    """Tables in a file, which is created if missing, or in memory.  Raises ``sqlite3.Error`` and ``OSError``."""

    def __init__(self, path: Path | None) -> None:
        self._presence = Liveness(path.parent / "present") if path is not None else None
        self.process = self._presence.name if self._presence is not None else _ALONE
        self._connection = _open_file(path)
        self._dead_due_at = 0.0
        weakref.finalize(self, self._connection.close)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run a transaction."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def version(self) -> int:
        """Return a number that changes when another connection has written."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def are_alive(self, processes: Collection[str]) -> bool:
        """Check twice a second whether they all hold their locks."""
        if self._presence is None or time.monotonic() < self._dead_due_at:
            return True
        self._dead_due_at = time.monotonic() + LOOK_FOR_DEAD_EVERY_SECONDS
        return all(self._presence.is_alive(name) for name in processes)

    def forget_dead(self, connection: Connection) -> bool:
        """Delete the tickets of processes that do not hold their locks."""
        if self._presence is None:
            return False
        processes = connection.execute("SELECT DISTINCT process FROM ticket").fetchall()
        dead = [(process,) for (process,) in processes if not self._presence.is_alive(process)]
        for process in dead:
            connection.execute("DELETE FROM ticket WHERE process = ?", process)
        return bool(dead)

    def close(self) -> None:
        """Close the file and give up the lock; the tickets stay until others look."""
        self._connection.close()
        if self._presence is not None:
            self._presence.close()

    def now(self) -> float:
        """Return the machine's seconds since it started."""
        return time.monotonic()

    def host_name(self, host: str) -> str:
        """Return the name as it is: it is the same for the whole machine."""
        return host

    def notify(self, connection: Connection) -> None:
        """Do nothing: others notice the change by the file's version."""

    def note_own(self, tickets: Sequence[Row]) -> None:
        """Do nothing: a file loses no tickets."""

    def disown(self, ticket: int) -> None:
        """Do nothing: a file from which a ticket cannot be deleted is abandoned."""


def open_queue_tables(place: DatabasePlace | None, on_change: Callable[[bool], None] | None = None) -> QueueTables:
    """Return the tables at a place; None: in memory.  ``on_change``, a method, is called when others change them.

    Raises ``ExtraMissing`` if they are on a server and psycopg is not installed, and ``DatabaseUnavailable``.
    """
    if place is None or isinstance(place, Path):
        return QueueFile(place)
    try:
        from rag.queue.queue_server import QueueOnServer  # needs psycopg, which only servers need
    except ModuleNotFoundError as error:
        raise ExtraMissing(what="PostgreSQL", extra="postgres") from error
    return QueueOnServer(place, on_change)


def _open_file(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path if path is not None else ":memory:",
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended explicitly
        check_same_thread=False,  # one thread at a time: the queue has a lock
    )
    try:
        connection.row_factory = sqlite3.Row
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(";".join(_TABLES))
    except BaseException:
        connection.close()
        raise
    return connection
