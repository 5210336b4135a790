"""``python -m eval retrieval``: recall, reciprocal rank and latency of the search alone."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from eval.dataset import GOLDEN_DIR, KNOWLEDGE_DIR, drawn
from eval.retrieval.benchmark import QuestionSet, Ranking, run, sets_in, summarise
from eval.tables import question_bar, words
from ingest.console import ProgressConsole
from rag.errors import AnswerdeskError, SettingsError
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

EXAMPLES = """\
examples:
  python -m eval retrieval                                  the sample questions on the sample knowledge base
  python -m eval retrieval --corpus docs.jsonl --questions asked.jsonl
  python -m eval retrieval --sets FOLDER --limit 100        every subfolder with corpus.jsonl and questions.jsonl

exit codes: 0 measured, 2 usage, 3 nothing to ingest, 5 the embedder is missing, 130 interrupted
"""
_MEASURES = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "mrr_at_10": "MRR@10",
    "ndcg_at_10": "nDCG@10",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval retrieval",
        description="Ask questions whose relevant documents are known; report how well those are found, and how fast.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--corpus", type=Path, action="append", default=[], help="documents; may be given again")
    parser.add_argument("--questions", type=Path, action="append", default=[], help="JSONL, one for each --corpus")
    parser.add_argument("--sets", type=Path, metavar="FOLDER", help="question sets, a subfolder each")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N questions a set, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _chosen_sets(arguments: argparse.Namespace) -> list[QuestionSet]:
    if len(arguments.corpus) != len(arguments.questions):
        counts = {"corpora": len(arguments.corpus), "questions": len(arguments.questions)}
        raise SettingsError(reason=words("as_many", terminal_language(), **counts))
    sets = [QuestionSet.load(*pair) for pair in zip(arguments.corpus, arguments.questions, strict=True)]
    sets += sets_in(arguments.sets) if arguments.sets else []
    if not sets:
        sets = [QuestionSet.load(KNOWLEDGE_DIR, GOLDEN_DIR)]
    return [replace(one, questions=drawn(one.questions, arguments.limit, arguments.seed)) for one in sets]


def measure(sets: Sequence[QuestionSet], settings: Settings, embedder: Embedder, console: Console) -> dict[str, object]:
    """Run every set and return the figures."""
    by_set: dict[str, Sequence[Ranking]] = {}
    for number, one in enumerate(sets):
        with (
            ProgressConsole(terminal_language(), sys.stderr) as ingesting,
            question_bar(console, disable=not console.is_terminal) as bar,
        ):
            task = bar.add_task(one.name, total=len(one.questions))
            rankings = run(one, settings, embedder, ingesting=ingesting, progress=advancing(bar, task))
        by_set[one.name if one.name not in by_set else f"{one.name}-{number}"] = rankings
    return {"embedder": embedder.model_id, **summarise(by_set)}


def advancing(bar: Progress, task: TaskID) -> Callable[[Ranking], None]:
    """Return what moves a bar on by one question."""

    def advance(ranking: Ranking) -> None:
        del ranking
        bar.advance(task)

    return advance


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print a row a set where there are several, then what holds for all, each set counting alike."""
    by_set, times = summary["by_set"], summary["latency_ms"]
    assert isinstance(by_set, dict) and isinstance(times, dict)
    if len(by_set) > 1:
        sets = Table(words("set", language), "n", *_MEASURES.values())
        for name, values in by_set.items():
            sets.add_row(name, str(values["n"]), *(f"{values[key]:.3f}" for key in _MEASURES))
        console.print(sets)
    table = Table(words("figure_of_sets", language), words("value", language), title=words("found", language))
    table.add_row("n", str(summary["n"]))
    for key in _MEASURES:
        table.add_row(key, f"{summary[key]:.3f}")
    for name, value in times.items():
        table.add_row(f"latency_ms.{name}", str(value))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console()
    try:
        sets = _chosen_sets(arguments)
        settings = load_settings()
        summary = measure(sets, settings, open_embedder(settings), console)
        print_figures(summary, console, terminal_language())
        if arguments.json:
            arguments.json.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("nothing_measured", terminal_language()), markup=False)
        return 130
    return 0
