"""``python -m eval cache``: whether a kept answer is given to another question, and how quickly answers come."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.cache.benchmark import figures, time_sources, try_cache
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_sets,
    chosen_settings,
    headed_table,
    measure,
    print_line,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.question_sets import QuestionSet, index_by_name
from eval.core.tables import format_figure, part_of
from rag.schema import Language
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval cache                                      the sample questions
  python -m eval cache --sets FOLDER --json figures.json    every subfolder with corpus.jsonl and questions.jsonl
  python -m eval cache --time --limit 100                   and how long a curated, cached or quoted answer takes

No model is asked.  Of every question others are made that ask for something else: another number, name, product, time,
direction, comparison or kind of question, a denial more or less, before for after, the two sides exchanged.  None of
them may have its answer.  Then it is put into other words, and those may.
"""
_TOTALS = ("changed", "wrong_hits", "of_another_question", "reworded", "reworded_hits", "worded_by_others")


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "cache", "Is a kept answer ever given to another question, and how quickly do answers come?  缓存核验", EXAMPLES
    )
    parser.add_argument("--time", action="store_true", help="time the sources as well (brings the embedder)  测量耗时")
    return parser


def try_sets(sets: Sequence[QuestionSet], settings: Settings, seed: int, *, timed: bool) -> dict[str, object]:
    """Try every set and return the figures of each by its name."""
    found: dict[str, object] = {}
    for name, one in index_by_name(sets).items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = figures(try_cache(one.questions, Path(folder), seed))
        if timed:
            found[name] = {
                **part_of(found[name]),
                "milliseconds": time_sources(open_parts(one, settings, SHOWN_INGEST), one.questions),
            }
    return found


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print the counts of each set, then changes and rewordings, the wrong hits, and the times."""
    titles = translate("eval.cache_totals", language).split("|")
    table = Table(translate("eval.set", language), *titles, title=translate("eval.cache", language))
    for name, one in summary.items():
        values = part_of(one)
        table.add_row(name, *(format_figure(values[key]) for key in (*_TOTALS, "worded_by_others_hits")))
    console.print(table)
    for name, one in summary.items():
        values = part_of(one)
        for title, key in (("cache_changed", "by_change"), ("cache_reworded", "by_rewording")):
            rows = headed_table((f"eval.{title}", "eval.count", "eval.value"), "", language)
            rows.title = name
            for kind, counts in part_of(values[key]).items():
                rows.add_row(kind, *(format_figure(value) for value in part_of(counts).values()))
            console.print(rows)
        wrong = values["wrong"]
        assert isinstance(wrong, list)
        for hit in wrong:
            print_line(console, translate("eval.cache_wrong", language, **hit))
        if "milliseconds" in values:
            _print_times(part_of(values["milliseconds"]), console, language)


def _print_times(times: Mapping[str, object], console: Console, language: Language) -> None:
    table = headed_table(("eval.lane", "eval.count", "p50", "p95", "p99"), "eval.cache_times", language)
    for lane, one in times.items():
        values = part_of(one)
        table.add_row(lane, *(format_figure(values[key]) for key in ("n", "p50", "p95", "p99")))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        sets = [one.draw_sample(arguments.limit, arguments.seed) for one in chosen_sets(arguments)]
        summary = try_sets(sets, chosen_settings(arguments), arguments.seed, timed=arguments.time)
        print_figures(summary, console, language)
        write_json(arguments.json, summary)

    return measure(work)
