"""The ticket queue: the rules of one line, wherever its tables are (``queue_tables.py``).

A line leads to one model server or to several, its hosts.  The next ticket goes to the host with the smallest share of
slots taken by all lines; a follow-up to one whose cache still has its owner's last prompt, if a slot is free.

Fair among owners: a waiting ticket has a round, its owner's next one, and rounds are served one after another
(start-time fair queueing, Goyal, Vin and Cheng 1996).  However many tickets one owner has, another's next one lets only
one of them pass.  Within a round the follow-ups of a conversation come first, then the earliest ticket.

The tables are disposable: places, and the durations of the last answers.  They hold no question and no answer.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.errors import OwnQueueFull
from rag.queue.estimate import REMEMBERED, FinishedAnswer, Work
from rag.queue.queue_tables import open_queue_tables
from rag.settings import DatabasePlace
from rag.storage.access import key_of_owner
from rag.storage.connection import Connection, Row, one_of_condition

Slots = Mapping[str, int]
"""How many questions each host answers at once, by the host's name."""


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """A caller's request for the model.  ``owner`` is the owner in the queue, empty: the process.

    ``follows_up``: it follows a question of the same ``conversation``, whose last prompt a host may have in its cache;
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
    """The whole queue: running tickets, waiting ones, next one first, and the last answers, oldest first."""

    running: tuple[QueueEntry, ...] = ()
    waiting: tuple[QueueEntry, ...] = ()
    finished: tuple[FinishedAnswer, ...] = ()


class TicketQueue:
    """The tickets of the line called ``server``; ``place`` None: of this object alone.  Safe from many threads.

    ``slots`` are those of each usable host; a ticket admitted to another one stays there.  ``on_change``, a method, is
    called from another thread when a server reports that others have changed the line, and with True when the server
    is back and this process's tickets must be checked.  Raises what its tables do: ``sqlite3.Error`` and ``OSError``,
    which ``Admission`` handles, and ``DatabaseUnavailable``.
    """

    def __init__(
        self,
        place: DatabasePlace | None,
        server: str,
        clock: Callable[[], float] | None = None,
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self._tables = open_queue_tables(place, on_change)
        self._process = self._tables.process
        self._server = ",".join(sorted(self._tables.host_name(name) for name in server.split(",")))
        self._own_names: dict[str, str] = {}
        self.now = clock or self._tables.now
        self._lock = threading.RLock()
        self._state: QueueState | None = None
        self._state_slots: Slots = {}
        self._seen_version = -1

    def join(self, request: TicketRequest, *, slots: Slots, max_waiting: int) -> tuple[int | None, QueueState]:
        """Take a place, or a free slot, and return the ticket's number; None if ``max_waiting`` wait already.

        Raises ``OwnQueueFull`` if the most tickets of the owner, or of the owner's API key, wait already.
        """
        owner = request.owner or self._process
        slots = self._shared_slots(slots)
        with self._transaction() as connection:
            self._tables.forget_dead(connection)
            self._admit(connection, slots)
            if not free_hosts(connection, slots):
                self._require_place(connection, request, owner)
                if self._count_waiting(connection) >= max_waiting:
                    return None, self._read_state(connection, slots)
            [(ticket,)] = connection.execute(
                "INSERT INTO ticket (server, process, owner, conversation, round, follows_up, prompt_tokens, thinks) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING ticket",
                (
                    self._server,
                    self._process,
                    owner,
                    request.conversation or owner,
                    self._next_round(connection, owner),
                    int(request.follows_up),
                    request.work.prompt_tokens,
                    int(request.work.thinks),
                ),
            ).fetchall()
            self._admit(connection, slots)
            self._tables.notify(connection)
            return ticket, self._read_state(connection, slots)

    def leave(self, ticket: int, *, slots: Slots, finished: bool) -> QueueState:
        """Remove a ticket, record its duration if its answer is ``finished``, and admit the next one.

        If this fails, as a server is away, the next call that succeeds removes it.
        """
        try:
            return self._leave(ticket, self._shared_slots(slots), finished=finished)
        except BaseException:
            self.abandon(ticket)
            raise

    def abandon(self, ticket: int) -> None:
        """Let the next call remove a ticket, without access to the tables."""
        self._tables.disown(ticket)

    def put_back(self, ticket: int, *, slots: Slots) -> QueueState:
        """Let a ticket wait again at its place, and admit it as soon as possible to a host that it has not been at."""
        slots = self._shared_slots(slots)
        with self._transaction() as connection:
            connection.execute(
                "UPDATE ticket SET avoided = avoided || ' ' || host, host = NULL, admitted_at = NULL "
                "WHERE ticket = ? AND host IS NOT NULL",
                (ticket,),
            )
            self._tables.forget_dead(connection)
            self._admit(connection, slots)
            self._tables.notify(connection)
            return self._read_state(connection, slots)

    def look(self, *, slots: Slots) -> QueueState:
        """Return the present queue, after admitting the next tickets and removing those of the dead.

        Cheap while nothing changes.
        """
        slots = self._shared_slots(slots)
        with self._lock:
            state = self._cached_state(slots)
            if state is not None:
                return state
        with self._transaction() as connection:
            are_gone = self._tables.forget_dead(connection)
            if self._admit(connection, slots) or are_gone:
                self._tables.notify(connection)
            return self._read_state(connection, slots)

    def adopt(self, places: Sequence[QueueEntry], finished: Sequence[FinishedAnswer]) -> None:
        """Take over the tickets of another queue, in order; they keep their numbers."""
        with self._transaction() as connection:
            for number, place in enumerate(places):
                owner = f"ticket {place.ticket}"
                work = (place.work.prompt_tokens, int(place.work.thinks))
                connection.execute(
                    "INSERT INTO ticket VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, '')",
                    (place.ticket, self._server, self._process, owner, owner, number, *work, place.admitted_at,
                     place.host or None),
                )  # fmt: skip
            connection.executemany(
                "INSERT INTO finished (server, prompt_tokens, thinks, seconds) VALUES (?, ?, ?, ?)",
                [(self._server, one.work.prompt_tokens, int(one.work.thinks), one.seconds) for one in finished],
            )

    def close(self) -> None:
        """Leave the line, with all tickets of this process."""
        with self._lock:
            self._tables.close()

    def _leave(self, ticket: int, slots: Slots, *, finished: bool) -> QueueState:
        with self._transaction() as connection:
            row = connection.execute("SELECT * FROM ticket WHERE ticket = ?", (ticket,)).fetchone()
            if row is not None:
                connection.execute("DELETE FROM ticket WHERE ticket = ?", (ticket,))
                if finished and row["admitted_at"] is not None:
                    self._record_finished(connection, row, self.now() - row["admitted_at"])
            self._tables.forget_dead(connection)
            self._admit(connection, slots)
            self._tables.notify(connection)
            return self._read_state(connection, slots)

    def _shared_slots(self, slots: Slots) -> Slots:
        """Return slots by the hosts' shared names."""
        names = {self._tables.host_name(host): host for host in slots}
        self._own_names |= names
        return {name: slots[host] for name, host in names.items()}

    def _cached_state(self, slots: Slots) -> QueueState | None:
        """Return the last state, unless it has changed or it is time to look for dead processes."""
        state = self._state
        if state is None or slots != self._state_slots or self._tables.version() != self._seen_version:
            return None
        processes = {place.process for place in (*state.running, *state.waiting)}
        return state if self._tables.are_alive(processes) else None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock:
            try:
                with self._tables.transaction() as connection:
                    yield connection
                    self._seen_version = self._tables.version()  # before the end, after which others may write
            except BaseException:
                self._state = None
                raise

    def _require_place(self, connection: Connection, request: TicketRequest, owner: str) -> None:
        """Raise ``OwnQueueFull`` if the most tickets of the owner, or of the owner's API key, wait already."""
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

    def _count_waiting(self, connection: Connection, owner: str | None = None) -> int:
        """Count the waiting tickets: an owner's, or all."""
        row = connection.execute(
            "SELECT count(*) FROM ticket "
            f"WHERE server = :server AND admitted_at IS NULL{'' if owner is None else ' AND owner = :owner'}",
            {"server": self._server, "owner": owner},
        ).fetchone()
        return int(row[0])

    def _admit(self, connection: Connection, slots: Slots) -> bool:
        """Admit as many tickets as possible, and tell whether there were any."""
        has_admitted = False
        while self._tables.is_whole and (free := free_hosts(connection, slots)):
            row = connection.execute(
                "SELECT ticket, owner, conversation, round, follows_up, avoided FROM ticket "
                "WHERE server = ? AND admitted_at IS NULL ORDER BY round, follows_up DESC, ticket LIMIT 1",
                (self._server,),
            ).fetchone()
            if row is None:
                break
            host = choose_host(connection, row, free)
            connection.execute(
                "UPDATE ticket SET admitted_at = ?, host = ? WHERE ticket = ?", (self.now(), host, row["ticket"])
            )
            remember_prompt(connection, host, row, cache_size=slots[host])
            # An owner whose last round is before the one now served counts as a new one, so it is deleted.
            connection.execute("DELETE FROM served WHERE server = ? AND round < ?", (self._server, row["round"]))
            connection.execute(
                "INSERT INTO served VALUES (?, ?, ?) ON CONFLICT (server, owner) DO UPDATE SET round = excluded.round",
                (self._server, row["owner"], row["round"]),
            )
            has_admitted = True
        return has_admitted

    def _next_round(self, connection: Connection, owner: str) -> int:
        """Return the round that is served now, or the one after the owner's last."""
        row = connection.execute(
            "SELECT (SELECT max(round) FROM served WHERE server = :server), "
            "(SELECT max(round) + 1 FROM served WHERE server = :server AND owner = :owner), "
            "(SELECT max(round) + 1 FROM ticket WHERE server = :server AND owner = :owner)",
            {"server": self._server, "owner": owner},
        ).fetchone()
        return max(int(one or 0) for one in row)

    def _record_finished(self, connection: Connection, row: Row, seconds: float) -> None:
        connection.execute(
            "INSERT INTO finished (server, prompt_tokens, thinks, seconds) VALUES (?, ?, ?, ?)",
            (self._server, row["prompt_tokens"], row["thinks"], seconds),
        )
        connection.execute(
            "DELETE FROM finished WHERE server = :server AND number <= (SELECT number FROM finished "
            "WHERE server = :server ORDER BY number DESC LIMIT 1 OFFSET :kept)",
            {"server": self._server, "kept": REMEMBERED},
        )

    def _read_state(self, connection: Connection, slots: Slots) -> QueueState:
        """Read the queue, and the load of its hosts from other queues."""
        at_its_hosts, names = one_of_condition("host", list(slots))
        tickets = connection.execute(
            f"SELECT * FROM ticket WHERE server = :server OR {at_its_hosts} ORDER BY round, follows_up DESC, ticket",
            {"server": self._server, **names},
        ).fetchall()
        self._tables.note_own([row for row in tickets if row["process"] == self._process])
        places = [
            QueueEntry(row["ticket"], row["process"], _work(row), row["admitted_at"], self._own_host_name(row))
            for row in tickets
        ]
        done = connection.execute("SELECT * FROM finished WHERE server = ? ORDER BY number", (self._server,)).fetchall()
        self._state_slots = dict(slots)
        self._state = QueueState(
            running=tuple(place for place in places if place.admitted_at is not None),
            waiting=tuple(place for place in places if place.admitted_at is None),
            finished=tuple(FinishedAnswer(_work(row), row["seconds"]) for row in done),
        )
        return self._state

    def _own_host_name(self, row: Row) -> str:
        name = row["host"] or ""
        return self._own_names.get(name, name)


def _work(row: Row) -> Work:
    return Work(row["prompt_tokens"], bool(row["thinks"]))


def free_hosts(connection: Connection, slots: Slots) -> dict[str, float]:
    """Return the hosts with a free slot, in the order of ``slots``, each with the share of its slots that is taken.

    All lines of the file count: two may lead to the same host.
    """
    rows = connection.execute("SELECT host, count(*) FROM ticket WHERE host IS NOT NULL GROUP BY host").fetchall()
    running = {host: count for host, count in rows}
    return {host: running.get(host, 0) / own for host, own in slots.items() if running.get(host, 0) < own}


def choose_host(connection: Connection, ticket: Row, free: Mapping[str, float]) -> str:
    """Choose among the ``free`` hosts.

    One that failed this ticket is the last choice; a follow-up prefers one that recently read a prompt of its
    conversation; then the smallest share decides, and then their order.
    """
    avoided = set(ticket["avoided"].split())
    warm: set[str] = set()
    if ticket["follows_up"]:
        conversation = ticket["conversation"]
        rows = connection.execute("SELECT host FROM recent WHERE conversation = ?", (conversation,)).fetchall()
        warm = {host for (host,) in rows}
    return min(free, key=lambda host: (host in avoided, host not in warm, free[host]))


def remember_prompt(connection: Connection, host: str, ticket: Row, *, cache_size: int) -> None:
    """Record whose prompt a host reads now; its cache holds ``cache_size`` of them, one a slot."""
    connection.execute(
        "INSERT INTO recent VALUES (?, ?, ?) ON CONFLICT (host, conversation) DO UPDATE SET ticket = excluded.ticket",
        (host, ticket["conversation"], ticket["ticket"]),
    )
    connection.execute(
        "DELETE FROM recent WHERE host = :host AND ticket <= "
        "(SELECT ticket FROM recent WHERE host = :host ORDER BY ticket DESC LIMIT 1 OFFSET :kept)",
        {"host": host, "kept": cache_size},
    )
