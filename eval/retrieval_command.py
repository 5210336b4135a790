"""``python -m eval retrieval``: recall, reciprocal rank and latency of the search alone."""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.dataset import GOLDEN_DIR
from eval.retrieval_benchmark import QuestionSet, Ranking, run, sets_in, summarise
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
KNOWLEDGE_DIR = GOLDEN_DIR.parent / "knowledge"
_MEASURES = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "mrr_at_10": "MRR@10",
    "ndcg_at_10": "nDCG@10",
}
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Documents found", "检索结果"),
    "set": ("set", "题集"),
    "figure": ("figure (mean of the sets)", "指标（各题集平均）"),
    "value": ("value", "数值"),
    "interrupted": ("Interrupted; nothing was measured.", "已中断，未得出结果。"),
    "as_many": (
        "--corpus and --questions are given in pairs: {corpora} and {questions}",
        "--corpus 与 --questions 须成对给出：现为 {corpora} 个与 {questions} 个",
    ),
}


def _words(key: str, language: Language, **values: object) -> str:
    return _WORDS[key][1 if language == "zh" else 0].format(**values)


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
        raise SettingsError(reason=_words("as_many", terminal_language(), **counts))
    sets = [QuestionSet.load(*pair) for pair in zip(arguments.corpus, arguments.questions, strict=True)]
    sets += sets_in(arguments.sets) if arguments.sets else []
    if not sets:
        sets = [QuestionSet.load(KNOWLEDGE_DIR, GOLDEN_DIR)]
    return [_limited(one, arguments.limit, arguments.seed) for one in sets]


def _limited(one: QuestionSet, limit: int, seed: int) -> QuestionSet:
    if not 0 < limit < len(one.questions):
        return one
    kept = sorted(random.Random(seed).sample(range(len(one.questions)), limit))
    return replace(one, questions=tuple(one.questions[index] for index in kept))


def measure(sets: Sequence[QuestionSet], settings: Settings, embedder: Embedder, console: Console) -> dict[str, object]:
    """Run every set and return the figures."""
    by_set: dict[str, Sequence[Ranking]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    for number, one in enumerate(sets):
        with (
            ProgressConsole(terminal_language(), sys.stderr) as ingesting,
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        ):
            task = bar.add_task(one.name, total=len(one.questions))
            rankings = run(one, settings, embedder, ingesting=ingesting, progress=_advancing(bar, task))
        by_set[one.name if one.name not in by_set else f"{one.name}-{number}"] = rankings
    return {"embedder": embedder.model_id, **summarise(by_set)}


def _advancing(bar: Progress, task: TaskID) -> Callable[[Ranking], None]:
    def advance(ranking: Ranking) -> None:
        del ranking
        bar.advance(task)

    return advance


def print_figures(summary: Mapping[str, object], console: Console, language: Language) -> None:
    """Print a row a set where there are several, then what holds for all, each set counting alike."""
    by_set, times = summary["by_set"], summary["latency_ms"]
    assert isinstance(by_set, dict) and isinstance(times, dict)
    if len(by_set) > 1:
        sets = Table(_words("set", language), "n", *_MEASURES.values())
        for name, values in by_set.items():
            sets.add_row(name, str(values["n"]), *(f"{values[key]:.3f}" for key in _MEASURES))
        console.print(sets)
    table = Table(_words("figure", language), _words("value", language), title=_words("title", language))
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
        console.print(_words("interrupted", terminal_language()), markup=False)
        return 130
    return 0
