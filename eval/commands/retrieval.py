"""``python -m eval retrieval``: recall, reciprocal rank and latency of the search alone."""

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console

from eval.commands.shared import (
    chosen_sets,
    chosen_settings,
    finish,
    headed_table,
    print_line,
    progress_in,
    question_parser,
    write_json,
)
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run
from eval.retrieval.benchmark import measure_retrieval
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval retrieval                                  the sample questions on the sample knowledge base
  python -m eval retrieval --corpus docs.jsonl --questions asked.jsonl --json figures.json
  python -m eval retrieval --sets FOLDER --limit 100        every subfolder with corpus.jsonl and questions.jsonl
  python -m eval retrieval --corpus docs.jsonl --questions asked.jsonl --other-language
  python -m eval retrieval --kb shop --questions asked.jsonl --run monday
"""
MEASURES = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "mrr_at_10": "MRR@10",
    "ndcg_at_10": "nDCG@10",
}


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "retrieval",
        "Ask questions whose relevant documents are known; report how well those are found, and how fast.  检索质量",
        EXAMPLES,
    )
    parser.add_argument(
        "--other-language",
        action="store_true",
        help="as if the answer were there in the other language only (meta.cross_lingual_relevant)  仅另一种语言有答案",
    )
    return parser


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print a row for each of several sets, then the means, each set counting alike."""
    by_set, times = summary["by_set"], summary["latency_ms"]
    assert isinstance(by_set, dict) and isinstance(times, dict)
    if len(by_set) > 1:
        sets = headed_table(("eval.set", "n", *MEASURES.values()), "", language)
        for name, values in by_set.items():
            sets.add_row(name, str(values["n"]), *(f"{values[key]:.3f}" for key in MEASURES))
        console.print(sets)
    table = headed_table(("eval.figure_of_sets", "eval.value"), "eval.found", language)
    table.add_row("n", str(summary["n"]))
    for key in MEASURES:
        table.add_row(key, f"{summary[key]:.3f}")
    for name, value in times.items():
        table.add_row(f"latency_ms.{name}", str(value))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work(name: str) -> None:
        asked = QuestionSet.for_other_language if arguments.other_language else QuestionSet.with_relevant
        sets = [asked(one).draw_sample(arguments.limit, arguments.seed) for one in chosen_sets(arguments)]
        settings = chosen_settings(arguments)
        kept = Run.named(name, settings)
        embedder = open_embedder(settings)
        with progress_in(console) as progress:
            summary = measure_retrieval(sets, settings, embedder, kept, progress)
        print_figures(summary, console, language)
        if summary["unknown"]:
            print_line(console, translate("eval.unknown_documents", language, count=summary["unknown"], n=summary["n"]))
        print_line(console, translate("eval.records", language, records=kept.folder))
        write_json(arguments.json, summary)

    return finish(arguments, work)
