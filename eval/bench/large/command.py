"""``python -m eval large``: a generated knowledge base of a hundred thousand passages, or of another size."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from eval.bench.large.benchmark import measure
from eval.commands import shared
from eval.commands.shared import command_parser, headed_table, question_bar, write_json
from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR
from ingest.golden import load_questions
from rag.cli import positive_integer
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval large                                 100,000 passages: minutes, and 1 GB of disk
  python -m eval large --chunks 1000000 --json FILE    ten times that
  ANSWERDESK_VECTOR_URL=postgresql://... python -m eval large    the vectors in an engine (docs/scale.md)

Passages are spliced from the sample knowledge base's own, vectors mixed from its vectors
(eval/bench/large/generated_knowledge.py). They are written below ANSWERDESK_DATA_DIR and deleted at the end.

exit codes: 0 measured, 2 usage, 3 nothing was measured, 5 the embedder is missing, 130 interrupted
"""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "large", "Generate a large knowledge base; measure recall, latency, changes, opening and memory.", EXAMPLES
    )
    parser.add_argument(
        "--chunks", type=positive_integer, default=100_000, metavar="N", help="passages (default: 100000)"
    )
    parser.add_argument("--corpus", type=Path, default=KNOWLEDGE_DIR, help="documents to generate from")
    parser.add_argument("--questions", type=Path, default=GOLDEN_DIR, help="JSONL file or folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def print_figures(figures: Mapping[str, object], console: Console, language: Language) -> None:
    """Print one row a figure."""
    table = headed_table(("eval.figure", "eval.value"), "eval.large", language)
    for name, value in figures.items():
        if isinstance(value, dict):
            for part, own in value.items():
                table.add_row(f"{name}.{part}", str(own))
        else:
            table.add_row(name, str(value))
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    language = terminal_language()

    def work() -> None:
        settings = load_settings()
        golden = load_questions(arguments.questions)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix="large-", dir=settings.data_dir, ignore_cleanup_errors=True) as place,
            question_bar(Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
        ):
            task = bar.add_task("", total=None)

            def show(stage: str, done: int, total: int) -> None:
                bar.update(task, description=translate(f"eval.large_{stage}", language), completed=done, total=total)

            figures = measure(
                settings,
                Path(place),
                open_embedder,
                arguments.corpus,
                golden,
                chunks=arguments.chunks,
                seed=arguments.seed,
                progress=show,
            )
        print_figures(figures, Console(), language)
        write_json(arguments.json, figures)

    return shared.measure(work)
