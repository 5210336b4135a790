"""``python -m rag forget`` and ``python -m rag retention``: erase customers' data."""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

from rag.cli import Commands, add_command, ask_consent
from rag.erasure import Erasure, ErasureCounts, expire_turns
from rag.errors import SettingsError, printable
from rag.people.audit import terminal_user
from rag.schema import Language
from rag.settings import Settings, checked_settings, load_settings
from rag.text.mention import Mention
from rag.translate import translate

NOT_DONE = 1
_FORGET = """examples:
  python -m rag forget --customer "Anna Wu" --dry-run     what is about her, by knowledge base; nothing is changed
  python -m rag forget --customer anna@example.org        shows it, asks, and erases it
  python -m rag forget --customer 4711-0815 --yes --json  an order number, without asking
  echo "Anna Wu" | python -m rag forget --customer - --yes     keeps the name out of the shell's history

Letter case, width, blanks and hyphens make no difference; a name is found as a word, not within another. Run it once
for each name, address and number. Whole conversations go: questions, answers, thoughts, opinions; and the answers kept
to be given again, colleagues' answers, regression questions and evaluations that hold the words. The record of changes
keeps who did it, when, how much, and a keyed hash in the name's place.

exit codes: 0 erased, or nothing to erase, 1 not erased after asking, or files hold the words still, 2 an option"""

_RETENTION = """examples:
  python -m rag retention                 delete what is older than ANSWERDESK_TURN_RETENTION_DAYS, as the desk does
  python -m rag retention --days 30       the same with another age, this once

It also writes the databases anew, so that nothing is left of what older versions deleted.
exit codes: 0 done, 2 an option"""


def add_forgetting_commands(commands: Commands) -> None:
    """Add ``forget`` and ``retention`` to the parser of ``python -m rag``."""
    described = "erase all that is kept of a customer  清除某位客户的数据"
    forgetting = add_command(commands, "forget", _forget, described, examples=_FORGET)
    forgetting.add_argument(
        "--customer",
        required=True,
        metavar="TEXT",
        help="a name, a mail address or a number; - reads it from standard input  姓名、邮箱或订单号",
    )
    forgetting.add_argument("--dry-run", action="store_true", help="only show what there is  仅显示")
    forgetting.add_argument("--yes", action="store_true", help="do not ask  不再询问")
    forgetting.add_argument("--json", action="store_true", help="print the counts as JSON  输出 JSON")
    described = "delete questions that are older than they are kept  清理过期提问"
    expiring = add_command(commands, "retention", _expire, described, examples=_RETENTION)
    expiring.add_argument("--days", type=int, metavar="N", help="in the place of the setting  保留天数")
    expiring.add_argument("--json", action="store_true", help="print the count as JSON  输出 JSON")


def _forget(options: argparse.Namespace, language: Language) -> int:
    text = sys.stdin.readline() if options.customer == "-" else options.customer
    erasure = Erasure(load_settings(), Mention(text, language))
    there = sys.stdin.isatty() and options.customer != "-"
    if not (options.dry_run or options.yes or there):
        raise SettingsError(reason=translate("forget.unasked", language))
    found = erasure.find()
    if options.dry_run or not options.yes:
        _show(found, "found", erasure, language, as_json=options.json and options.dry_run)
    if options.dry_run:
        return 0
    if found.total and not options.yes and not ask_consent(translate("forget.ask", language)):
        print(translate("forget.kept", language), file=sys.stderr)
        return NOT_DONE
    if found.total:
        found = replace(erasure.erase(terminal_user()), running=found.running)
    if options.yes or found.total:
        _show(found, "erased", erasure, language, as_json=options.json)
    return NOT_DONE if found.left or found.running else 0


def _show(found: ErasureCounts, heading: str, erasure: Erasure, language: Language, *, as_json: bool) -> None:
    """Print the counts; never any of the words."""
    if as_json:
        counts = {name: getattr(found, name) for name in ("running", "cached", "curated", "questions", "runs")}
        print(json.dumps({"turns": dict(found.turns), **counts, "left": [str(path) for path in found.left]}))
        return
    if not found.total:
        print(translate("forget.nothing", language))
        earlier = ", ".join(f"{day:%Y-%m-%d}" for day in erasure.earlier_erasures())
        if earlier:
            print(translate("forget.earlier", language, days=earlier))
    else:
        print(translate(f"forget.{heading}", language))
        for name, count in sorted(found.turns.items()):
            print(translate("forget.base", language, name=name, count=count))
        counts = {name: getattr(found, name) for name in ("cached", "curated", "questions", "runs")}
        print(translate("forget.others", language, **counts))
    if found.running:
        print(translate("forget.running", language, count=found.running), file=sys.stderr)
    if found.left:
        print(translate("forget.left", language), file=sys.stderr)
        for path in found.left:
            print(f"  {printable(str(path))}", file=sys.stderr)


def _expire(options: argparse.Namespace, language: Language) -> int:
    settings: Settings = load_settings()
    if options.days is not None:
        values = settings.model_dump() | {"turn_retention_days": options.days}
        settings = checked_settings(values, {"turn_retention_days": "--days"})
    count = expire_turns(settings, datetime.now(UTC), terminal_user(), compact=True)
    days = settings.turn_retention_days
    if options.json:
        print(json.dumps({"turns": count, "days": days}))
    else:
        print(translate("forget.expired" if days else "forget.for_ever", language, count=count, days=days))
    return 0
