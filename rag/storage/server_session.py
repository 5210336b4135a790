"""A connection to a PostgreSQL server that lasts as long as its process: a sign of life, and a source of news.

    session = session_of(url)
    session.join("desk-1", heard)        # "desk-1" lives for all who ask the server, until this process dies
    session.leave("desk-1")

A name lives while somebody holds its advisory lock, which the server releases when the connection is gone: at once when
its process is killed, and within eight seconds when its machine or the network to it is.  The lock is a shared one, so
that a new connection need not wait for the end of the old one; who asks whether a name lives tries to take it alone
(``is_dead``).  LISTEN and such locks need a connection to the server itself: none that a pooler like PgBouncer gives to
others between two transactions.
"""

import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from rag.errors import DatabaseUnavailable
from rag.storage.postgres import Pool, ServerConnection, pool_of

CHANNEL = "answerdesk_queue"
"""The channel of NOTIFY that all sessions listen to; the payload names who has changed something."""

Listener = Callable[[str, bool], None]
"""Called with a payload and False, or with "" and True where the connection was made again or found well."""

_RETRY_SECONDS = 0.25


def is_dead(column: str) -> str:
    """Return an SQL condition: the member named in a column is dead, and stays so during the transaction."""
    return f"pg_try_advisory_xact_lock(hashtextextended({column}, 0))"


class ServerSession:
    """The session of this process with one server.  Safe from many threads.

    A thread of its own listens, and reconnects, four times a second, where the connection was lost.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._members: dict[str, weakref.WeakMethod[Listener]] = {}
        self._leaving: deque[str] = deque()
        self._connection: ServerConnection | None = None
        self._is_suspect = False
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)

    def join(self, name: str, heard: Listener) -> None:
        """Mark a name as alive, and subscribe to news.  ``heard`` is a bound method, held weakly.

        Raises ``DatabaseUnavailable``.
        """
        with self._lock:
            with self._pool.errors():
                if self._connection is None or self._connection.is_lost:
                    self._connect()
                assert self._connection is not None
                _take(self._connection, name)
            self._members[name] = weakref.WeakMethod(heard)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="database-session", daemon=True)
                self._thread.start()
        self._wake()

    def leave(self, name: str) -> None:
        """Release a name, in a moment; safe to call during garbage collection."""
        self._leaving.append(name)
        self._wake()

    def suspect(self) -> None:
        """Check the connection after a failure, and notify all members once it is well."""
        self._is_suspect = True
        self._wake()

    def detach(self) -> None:
        """Drop the parent's connection in a forked child, without sending to the server."""
        if self._connection is not None and not self._connection.closed:
            nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            os.dup2(nowhere, self._connection.fileno(), inheritable=False)
            os.close(nowhere)

    def _listen(self) -> None:
        while True:
            with self._lock:
                self._let_go()
                if not self._members:
                    self._disconnect()
                    self._thread = None
                    return
            is_well = False
            try:
                with self._pool.errors():
                    is_well = self._is_well()
                    if is_well:
                        self._hear()
                    else:
                        self._notify_members("", True)
            except DatabaseUnavailable:
                self._is_suspect = not is_well  # one just lost is made again at once, as others take us for dead by it
                self._disconnect()

    def _is_well(self) -> bool:
        """Tell whether the connection is unchanged; else it is checked or replaced, or an error raised."""
        if self._is_suspect:
            self._wait(_RETRY_SECONDS)
        with self._lock:
            connection, was_suspect = self._connection, self._is_suspect
            self._is_suspect = False
            if connection is None or connection.is_lost:
                self._connect()
                return False
            if was_suspect:
                connection.execute("SELECT 1")
            return not was_suspect

    def _hear(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with self._lock:
            # all at once: ``notifies`` holds the connection's own lock, for which somebody with ours may wait
            notes = list(connection.notifies(timeout=0))
        for note in notes:
            self._notify_members(note.payload, False)
        self._wait(None, connection.fileno())

    def _notify_members(self, payload: str, is_anew: bool) -> None:
        with self._lock:
            members = list(self._members.values())
        for member in members:
            if (heard := member()) is not None:
                heard(payload, is_anew)

    def _wait(self, seconds: float | None, connection: int | None = None) -> None:
        """Wait until this thread is woken, the server sends something, or time is over."""
        waiting = select.poll()  # select() knows no descriptors beyond 1,023, and a desk may have more sockets
        for descriptor in (self._woken, connection):
            if descriptor is not None:
                waiting.register(descriptor, select.POLLIN)
        ready = dict(waiting.poll(None if seconds is None else seconds * 1000))
        if self._woken in ready:
            os.read(self._woken, 4096)
            if seconds is not None:  # what woke it will be seen at the next try
                time.sleep(_RETRY_SECONDS)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is being woken
            os.write(self._waking, b"\0")

    def _connect(self) -> None:
        self._disconnect()
        connection = self._pool.session_connection(CHANNEL)
        try:
            for name in self._members:
                _take(connection, name)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _disconnect(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _let_go(self) -> None:
        while self._leaving:
            name = self._leaving.popleft()
            if self._members.pop(name, None) is None or self._connection is None:
                continue
            try:
                with self._pool.errors():
                    self._connection.execute("SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))", (name,))
            except DatabaseUnavailable:
                self._disconnect()


def _take(connection: ServerConnection, name: str) -> None:
    connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))


_sessions: dict[str, ServerSession] = {}
_sessions_lock = threading.Lock()


def session_of(url: str) -> ServerSession:
    """Return this process's session with the server at an address."""
    with _sessions_lock:
        if url not in _sessions:
            _sessions[url] = ServerSession(pool_of(url))
        return _sessions[url]


class SignOfLife:
    """Shows other machines, from the moment it begins, that the process of this ``name`` lives."""

    def __init__(self, url: str, name: str) -> None:
        self._session = session_of(url)
        self._name = name
        self._has_begun = False
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, self._session.leave, name)

    def begin(self) -> None:
        """Show it from now on.  Raises ``DatabaseUnavailable``."""
        with self._lock:
            if not self._has_begun:
                self._session.join(self._name, self._on_news)
                self._has_begun = True

    def end(self) -> None:
        """Show it no longer."""
        with self._lock:
            if self._has_begun:
                self._session.leave(self._name)
                self._has_begun = False

    def _on_news(self, payload: str, is_anew: bool) -> None:
        """Do nothing: the news are the queue's."""


def _detach_in_child() -> None:
    """Close a fork's copies of connections, which would let the parent live on after its death."""
    for session in _sessions.values():
        session.detach()
    _sessions.clear()


os.register_at_fork(after_in_child=_detach_in_child)
