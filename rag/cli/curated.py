"""``python -m rag curated``: manages curated answers in the terminal."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import get_args

from rag.cli import Commands, add_command, day_of
from rag.errors import FileUnusable, printable
from rag.reuse.curated import Curation, Place
from rag.schema import Language
from rag.settings import load_settings
from rag.storage.curated import CuratedAnswer, CuratedState
from rag.terminal import argument_text, print_json
from rag.translate import translate

_LONGEST_LINE_CHARACTERS = 100


def add_curated_commands(commands: Commands) -> None:
    """Add ``curated`` and its subcommands to the parser of ``python -m rag``."""
    described = "answers that persons wrote  人工答案"
    curated = commands.add_parser("curated", help=described, description=described)
    actions = curated.add_subparsers(required=True, metavar="list | add | approve | retire | export")

    def action(name: str, does: Callable[[argparse.Namespace, Language], int], said: str) -> argparse.ArgumentParser:
        command = add_command(actions, name, does, said)
        command.add_argument("--kb", default="", help="name of the knowledge base  知识库名称")
        return command

    listing = action("list", _list, "show the answers  列出答案")
    listing.add_argument("--state", choices=get_args(CuratedState), help="only those in this state  状态")
    listing.add_argument("--json", action="store_true", help="print them as one JSON array  输出 JSON 数组")
    adding = action("add", _add, "keep an answer to a question  添加答案")
    adding.add_argument("question", type=argument_text, help="the question  问题")
    adding.add_argument("answer", type=argument_text, help="the answer, or - to read it from standard input  答案")
    adding.add_argument(
        "--document",
        type=argument_text,
        action="append",
        default=[],
        metavar="ID",
        help="rests on this document  依据文档",
    )
    adding.add_argument("--until", metavar="DAY", help="serves until this day, the last one  有效期至")
    approving = action("approve", _approve, "let an answer serve  审核通过")
    retiring = action("retire", _retire, "let an answer serve no more  停用")
    retiring.add_argument("--note", type=argument_text, default="", help="why  原因")
    for command in (approving, retiring):
        command.add_argument("number", type=int, help="number of the answer  编号")
    for command in (adding, approving, retiring):
        command.add_argument("--by", type=argument_text, default="", metavar="NAME", help="who does it  操作人")
    exporting = action("export", _export, "write all with their history as JSON lines  导出")
    exporting.add_argument("file", type=Path, nargs="?", help="file to be written; none: standard output  文件")


def _open(options: argparse.Namespace) -> Curation:
    settings = load_settings()
    return Curation.of(settings.changed(knowledge_base=options.kb) if options.kb else settings)


def _person(options: argparse.Namespace) -> str:
    return options.by or load_settings().user_name or getpass.getuser()


def _list(options: argparse.Namespace, language: Language) -> int:
    with closing(_open(options)) as curation:
        found = curation.all(options.state)
        if options.json:
            print_json([_as_json(one, curation) for one in found])
            return 0
    for one in found:
        _show(one, language)
    if not found:
        print(translate("curated.none", language))
    return 0


def _show(one: CuratedAnswer, language: Language) -> None:
    values = {"number": one.number, "state": translate(f"curated.{one.state}", language)}
    signature = {"author": printable(one.kept.author), "date": f"{one.written_at:%Y-%m-%d}"}
    print(translate("curated.row" if one.kept.author else "curated.row_unsigned", language, **values, **signature))
    print(f"    {_short(one.kept.question)}\n    {_short(one.kept.answer)}")


def _add(options: argparse.Namespace, language: Language) -> int:
    answer = options.answer
    if answer == "-":
        answer = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    with closing(_open(options)) as curation:
        kept = curation.write(
            options.question,
            answer,
            author=_person(options),
            sources=[Place(document_id) for document_id in options.document],
            valid_until=day_of(options.until, "--until", language),
        )
        doubtful = {*curation.unconfirmed_sentences(kept.kept.answer), *curation.doubtful_sentences(kept.kept.answer)}
    print(translate(f"curated.kept_{kept.state}", language, number=kept.number))
    for span in sorted(doubtful, key=lambda one: one.start):
        print(translate("curated.doubtful", language, sentence=_short(kept.kept.answer[span.start : span.end])))
    return 0


def _approve(options: argparse.Namespace, language: Language) -> int:
    with closing(_open(options)) as curation:
        curation.approve(options.number, _person(options))
    print(translate("curated.approved", language, number=options.number))
    return 0


def _retire(options: argparse.Namespace, language: Language) -> int:
    with closing(_open(options)) as curation:
        curation.retire(options.number, _person(options), options.note)
    print(translate("curated.retired_now", language, number=options.number))
    return 0


def _export(options: argparse.Namespace, language: Language) -> int:
    with closing(_open(options)) as curation:
        rows = [_as_json(one, curation) for one in curation.all()]
    if options.file is None:
        for row in rows:
            print_json(row)
        return 0
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    try:
        options.file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise FileUnusable.because(options.file, error) from error
    print(translate("curated.exported", language, count=len(rows), path=printable(str(options.file))))
    return 0


def _as_json(one: CuratedAnswer, curation: Curation) -> dict[str, object]:
    kept = one.kept
    return {
        "number": one.number,
        "state": one.state,
        "question": kept.question,
        "language": kept.language,
        "answer": kept.answer,
        "author": kept.author,
        "written_at": one.written_at.isoformat(),
        "valid_until": kept.valid_until.isoformat() if kept.valid_until is not None else None,
        "documents": list(dict.fromkeys(source.document_id for source in kept.sources)),
        "history": [
            {"at": event.at.isoformat(), "person": event.person, "what": event.what, "note": event.note}
            for event in curation.history(one.number)
        ],
    }


def _short(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE_CHARACTERS else f"{line[: _LONGEST_LINE_CHARACTERS - 1]}…"
