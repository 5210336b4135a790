"""``python -m rag migrate``: copies people and questions from files to a PostgreSQL server, or back."""

import argparse
import json
import sys
from typing import TypeAlias

from rag.database_move import CopiedTable, copy_to_files, copy_to_server
from rag.errors import SettingsError
from rag.progress import progress
from rag.schema import Language
from rag.settings import Settings, is_server_address, load_settings
from rag.translate import translate

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_SERVER, _FILES = "server", "sqlite"
_EXAMPLES = """examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@db/desk python -m rag migrate --to server
                                               people.db and turns.db to the server that the setting names
  python -m rag migrate --to postgresql://desk@db/desk --json      the password from ~/.pgpass, say
  python -m rag migrate --to sqlite            from that server to new files in the data folder

Stop every desk first. Counts and hashes of every table are compared before anything is kept; the original stays where
it was. Knowledge bases are not moved. A password on a command line can be read by others of this machine.

exit codes: 0 copied, 2 an option or a setting, 3 the server is away, the place is not empty, or nothing is to copy"""


def add_migrate_command(commands: Commands) -> None:
    """Add ``migrate`` to the parser of ``python -m rag``."""
    described = "copy people and questions to PostgreSQL, or back  在 SQLite 与 PostgreSQL 之间迁移"
    command = commands.add_parser(
        "migrate",
        help=described,
        description=described,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(action=_migrate)
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
    """Return the server's address.  Raises ``SettingsError``, which never quotes what was given."""
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
