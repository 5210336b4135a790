"""``python -m eval chunk-size``: which size of passages finds the right documents best."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from eval.commands.shared import (
    command_parser,
    headed_table,
    measure,
    print_line,
    progress_in,
    question_limit,
    write_json,
)
from eval.core.question_sets import sets_in
from eval.retrieval.benchmark import measure_chunk_sizes, smaller_corpus
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval chunk-size --sets FOLDER              every subfolder with corpus.jsonl and questions.jsonl
  python -m eval chunk-size --sets FOLDER --sizes 96 128 --limit 100 --documents 300

exit codes: 0 measured, 2 usage, 3 no question set there, 5 the embedder is missing, 130 interrupted
"""
SIZES = (64, 96, 128, 192, 256)
_MEASURES = {"recall_at_1": "R@1", "recall_at_5": "R@5", "mrr_at_10": "MRR@10"}
_SMALLEST, _LARGEST = 32, 400  # what the setting allows


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "chunk-size",
        "Cut, embed and search question sets with several chunk sizes; all else is as the desk does it.",
        EXAMPLES,
    )
    parser.add_argument("--sets", type=Path, required=True, metavar="FOLDER", help="question sets, a subfolder each")
    parser.add_argument("--sizes", type=_size, nargs="+", default=list(SIZES), metavar="TOKENS")
    parser.add_argument(
        "--limit", type=question_limit, default=0, metavar="N", help="only N questions a set, drawn by --seed"
    )
    parser.add_argument(
        "--documents", type=int, default=0, metavar="N", help="only N documents a set: the relevant ones, and others"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _size(value: str) -> int:
    size = int(value)
    if not _SMALLEST <= size <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{size} is not between {_SMALLEST} and {_LARGEST}")
    return size


def print_figures(figures: Mapping[int, Mapping[str, object]], now: int, console: Console, language: Language) -> None:
    """Print a table a measure: a row a set and one for their mean, a column a size."""
    for key, name in _MEASURES.items():
        table = headed_table(("eval.set", "n", *map(str, figures)), "", language)
        table.title = f"{name}, {translate('eval.chunk_sizes', language)}"
        by_set = {size: dict(one["by_set"]) for size, one in figures.items()}  # type: ignore[call-overload]
        for one in next(iter(by_set.values())):
            values = [by_set[size][one] for size in figures]
            table.add_row(one, str(values[0]["n"]), *(f"{value[key]:.3f}" for value in values))
        means = [figures[size][key] for size in figures]
        table.add_row(translate("eval.mean_of_sets", language), "", *(f"{value:.3f}" for value in means))
        console.print(table)
    best = max(figures, key=lambda size: float(str(figures[size]["recall_at_1"])))
    counts = ", ".join(f"{size}: {one['chunks']}" for size, one in figures.items())
    print_line(console, translate("eval.chunks_of_sizes", language, counts=counts))
    print_line(console, translate("eval.chosen_size", language, now=now, best=best))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        sets = [one.with_relevant().draw_sample(arguments.limit, arguments.seed) for one in sets_in(arguments.sets)]
        settings = load_settings()
        embedder = open_embedder(settings)
        with tempfile.TemporaryDirectory(prefix="answerdesk-chunk-size-") as name:
            folder = Path(name)
            if arguments.documents:
                sets = [
                    smaller_corpus(one, arguments.documents, arguments.seed, folder / f"{number}.jsonl")
                    for number, one in enumerate(sets)
                ]
            with progress_in(Console(stderr=True)) as progress:
                figures = measure_chunk_sizes(sets, arguments.sizes, settings, embedder, folder, progress)
        print_figures(figures, settings.chunk_tokens, console, language)
        write_json(arguments.json, {str(size): one for size, one in figures.items()})

    return measure(work)
