"""Opens SQLite connections, one per thread in WAL mode, and translates sqlite3 errors into ours.

What people do (``people.db``, ``turns.db``, ``requests.db``) may lie on a PostgreSQL server instead (``postgres.py``):
such a store is a ``SharedStore`` over what ``open_database`` returns, and its SQL is what both understand.
"""

import errno
import os
import shutil
import sqlite3
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self
from urllib.parse import quote

from rag.errors import (
    AnswerdeskError,
    DatabaseBusy,
    DatabaseDamaged,
    DataFolderUnusable,
    ExtraMissing,
    IndexDamaged,
    IngestRunning,
    KnowledgeBaseMissing,
    KnowledgeBaseNewer,
    NoRoomToOpen,
    StorageFull,
)
from rag.settings import DatabasePlace, ServerDatabase

if TYPE_CHECKING:
    from rag.storage.postgres import PostgresDatabase

Values = Sequence[object] | Mapping[str, object]
"""The values of a statement's placeholders."""


class Row(Protocol):
    """A row, by the number or the name of a column; iterating gives the values."""

    def __getitem__(self, column: int | str, /) -> Any:  # noqa: ANN401 - as the database has it
        """Return a value."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the values in the order of the columns."""

    def keys(self) -> Iterable[str]:
        """Return the names of the columns."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a Row or None
        """Return the next row; None where there is none left."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""


class Connection(Protocol):
    """Executes statements: SQLite's own connection, or one to a server that understands the same SQL."""

    def execute(self, statement: str, values: Any = ..., /) -> Cursor:  # noqa: ANN401 - ``Values``
        """Do one statement."""

    def executemany(self, statement: str, values: Iterable[Any], /) -> Cursor:
        """Do one statement for each of several sets of values."""


Migration = Callable[[sqlite3.Connection], None]
SharedMigration = Callable[[Connection], None]
"""A step that SQLite and a server can both make."""

BUSY_TIMEOUT_SECONDS = 30.0
_DISK_IS_FULL_BELOW_BYTES = 256 * 1024  # an SQLite I/O error on a disk with less room than this means that it is full
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}  # a file system without hard links
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSALS = {errno.EACCES: "permission", errno.EPERM: "permission", errno.EROFS: "read_only", errno.EIO: "device"}
_UNUSABLE = {
    sqlite3.SQLITE_PERM: "permission",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CANTOPEN: "unopened",
    sqlite3.SQLITE_IOERR: "device",
}
"""What SQLite says of a file that may be sound, with the reason to tell where no better one is seen."""

KNOWLEDGE_NAME = "knowledge.db"
"""The one database that an ingest can make again."""


@contextmanager
def storage_errors(folder: Path, database: Path | None = None) -> Iterator[None]:
    """Translate the errors of SQLite and the file system under ``folder``, in which ``database`` is.

    A full disk becomes ``StorageFull``, a file that this process cannot use ``DataFolderUnusable``, a damaged one
    ``IndexDamaged`` or ``DatabaseDamaged``, a lock held too long ``IngestRunning`` or ``DatabaseBusy``; anything else
    (a wrong statement, a bug) passes as it is.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        translated = _translate(error, folder, database)
        if translated is None:
            raise
        raise translated from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(folder=folder) from error
        path = Path(error.filename) if isinstance(error.filename, str | Path) else folder
        if error.errno not in _REFUSALS or not (path.is_relative_to(folder) or folder.is_relative_to(path)):
            raise
        raise DataFolderUnusable(path=path, reason=_REFUSALS[error.errno]) from error


def _translate(error: sqlite3.DatabaseError, folder: Path, database: Path | None) -> AnswerdeskError | None:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the class of an extended code
    if primary == sqlite3.SQLITE_FULL:
        return StorageFull(folder=folder)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        if database is None or database.name == KNOWLEDGE_NAME:
            return IngestRunning(holder=KNOWLEDGE_NAME)
        return DatabaseBusy(path=database)
    if primary in _UNUSABLE:
        # a full disk also shows as a failed write to the -wal or -shm file, which SQLite calls an I/O error
        if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(folder):
            return StorageFull(folder=folder)
        path = database or folder
        return DataFolderUnusable(path=path, reason=_hindrance(path) or _UNUSABLE[primary])
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        if database is None or database.name == KNOWLEDGE_NAME:
            return IndexDamaged(reason=f"{folder}: {error}")
        return DatabaseDamaged(path=database)
    return None


def _is_full(folder: Path) -> bool:
    try:
        existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
        return shutil.disk_usage(existing).free < _DISK_IS_FULL_BELOW_BYTES
    except OSError:  # a folder that may not be looked into
        return False


def _hindrance(path: Path) -> str:
    """Return why this process may not write to a database or beside it; empty where nothing is seen."""
    beside = [path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))]
    try:
        there = [path.parent, *(place for place in beside if place.exists())]
        if any(os.statvfs(place).f_flag & os.ST_RDONLY for place in there):
            return "read_only"
        if all(os.access(place, os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)) for place in there):
            return ""
    except OSError as error:
        return _REFUSALS.get(error.errno or 0, "")
    return "permission"


def require_writable(path: Path) -> None:
    """Raise ``DataFolderUnusable`` where this process may not write to a database or beside it.

    SQLite opens a database that it may only read without a word.
    """
    if path.parent.exists() and (reason := _hindrance(path)):
        raise DataFolderUnusable(path=path, reason=reason)


@contextmanager
def _opening_errors(folder: Path, database: Path) -> Iterator[None]:
    """Like ``storage_errors``, but report a full disk as unreadable.

    Opening a database that nobody else has open takes 32 KB for the -shm file.  ``immutable=1`` would do without
    it, and would show half-written pages as soon as there is room again and a writer comes: so it is said instead.
    """
    try:
        with storage_errors(folder, database):
            yield
    except StorageFull as error:
        raise NoRoomToOpen(folder=folder) from error


class _Closable(ABC):
    """A context manager that closes itself."""

    @abstractmethod
    def close(self) -> None:
        """Close it; the next call opens it again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class SharedDatabase(_Closable):
    """A database of people's work, in a file or on a server.  Safe from many threads and processes."""

    on_server: ClassVar[bool] = False
    """Whether a question may take long: a server may be away, so no event loop asks it."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is anything to read."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection for reading, with errors translated."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """Run the block as the only writer; commit it at its end, or roll it back when it raises."""

    @abstractmethod
    def stream(self, statement: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows that a statement finds, without holding all of them in memory."""

    @abstractmethod
    def settle(self, *, compact: bool = False) -> bool:
        """Erase the traces of deleted rows as far as possible; with ``compact`` at any cost.

        Return False where others kept reading for too long, so that something may be left.
        """

    @abstractmethod
    def version(self) -> tuple[int, int, int]:
        """Return a value that changes, for this thread, whenever anybody changes the database.

        It is cheaper than a query, and what was read can be kept until it is another.
        """

    def rows(self, statement: str, values: Values = ()) -> list[Any]:
        """Return all rows that a statement finds, with errors translated."""
        with self.reading() as connection:
            return connection.execute(statement, values).fetchall()

    def row(self, statement: str, values: Values = ()) -> Any:  # noqa: ANN401 - a Row or None
        """Return the first row that a statement finds; None where it finds none."""
        with self.reading() as connection:
            return connection.execute(statement, values).fetchone()

    def value(self, statement: str, values: Values = ()) -> Any:  # noqa: ANN401 - as the database has it
        """Return the first value of the first row that a statement finds; None where it finds none."""
        row = self.row(statement, values)
        return None if row is None else row[0]


class Database(SharedDatabase):
    """One SQLite file for many threads: each gets a connection of its own, closed when the thread ends.

    A context manager, which closes all of them.

    The file must exist, unless ``create`` is asked for; its tables are brought up to date by ``migrations`` when the
    first connection is opened.  With ``wipes``, what is deleted or written over is overwritten with zeros in the file.

    A file that was emptied, or that went away once it had been opened, counts as damaged: an empty ``people.db`` in its
    place would let everybody in.
    """

    def __init__(
        self, path: Path, migrations: Sequence[Migration], *, create: bool = False, wipes: bool = False
    ) -> None:
        self.path = path
        self._wipes = wipes
        self._migrations = migrations
        self._create = create
        self._was_open = False
        self._local = threading.local()
        self._finalizers: weakref.WeakSet[_Holder] = weakref.WeakSet()
        self._lock = threading.Lock()

    def exists(self) -> bool:
        """Whether the file is there.  Raises ``DataFolderUnusable`` where its folder may not be looked into."""
        with storage_errors(self.path.parent):
            return self.path.is_file()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode.

        Raises ``KnowledgeBaseMissing`` where the file is missing and not to be created.
        """
        holder: _Holder | None = getattr(self._local, "holder", None)
        if holder is None or holder.closed:
            holder = _Holder(self._open())
            self._local.holder = holder
            with self._lock:
                self._finalizers.add(holder)
        return holder.connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield this thread's connection for reading, with errors translated."""
        with storage_errors(self.path.parent, self.path):
            yield self.connection()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """``BEGIN IMMEDIATE``, then ``COMMIT``, or ``ROLLBACK`` when the block raises."""
        with storage_errors(self.path.parent, self.path):
            connection = self.connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
                    connection.execute("ROLLBACK")
                raise

    def stream(self, statement: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows that a statement finds, as they are read from the file."""
        with self.reading() as connection:
            yield from connection.execute(statement, values)

    def settle(self, *, compact: bool = False) -> bool:
        """Checkpoint and empty the write-ahead log, where deleted rows live on.

        ``compact`` also rewrites the file, without the free room that older versions left as it was.  Return False
        where another process kept reading for longer than the busy timeout, so that the log could not be emptied.
        """
        with self.reading() as connection:
            if compact:
                connection.execute("VACUUM")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def version(self) -> tuple[int, int, int]:
        """Return the connection's identity, the others' changes, and its own."""
        with self.reading() as connection:
            others = int(connection.execute("PRAGMA data_version").fetchone()[0])
            return id(connection), others, connection.total_changes

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for holder in list(self._finalizers):
                holder.close()

    def _open(self) -> sqlite3.Connection:
        self._require_file()
        with _opening_errors(self.path.parent, self.path):
            connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode=rw",
                uri=True,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,  # transactions are begun and ended in words, see transaction()
                check_same_thread=False,  # close() may come from another thread; use stays with one
            )
            try:
                if self._wipes:
                    connection.execute("PRAGMA secure_delete = ON")
                _prepare(connection, self._migrations)
            except BaseException:
                connection.close()
                raise
        self._was_open = True
        return connection

    def _require_file(self) -> None:
        """Make the file where it is missing and may be made."""
        if self._create and not self._was_open:
            with storage_errors(self.path.parent):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with _opening_errors(self.path.parent, self.path):
                if not self.path.exists():
                    _create_empty(self.path)
        elif not self.exists():
            if self._create:
                raise DatabaseDamaged(path=self.path)
            raise KnowledgeBaseMissing(folder=self.path.parent)
        if self.path.name != KNOWLEDGE_NAME and self.path.is_file() and self.path.stat().st_size == 0:
            raise DatabaseDamaged(path=self.path)


def _create_empty(path: Path) -> None:
    """Make a database without tables, in one step.

    It is made under another name: a file of no bytes, as SQLite begins with, means that somebody emptied it.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # writes the first page
        with suppress(FileExistsError):  # another process was quicker
            _link(draft, path)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            draft.with_name(f"{draft.name}{suffix}").unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    """Give a file another name.  Raises ``FileExistsError`` where it is taken."""
    try:
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS or path.exists():
            raise
        draft.rename(path)


class _AbsentDatabase(Database):
    """What readers find in the place of a file that is not there: its empty tables, in memory, which take nothing."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _prepare(connection, self._migrations)
        connection.execute("PRAGMA query_only = ON")
        return connection


class SharedStore(_Closable):
    """A class over one database in a file or on a server, whose connections it closes.  A context manager."""

    def __init__(self, database: SharedDatabase) -> None:
        self._database = database

    def close(self) -> None:
        """Close the connections of all threads; the next call opens a new one."""
        self._database.close()

    def require(self) -> None:
        """Open the database; what is wrong with it is raised."""
        self._database.version()

    def settle(self, *, compact: bool = False) -> bool:
        """Erase the traces of deleted rows, as ``SharedDatabase.settle`` does."""
        return not self._database.exists() or self._database.settle(compact=compact)


def open_database(
    place: DatabasePlace,
    migrations: Sequence[SharedMigration],
    *,
    create: bool = False,
    wipes: bool = False,
    reads_only: bool = False,
) -> SharedDatabase:
    """Return the database at a place; ``create`` and ``wipes`` are about files, see ``Database``.

    With ``reads_only``, for commands that show what there is, a missing file is not made and counts as empty.
    Raises ``ExtraMissing`` where it lies on a server and psycopg is not installed.
    """
    if isinstance(place, Path):
        if reads_only and not Database(place, migrations).exists():
            return _AbsentDatabase(place, migrations)
        return Database(place, migrations, create=create, wipes=wipes)
    return open_server_database(place, migrations)


def open_server_database(place: ServerDatabase, migrations: Sequence[SharedMigration]) -> "PostgresDatabase":
    """Return a database on a server.  Raises ``ExtraMissing`` where psycopg is not installed."""
    try:
        from rag.storage.postgres import PostgresDatabase  # needs psycopg, which only servers need
    except ModuleNotFoundError as error:
        raise ExtraMissing(what="PostgreSQL", extra="postgres") from error
    return PostgresDatabase(place, migrations)


def is_sqlite(connection: Connection) -> bool:
    """Tell whether a migration's connection is SQLite's."""
    return isinstance(connection, sqlite3.Connection)


def make_append_only(connection: Connection, table: str) -> None:
    """Forbid, within a migration, changing or deleting rows of a table."""
    if not is_sqlite(connection):
        from rag.storage.postgres import make_append_only_on_server

        return make_append_only_on_server(connection, table)
    for name, event in (("stays", "UPDATE"), ("is_kept", "DELETE")):
        connection.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'append only'); END"
        )


def require_unique_in_any_case(connection: Connection, table: str, column: str) -> None:
    """Forbid values that differ only in the case of ASCII letters: in SQLite the column's NOCASE does it."""
    if not is_sqlite(connection):
        connection.execute(f"CREATE UNIQUE INDEX {table}_{column}_in_any_case ON {table} (lower({column}))")


def number_rows(connection: Connection, table: str) -> None:
    """Give a table a ``rowid`` in the order of insertion, which SQLite has by itself."""
    if not is_sqlite(connection):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN rowid INTEGER GENERATED BY DEFAULT AS IDENTITY")


def set_unlogged(connection: Connection, tables: Iterable[str]) -> None:
    """Disable a server's log of tables: they are quicker, in no backup's log, and empty after a crash."""
    for table in tables:
        connection.execute(f"ALTER TABLE {table} SET UNLOGGED")


def one_of_condition(column: str, values: Collection[str] | None) -> tuple[str, dict[str, str]]:
    """Return a condition that a column has one of the values, and its placeholders' values; None: any.

    >>> [one_of_condition("knowledge_base", names) for names in ({"shop"}, None, ())]
    [('knowledge_base IN (:among0)', {'among0': 'shop'}), ('1 = 1', {}), ('1 = 0', {})]
    """
    if values is None:
        return "1 = 1", {}
    named = {f"among{number}": value for number, value in enumerate(sorted(values))}
    return (f"{column} IN ({', '.join(f':{name}' for name in named)})" if named else "1 = 0"), named


class _Holder:
    """Keeps a connection in a thread's local storage, and closes it when the thread ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._finalize = weakref.finalize(self, connection.close)

    @property
    def closed(self) -> bool:
        return not self._finalize.alive

    def close(self) -> None:
        self._finalize()


def _prepare(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if _version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)  # another process may have been quicker
    if version > len(migrations):
        connection.execute("ROLLBACK")
        raise KnowledgeBaseNewer(found=version, known=len(migrations))
    for number, migration in enumerate(migrations[version:], start=version + 1):
        migration(connection)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
