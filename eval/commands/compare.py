"""``python -m eval compare``: two runs question by question, or this product beside LangChain's stock pipelines."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.commands.question_options import EXIT_CODES, write_json
from eval.compare.pairs import Comparison, compared, outcome_of
from eval.compare.values import arm_of, evidence_tokens, values_of
from eval.core.runs import Run
from eval.core.words import words
from rag.errors import AnswerdeskError, SettingsError
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

EXAMPLES = """\
examples:
  python -m eval compare monday tuesday                 win, tie or loss of the second run, question by question
  python -m eval compare monday:ceiling monday          the product against the same model with the right passage
  python -m eval compare retrieval-a/cmrc2018 retrieval-b/cmrc2018 --json figures.json
  python -m eval compare langchain --help               beside LangChain's stock pipelines, in the same run
"""
_SHOWN = 20


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval compare",
        description="Compare two runs on the questions that both have, with an exact sign test.  逐题比较两次运行",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", metavar="RUN_A", help="name or folder of a run; RUN:ceiling for another arm  运行甲")
    parser.add_argument("second", metavar="RUN_B", help="the run that wins or loses  运行乙")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def compare_runs(first: str, second: str, settings: Settings) -> dict[str, object]:
    """Return every measure's comparison, and under ``questions`` each one's outcome by the first measure.

    ``evidence_tokens`` are means of the questions for which both models were asked, and the second's share of the
    first's; None where there are none.

    Raises ``SettingsError`` where the runs have no measure, or no question, in common.
    """
    sides = [(Run.find(name, settings), arm) for name, arm in map(arm_of, (first, second))]
    one, other = (values_of(run, arm) for run, arm in sides)
    shared = [measure for measure in one if measure in other and one[measure].keys() & other[measure].keys()]
    if not shared:
        raise SettingsError(reason=words("nothing_shared", terminal_language(), first=first, second=second))
    outcomes = {
        key: outcome_of(other[shared[0]][key] - one[shared[0]][key])
        for key in sorted(one[shared[0]].keys() & other[shared[0]].keys())
    }
    measures = [compared(measure, one[measure], other[measure]) for measure in shared]
    return {
        "first": first,
        "second": second,
        "measures": {found.measure: asdict(found) for found in measures},
        "questions": outcomes,
        "evidence_tokens": _tokens(*(evidence_tokens(run, arm) for run, arm in sides)),
    }


def _tokens(first: dict[str, float], second: dict[str, float]) -> dict[str, float] | None:
    shared = first.keys() & second.keys()
    before, after = sum(first[key] for key in shared), sum(second[key] for key in shared)
    if not before:
        return None
    return {"first": before / len(shared), "second": after / len(shared), "share": round(after / before, 4)}


def print_comparison(measures: Sequence[Comparison], first: str, second: str, console: Console) -> None:
    """Print a row a measure."""
    language = terminal_language()
    titles = [words(key, language) for key in ("figure", "count")]
    more = [words(key, language) for key in ("difference", "interval", "wins", "ties", "losses", "p_value")]
    table = Table(*titles, first, second, *more, title=words("compared", language))
    for one in measures:
        low, high = one.interval or (0.0, 0.0)
        shown = [f"{value:.3f}" for value in (one.first, one.second)]
        counts = [str(count) for count in (one.wins, one.ties, one.losses)]
        table.add_row(
            one.measure,
            str(one.n),
            *shown,
            f"{one.difference:+.3f}",
            f"{low:+.3f} – {high:+.3f}",
            *counts,
            f"{one.p_value:.3f}",
        )
    console.print(table)
    main = measures[0]
    verdict = "differs" if main.is_significant else "may_be_chance"
    console.print(words(verdict, language, measure=main.measure, p=f"{main.p_value:.3f}"), markup=False, soft_wrap=True)


def _print_questions(outcomes: dict[str, str], console: Console, language: Language) -> None:
    for outcome in ("loss", "win"):
        found = [key for key, value in outcomes.items() if value == outcome]
        if found:
            ids = ", ".join(found[:_SHOWN]) + (" ..." if len(found) > _SHOWN else "")
            console.print(f"{words(f'{outcome}_of', language)} {ids}", markup=False, highlight=False, soft_wrap=True)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        found = compare_runs(arguments.first, arguments.second, load_settings())
        measures, outcomes = found["measures"], found["questions"]
        assert isinstance(measures, dict) and isinstance(outcomes, dict)
        rows = [Comparison(**values) for values in measures.values()]
        print_comparison(rows, arguments.first, arguments.second, console)
        _print_questions(outcomes, console, language)
        if isinstance(tokens := found["evidence_tokens"], dict):
            console.print(words("evidence_tokens", language, **tokens), markup=False, highlight=False, soft_wrap=True)
        write_json(arguments.json, found)
    except AnswerdeskError as error:
        return fail(error)
    return 0
