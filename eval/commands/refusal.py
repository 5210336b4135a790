"""``python -m eval refusal``: whether questions without an answer are refused, and only those.

By the search alone, which needs no model and takes milliseconds a question; with ``--reader`` the model is asked as
well, as it is before every answer.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from eval.commands.shared import (
    chosen_settings,
    finish,
    headed_table,
    model_line,
    one_set,
    print_line,
    progress_in,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run
from eval.core.tables import flat_rows
from eval.refusal.benchmark import By, as_unanswerable, measure_refusal
from ingest.golden import load_questions
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval refusal                                     the sample questions, some of which have no answer
  python -m eval refusal --corpus docs.jsonl --questions asked.jsonl --json figures.json
  python -m eval refusal --kb shop --questions asked.jsonl --other another-products-questions.jsonl
  python -m eval refusal --corpus docs.jsonl --questions asked.jsonl --reader --limit 80
"""


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "refusal",
        "Ask questions with and without an answer; report how well they are told apart, and how honest the "
        "probabilities are.  拒答质量",
        EXAMPLES,
        sets=False,
    )
    parser.add_argument(
        "--other", type=Path, metavar="FILE", help="questions of another product, as unanswerable ones  其他产品的问题"
    )
    parser.add_argument("--reader", action="store_true", help="ask the model, too  同时询问模型")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    return parser


def print_figures(summary: dict[str, object], console: Console, language: Language) -> None:
    """Print the figures as a table, and the judge."""
    table = headed_table(("eval.figure", "eval.value"), "eval.refusals", language)
    for name, value in flat_rows(summary, skip=("reliability", "records", "model", "stand_in", "by")):
        table.add_row(name, value)
    console.print(table)
    lines = [translate("eval.records", language, records=summary["records"])]
    if summary["by"] == "reader":
        lines.insert(0, model_line(summary, language))
    if summary["auroc"] is None:
        lines.insert(0, translate("eval.one_kind", language))
    for line in lines:
        print_line(console, line)


def _chosen_set(arguments: argparse.Namespace) -> QuestionSet:
    one = one_set(arguments)
    if arguments.other is None:
        return one
    others = QuestionSet("other", None, as_unanswerable(load_questions(arguments.other)))
    return replace(one, questions=one.questions + others.draw_sample(arguments.limit, arguments.seed).questions)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = _chosen_set(arguments)
        by: By = "reader" if arguments.reader else "retrieval"
        kept = Run.named(name, settings)
        with progress_in(console) as progress:
            parts = open_parts(one, settings, progress)
            summary = measure_refusal(one, parts, kept, by, progress)
        print_figures(summary, console, terminal_language())
        write_json(arguments.json, summary)

    return finish(arguments, work)
