"""``python -m rag migrate``: copies people and turns from files to a PostgreSQL server, or back, and compares them.

    copied = copy_to_server(settings, "postgresql://...", tell)
    copied = copy_to_files(settings, tell)          # from the server that the settings name

Nothing is taken away where it was.  Knowledge bases stay in their files, and idempotency keys, which are kept for a
day, are not copied.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from rag.cli import Commands, add_command
from rag.errors import CopyDiffers, DatabaseNotEmpty, ExtraMissing, NothingToCopy, SettingsError
from rag.schema import Language
from rag.settings import ServerDatabase, Settings, is_server_address, load_settings
from rag.storage.connection import Connection, Database, SharedMigration, is_sqlite, open_database, storage_errors
from rag.storage.migrations import PEOPLE_MIGRATIONS, TURN_MIGRATIONS
from rag.terminal import progress
from rag.translate import translate

_SERVER, _FILES = "server", "sqlite"
_EXAMPLES = """examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@db/desk python -m rag migrate --to server
                                               people.db and turns.db to the server that the setting names
  python -m rag migrate --to postgresql://desk@db/desk --json      the password from ~/.pgpass, say
  python -m rag migrate --to sqlite            from that server to new files in the data folder

Stop every desk first. Counts and hashes of every table are compared before anything is kept; the original stays where
it was. Knowledge bases are not moved. A password on a command line can be read by others of this machine.

exit codes: 0 copied, 2 an option or a setting, 3 the server is away, the place is not empty, or nothing is to copy"""

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
    """Copy the content of the files to a server, in one transaction.

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
        with postgres.pool_of(url).lease() as server, server.exclusive_transaction():
            for name, migrations in _MIGRATIONS.items():
                postgres.make_tables(server, name, migrations)
                _require_empty(server, postgres.TABLES[name], postgres.server_name(url))
            for name, source in sources.items():
                copied += [_copy(name, table, source, server, tell) for table in postgres.TABLES[name]]
            server.advance_counters()
    return tuple(copied)


def copy_to_files(settings: Settings, tell: Tell) -> tuple[CopiedTable, ...]:
    """Copy a snapshot of the settings' server to new files in the data folder, whole or not at all.

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

    def hex_digest(self) -> str:
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
    if (sent.rows, sent.hex_digest()) != (arrived.rows, arrived.hex_digest()):
        raise CopyDiffers(table=table, sent=sent.rows, arrived=arrived.rows)
    return CopiedTable(name, table, sent.rows, sent.hex_digest())


def _rows(connection: Any, table: str, columns: Sequence[str]) -> Iterator[Sequence[object]]:  # noqa: ANN401
    """Yield the rows of a table, of a file's connection or a server's ``Lease``, as a server can store them."""
    storable = _postgres().storable
    select = f"SELECT {', '.join(columns)} FROM {table}{' ORDER BY rowid' if table == _NUMBERED else ''}"
    for row in connection.execute(select) if is_sqlite(connection) else connection.iterate(select):
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


def add_migrate_command(commands: Commands) -> None:
    """Add ``migrate`` to the parser of ``python -m rag``."""
    described = "copy people and questions to PostgreSQL, or back  在 SQLite 与 PostgreSQL 之间迁移"
    command = add_command(commands, "migrate", _migrate, described, examples=_EXAMPLES)
    command.add_argument(
        "--to",
        required=True,
        metavar="PLACE",
        help="postgresql://..., server (of the setting), or sqlite (files of the data folder)  目标",
    )
    command.add_argument("--json", action="store_true", help="print the tables as JSON  输出 JSON")


def _migrate(options: argparse.Namespace, language: Language) -> int:
    settings = load_settings()
    url = _address(options.to, settings, language)
    count = 0
    with progress(translate("migrate.copying", language), sys.stderr, in_bytes=False) as update:

        def tell(rows: int) -> None:
            nonlocal count
            count += rows
            update(count, 0)

        copied = copy_to_files(settings, tell) if options.to == _FILES else copy_to_server(settings, url, tell)
    _show(copied, settings, language, to_server=options.to != _FILES, as_json=options.json)
    return 0


def _address(given: str, settings: Settings, language: Language) -> str:
    """Return the server's address.  Raises ``SettingsError``, which never quotes the argument."""
    url = settings.database_url if given in (_SERVER, _FILES) else given
    if not url:
        raise SettingsError(reason=translate("migrate.no_server", language))
    if not is_server_address(url):
        raise SettingsError(reason=translate("migrate.unknown_place", language))
    return url


def _show(
    copied: tuple[CopiedTable, ...], settings: Settings, language: Language, *, to_server: bool, as_json: bool
) -> None:
    if as_json:
        print(json.dumps({"to": _SERVER if to_server else _FILES, "tables": [table.to_json() for table in copied]}))
        return
    for table in copied:
        print(translate("migrate.table", language, table=table.table, rows=table.rows, hash=table.sha256[:12]))
    rows = sum(table.rows for table in copied)
    key = "migrate.to_server" if to_server else "migrate.to_files"
    print(translate(key, language, rows=rows, tables=len(copied), folder=settings.data_dir))
