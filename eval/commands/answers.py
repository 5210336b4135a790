"""``python -m eval answers``, and ``python -m eval`` alone: right answers, tokens and times.

``answers`` asks the questions that have an answer, in three arms; without a command all are asked, in the desk's
own knowledge base and the product's own way.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from eval.answers.conditions import ARMS, Arm, MeteredGenerator, WatchedRetriever, arm
from eval.answers.runner import Instruments, Record, run
from eval.answers.scores import summarise, wrong
from eval.compare.tables import print_report, question_bar
from eval.core.dataset import KNOWLEDGE_DIR
from eval.core.knowledge import knowledge_name, open_parts
from eval.core.question_options import (
    chosen_sets,
    chosen_settings,
    finish,
    only_set,
    question_parser,
    write_json,
)
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run
from rag.pipeline import PipelineParts
from rag.terminal import terminal_language

EXAMPLES = """\
examples:
  python -m eval answers                                     the sample questions on the sample knowledge base
  python -m eval answers --corpus docs.jsonl --questions asked.jsonl --limit 50 --json figures.json
  python -m eval answers --kb shop --questions asked.jsonl --run monday --no-think
  python -m eval answers --arms own --context top5           five whole passages instead of chosen sentences
"""


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


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run gave."""

    summary: dict[str, object]
    questions: QuestionSet
    records: tuple[Record, ...]


def measure(
    one: QuestionSet, parts: PipelineParts, kept: Run, arguments: argparse.Namespace, console: Console
) -> Measured:
    """Ask what the run does not hold yet, save every answer, and score all.

    Raises ``SettingsError`` when the run of that name measured something else, and what ends a whole run.
    """
    parts.ensure_server()
    instruments = Instruments(MeteredGenerator(parts.generator), WatchedRetriever(parts.retriever), parts.count_tokens)
    watched = replace(parts, generator=instruments.meter, retriever=instruments.retriever)
    identity = {
        "command": "answers",
        "set": one.name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "model": parts.generator.model,
        "stand_in": parts.generator.stand_in,
        "think": arguments.think,
        "context": arguments.context,
        "arms": list(arguments.arms),
    }
    kept.begin(identity, one.questions)
    asks = {name: arm(name, watched, arguments.context) for name in arguments.arms}
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(one.name, total=len(one.questions) * len(asks))
        records = run(
            asks,
            one.questions,
            kept.folder / "records.jsonl",
            instruments,
            think=arguments.think,
            progress=lambda record: bar.advance(task),
        )
    summary = summarise(one.questions, records) | {
        "context": arguments.context,
        "generation": parts.store.require_generation(),
        "records": str(kept.folder),
    }
    kept.save_figures(summary)
    return Measured(summary, one, records)


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str], *, all_questions: bool) -> int:
    """Run the command and return its exit code."""
    arguments = parser.parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = _chosen_set(arguments, all_questions=all_questions)
        measured = measure(one, open_parts(one, settings), Run.named(name, settings), arguments, console)
        not_right = wrong(measured.questions.questions, measured.records)
        print_report(measured.summary, not_right, console, terminal_language())
        write_json(arguments.json, measured.summary)

    return finish(arguments, console, work)


def _chosen_set(arguments: argparse.Namespace, *, all_questions: bool) -> QuestionSet:
    one = only_set(chosen_sets(arguments, sample=None if all_questions else KNOWLEDGE_DIR))
    return (one if all_questions else one.answerable()).drawn(arguments.limit, arguments.seed)


def main(argv: Sequence[str]) -> int:
    """Run ``answers`` and return its exit code."""
    return run_command(answers_parser(), argv, all_questions=False)
