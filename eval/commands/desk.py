"""``python -m eval desk``: customer texts with known facts, and at which stage right answers are lost."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.benches import benchmark_module
from eval.commands.answers import add_answer_options
from eval.commands.shared import (
    add_run_options,
    chosen_settings,
    command_parser,
    finish,
    headed_table,
    model_line,
    print_line,
    progress_in,
    question_limit,
    write_json,
    write_text,
)
from eval.core.question_sets import DESK_CASES, KNOWLEDGE_DIR, LANGUAGE_CASES
from eval.core.runs import Run
from eval.core.statistics import share_interval
from eval.core.tables import part_of
from eval.desk.asking import Record
from eval.desk.cases import DeskCase, draw_by_kind, load_cases, select_languages
from eval.desk.judging import check_cases, texts_of
from eval.desk.languages import LANGUAGE_COLUMNS, language_rows
from eval.desk.measurement import DeskOptions, files_about, measure_desk, open_desk_parts
from eval.desk.report import GUARD_COLUMNS, funnel_rows, known_columns, possible_guards
from rag.errors import SettingsError
from rag.pipeline import PipelineParts
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval desk --no-model                                        the sample cases on the sample documents
  python -m eval desk --cases data/desk/languages.jsonl --languages de,ja   customers who write in other languages
  python -m eval desk --cases cases.jsonl --docs FOLDER --no-model      before the model: seconds
  python -m eval desk --cases cases.jsonl --docs FOLDER --limit 24      with the model, all kinds in proportion
  python -m eval desk --cases cases.jsonl --docs FOLDER --run monday    resume an interrupted run
  python -m eval desk --cases cases.jsonl --docs FOLDER --ceiling --against langchain      beside two others
  python -m eval desk --cases cases.jsonl --kb shop --json figures.json --answers answers.jsonl
  python -m eval desk --cases cases.jsonl --docs FOLDER --check         do the documents decide the cases?

The format of cases is in docs/quality.md.  The folder is ingested once, into a knowledge base of its own.
"""
_BEGINS_A_SECTION = ("refused_answerable", "langchain_right_document_shown", "refused_far")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "desk",
        "Ask what customers wrote, whole mails and follow-ups, and report at which stage right answers are "
        "lost: document shown, facts shown, facts sent, refused, right, cited.  客服用例：正确回答丢在哪一步",
        EXAMPLES,
    )
    parser.add_argument(
        "--cases", type=Path, default=DESK_CASES, metavar="FILE", help="one a line (default: the sample's)  用例文件"
    )
    parser.add_argument(
        "--languages", default="", metavar="CODES", help="only these, with commas: de,fr (ISO 639-1)  只测这些语言"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--docs", type=Path, metavar="FOLDER", help="the documents that decide them  文档文件夹")
    source.add_argument("--kb", default="", metavar="NAME", help="ask this knowledge base instead  知识库名称")
    parser.add_argument("--check", action="store_true", help="only check the cases against the documents  检查用例")
    parser.add_argument("--no-model", action="store_true", help="stop before the model: seconds  不调用模型")
    add_answer_options(parser)
    parser.add_argument(
        "--ceiling", action="store_true", help="ask the model alone, too, with the same evidence  模型上限"
    )
    parser.add_argument(
        "--against", choices=["langchain"], help="ask LangChain's tutorial, too (in a checkout)  与 LangChain 对比"
    )
    parser.add_argument(
        "--no-guards",
        action="store_true",
        help="do not ask again what a guard stopped unwritten: quicker  不重问被拦下的回答",
    )
    parser.add_argument(
        "--limit", type=question_limit, default=0, metavar="N", help="only N, kinds and languages in proportion  用例数"
    )
    add_run_options(parser)
    parser.add_argument("--answers", type=Path, metavar="FILE", help="write the answers, one a line  将回答写入文件")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work(name: str) -> None:
        for option in ("answers", "ceiling"):
            if arguments.no_model and getattr(arguments, option):
                raise SettingsError(reason=translate("eval_desk.model_needed", language, option=f"--{option}"))
        wanted = select_languages(load_cases(arguments.cases), arguments.languages)
        cases = draw_by_kind(wanted, arguments.limit, arguments.seed)
        if arguments.docs is None and not arguments.kb and arguments.cases in (DESK_CASES, LANGUAGE_CASES):
            arguments.docs = KNOWLEDGE_DIR
        settings = chosen_settings(arguments)
        kept = Run.named(name, settings)
        left_out = files_about(arguments.docs) if arguments.docs else []
        if left_out:
            files = ", ".join(one.name for one in left_out)
            print_line(console, translate("eval_desk.left_out", language, files=files))
        with progress_in(console) as progress:
            parts = open_desk_parts(arguments.docs, settings, progress)
            if arguments.check:
                check(cases, parts, arguments.cases, console, language)
                return
            options = _options(arguments, parts, console, language)
            result = measure_desk(cases, arguments.cases.stem, parts, kept, options, progress)
        print_figures(result.summary, console, language)
        print_line(console, translate("eval.records", language, records=kept.folder))
        write_json(arguments.json, result.summary)
        write_answers(arguments.answers, result.cases, result.records)

    return finish(arguments, work)


def check(cases: Sequence[DeskCase], parts: PipelineParts, path: Path, console: Console, language: Language) -> None:
    """Print the complaints about the cases.  Raises ``SettingsError`` if there are any."""
    complaints = check_cases(cases, texts_of(parts.store))
    for one in complaints:
        print_line(console, f"{one.case_id}: {translate(f'eval_desk.check_{one.key}', language, what=one.what)}")
    if complaints:
        wrong = len({one.case_id for one in complaints})
        raise SettingsError(reason=translate("eval_desk.check_failed", language, path=path, n=wrong))
    print_line(console, translate("eval_desk.check_passed", language, n=len(cases)))


def _options(arguments: argparse.Namespace, parts: PipelineParts, console: Console, language: Language) -> DeskOptions:
    with_model = not arguments.no_model
    langchain: Callable[[DeskCase], Record] | None = None
    if arguments.against:
        open_tutorial = benchmark_module("langchain.command").open_tutorial
        print_line(console, translate("eval_desk.tutorial", language))
        langchain = open_tutorial(parts, with_model=with_model, think=arguments.think)
    return DeskOptions(with_model, arguments.think, not arguments.no_guards, arguments.ceiling, langchain)


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print the funnel, then every kind and language, then times and errors."""
    console.print(_funnel(summary, language))
    console.print(_guards(summary, language))
    for name in ("by_kind", "by_language"):
        console.print(_groups(summary, name, language))
    if languages := part_of(summary, "languages"):
        console.print(_languages(languages, language))
    seconds = part_of(summary, "seconds")
    shown = {name: "-" if value is None else f"{value:.2f}" for name, value in seconds.items()}
    print_line(console, translate("eval_desk.seconds", language, **shown))
    errors = summary["errors"]
    assert isinstance(errors, list)
    for what in errors:
        print_line(console, translate("eval.error", language, what=what))
    print_line(console, model_line(summary, language) if summary["model"] else translate("eval.no_model", language))


def _funnel(summary: Mapping[str, object], language: Language) -> Table:
    titles = ("stage", "count", "share", "interval", "tokens")
    table = headed_table((f"eval_desk.{title}" for title in titles), "", language)
    table.title = translate("eval_desk.title", language, n=summary["n"])
    for name, hits, count, tokens in funnel_rows(summary):
        low, high = share_interval(hits, count) or (0.0, 1.0)
        if name in _BEGINS_A_SECTION:
            table.add_section()
        table.add_row(
            translate(f"eval_desk.{name}", language),
            translate("eval_desk.of", language, hits=hits, count=count),
            f"{hits / count:.2f}",
            f"{low:.2f} – {high:.2f}",
            "" if tokens is None else f"{tokens:.0f}",
        )
    return table


def _numbers_table(first: str, columns: Iterable[str], language: Language) -> Table:
    """Return a table whose first column is not wrapped, and whose others are numbers; heads are keys."""
    table = Table()
    table.add_column(translate(first, language), no_wrap=True)
    for column in columns:
        table.add_column(translate(column, language), justify="right")
    return table


def _guards(summary: Mapping[str, object], language: Language) -> Table:
    """Return a row for each guard: how often it stopped something, and what."""
    guards = part_of(summary, "guards")
    table = _numbers_table("eval_desk.guard", (f"eval_desk.guard_{column}" for column in GUARD_COLUMNS), language)
    table.title = translate("eval_desk.guards", language)
    for name in possible_guards(summary):
        values = part_of(guards, name)
        table.add_row(
            translate(f"eval_desk.guard_{name}", language), *(str(values[column]) for column in GUARD_COLUMNS)
        )
    return table


def _groups(summary: Mapping[str, object], name: str, language: Language) -> Table:
    groups = part_of(summary, name)
    known = known_columns(groups)
    table = _numbers_table(f"eval_desk.{name}", (f"eval_desk.short_{column}" for column in known), language)
    for group in sorted(groups):
        values = part_of(groups, group)
        table.add_row(group, *("-" if values[column] is None else str(values[column]) for column in known))
    return table


def _languages(figures: Mapping[str, object], language: Language) -> Table:
    """Return a row a language: how many replies are in it, and how many are right."""
    columns = (f"eval_desk.languages_{column}" for column in LANGUAGE_COLUMNS)
    table = _numbers_table("eval_desk.by_language", columns, language)
    table.title = translate("eval_desk.languages", language)
    for name, cells in language_rows({name: part_of(figures, name) for name in figures}):
        table.add_row(translate("eval_desk.languages_all", language) if name == "all" else name, *cells)
    return table


def write_answers(path: Path | None, cases: Sequence[DeskCase], records: Sequence[Record]) -> None:
    """Write the product's answers, one JSON object a line.  Raises ``SettingsError`` where that cannot be done."""
    if path is None:
        return
    by_case = {one.case_id: one for one in records if one.arm == "own"}
    lines = [json.dumps(_answer_line(by_case[one.case_id]), ensure_ascii=False) + "\n" for one in cases]
    write_text(path, "".join(lines))


def _answer_line(record: Record) -> dict[str, object]:
    answer = record.answer
    return {
        "id": record.case_id,
        "text": answer.text if answer else "",
        "refused": answer.refused if answer else False,
        "partial": bool(answer and answer.left_open),
        "citations": [
            {"document_path": one.document_path, "quote": one.quote} for one in (answer.citations if answer else ())
        ],
    }
