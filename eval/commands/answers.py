"""``python -m eval answers``, and ``python -m eval`` alone: right answers, tokens and times.

``answers`` asks the questions that have an answer, in three arms; without a command all are asked, in the desk's
own knowledge base and the product's own way.
"""

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from eval.answers.asking import ARMS, Arm
from eval.answers.measurement import AnswersOptions, measure_answers
from eval.answers.scores import Score, wrong_scores
from eval.commands.shared import (
    chosen_sets,
    chosen_settings,
    finish,
    headed_table,
    model_line,
    only_set,
    print_line,
    progress_in,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.question_sets import KNOWLEDGE_DIR, QuestionSet
from eval.core.runs import Run
from eval.core.tables import flat_rows, format_figure
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval answers                                     the sample questions on the sample knowledge base
  python -m eval answers --corpus docs.jsonl --questions asked.jsonl --limit 50 --json figures.json
  python -m eval answers --kb shop --questions asked.jsonl --run monday --no-think
  python -m eval answers --arms own --context top5           five whole passages instead of chosen sentences
"""
_OTHER_ROWS = ("latency_ms", "by_kind", "errors", "model", "stand_in", "records")


def answers_parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m eval answers``."""
    parser = question_parser(
        "answers",
        "Ask questions that have an answer, in the product's own way, with the right passage (ceiling) and without any "
        "(floor); report accuracy, overlap, citations, tokens and times.  回答质量",
        EXAMPLES,
        sets=False,
    )
    add_answer_options(parser)
    parser.add_argument(
        "--arms", type=_arms, default=ARMS, metavar="LIST", help="of own,ceiling,floor (default: all)  对照方式"
    )
    parser.add_argument(
        "--context", choices=["own", "top5"], default="own", help="what own sends to the model  发送给模型的内容"
    )
    return parser


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that asks the model."""
    thinking = parser.add_mutually_exclusive_group()
    thinking.add_argument(
        "--think", dest="think", action="store_true", default=None, help="always let the model think  先思考"
    )
    thinking.add_argument("--no-think", dest="think", action="store_false", help="never  直接回答")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")


def _arms(value: str) -> tuple[Arm, ...]:
    given = value.split(",")
    unknown = [name for name in given if name not in ARMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: {', '.join(ARMS)}")
    return tuple(name for name in ARMS if name in given)


def print_report(summary: Mapping[str, object], wrong: Sequence[Score], console: Console, language: Language) -> None:
    """Print the figures of ``eval.answers.scores.summarise``; the model's line says when it is a stand-in."""
    console.print(_figures(summary, language))
    console.print(_latency(summary, language))
    errors = summary["errors"]
    assert isinstance(errors, list)
    lines = [translate("eval.error", language, what=what) for what in errors]
    lines += [
        translate(
            "eval.not_right_refused" if item.refused else "eval.not_right",
            language,
            question_id=item.question_id,
            kind=item.kind,
        )
        for item in wrong
        if not item.error
    ]
    model = summary["model"] or translate("eval.no_model", language)
    lines.append(model_line({**summary, "model": model}, language))
    lines.append(translate("eval.records", language, records=summary["records"]))
    for line in lines:
        print_line(console, line)


def _figures(summary: Mapping[str, object], language: Language) -> Table:
    table = headed_table(("eval.figure", "eval.value"), "eval.answers", language)
    for name, value in flat_rows(summary, skip=_OTHER_ROWS):
        table.add_row(name, value)
    kinds = summary["by_kind"]
    assert isinstance(kinds, dict)
    for kind, values in kinds.items():
        table.add_row(
            translate("eval.kind", language, kind=kind or "-", n=values["n"]), format_figure(values["accuracy"])
        )
    return table


def _latency(summary: Mapping[str, object], language: Language) -> Table:
    table = headed_table(("eval.stage", "eval.count", "p50", "p95", "p99"), "eval.latency", language)
    stages = summary["latency_ms"]
    assert isinstance(stages, dict)
    for stage, values in stages.items():
        table.add_row(stage, *(str(values[name]) for name in ("n", "p50", "p95", "p99")))
    return table


def options_of(arguments: argparse.Namespace) -> AnswersOptions:
    """Return the measurement's options from the command's."""
    return AnswersOptions(arguments.think, arguments.context, arguments.arms)


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str], *, all_questions: bool) -> int:
    """Run the command and return its exit code."""
    arguments = parser.parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = _chosen_set(arguments, all_questions=all_questions)
        kept = Run.named(name, settings)
        with progress_in(console) as progress:
            parts = open_parts(one, settings, progress)
            measured = measure_answers(one, parts, kept, options_of(arguments), progress)
        not_right = wrong_scores(measured.questions.questions, measured.records)
        print_report(measured.summary, not_right, console, terminal_language())
        write_json(arguments.json, measured.summary)

    return finish(arguments, work)


def _chosen_set(arguments: argparse.Namespace, *, all_questions: bool) -> QuestionSet:
    one = only_set(chosen_sets(arguments, sample=None if all_questions else KNOWLEDGE_DIR))
    return (one if all_questions else one.answerable()).draw_sample(arguments.limit, arguments.seed)


def main(argv: Sequence[str]) -> int:
    """Run ``answers`` and return its exit code."""
    return run_command(answers_parser(), argv, all_questions=False)
