"""``python -m ui people``: who may use the desk, from its owner's terminal."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.table import Table

from api.key_commands import add_base_options
from rag.errors import PersonUnusable
from rag.people.audit import AuditTrail, terminal_user
from rag.people.directory import People, Person, known_scopes
from rag.people.passwords import SHORTEST, hash_password, require_good
from rag.settings import Settings, load_settings
from rag.storage.access import ROLES, User
from rag.terminal import argument_text, print_json, print_table, terminal_language
from rag.translate import translate


def main(arguments: Sequence[str]) -> int:
    """Run the command and return the exit code.  Raises a ``PeopleError`` or a ``SettingsError``."""
    options = _parser().parse_args(arguments)
    settings = load_settings()
    people = People(settings.people_database, reads_only=options.command in ("list", "log"))
    try:
        _COMMANDS[options.command](people, settings, options)
    finally:
        people.close()
    return 0


def _list(people: People, settings: Settings, options: argparse.Namespace) -> None:
    everybody = people.list()
    if options.json:
        print_json([_plain(person) for person in everybody])
        return
    if not everybody:
        if settings.sign_in == "auto":
            people.require_kept()
        print(translate("people.nobody", terminal_language()), file=sys.stderr)
        return
    language = terminal_language()
    table = Table(*(translate(key, language) for key in ("ui.name", "ui.role", "ui.scope", "people.state")))
    for person in everybody:
        table.add_row(person.name, translate(f"ui.role_{person.role}", language), _scopes(person), _state(person))
    print_table(table)


def _add(people: People, settings: Settings, options: argparse.Namespace) -> None:
    scopes = None if options.all else known_scopes(settings, options.kb or [settings.knowledge_base])
    people.require_new(options.name)  # before anybody types a password
    password = "" if options.oidc else hash_password(_password(options.name))
    person = people.add(options.name, options.role, scopes, password, by=terminal_user())
    language = terminal_language()
    print(translate("people.added", language, name=person.name, role=translate(f"ui.role_{person.role}", language)))
    if not people.has_admin():
        print(translate("people.no_admin", terminal_language()), file=sys.stderr)


def _role(people: People, settings: Settings, options: argparse.Namespace) -> None:
    people.set_role(options.name, options.role, by=terminal_user())
    language = terminal_language()
    print(translate("people.role", language, name=options.name, role=translate(f"ui.role_{options.role}", language)))


def _set_scopes(people: People, settings: Settings, options: argparse.Namespace) -> None:
    people.set_scopes(
        options.name, None if options.all else known_scopes(settings, options.kb or []), by=terminal_user()
    )
    print(translate("people.scopes", terminal_language(), name=options.name, scopes=_scopes(people.find(options.name))))


def _set_disabled(people: People, settings: Settings, options: argparse.Namespace) -> None:
    people.set_disabled(options.name, options.command == "disable", by=terminal_user())
    print(translate(f"people.{options.command}", terminal_language(), name=options.name))


def _set_password(people: People, settings: Settings, options: argparse.Namespace) -> None:
    people.find(options.name)  # before anybody types anything
    people.set_password(options.name, hash_password(_password(options.name)), by=terminal_user())
    print(translate("people.password", terminal_language(), name=options.name))


def _sign_out(people: People, settings: Settings, options: argparse.Namespace) -> None:
    people.sign_out_everywhere(options.name, by=terminal_user())
    print(translate("people.sign-out", terminal_language(), name=options.name))


def _log(people: People, settings: Settings, options: argparse.Namespace) -> None:
    trail = AuditTrail(settings.people_database, reads_only=True)
    try:
        for line in trail.lines():
            print_json(json.loads(line))
    finally:
        trail.close()


_COMMANDS: Mapping[str, Callable[[People, Settings, argparse.Namespace], None]] = {
    "list": _list,
    "add": _add,
    "role": _role,
    "scopes": _set_scopes,
    "disable": _set_disabled,
    "enable": _set_disabled,
    "password": _set_password,
    "sign-out": _sign_out,
    "log": _log,
}


_EXAMPLES = """examples  示例:
  python -m ui people add wang.li --role lead              asks for a password twice  添加主管，按提示设置密码
  python -m ui people add ann --kb default --kb finance    may read these knowledge bases only  限定可用知识库
  echo "a long password" | python -m ui people add bo      from a script  在脚本中设置密码
  python -m ui people add ann@example.org --oidc           signs in with your provider  由单位账号登录
  python -m ui people role ann admin                       another role  更改角色
  python -m ui people disable ann                          signs in no more, and is signed out  停用并退出登录
  python -m ui people list --json                          for programs  以 JSON 输出
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ui people",
        description="Who may use the desk, and what they may do and read.  谁可以使用工作台，可以做什么、读什么。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="everybody  所有用户")
    listed.add_argument("--json", action="store_true")
    added = _add_name(commands.add_parser("add", help="let somebody in  添加用户"))
    added.add_argument("--role", choices=ROLES, default="agent", help="default agent  默认 agent")
    added.add_argument(
        "--oidc", action="store_true", help="the name is an e-mail address of your provider  由单位账号登录"
    )
    add_base_options(added)
    role = _add_name(commands.add_parser("role", help="give another role  更改角色"))
    role.add_argument("role", choices=ROLES)
    add_base_options(_add_name(commands.add_parser("scopes", help="say what somebody may read  更改可用知识库")))
    for name, words in (
        ("disable", "let somebody in no more  停用"),
        ("enable", "let somebody in again  启用"),
        ("password", "give a new password  设置新密码"),
        ("sign-out", "end all sign-ins  使所有登录失效"),
    ):
        _add_name(commands.add_parser(name, help=words))
    commands.add_parser("log", help="who changed what, as JSON lines  变更记录（JSONL）")
    return parser


def _add_name(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", type=argument_text, metavar="NAME")
    return parser


def _password(name: str) -> str:
    """Ask for a password twice at a terminal; read one line where there is none.  Raises ``PersonUnusable``."""
    language = terminal_language()
    try:
        if not sys.stdin.isatty():
            line = sys.stdin.readline()
            if not line:
                raise PersonUnusable(reason="no_input")
            password = line.rstrip("\r\n")
        else:
            password = getpass.getpass(translate("ui.password_new", language, limit=10) + ": ")
        password.encode()
        require_good(password, name)
        if sys.stdin.isatty() and getpass.getpass(translate("ui.password_again", language) + ": ") != password:
            raise PersonUnusable(reason="differs")
    except UnicodeError as error:
        raise PersonUnusable(reason="encoding") from error
    except EOFError as error:  # Ctrl-D
        raise PersonUnusable(reason="short", limit=SHORTEST) from error
    return password


def _plain(person: Person) -> dict[str, object]:
    user: User = person.user
    scopes = sorted(user.scopes) if user.scopes is not None else None
    return {"name": user.name, "role": user.role, "scopes": scopes, "disabled": person.disabled}


def _scopes(person: Person) -> str:
    if person.scopes is None:
        return translate("people.all", terminal_language())
    return translate("ui.list_comma", terminal_language()).join(sorted(person.scopes)) or translate(
        "people.none", terminal_language()
    )


def _state(person: Person) -> str:
    if person.disabled:
        return translate("people.disabled", terminal_language())
    return translate("people.active" if person.has_password else "people.elsewhere", terminal_language())
