"""Keeps what people do on a PostgreSQL server, so that several desks share it.

Beside ``rag/retrieval/pgvector_engine.py`` the only module that knows psycopg.

Stores speak SQLite's SQL, see ``connection.py``.  What differs is dealt with here, and nowhere else:

    in SQLite                                 on the server
    ?, :name, a bare %                        %s, %(name)s, %%                           ``translate_sql``
    name = ? COLLATE NOCASE                   lower(name) = lower(? COLLATE "C")         ``translate_sql``
    TEXT, compared byte by byte               TEXT COLLATE "C": the same order, and lower() knows ASCII only
    BLOB, REAL, INTEGER, AUTOINCREMENT        BYTEA, DOUBLE PRECISION, BIGINT, IDENTITY  ``translate_sql``
    WITHOUT ROWID                             nothing
    instr, json_extract, json_each, ...       functions of the same names                ``_FUNCTIONS``
    triggers with RAISE                       a trigger function                         ``make_append_only_on_server``
    NUL characters in text                    refused, so U+FFFD is kept instead         ``storable``
    sums of integers                          numeric, loaded as int                     ``_NumberLoader``
    one writer at a time (BEGIN IMMEDIATE)    a row of ``database_state`` that each transaction changes first
    PRAGMA user_version, data_version         ``database_state.migrations``, ``.changes``
    secure_delete, VACUUM                     VACUUM, VACUUM FULL                        ``PostgresDatabase.settle``
    journal, -wal files, a copy as a backup   the server's own: docs/scale.md

Statements that both understand: INSERT ... ON CONFLICT ... DO UPDATE, CASE for what is summed, CAST(? AS TEXT) where
nothing else tells a value's type.
"""

import re
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import conninfo
from psycopg.abc import PQGen
from psycopg.adapt import Loader
from psycopg.errors import (
    ConnectionTimeout,
    DiskFull,
    IdleInTransactionSessionTimeout,
    InsufficientPrivilege,
    LockNotAvailable,
)

from rag.errors import DatabaseUnavailable, KnowledgeBaseNewer, SettingsError, StorageFull
from rag.settings import ServerDatabase
from rag.storage.connection import Connection, Row, SharedDatabase, SharedMigration, Values

MOST_CONNECTIONS = 16
"""Connections of one process.  PostgreSQL allows 100 of all programs unless it is configured otherwise."""

TABLES: dict[str, tuple[str, ...]] = {
    "people": ("person", "sign_in", "attempt", "change", "sign_in_use", "known_browser", "api_key"),
    "turns": ("turn", "turn_span", "turn_feedback", "turn_outcome", "turn_citation", "turn_opinion"),
    "requests": ("request",),
    "queue": ("ticket", "recent", "served", "finished"),
    "knowledge": ("shared_base", "shared_piece", "shared_object"),
    "answers": ("curated", "curated_source", "curated_event"),
    "questions": ("regression_question",),
    "embedding": ("embedding_worker", "embedding_job"),
}
"""The tables of each database; tables that others refer to come first."""

_DISPOSABLE = ("queue",)  # nobody waits for a disk to have what a crash may lose
_ANSWER_SECONDS = 6.0
_CONNECT_SECONDS = 3
"""How long a statement and a new connection may take: nobody waits ten seconds."""
_ROWS_AT_ONCE = 200
_REST_SECONDS = 2.0
"""After a timeout, requests fail at once for this long."""

# The server ends the connection of a machine that stood still in the midst of a transaction.
_UNAVAILABLE = (psycopg.OperationalError, InsufficientPrivilege, IdleInTransactionSessionTimeout)

_DEFAULTS: dict[str, Any] = {
    "connect_timeout": _CONNECT_SECONDS,
    "application_name": "answerdesk",
    "client_encoding": "UTF8",
    # a machine that is gone without a word: what was sent is given up, and idle connections are tried
    "tcp_user_timeout": int(_ANSWER_SECONDS * 1000),
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
# The server gives up a second earlier than this side, which would take it for silent.
_SERVER_MS = int(_ANSWER_SECONDS * 1000) - 1000
_SESSION = (
    f"SET statement_timeout = {_SERVER_MS}; SET lock_timeout = {_SERVER_MS}; "
    "SET idle_in_transaction_session_timeout = 10000; SET client_min_messages = warning"
)
# The server sees within eight seconds that a machine is gone, or the network to it; libpq looks for the same from here.
_SEEN_BY_SERVER = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 8000; LISTEN "
)
_NO_LIMIT = "SET statement_timeout = 0; SET lock_timeout = 60000; SET idle_in_transaction_session_timeout = 0"

_STATE = """CREATE TABLE IF NOT EXISTS database_state (
    name TEXT COLLATE "C" PRIMARY KEY, migrations INTEGER NOT NULL, changes BIGINT NOT NULL
)"""
# What one program keeps of a database must not fit another database that is made later in its place.
_FIRST_STATE = "INSERT INTO database_state VALUES (%s, 0, (random() * 4e18)::bigint) ON CONFLICT (name) DO NOTHING"
_MAKING_TABLES = 0x414E5357  # "ANSW": the advisory lock for making tables
_WRITING = 0x414E5358  # the first of the two numbers of a ``ServerLock``
# The second number: such locks are the whole database's, and tables one schema's.
_LOCK_KEY = "hashtext(current_schema() || ' ' || %s::text)"
# The server sees within seconds that a holder's machine, or the network to it, is gone.
_HOLDS_ON = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3"
_LONGEST_NAME = 63  # bytes of an application_name

_FUNCTIONS = (
    "CREATE OR REPLACE FUNCTION instr(whole text, part text) RETURNS integer LANGUAGE sql IMMUTABLE "
    "AS $$ SELECT strpos(whole, part) $$",
    # true and false are 1 and 0, as in SQLite
    """CREATE OR REPLACE FUNCTION json_extract(document text, path text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE found.value WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE found.value END
        FROM (SELECT document::json #>> string_to_array(substr(path, 3), '.') AS value) AS found $$""",
    "CREATE OR REPLACE FUNCTION json_array_length(document text, path text) RETURNS integer LANGUAGE sql IMMUTABLE "
    "AS $$ SELECT json_array_length(document::json #> string_to_array(substr(path, 3), '.')) $$",
    "CREATE OR REPLACE FUNCTION json_each(document text, path text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE "
    "AS $$ SELECT json_array_elements_text(document::json #> string_to_array(substr(path, 3), '.')) $$",
)

_PLACEHOLDERS = re.compile(
    r"(?P<text>'(?:[^']|'')*')"
    r"|(?P<cased>(?<![\w.])(?P<column>\w{1,63}(?:\.\w{1,63})?) = (?P<value>\?|:\w+) COLLATE NOCASE)"
    r"|lower\((?P<lowered>\?|:\w+)\)"
    r"|(?P<place>\?|(?<![:\w]):[a-z]\w*)"
    r"|(?P<percent>%)"
)
_TYPES = (
    (re.compile(r" COLLATE NOCASE\b"), ""),
    (re.compile(r" WITHOUT ROWID\b"), ""),
    (
        re.compile(r"\bINTEGER PRIMARY KEY(?: AUTOINCREMENT)?(?! REFERENCES)"),
        "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    ),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\bREAL\b"), "DOUBLE PRECISION"),
)


@lru_cache(maxsize=1024)
def translate_sql(statement: str) -> str:
    """Translate a statement of SQLite's to the server's SQL.

    >>> print(translate_sql("SELECT at FROM one WHERE name = ? COLLATE NOCASE AND place LIKE 'b %' AND at > :since"))
    SELECT at FROM one WHERE lower(name) = lower(%s COLLATE "C") AND place LIKE 'b %%' AND at > %(since)s
    >>> translate_sql("CREATE TABLE one (number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL)")
    'CREATE TABLE one (number BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, hash BYTEA NOT NULL)'
    """
    if statement.startswith(("CREATE TABLE", "ALTER TABLE")):
        for pattern, word in _TYPES:
            statement = pattern.sub(word, statement)
    return _PLACEHOLDERS.sub(_psycopg_form, statement)


def _psycopg_form(found: re.Match[str]) -> str:
    if found["text"]:
        return found["text"].replace("%", "%%")
    if found["cased"]:
        return f'lower({found["column"]}) = lower({_placeholder(found["value"])} COLLATE "C")'
    if found["lowered"]:
        return f'lower({_placeholder(found["lowered"])} COLLATE "C")'
    return "%%" if found["percent"] else _placeholder(found["place"])


def _placeholder(sign: str) -> str:
    return "%s" if sign == "?" else f"%({sign[1:]})s"


def make_append_only_on_server(connection: Connection, table: str) -> None:
    """Forbid changing, deleting or truncating rows of a table."""
    for statement in (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'append only'; END $$",
        f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE TRIGGER {table}_is_kept BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse_change()",
    ):
        connection.execute(statement)


class PostgresDatabase(SharedDatabase):
    """One of the product's databases on a server.  Its tables are made, and brought up to date, by its first use.

    All databases of a process at one address share its connections.  A connection that is lost before anything was
    asked of it is replaced once; after that, and in the midst of a transaction, ``DatabaseUnavailable`` is raised.
    """

    on_server = True

    def __init__(self, place: ServerDatabase, migrations: Sequence[SharedMigration]) -> None:
        self._name = place.name
        self._migrations = migrations
        self._pool = pool_of(place.url)
        self._lock = threading.Lock()
        self._is_current = False

    def exists(self) -> bool:
        """Whether there is anything to read: the tables are made where they are missing."""
        return True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for reading.  Raises ``DatabaseUnavailable``."""
        self._bring_up_to_date()
        with self._pool.lease() as lease:
            yield lease

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Let the block be the only writer of this database, on all machines; see ``SharedDatabase``."""
        self._bring_up_to_date()
        with self._pool.lease() as lease, lease.transaction(self._name):
            yield lease

    def stream(self, statement: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows that a statement finds, some hundred at a time."""
        self._bring_up_to_date()
        with self._pool.lease() as lease:
            yield from lease.stream(statement, values)

    def settle(self, *, compact: bool = False) -> bool:
        """Free the room of deleted rows; ``compact`` rewrites the tables and removes their old files.

        What the server keeps besides (its write-ahead log, backups) is its administrator's to delete.
        """
        self._bring_up_to_date()
        tables = ", ".join(TABLES[self._name])
        with self._pool.lease() as lease:
            return lease.vacuum(f"VACUUM {'(FULL) ' if compact else ''}{tables}")

    def version(self) -> tuple[int, int, int]:
        """Return the number of changes: each transaction adds one."""
        return 0, int(self.value("SELECT changes FROM database_state WHERE name = ?", (self._name,))), 0

    def contents(self, statement: str, values: Values = ()) -> list[Any]:
        """Do one statement by itself and return all its rows, sent as bytes: a BYTEA takes twice its room as text."""
        self._bring_up_to_date()
        with self._pool.lease() as lease:
            return lease.connection.execute(translate_sql(statement), storable(values), binary=True).fetchall()

    def lock(self, subject: str, holder: str) -> "ServerLock":
        """Return a lock of this database that one program of all machines holds; it is not taken yet."""
        self._bring_up_to_date()
        return ServerLock(self._pool, f"{self._name} {subject}", holder)

    def notices(self, channel: str) -> "Notices":
        """Return the notifications of a channel.  Raises ``DatabaseUnavailable``."""
        self._bring_up_to_date()
        return Notices(self._pool, channel)

    def close(self) -> None:
        """Close the connections that no other database of this process uses."""
        self._pool.leave(self)

    def _bring_up_to_date(self) -> None:
        self._pool.join(self)
        if self._is_current:
            return
        with self._lock, self._pool.lease() as lease:
            if not self._is_current:
                migrate(lease, self._name, self._migrations)
                self._is_current = True


def migrate(connection: "Lease", name: str, migrations: Sequence[SharedMigration]) -> None:
    """Make the tables of a database, or bring them up to date.  Raises ``KnowledgeBaseNewer``."""
    if connection.migrations_of(name) == len(migrations):
        return
    with connection.exclusive_transaction():
        make_tables(connection, name, migrations)


def make_tables(connection: "Lease", name: str, migrations: Sequence[SharedMigration]) -> None:
    """Like ``migrate``, within the caller's exclusive transaction."""
    connection.ask(_STATE)
    connection.ask(_FIRST_STATE, (name,))
    for function in _FUNCTIONS:
        connection.ask(function)
    done = connection.migrations_of(name)
    if done > len(migrations):
        raise KnowledgeBaseNewer(found=done, known=len(migrations))
    for migration in migrations[done:]:
        migration(connection)
    connection.ask("UPDATE database_state SET migrations = %s WHERE name = %s", (len(migrations), name))


class Lease:
    """A connection while one thread uses it; it takes SQLite's statements."""

    def __init__(self, pool: "Pool", connection: "ServerConnection") -> None:
        self._pool = pool
        self._in_transaction = False
        self.connection = connection

    def execute(self, statement: str, values: Values = (), /) -> psycopg.Cursor[Any]:
        """Do one statement of SQLite's."""
        return self.ask(translate_sql(statement), storable(values))

    def executemany(self, statement: str, values: Iterable[Values], /) -> psycopg.Cursor[Any]:
        """Do one statement of SQLite's for each of several sets of values."""
        cursor = self.connection.cursor()
        cursor.executemany(translate_sql(statement), [storable(each) for each in values])
        return cursor

    def ask(self, statement: str, values: Values = ()) -> psycopg.Cursor[Any]:
        """Do one statement of the server's; outside of a transaction, on a new connection where this one is lost."""
        try:
            return self.connection.execute(statement, values)
        except psycopg.OperationalError:
            if self._in_transaction or not self.connection.closed:  # an answer that did not come in time is no loss
                raise
        self.connection = self._pool.replace(self.connection)
        return self.connection.execute(statement, values)

    def migrations_of(self, name: str) -> int:
        """Return how many migrations a database has seen; 0 where there are no tables yet."""
        if self.ask("SELECT to_regclass('database_state')").fetchone()[0] is None:  # type: ignore[index]
            return 0
        row = self.ask("SELECT migrations FROM database_state WHERE name = %s", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    @contextmanager
    def transaction(self, name: str) -> Iterator[None]:
        """Run the block as the only writer of a database, completely or not at all."""
        # In one message; the row stays locked until the end.
        unsaved = "SET LOCAL synchronous_commit = off; " if name in _DISPOSABLE else ""
        with self._transaction_block(
            f"BEGIN; {unsaved}UPDATE database_state SET changes = changes + 1 WHERE name = '{name}'"
        ):
            yield

    @contextmanager
    def exclusive_transaction(self) -> Iterator[None]:
        """Run the block, however long it takes, as the only one that makes tables or moves data."""
        with self._without_limits(), self._transaction_block(f"BEGIN; SELECT pg_advisory_xact_lock({_MAKING_TABLES})"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let the block read a snapshot of this moment, however long it takes."""
        with self._without_limits(), self._transaction_block("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    def stream(self, statement: str, values: Values) -> Iterator[Row]:
        """Yield the rows that a statement of SQLite's finds, in a transaction of its own."""
        with self._transaction_block("BEGIN READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0"):
            yield from self.iterate(statement, values)

    def iterate(self, statement: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows that a statement of SQLite's finds, some hundred at a time, within a transaction."""
        with self.connection.cursor(name="streamed") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(translate_sql(statement), storable(values))
            yield from cursor

    def advance_counters(self) -> None:
        """Set the counters behind the numbers of copied rows."""
        numbered = self.ask(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE is_identity = 'YES' AND table_schema = current_schema()"
        ).fetchall()
        for table, column in numbered:
            last = f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"
            self.ask(f"{last} HAVING max({column}) IS NOT NULL")

    def vacuum(self, statement: str) -> bool:
        """Run a VACUUM; return False where others used the tables for too long."""
        with self._without_limits():
            try:
                self.ask(statement)
            except LockNotAvailable:
                return False
        return True

    @contextmanager
    def _transaction_block(self, begin: str) -> Iterator[None]:
        self.ask(begin)
        self._in_transaction = True
        try:
            yield
            if self.connection.execute("COMMIT").statusmessage != "COMMIT":
                raise psycopg.InternalError("a statement of the transaction had failed")
        except BaseException:
            with suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    @contextmanager
    def _without_limits(self) -> Iterator[None]:
        self.ask(_NO_LIMIT)
        self.connection.answer_seconds = None
        try:
            yield
        finally:
            self.connection.answer_seconds = _ANSWER_SECONDS
            with suppress(psycopg.Error):
                self.connection.execute(_SESSION)


class ServerLock:
    """An advisory lock on a connection of its own: the server frees it when its holder ends in any way."""

    def __init__(self, pool: "Pool", subject: str, holder: str) -> None:
        self._pool = pool
        self._subject = subject
        self._holder = holder
        self._connection: ServerConnection | None = None

    def take(self) -> str | None:
        """Take the lock, or check that it is still held; return the holder if it is somebody else, else None.

        A connection that was lost, as by a restart of the server, is replaced: somebody else may have been quicker.
        Raises ``DatabaseUnavailable``.
        """
        with self._pool.errors():
            if self._connection is not None:
                with suppress(psycopg.OperationalError):
                    self._connection.execute("SELECT 1")
                    return None
                self.release()
            connection = self._pool.connect()
            try:
                return self._lock_on(connection)
            finally:
                if self._connection is None:
                    connection.close()

    def _lock_on(self, connection: "ServerConnection") -> str | None:
        connection.execute(_HOLDS_ON)
        connection.execute("SELECT set_config('application_name', %s, false)", (self._holder[:_LONGEST_NAME],))
        found = connection.execute(f"SELECT {_LOCK_KEY}", (self._subject,)).fetchone()
        key = int(found[0]) if found is not None else 0
        found = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_WRITING, key)).fetchone()
        if found is not None and found[0]:
            self._connection = connection
            return None
        found = connection.execute(
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
            "AND granted AND classid = %s::oid AND objid = %s::oid",
            (_WRITING, key % 2**32),
        ).fetchone()
        return str(found[0]) if found is not None else "?"

    def release(self) -> None:
        """Release it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Notices:
    """Waits for notifications of a channel on a connection of its own."""

    def __init__(self, pool: "Pool", channel: str) -> None:
        self._pool = pool
        with pool.errors():
            self._connection = pool.connect()
            self._connection.execute(f"LISTEN {channel}")

    def wait(self, seconds: float) -> bool:
        """Wait for a notification; return whether one came within ``seconds``.  Raises ``DatabaseUnavailable``."""
        with self._pool.errors():
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()


class Pool:
    """The connections of this process to one address, each used by one thread at a time."""

    def __init__(self, url: str) -> None:
        try:
            self._parameters = {**_DEFAULTS, **conninfo.conninfo_to_dict(url)}
        except psycopg.ProgrammingError:  # its words may hold parts of the password
            raise SettingsError(reason="ANSWERDESK_DATABASE_URL: PostgreSQL cannot read it") from None
        self.server = server_name(url)
        self._idle: list[ServerConnection] = []
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._silent_until = 0.0

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Yield a connection to this thread, and translate psycopg's errors."""
        if time.monotonic() < self._silent_until:
            raise DatabaseUnavailable(server=self.server, reason="it did not answer a moment ago")
        if not self._free.acquire(timeout=_CONNECT_SECONDS):
            raise DatabaseUnavailable(server=self.server, reason=f"all {MOST_CONNECTIONS} connections are in use")
        try:
            with self.errors():
                lease = Lease(self, self._take())
                try:
                    yield lease
                finally:
                    self._give(lease.connection)
        finally:
            self._free.release()

    def replace(self, lost: "ServerConnection") -> "ServerConnection":
        """Return a new connection, and close the idle ones, which are as old as the lost one."""
        lost.close()
        self.close()
        return self.connect()

    def session_connection(self, channel: str) -> "ServerConnection":
        """Return a connection outside the pool that listens to a channel of NOTIFY.

        The server soon sees when its machine dies.
        """
        connection = self.connect()
        connection.execute(_SEEN_BY_SERVER + channel)
        return connection

    def join(self, user: object) -> None:
        """Register a user of these connections, such as a database."""
        self._users.add(user)

    def leave(self, user: object) -> None:
        """Close the connections when nobody uses them any more."""
        self._users.discard(user)
        if not self._users:
            self.close()

    def close(self) -> None:
        """Close the connections that lie idle; the next use opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> "ServerConnection":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self.connect()

    def _give(self, connection: "ServerConnection") -> None:
        if connection.is_lost or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)
        if not self._users:
            self.close()

    def connect(self) -> "ServerConnection":
        """Open a connection outside the pool."""
        connection = ServerConnection.connect(**self._parameters, autocommit=True, row_factory=_row_maker)
        connection.adapters.register_loader("numeric", _NumberLoader)
        connection.execute(_SESSION)
        return connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate psycopg's errors."""
        try:
            yield
        except ConnectionTimeout as error:
            self._silent_until = time.monotonic() + _REST_SECONDS
            raise DatabaseUnavailable(server=self.server, reason=self._reason(error)) from error
        except DiskFull as error:
            raise StorageFull(folder=self.server) from error
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable(server=self.server, reason=self._reason(error)) from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise DatabaseUnavailable(server=self.server, reason="it is read-only (a standby?)") from error

    def _reason(self, error: psycopg.Error) -> str:
        first = str(error).strip().partition("\n")[0].removeprefix("connection failed: ") or type(error).__name__
        password = str(self._parameters.get("password") or "")
        return first.replace(password, "***") if password else first


class ServerConnection(psycopg.Connection[Any]):
    """A connection that never waits for ever, not even for a server that hangs."""

    answer_seconds: float | None = _ANSWER_SECONDS

    @property
    def is_lost(self) -> bool:
        """Whether it is unusable; ACTIVE: an answer did not come in time."""
        return self.closed or self.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401
        """Wait for psycopg, at most ``answer_seconds``."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if timeout is None and self.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                raise ConnectionTimeout(f"no answer within {self.answer_seconds or 0:.0f} seconds") from error
            raise


class _Row:
    """A row as ``sqlite3.Row`` is one: by number and by name, and iterating gives the values."""

    __slots__ = ("_columns", "_values")

    def __init__(self, columns: Mapping[str, int], values: Sequence[Any]) -> None:
        self._columns = columns
        self._values = values

    def __getitem__(self, column: int | str) -> Any:  # noqa: ANN401 - as the database has it
        return self._values[column if isinstance(column, int) else self._columns[column]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> Iterable[str]:
        """Return the names of the columns."""
        return self._columns.keys()


def _row_maker(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], _Row]:
    columns = {column.name: number for number, column in enumerate(cursor.description or ())}
    return lambda values: _Row(columns, values)


class _NumberLoader(Loader):
    """Sums of integers are numeric on the server, and integers here."""

    def load(self, data: bytes | bytearray | memoryview) -> int | float:
        """Return the number."""
        text = bytes(data).decode()
        return float(text) if "." in text else int(text)


def storable(values: Values) -> Values:
    """Return values that the server can store: without NUL characters."""
    if isinstance(values, Mapping):
        return {name: _without_nul(value) for name, value in values.items()}
    return [_without_nul(value) for value in values]


def _without_nul(value: object) -> object:
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def server_name(url: str) -> str:
    """Return the public part of an address: host, port and database.

    >>> server_name("postgresql://desk:secret@db.example:5433/answers?sslmode=require")
    'db.example:5433/answers'
    """
    parameters = conninfo.conninfo_to_dict(url)
    return f"{parameters.get('host', 'localhost')}:{parameters.get('port', 5432)}/{parameters.get('dbname', '')}"


_pools: dict[str, Pool] = {}
_pools_lock = threading.Lock()


def pool_of(url: str) -> Pool:
    """Return this process's connections to an address."""
    with _pools_lock:
        if url not in _pools:
            _pools[url] = Pool(url)
        return _pools[url]
