"""Copies people and turns from the files of a data folder to a PostgreSQL server, or back, and compares what arrived.

    copied = copy_to_server(settings, "postgresql://...", tell)
    copied = copy_to_files(settings, tell)          # from the server that the settings name

Nothing is taken away where it was.  Knowledge bases stay in their files, and idempotency keys, which are kept for a
day, are not copied.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from rag.errors import CopyDiffers, DatabaseNotEmpty, ExtraMissing, NothingToCopy
from rag.people.tables import PEOPLE_MIGRATIONS
from rag.settings import ServerDatabase, Settings
from rag.storage.connection import Connection, Database, SharedMigration, is_sqlite, open_database, storage_errors
from rag.storage.migrations import TURN_MIGRATIONS

Name = Literal["people", "turns"]
Tell = Callable[[int], None]
"""Called with how many rows more were copied."""

_MIGRATIONS: dict[Name, tuple[SharedMigration, ...]] = {"people": PEOPLE_MIGRATIONS, "turns": TURN_MIGRATIONS}
_AT_ONCE = 500
_WORKPLACE = ".migrating"
_HASH_BITS = 256
_NUMBERED = "api_key"  # keys are listed in the order in which they were made


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table: so many ``rows``, and ``sha256``, the sum of their hashes, are the same in both places."""

    database: Name
    table: str
    rows: int
    sha256: str

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self)


def copy_to_server(settings: Settings, url: str, tell: Tell) -> tuple[CopiedTable, ...]:
    """Copy what the files hold to a server, in one transaction.

    Others wait with their writing meanwhile; what they write to the files afterwards stays there, so no desk should
    run.  A NUL character, which the server does not take, becomes U+FFFD.  Raises ``NothingToCopy``,
    ``DatabaseNotEmpty``, ``CopyDiffers``, ``DatabaseUnavailable`` and ``ExtraMissing``.
    """
    postgres = _postgres()
    files = {name: path for name, path in _files(settings).items() if path.is_file()}
    if not files:
        raise NothingToCopy(place=settings.data_dir)
    copied: list[CopiedTable] = []
    with ExitStack() as opened:
        sources: dict[Name, Connection] = {}
        for name, path in files.items():
            database = opened.enter_context(Database(path, _MIGRATIONS[name]))
            sources[name] = opened.enter_context(database.transaction())
        with postgres.pool_of(url).lease() as server, server.exclusively():
            for name, migrations in _MIGRATIONS.items():
                postgres.make_tables(server, name, migrations)
                _require_empty(server, postgres.TABLES[name], postgres.server_name(url))
            for name, source in sources.items():
                copied += [_copy(name, table, source, server, tell) for table in postgres.TABLES[name]]
            server.number_after_the_last()
    return tuple(copied)


def copy_to_files(settings: Settings, tell: Tell) -> tuple[CopiedTable, ...]:
    """Copy what the settings' server holds at this moment to new files in the data folder, whole or not at all.

    Raises as ``copy_to_server``, and ``StorageFull``; ``DatabaseNotEmpty`` where there is such a file already.
    """
    postgres = _postgres()
    for path in _files(settings).values():
        if path.exists():
            raise DatabaseNotEmpty(place=path)
    pool = postgres.pool_of(settings.database_url)
    for name, migrations in _MIGRATIONS.items():
        open_database(ServerDatabase(name, settings.database_url), migrations).version()  # brings tables up to date
    workplace = settings.data_dir / _WORKPLACE
    copied: list[CopiedTable] = []
    with storage_errors(settings.data_dir):
        shutil.rmtree(workplace, ignore_errors=True)  # of a copy that was killed
        workplace.mkdir(parents=True)
    try:
        with pool.lease() as server, server.snapshot():
            for name, migrations in _MIGRATIONS.items():
                with Database(workplace / f"{name}.db", migrations, create=True) as made:
                    with made.transaction() as target:
                        copied += [_copy(name, table, server, target, tell) for table in postgres.TABLES[name]]
                    made.settle()
        if not any(table.rows for table in copied):
            raise NothingToCopy(place=pool.server)
        with storage_errors(settings.data_dir):
            for name, path in _files(settings).items():
                (workplace / f"{name}.db").replace(path)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return tuple(copied)


class _Contents:
    """Counts and hashes rows, in whatever order they come."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def of(self, rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
        """Yield the rows, and count them in."""
        for row in rows:
            self.rows += 1
            digest = hashlib.sha256(repr(list(row)).encode("utf-8", "surrogatepass")).digest()
            self._sum = (self._sum + int.from_bytes(digest, "big")) % 2**_HASH_BITS
            yield row

    def as_hex(self) -> str:
        return f"{self._sum:064x}"


def _copy(name: Name, table: str, source: Any, target: Any, tell: Tell) -> CopiedTable:  # noqa: ANN401 - see _rows
    """Copy one table, read it back, and compare.  Raises ``CopyDiffers``."""
    columns = _columns(source if is_sqlite(source) else target, table)
    sent, arrived = _Contents(), _Contents()
    rows = sent.of(_rows(source, table, columns))
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    while batch := list(islice(rows, _AT_ONCE)):
        target.executemany(insert, batch)
        tell(len(batch))
    for _ in arrived.of(_rows(target, table, columns)):
        pass
    if (sent.rows, sent.as_hex()) != (arrived.rows, arrived.as_hex()):
        raise CopyDiffers(table=table, sent=sent.rows, arrived=arrived.rows)
    return CopiedTable(name, table, sent.rows, sent.as_hex())


def _rows(connection: Any, table: str, columns: Sequence[str]) -> Iterator[Sequence[object]]:  # noqa: ANN401
    """Yield the rows of a table, of a file's connection or a server's ``Lease``, as a server can store them."""
    storable = _postgres().storable
    select = f"SELECT {', '.join(columns)} FROM {table}{' ORDER BY rowid' if table == _NUMBERED else ''}"
    for row in connection.execute(select) if is_sqlite(connection) else connection.each(select):
        yield storable(row)


def _columns(file: Connection, table: str) -> list[str]:
    return [row["name"] for row in file.execute(f"PRAGMA table_info({table})")]


def _require_empty(server: Connection, tables: Iterable[str], place: str) -> None:
    for table in tables:
        if server.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None:
            raise DatabaseNotEmpty(place=place)


def _files(settings: Settings) -> dict[Name, Path]:
    return {"people": settings.people_path, "turns": settings.turns_path}


def _postgres() -> ModuleType:
    try:
        import rag.storage.postgres as postgres  # needs psycopg
    except ModuleNotFoundError as error:
        raise ExtraMissing(what="PostgreSQL", extra="postgres") from error
    return postgres
