"""``python -m eval large``: a generated knowledge base of a hundred thousand passages, or of another size."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.large.benchmark import measure
from eval.commands.progress_bar import question_bar
from eval.commands.question_options import print_line
from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR
from ingest.golden import load_questions
from rag.errors import AnswerdeskError
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import fail, terminal_language
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
    parser = argparse.ArgumentParser(
        prog="python -m eval large",
        description="Generate a large knowledge base; measure recall, latency, changes, opening and memory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chunks", type=_positive, default=100_000, metavar="N", help="passages (default: 100000)")
    parser.add_argument("--corpus", type=Path, default=KNOWLEDGE_DIR, help="documents to generate from")
    parser.add_argument("--questions", type=Path, default=GOLDEN_DIR, help="JSONL file or folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def print_figures(figures: Mapping[str, object], console: Console, language: Language) -> None:
    """Print one row a figure."""
    table = Table(
        translate("eval.figure", language), translate("eval.value", language), title=translate("eval.large", language)
    )
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
    console = Console()
    place: Path | None = None
    try:
        settings = load_settings()
        golden = load_questions(arguments.questions)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="large-", dir=settings.data_dir))
        with question_bar(Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=None)

            def show(stage: str, done: int, total: int) -> None:
                bar.update(
                    task, description=translate(f"eval.large_{stage}", terminal_language()), completed=done, total=total
                )

            figures = measure(
                settings,
                place,
                open_embedder,
                arguments.corpus,
                golden,
                chunks=arguments.chunks,
                seed=arguments.seed,
                progress=show,
            )
        print_figures(figures, console, terminal_language())
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        print_line(console, translate("eval.nothing_measured", terminal_language()))
        return 130
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
    return 0
