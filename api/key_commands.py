"""``answerdesk keys``: API keys for other programs, from the terminal of the desk's owner.

``python -m api keys`` calls the same ``main``.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import get_args

from rich.table import Table
from rich.text import Text

from rag.people.audit import terminal_user
from rag.people.directory import known_scopes
from rag.people.keys import RIGHTS, ApiKey, ApiKeys, in_order
from rag.schema import Audience
from rag.settings import Settings, load_settings
from rag.terminal import print_json, print_table, run_command, terminal_language
from rag.translate import translate

_LONGEST_DAYS = 36_500
_EXAMPLES = """examples  示例:
  answerdesk keys add widget --right ask --right feedback --kb shop --days 365
  answerdesk keys add helpdesk --right ask --right retrieve --right turns:read --audience internal --all
  answerdesk keys list --json
  answerdesk keys roll 4f0k2x9a      a new secret; the old one is refused at once  更换密钥，旧密钥即刻失效
  answerdesk keys revoke 4f0k2x9a    for ever  永久吊销

The secret of a new key is printed once, alone on standard output, and kept nowhere.
新密钥只在标准输出中显示一次，系统不会保存。"""


def main(arguments: Sequence[str]) -> int:
    """Do what is asked and return the exit code: 0, 2 for a setting or an option, 7 for a key that cannot be."""
    options = _parser().parse_args(arguments)

    def work() -> None:
        settings = load_settings()
        with ApiKeys(settings.people_database, reads_only=options.command == "list") as keys:
            _COMMANDS[options.command](keys, settings, options)

    return run_command(work)


def _list(keys: ApiKeys, settings: Settings, options: argparse.Namespace) -> None:
    found, language = keys.list(), terminal_language()
    if options.json:
        print_json([_plain(key) for key in found])
        return
    if not found:
        print(translate("keys.nobody", language), file=sys.stderr)
        return
    table = Table("ID", *(translate(column, language) for column in _COLUMNS))
    table.columns[0].no_wrap = True
    for key in found:
        table.add_row(key.key_id, *map(Text, _cells(key)))
    print_table(table)


_COLUMNS = ("ui.name", "keys.rights", "ui.scope", "keys.audience", "keys.owner", "keys.used", "keys.expires")


def _cells(key: ApiKey) -> tuple[str, ...]:
    language = terminal_language()
    comma = translate("ui.list_comma", language)
    scopes = translate("people.all", language) if key.scopes is None else comma.join(sorted(key.scopes))
    return (
        key.name,
        comma.join(in_order(key.rights)),
        scopes,
        translate(f"keys.{key.audience}", language),
        key.owner,
        f"{key.used_at:%Y-%m-%d %H:00} UTC" if key.used_at is not None else translate("keys.never", language),
        _end_words(key),
    )


def _end_words(key: ApiKey) -> str:
    language = terminal_language()
    if key.revoked:
        return translate("keys.revoked_state", language)
    if key.has_expired(datetime.now(UTC)):
        return translate("keys.expired_state", language)
    return f"{key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at is not None else translate("keys.never", language)


def _add(keys: ApiKeys, settings: Settings, options: argparse.Namespace) -> None:
    secret, key = keys.add(
        options.name,
        options.right,
        None if options.all else known_scopes(settings, options.kb or [settings.knowledge_base]),
        audience=options.audience,
        expires_at=datetime.now(UTC) + timedelta(days=options.days) if options.days else None,
        owner="",
        by=terminal_user(),
        questions_a_minute=options.questions_a_minute,
    )
    if options.json:
        print_json(_plain(key) | {"secret": secret})
    else:
        _print_result("made", key, secret)


def _revoke(keys: ApiKeys, settings: Settings, options: argparse.Namespace) -> None:
    key = keys.find(options.key_id)
    keys.revoke(key.key_id, by=terminal_user())
    if options.json:
        print_json(_plain(key) | {"revoked": True})
    else:
        _print_result("revoked", key)


def _roll(keys: ApiKeys, settings: Settings, options: argparse.Namespace) -> None:
    key = keys.find(options.key_id)
    secret = keys.roll(key.key_id, by=terminal_user())
    if options.json:
        print_json(_plain(key) | {"secret": secret})
    else:
        _print_result("rolled", key, secret)


_COMMANDS: Mapping[str, Callable[[ApiKeys, Settings, argparse.Namespace], None]] = {
    "list": _list,
    "add": _add,
    "revoke": _revoke,
    "roll": _roll,
}


def _print_result(what: str, key: ApiKey, secret: str = "") -> None:
    """Print a sentence, and a secret alone on standard output, so that it can be piped to where it is kept."""
    sentence = translate(f"keys.{what}", terminal_language(), name=key.name, key_id=key.key_id)
    print(sentence, file=sys.stderr if secret else sys.stdout)
    if secret:
        sys.stderr.flush()
        print(secret)


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= _LONGEST_DAYS:
        raise ValueError(text)
    return days


def _plain(key: ApiKey) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "owner": key.owner,
        "rights": in_order(key.rights),
        "scopes": sorted(key.scopes) if key.scopes is not None else None,
        "audience": key.audience,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at is not None else None,
        "used_at": key.used_at.isoformat() if key.used_at is not None else None,
        "revoked": key.revoked,
        "questions_a_minute": key.questions_a_minute,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="answerdesk keys",
        description="API keys: what other programs may ask and read.  API 密钥：其他程序可以做什么、读什么。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="all keys, without their secrets  所有密钥（不含密钥内容）")
    added = commands.add_parser("add", help="make a key and print its secret once  创建密钥，仅显示一次")
    added.add_argument("name", metavar="NAME", help="what the key is for  用途")
    _add_rights(added)
    add_base_options(added)
    _add_limits(added)
    revoked = _add_key_id(commands.add_parser("revoke", help="end a key for ever  永久吊销密钥"))
    rolled = _add_key_id(commands.add_parser("roll", help="a new secret for a key  更换密钥"))
    for command in (listed, added, revoked, rolled):
        command.add_argument("--json", action="store_true", help="for programs  输出 JSON")
    return parser


def _add_key_id(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("key_id", metavar="ID", help="as in the list  见列表")
    return parser


def _add_rights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--right",
        action="append",
        required=True,
        choices=RIGHTS,
        metavar="RIGHT",
        help=f"may be repeated  可重复: {', '.join(RIGHTS)}",
    )
    parser.add_argument(
        "--audience",
        choices=get_args(Audience),
        default="public",
        help="default public: for customers, nothing internal  默认 public：面向客户，不含内部资料",
    )


def add_base_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--kb`` and ``--all``, which say what a key or a person may read."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--kb", action="append", metavar="NAME", help="a knowledge base; may be repeated  知识库，可重复"
    )
    which.add_argument("--all", action="store_true", help="every knowledge base  全部知识库")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=_days, metavar="N", help="expires after N days; default never  N 天后到期")
    parser.add_argument(
        "--questions-a-minute", type=int, metavar="N", help="default: as the settings say  每分钟问题数，默认按设置"
    )
