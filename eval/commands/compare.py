"""``python -m eval compare``: two runs question by question, or this product beside LangChain's stock pipelines."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from eval.commands.shared import command_parser, exit_code, print_line, write_json
from eval.compare.pairs import Comparison, compare_runs
from eval.core.tables import signed_interval
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval compare monday tuesday                 win, tie or loss of the second run, question by question
  python -m eval compare monday:ceiling monday          the product against the same model with the right passage
  python -m eval compare retrieval-a/cmrc2018 retrieval-b/cmrc2018 --json figures.json
  python -m eval compare langchain --help               beside LangChain's stock pipelines, in the same run
"""
_SHOWN = 20


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "compare",
        "Compare two runs on the questions that both have, with an exact sign test.  逐题比较两次运行",
        EXAMPLES,
    )
    parser.add_argument("first", metavar="RUN_A", help="name or folder of a run; RUN:ceiling for another arm  运行甲")
    parser.add_argument("second", metavar="RUN_B", help="the run that wins or loses  运行乙")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def print_comparison(measures: Sequence[Comparison], first: str, second: str, console: Console) -> None:
    """Print a row a measure."""
    language = terminal_language()
    titles = [translate(f"eval.{key}", language) for key in ("figure", "count")]
    keys = ("difference", "interval", "wins", "ties", "losses", "p_value")
    more = [translate(f"eval.{key}", language) for key in keys]
    # 80 columns, as in a pipe, have room for the measures' names without borders
    table = Table(
        Column(titles[0], no_wrap=True),
        Column(titles[1], no_wrap=True),
        *(Column(title, overflow="fold") for title in (first, second)),
        *(Column(title, no_wrap=True) for title in more),
        title=translate("eval.compared", language),
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for one in measures:
        shown = [f"{value:.3f}" for value in (one.first, one.second)]
        counts = [str(count) for count in (one.wins, one.ties, one.losses)]
        table.add_row(
            one.measure,
            str(one.n),
            *shown,
            f"{one.difference:+.3f}",
            signed_interval(one.interval),
            *counts,
            f"{one.p_value:.3f}",
        )
    console.print(table)
    main = measures[0]
    verdict = "differs" if main.is_significant else "may_be_chance" if main.wins or main.losses else "no_difference"
    print_line(console, translate(f"eval.{verdict}", language, measure=main.measure, p=f"{main.p_value:.3f}"))


def _print_questions(outcomes: Mapping[str, str], console: Console, language: Language) -> None:
    for outcome in ("loss", "win"):
        found = [key for key, value in outcomes.items() if value == outcome]
        if found:
            ids = ", ".join(found[:_SHOWN]) + (" ..." if len(found) > _SHOWN else "")
            print_line(console, f"{translate(f'eval.{outcome}_of', language)} {ids}")


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        found = compare_runs(arguments.first, arguments.second, load_settings())
        print_comparison(found.measures, arguments.first, arguments.second, console)
        _print_questions(found.outcomes, console, language)
        if found.evidence_tokens is not None:
            print_line(console, translate("eval.evidence_tokens", language, **asdict(found.evidence_tokens)))
        for run in found.unfinished:
            print_line(console, translate("eval.run_unfinished", language, **asdict(run)))
        if count := len(found.judged_otherwise):
            print_line(console, translate("eval.judged_otherwise", language, count=count))
        for name, (before, after) in found.settings.items():
            print_line(console, translate("eval.setting_differs", language, name=name, first=before, second=after))
        write_json(arguments.json, found.to_json())

    return exit_code(work)
