"""``python -m eval citations``: whether all support is found, and every planted fault marked."""

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console

from eval.citations.benchmark import measure_citations
from eval.commands.shared import (
    chosen_sets,
    chosen_settings,
    headed_table,
    measure,
    progress_in,
    question_parser,
    write_json,
)
from eval.core.tables import format_figure
from rag.schema import Language
from rag.terminal import terminal_language

EXAMPLES = """\
examples:
  python -m eval citations                                  the sample questions on the sample knowledge base
  python -m eval citations --corpus docs.jsonl --questions asked.jsonl --json figures.json
  python -m eval citations --sets FOLDER --limit 100        every subfolder with corpus.jsonl and questions.jsonl

No model is asked.  Sentences are made from the questions' gold answers and the passages that hold them, so that their
support is known; then a number, date, weekday, unit, code or denial is changed in each.
"""


def _parser() -> argparse.ArgumentParser:
    return question_parser(
        "citations",
        "Hold sentences whose support is known against the evidence; plant faults and see them marked.  引用核对",
        EXAMPLES,
    )


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print the figures, then recall by kind of sentence and the share marked by kind of fault."""
    table = headed_table(("eval.figure", "eval.value"), "eval.citations", language)
    for name in ("n", "citation_precision", "citation_recall", "faults", "faults_marked"):
        table.add_row(name, format_figure(summary[name]))
    console.print(table)
    for title, key in (("known_sentences", "by_kind"), ("planted_faults", "by_fault")):
        kinds = summary[key]
        assert isinstance(kinds, Mapping)
        rows = headed_table((f"eval.{title}", "eval.count", "eval.value"), "", language)
        for kind, values in kinds.items():
            count, value = values.values()
            rows.add_row(kind, str(count), format_figure(value))
        console.print(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        sets = [one.with_relevant().draw_sample(arguments.limit, arguments.seed) for one in chosen_sets(arguments)]
        with progress_in(console) as progress:
            summary = measure_citations(sets, chosen_settings(arguments), arguments.seed, progress)
        print_figures(summary, console, language)
        write_json(arguments.json, summary)

    return measure(work)
