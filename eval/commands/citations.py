"""``python -m eval citations``: whether all support is found, and every planted fault marked."""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from rich.console import Console
from rich.table import Table

from eval.citations.benchmark import Checked, check, figures
from eval.commands.question_options import by_name, chosen_sets, chosen_settings, question_parser, write_json
from eval.core.knowledge import open_parts
from eval.core.progress_bar import question_bar
from eval.core.question_sets import QuestionSet
from eval.core.tables import shown_figure
from eval.core.words import words
from ingest.golden import GoldenQuestion
from rag.errors import AnswerdeskError
from rag.pipeline import Pipeline
from rag.schema import Evidence, Language, Retrieved
from rag.settings import Settings
from rag.terminal import fail, terminal_language

EXAMPLES = """\
examples:
  python -m eval citations                                  the sample questions on the sample knowledge base
  python -m eval citations --corpus docs.jsonl --questions asked.jsonl --json figures.json
  python -m eval citations --sets FOLDER --limit 100        every subfolder with corpus.jsonl and questions.jsonl

No model is asked.  Sentences are made from the questions' gold answers and the passages that hold them, so that their
support is known; then a number, date, unit, code or denial is changed in each.
"""


def _parser() -> argparse.ArgumentParser:
    return question_parser(
        "citations",
        "Hold sentences whose support is known against the evidence; plant faults and see them marked.  引用核对",
        EXAMPLES,
    )


def measure(sets: Sequence[QuestionSet], settings: Settings, seed: int, console: Console) -> dict[str, object]:
    """Check every set and return the figures of all sentences together and, under ``by_set``, of each."""
    by_set: dict[str, list[Checked]] = {}
    for name, one in by_name(sets).items():
        pipeline = Pipeline(open_parts(one, settings))
        with question_bar(console, disable=not console.is_terminal) as bar:
            task = bar.add_task(name, total=len(one.questions))
            by_set[name] = check(one.questions, partial(_evidence, pipeline), seed, partial(bar.advance, task))
    together = [checked for found in by_set.values() for checked in found]
    return {**figures(together), "by_set": {name: figures(found) for name, found in by_set.items()}}


def _evidence(pipeline: Pipeline, question: GoldenQuestion) -> Sequence[Evidence]:
    """Return what the pipeline finds, before any model is asked."""
    first = next(iter(pipeline.stream(question.question, earlier=[question.previous] if question.previous else [])))
    assert isinstance(first, Retrieved)
    return first.evidence


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print the figures, then recall by kind of sentence and the share marked by kind of fault."""
    table = Table(words("figure", language), words("value", language), title=words("citations", language))
    for name in ("n", "citation_precision", "citation_recall", "faults", "faults_marked"):
        table.add_row(name, shown_figure(summary[name]))
    console.print(table)
    for title, key in (("known_sentences", "by_kind"), ("planted_faults", "by_fault")):
        kinds = summary[key]
        assert isinstance(kinds, Mapping)
        rows = Table(words(title, language), words("count", language), words("value", language))
        for kind, values in kinds.items():
            count, value = values.values()
            rows.add_row(kind, str(count), shown_figure(value))
        console.print(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        sets = [one.with_relevant().drawn(arguments.limit, arguments.seed) for one in chosen_sets(arguments)]
        summary = measure(sets, chosen_settings(arguments), arguments.seed, console)
        print_figures(summary, console, language)
        write_json(arguments.json, summary)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("nothing_measured", language), markup=False)
        return 130
    return 0
