"""The ticket queue, in one SQLite file shared by all processes of this machine, or in memory.

A line leads to one model server or to several, its hosts.  Whose turn it is goes to the host with the smallest share of
its slots taken, by whatever line; a follow-up to one whose cache still has its owner's last prompt, if a slot is free.

Fair among owners: a waiting ticket has a round, its owner's next one, and rounds are served one after another
(start-time fair queueing, Goyal, Vin and Cheng 1996).  However many tickets one owner has, another's next one lets only
one of them pass.  Within a round the follow-ups of a conversation come first, then whoever came first.

What is kept is disposable: places, and how long the last answers took.  No question and no answer is in it.
"""

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path

from rag.errors import OwnQueueFull
from rag.queue.estimate import REMEMBERED, Finished, Work
from rag.queue.liveness import Liveness
from rag.storage.access import key_of_owner

_LOOK_FOR_DEAD_EVERY_SECONDS = 0.5
_ALONE = "alone"  # the only process of a line in memory
Slots = Mapping[str, int]
"""How many questions each host answers at once, by the host's name."""
_BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ticket (
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
);
CREATE TABLE IF NOT EXISTS recent (
    host TEXT NOT NULL,
    conversation TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    PRIMARY KEY (host, conversation)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served (
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (server, owner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finished (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    server TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    thinks INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS ticket_of_server ON ticket (server);
CREATE INDEX IF NOT EXISTS finished_of_server ON finished (server, number);
"""


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """What a caller wants of the model.  ``owner`` is whose turn it is, empty: the process's.

    ``follows_up`` goes on from a question of the same ``conversation``, whose last prompt a host may have in its cache;
    an empty one is the owner's only one.  ``most_waiting`` is how many tickets of the owner may wait, and
    ``most_waiting_of_key`` how many of all users of the owner's API key together; None: any number.
    """

    work: Work = field(default_factory=Work)
    owner: str = ""
    follows_up: bool = False
    conversation: str = ""
    most_waiting: int | None = None
    most_waiting_of_key: int | None = None


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A ticket in the line.

    ``admitted_at`` is in seconds of the line's clock; None while it waits, and ``host`` is then empty.
    """

    ticket: int
    process: str
    work: Work
    admitted_at: float | None
    host: str = ""


@dataclass(frozen=True, slots=True)
class QueueState:
    """The whole line: who runs, who waits, next one first, and the last answers, oldest first."""

    running: tuple[QueueEntry, ...] = ()
    waiting: tuple[QueueEntry, ...] = ()
    finished: tuple[Finished, ...] = ()


class TicketQueue:
    """The tickets of the server called ``server``; ``path`` None: of this object alone.  Safe from many threads.

    ``slots`` are those of each host that may be asked now; a ticket that was let in to another one stays there.
    Raises ``sqlite3.Error`` and ``OSError``, which ``Admission`` knows how to do without.
    """

    def __init__(self, path: Path | None, server: str, clock: Callable[[], float]) -> None:
        self._path = path
        self._server = server
        self._clock = clock
        self._lock = threading.RLock()
        self._presence = Liveness(path.parent / "present") if path is not None else None
        self._process = self._presence.name if self._presence is not None else _ALONE
        self._connection = open_tables(path)
        weakref.finalize(self, self._connection.close)
        self._state: QueueState | None = None
        self._state_slots: Slots = {}
        self._seen_version = -1
        self._dead_due_at = 0.0

    def join(self, request: TicketRequest, *, slots: Slots, max_waiting: int) -> tuple[int | None, QueueState]:
        """Take a place, or a free slot, and return the ticket's number; None where ``max_waiting`` wait already.

        Raises ``OwnQueueFull`` where as many of the owner's tickets wait as may, or of the owner's API key.
        """
        owner = request.owner or self._process
        with self._transaction() as connection:
            self._forget_dead(connection)
            self._admit(connection, slots)
            if not free_hosts(connection, slots):
                self._require_place(connection, request, owner)
                if self._count_waiting(connection) >= max_waiting:
                    return None, self._read(connection, slots)
            cursor = connection.execute(
                "INSERT INTO ticket (server, process, owner, conversation, round, follows_up, prompt_tokens, thinks) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._server,
                    self._process,
                    owner,
                    request.conversation or owner,
                    self._next_round(connection, owner),
                    request.follows_up,
                    request.work.prompt_tokens,
                    request.work.thinks,
                ),
            )
            self._admit(connection, slots)
            return cursor.lastrowid, self._read(connection, slots)

    def leave(self, ticket: int, *, slots: Slots, finished: bool) -> QueueState:
        """Take a ticket out, learn from it where its answer is ``finished``, and let the next one in."""
        with self._transaction() as connection:
            row = connection.execute("SELECT * FROM ticket WHERE ticket = ?", (ticket,)).fetchone()
            if row is not None:
                connection.execute("DELETE FROM ticket WHERE ticket = ?", (ticket,))
                if finished and row["admitted_at"] is not None:
                    self._learn(connection, row, self._clock() - row["admitted_at"])
            self._forget_dead(connection)
            self._admit(connection, slots)
            return self._read(connection, slots)

    def put_back(self, ticket: int, *, slots: Slots) -> QueueState:
        """Let a ticket wait again at its place, and as soon as possible be let in to a host that it has not been at."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE ticket SET avoided = avoided || ' ' || host, host = NULL, admitted_at = NULL "
                "WHERE ticket = ? AND host IS NOT NULL",
                (ticket,),
            )
            self._forget_dead(connection)
            self._admit(connection, slots)
            return self._read(connection, slots)

    def look(self, *, slots: Slots) -> QueueState:
        """Return the line as it is now; whoever looks also lets the next ones in and takes out those of the dead.

        Cheap while nothing moves.
        """
        with self._lock:
            state = self._unchanged(slots)
            if state is not None:
                return state
        with self._transaction() as connection:
            self._forget_dead(connection)
            self._admit(connection, slots)
            return self._read(connection, slots)

    def adopt(self, places: Sequence[QueueEntry], finished: Sequence[Finished]) -> None:
        """Take over what another line held, in its order; tickets keep their numbers."""
        with self._transaction() as connection:
            for number, place in enumerate(places):
                connection.execute(
                    "INSERT INTO ticket VALUES "
                    "(?1, ?2, ?3, 'ticket ' || ?1, 'ticket ' || ?1, ?4, 0, ?5, ?6, ?7, ?8, '')",
                    (
                        place.ticket,
                        self._server,
                        self._process,
                        number,
                        *astuple(place.work),
                        place.admitted_at,
                        place.host or None,
                    ),
                )
            connection.executemany(
                "INSERT INTO finished (server, prompt_tokens, thinks, seconds) VALUES (?, ?, ?, ?)",
                [(self._server, one.work.prompt_tokens, one.work.thinks, one.seconds) for one in finished],
            )

    def close(self) -> None:
        """Leave, with all tickets of this process."""
        with self._lock:
            self._connection.close()
            if self._presence is not None:
                self._presence.close()

    def _unchanged(self, slots: Slots) -> QueueState | None:
        """Return what was read last, unless somebody wrote since or it is time to look for the dead."""
        state = self._state
        if state is None or slots != self._state_slots or self._version() != self._seen_version:
            return None
        if self._presence is not None and time.monotonic() >= self._dead_due_at:
            self._dead_due_at = time.monotonic() + _LOOK_FOR_DEAD_EVERY_SECONDS
            processes = {place.process for place in (*state.running, *state.waiting)}
            if not all(self._presence.is_alive(name) for name in processes):
                return None
        return state

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                self._seen_version = self._version()  # before the end, behind which others may write
                connection.execute("COMMIT")
            except BaseException:
                self._state = None
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _version(self) -> int:
        """Return a number that changes when another connection has written."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _forget_dead(self, connection: sqlite3.Connection) -> None:
        if self._presence is None:
            return
        for (process,) in connection.execute("SELECT DISTINCT process FROM ticket").fetchall():
            if not self._presence.is_alive(process):
                connection.execute("DELETE FROM ticket WHERE process = ?", (process,))

    def _require_place(self, connection: sqlite3.Connection, request: TicketRequest, owner: str) -> None:
        """Raise ``OwnQueueFull`` where as many tickets of the owner, or of the owner's API key, wait as may."""
        own = self._count_waiting(connection, owner)
        if request.most_waiting is not None and own >= request.most_waiting:
            raise OwnQueueFull(waiting=own, owner=owner)
        key = key_of_owner(owner)
        if key and request.most_waiting_of_key is not None:
            waiting = connection.execute(
                "SELECT owner FROM ticket WHERE server = ? AND admitted_at IS NULL", (self._server,)
            ).fetchall()
            of_key = sum(key_of_owner(row["owner"]) == key for row in waiting)
            if of_key >= request.most_waiting_of_key:
                raise OwnQueueFull(waiting=of_key, owner=owner)

    def _count_waiting(self, connection: sqlite3.Connection, owner: str | None = None) -> int:
        """Count the waiting tickets: an owner's, or all."""
        row = connection.execute(
            "SELECT count(*) FROM ticket WHERE server = ?1 AND admitted_at IS NULL AND (?2 IS NULL OR owner = ?2)",
            (self._server, owner),
        ).fetchone()
        return int(row[0])

    def _admit(self, connection: sqlite3.Connection, slots: Slots) -> None:
        while free := free_hosts(connection, slots):
            row = connection.execute(
                "SELECT ticket, owner, conversation, round, follows_up, avoided FROM ticket "
                "WHERE server = ? AND admitted_at IS NULL ORDER BY round, follows_up DESC, ticket LIMIT 1",
                (self._server,),
            ).fetchone()
            if row is None:
                return
            host = host_for(connection, row, free)
            connection.execute(
                "UPDATE ticket SET admitted_at = ?, host = ? WHERE ticket = ?", (self._clock(), host, row["ticket"])
            )
            remember_prompt(connection, host, row, kept=slots[host])
            # An owner whose last round is behind the one now served is as good as a new one, so it is forgotten.
            connection.execute("DELETE FROM served WHERE server = ? AND round < ?", (self._server, row["round"]))
            connection.execute("REPLACE INTO served VALUES (?, ?, ?)", (self._server, row["owner"], row["round"]))

    def _next_round(self, connection: sqlite3.Connection, owner: str) -> int:
        """Return the round that is served now, or the one after the owner's last."""
        row = connection.execute(
            "SELECT (SELECT max(round) FROM served WHERE server = :server), "
            "(SELECT max(round) + 1 FROM served WHERE server = :server AND owner = :owner), "
            "(SELECT max(round) + 1 FROM ticket WHERE server = :server AND owner = :owner)",
            {"server": self._server, "owner": owner},
        ).fetchone()
        return max(int(one or 0) for one in row)

    def _learn(self, connection: sqlite3.Connection, row: sqlite3.Row, seconds: float) -> None:
        connection.execute(
            "INSERT INTO finished (server, prompt_tokens, thinks, seconds) VALUES (?, ?, ?, ?)",
            (self._server, row["prompt_tokens"], row["thinks"], seconds),
        )
        connection.execute(
            "DELETE FROM finished WHERE server = :server AND number <= (SELECT number FROM finished "
            "WHERE server = :server ORDER BY number DESC LIMIT 1 OFFSET :kept)",
            {"server": self._server, "kept": REMEMBERED},
        )

    def _read(self, connection: sqlite3.Connection, slots: Slots) -> QueueState:
        """Read the line, and who else is at its hosts by way of another line."""
        tickets = connection.execute(
            "SELECT * FROM ticket WHERE server = ? OR host IN (SELECT value FROM json_each(?)) "
            "ORDER BY round, follows_up DESC, ticket",
            (self._server, json.dumps(list(slots))),
        ).fetchall()
        places = [
            QueueEntry(row["ticket"], row["process"], _work(row), row["admitted_at"], row["host"] or "")
            for row in tickets
        ]
        done = connection.execute("SELECT * FROM finished WHERE server = ? ORDER BY number", (self._server,)).fetchall()
        self._state_slots = dict(slots)
        self._state = QueueState(
            running=tuple(place for place in places if place.admitted_at is not None),
            waiting=tuple(place for place in places if place.admitted_at is None),
            finished=tuple(Finished(_work(row), row["seconds"]) for row in done),
        )
        return self._state


def _work(row: sqlite3.Row) -> Work:
    return Work(row["prompt_tokens"], bool(row["thinks"]))


def free_hosts(connection: sqlite3.Connection, slots: Slots) -> dict[str, float]:
    """Return the hosts with a free slot, in the order of ``slots``, each with the share of its slots that is taken.

    All lines of the file count: two may lead to the same host.
    """
    counted = connection.execute("SELECT host, count(*) FROM ticket WHERE host IS NOT NULL GROUP BY host").fetchall()
    running = {host: count for host, count in counted}
    return {host: running.get(host, 0) / own for host, own in slots.items() if running.get(host, 0) < own}


def host_for(connection: sqlite3.Connection, ticket: sqlite3.Row, free: Mapping[str, float]) -> str:
    """Choose among the ``free`` hosts.

    One that failed this ticket is the last choice; a follow-up prefers one that read a prompt of its conversation
    lately; else the smallest share decides, and then the order in which they were named.
    """
    avoided = set(ticket["avoided"].split())
    warm: set[str] = set()
    if ticket["follows_up"]:
        conversation = ticket["conversation"]
        found = connection.execute("SELECT host FROM recent WHERE conversation = ?", (conversation,)).fetchall()
        warm = {host for (host,) in found}
    return min(free, key=lambda host: (host in avoided, host not in warm, free[host]))


def remember_prompt(connection: sqlite3.Connection, host: str, ticket: sqlite3.Row, *, kept: int) -> None:
    """Note whose prompt a host reads now; ``kept``, its slots, are how many its cache holds."""
    connection.execute("REPLACE INTO recent VALUES (?, ?, ?)", (host, ticket["conversation"], ticket["ticket"]))
    connection.execute(
        "DELETE FROM recent WHERE host = :host AND ticket <= "
        "(SELECT ticket FROM recent WHERE host = :host ORDER BY ticket DESC LIMIT 1 OFFSET :kept)",
        {"host": host, "kept": kept},
    )


def open_tables(path: Path | None) -> sqlite3.Connection:
    """Open the file, which is made if need be, or tables in memory.  Raises ``sqlite3.Error`` and ``OSError``."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path if path is not None else ":memory:",
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended in words
        check_same_thread=False,  # one thread at a time, see the lock
    )
    try:
        connection.row_factory = sqlite3.Row
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
