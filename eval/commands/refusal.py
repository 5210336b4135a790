"""``python -m eval refusal``: whether questions without an answer are refused, and only those.

By the search alone, which needs no model and takes milliseconds a question; with ``--reader`` the model is asked as
well, as it is before every answer.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.commands.question_options import (
    chosen_sets,
    chosen_settings,
    finish,
    only_set,
    question_parser,
    write_json,
)
from eval.core.knowledge import knowledge_name, open_parts
from eval.core.progress_bar import question_bar
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking
from eval.core.tables import flat_rows
from eval.core.words import words
from eval.refusal.benchmark import JUDGEMENTS, By, Judge, Judgement, figures, of_another_product
from ingest.golden import GoldenQuestion, load_questions
from rag.errors import SettingsError
from rag.generation.answerability import AnswerabilityFit
from rag.pipeline import Pipeline, PipelineParts
from rag.schema import Language
from rag.terminal import terminal_language
from rag.text.language import question_language
from rag.tracing import Trace

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


def by_retrieval(parts: PipelineParts) -> Judge:
    """Return what judges a question by the search alone."""

    def judge(question: GoldenQuestion) -> Judgement:
        began_at = time.perf_counter()
        language = question_language(question.question)
        found = parts.retriever.retrieve(question.question, language, Trace(), earlier=[question.previous])
        return Judgement(
            question_id=question.question_id,
            kind=question.kind,
            answerable=question.answerable,
            probability=found.answerable_probability,
            refused=not found.answerable,
            retrieval=found.answerable_probability,
            yes=None,
            duration_ms=(time.perf_counter() - began_at) * 1000,
        )

    return judge


def by_reader(parts: PipelineParts, fit: AnswerabilityFit) -> Judge:
    """Return what judges a question as the desk does: by the search, and where that does not refuse by the model."""
    searched, pipeline = by_retrieval(parts), Pipeline(parts)

    def judge(question: GoldenQuestion) -> Judgement:
        first = searched(question)
        if first.refused:
            return first
        began_at = time.perf_counter()
        reading = pipeline.judge_answerable(question.question, earlier=[question.previous])
        duration_ms = first.duration_ms + (time.perf_counter() - began_at) * 1000
        if reading.yes is None:
            return replace(first, duration_ms=duration_ms)
        probability = fit.probability(yes=reading.yes, retrieval=reading.retrieval, language=reading.language)
        refused = probability < fit.refuse_below
        return replace(first, probability=probability, refused=refused, yes=reading.yes, duration_ms=duration_ms)

    return judge


def measure(one: QuestionSet, parts: PipelineParts, kept: Run, by: By, console: Console) -> dict[str, object]:
    """Judge what the run does not hold yet and return the figures.

    Raises ``SettingsError`` when the run of that name measured something else, or the model has no fit.
    """
    identity: dict[str, object] = {
        "command": "refusal",
        "set": one.name,
        "by": by,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
    }
    author: dict[str, object] = {"model": "", "stand_in": False}
    judge = by_retrieval(parts)
    if by == "reader":
        parts.ensure_server()
        author = {"model": parts.generator.model, "stand_in": parts.generator.stand_in}
        fit = parts.reading_fit(parts.generator.model)
        if fit is None:
            raise SettingsError(reason=words("no_fit", terminal_language(), model=parts.generator.model))
        judge = by_reader(parts, fit)
    kept.begin(identity | author, one.questions)
    for first in one.questions[:1]:
        by_retrieval(parts)(first)  # the first opens the index
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(one.name, total=len(one.questions))
        judgements = keep_asking(
            kept.folder / "records.jsonl",
            JUDGEMENTS,
            [(question.question_id, question) for question in one.questions],
            judge,
            lambda record: record.question_id,
            lambda record: bar.advance(task),
        )
    summary = {**figures(judgements), "by": by, **author, "records": str(kept.folder)}
    kept.save_figures(summary)
    return summary


def print_figures(summary: dict[str, object], console: Console, language: Language) -> None:
    """Print the figures as a table, and by whom they were judged."""
    table = Table(words("figure", language), words("value", language), title=words("refusals", language))
    for name, value in flat_rows(summary, skip=("reliability", "records", "model", "stand_in", "by")):
        table.add_row(name, value)
    console.print(table)
    lines = [words("records", language, records=summary["records"])]
    if summary["by"] == "reader":
        lines.insert(0, words("stand_in" if summary["stand_in"] else "model", language, model=summary["model"]))
    if summary["auroc"] is None:
        lines.insert(0, words("one_kind", language))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _chosen_set(arguments: argparse.Namespace) -> QuestionSet:
    one = only_set(chosen_sets(arguments)).drawn(arguments.limit, arguments.seed)
    if arguments.other is None:
        return one
    others = QuestionSet("other", None, of_another_product(load_questions(arguments.other)))
    return replace(one, questions=one.questions + others.drawn(arguments.limit, arguments.seed).questions)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = _chosen_set(arguments)
        by: By = "reader" if arguments.reader else "retrieval"
        summary = measure(one, open_parts(one, settings), Run.named(name, settings), by, console)
        print_figures(summary, console, terminal_language())
        write_json(arguments.json, summary)

    return finish(arguments, console, work)
