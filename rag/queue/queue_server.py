"""The tables of the ticket queue on a PostgreSQL server, for the processes of several machines.

A process shows on a session of its own that it is alive (``server_session.py``), and restores its tickets: each
transaction begins by putting back those that the tables lost, and by deleting those that it does not know, whose COMMIT
got no reply.  A crash of the server empties the tables.  So nobody is admitted for ``_SETTLING_SECONDS`` after
one, and nobody is taken for dead after a start, until all living processes have come back.
"""

import os
import secrets
import socket
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

from rag.errors import DatabaseUnavailable
from rag.queue.queue_tables import FIRST_NUMBER, LOOK_FOR_DEAD_EVERY_SECONDS, QUEUE_MIGRATIONS, QueueTables
from rag.settings import ServerDatabase
from rag.storage.connection import Connection, Row, open_database
from rag.storage.server_session import CHANNEL, is_dead, session_of

_SETTLING_SECONDS = 5.0
"""A process reconnects four times a second, which takes milliseconds, so all have by then."""

_COLUMNS = 12
_PUT_BACK = f"INSERT INTO ticket VALUES ({', '.join('?' * _COLUMNS)}) ON CONFLICT (ticket) DO NOTHING"
_PUT_BACK_ROUND = (
    "INSERT INTO served VALUES (?, ?, ?) "
    "ON CONFLICT (server, owner) DO UPDATE SET round = greatest(served.round, excluded.round)"
)
_LOOK = """SELECT extract(epoch FROM clock_timestamp())::float8 AS now,
    extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS up_seconds,
    (SELECT last_value FROM ticket_ticket_seq) AS number"""


class QueueOnServer(QueueTables):
    """Tables on a server.  Raises ``DatabaseUnavailable``.

    ``on_change``, a method, is called when others changed them, and with True if this process has to check its tickets.
    """

    def __init__(self, place: ServerDatabase, on_change: Callable[[bool], None] | None = None) -> None:
        self.process = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = open_database(place, QUEUE_MIGRATIONS)
        self._session = session_of(place.url)
        self._on_change = weakref.WeakMethod(on_change) if on_change is not None else lambda: None
        self._changes = 0
        self._ahead_seconds = 0.0
        self._has_settled = False
        self._look_due_at = 0.0
        self._own: dict[int, Row] = {}
        self._next_own: dict[int, Row] = {}
        self._session.join(self.process, self._on_notice)
        self._finalizer = weakref.finalize(self, self._session.leave, self.process)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block exclusively over all machines, with the tickets of this process as it knows them."""
        try:
            with self._database.transaction() as connection:
                self._check_server(connection)
                self._reconcile(connection)
                self._next_own = self._own
                yield connection
        except DatabaseUnavailable:
            self._session.suspect()
            raise
        self._own = self._next_own

    def version(self) -> int:
        """Return the number of notices from others."""
        return self._changes

    def are_alive(self, processes: Collection[str]) -> bool:
        """Return False twice a second: then the tables are read, even if a NOTIFY was lost."""
        if time.monotonic() < self._look_due_at:
            return True
        self._look_due_at = time.monotonic() + LOOK_FOR_DEAD_EVERY_SECONDS
        return False

    def forget_dead(self, connection: Connection) -> bool:
        """Delete the tickets of dead processes."""
        if not self._has_settled:
            return False
        others = "SELECT DISTINCT process FROM ticket WHERE process <> ?"
        dead = f"SELECT process FROM ({others}) AS other WHERE {is_dead('process')}"
        return connection.execute(f"DELETE FROM ticket WHERE process IN ({dead})", (self.process,)).rowcount > 0

    def close(self) -> None:
        """Give up the lock; the tickets stay until others look."""
        self._finalizer()
        self._database.close()

    def now(self) -> float:
        """Return the server's seconds."""
        return time.monotonic() + self._ahead_seconds

    def host_name(self, host: str) -> str:
        """Return the name of a model server: of one at a loopback address, with the name of this machine.

        Others know it by that name as well, if it answers them.
        """
        address, _, port = host.rpartition(":")
        return f"{socket.gethostname()}:{port}" if _is_loopback(address) else host

    def notify(self, connection: Connection) -> None:
        """Notify others when the transaction ends."""
        connection.execute("SELECT pg_notify(?, ?)", (CHANNEL, self.process))

    def note_own(self, tickets: Sequence[Row]) -> None:
        """Record the tickets of this process, valid when the transaction ends."""
        self._next_own = {row["ticket"]: row for row in tickets}

    def disown(self, ticket: int) -> None:
        """Record that a ticket is not needed any more."""
        self._own.pop(ticket, None)

    def _on_notice(self, by: str, is_anew: bool) -> None:
        on_change = self._on_change()
        if by != self.process:
            self._changes += 1
            if on_change is not None:
                on_change(is_anew)

    def _check_server(self, connection: Connection) -> None:
        """Read the server's clock, and check whether all living processes can have come back."""
        now, up_seconds, number = connection.execute(_LOOK).fetchone()
        self._ahead_seconds = now - time.monotonic()
        if (
            number < FIRST_NUMBER
        ):  # a crash has emptied the tables: numbers go on at the time, above all that were given
            number = int(now * 1000)
            connection.execute("SELECT setval('ticket_ticket_seq', ?)", (number,))
        self.is_whole = now * 1000 - number >= _SETTLING_SECONDS * 1000
        self._has_settled = up_seconds >= _SETTLING_SECONDS

    def _reconcile(self, connection: Connection) -> None:
        """Put back lost tickets, with their rounds; delete those that this process does not know."""
        rows = connection.execute("SELECT ticket FROM ticket WHERE process = ?", (self.process,)).fetchall()
        there = {ticket for (ticket,) in rows}
        for ticket in there - self._own.keys():
            connection.execute("DELETE FROM ticket WHERE ticket = ?", (ticket,))
        for ticket in self._own.keys() - there:
            row = self._own[ticket]
            connection.execute(_PUT_BACK, tuple(row))
            if row["admitted_at"] is not None:
                connection.execute(_PUT_BACK_ROUND, (row["server"], row["owner"], row["round"]))
        if there != self._own.keys():
            self.notify(connection)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
