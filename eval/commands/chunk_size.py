"""``python -m eval chunk-size``: which size of passages finds the right documents best."""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.commands.retrieval import advancing
from eval.core.progress_bar import question_bar
from eval.core.question_sets import QuestionSet, sets_in
from eval.core.words import words
from eval.retrieval.benchmark import ask
from eval.retrieval.rankings import Ranking, summarise
from ingest.console import ProgressConsole
from ingest.pipeline import ingest
from rag.errors import AnswerdeskError
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

EXAMPLES = """\
examples:
  python -m eval chunk-size --sets FOLDER              every subfolder with corpus.jsonl and questions.jsonl
  python -m eval chunk-size --sets FOLDER --sizes 96 128 --limit 100 --documents 300

exit codes: 0 measured, 2 usage, 3 no question set there, 5 the embedder is missing, 130 interrupted
"""
SIZES = (64, 96, 128, 192, 256)
_MEASURES = {"recall_at_1": "R@1", "recall_at_5": "R@5", "mrr_at_10": "MRR@10"}
_SMALLEST, _LARGEST = 32, 400  # what the setting allows
_STOPPED = 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval chunk-size",
        description="Cut, embed and search question sets with several chunk sizes; all else is as the desk does it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sets", type=Path, required=True, metavar="FOLDER", help="question sets, a subfolder each")
    parser.add_argument("--sizes", type=_size, nargs="+", default=list(SIZES), metavar="TOKENS")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N questions a set, drawn by --seed")
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


def corpus_of(one: QuestionSet) -> Path:
    """Return the corpus of a set out of a folder, which has one."""
    assert one.corpus is not None
    return one.corpus


def smaller_corpus(one: QuestionSet, documents: int, seed: int, place: Path) -> QuestionSet:
    """Return the set with ``documents`` of its corpus, written to ``place``: what is relevant, and others by the seed.

    Where more are relevant all of those stay.  Fewer documents make the questions easier, for each size alike.
    """
    rows = [line for line in corpus_of(one).read_text(encoding="utf-8").split("\n") if line.strip()]
    relevant = {document for question in one.questions for document in question.relevant}
    kept = [number for number, line in enumerate(rows) if json.loads(line)["id"] in relevant]
    others = sorted(set(range(len(rows))) - set(kept))
    kept += random.Random(seed).sample(others, min(len(others), max(0, documents - len(kept))))
    place.write_text("".join(f"{rows[number]}\n" for number in sorted(kept)), encoding="utf-8")
    return replace(one, corpus=place)


def measure(
    sets: Sequence[QuestionSet], sizes: Sequence[int], settings: Settings, embedder: Embedder, folder: Path
) -> dict[int, dict[str, object]]:
    """Return for each size the means over the sets, the figures of each under ``by_set``, and ``chunks``.

    Each set has one knowledge base for all sizes, in ``folder``: a passage that two sizes share is embedded once.
    """
    found: dict[int, dict[str, Sequence[Ranking]]] = {size: {} for size in sizes}
    chunks = dict.fromkeys(sizes, 0)
    for number, one in enumerate(sets):
        for size in sizes:
            own = settings.changed(data_dir=folder / str(number), chunk_tokens=size)
            with ProgressConsole(terminal_language(), sys.stderr) as progress:
                summary = ingest([corpus_of(one)], own, embedder, prune=True, progress=progress)
            with question_bar(Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
                task = bar.add_task(f"{one.name} {size}", total=len(one.questions))
                found[size][one.name] = ask(one, own.knowledge_dir, own, embedder, advancing(bar, task))
            chunks[size] += summary.chunks
    return {size: {**summarise(found[size]), "chunks": chunks[size]} for size in sizes}


def print_figures(figures: Mapping[int, Mapping[str, object]], now: int, console: Console, language: Language) -> None:
    """Print a table a measure: a row a set and one for their mean, a column a size."""
    for key, name in _MEASURES.items():
        table = Table(
            words("set", language), "n", *map(str, figures), title=f"{name}, {words('chunk_sizes', language)}"
        )
        by_set = {size: dict(one["by_set"]) for size, one in figures.items()}  # type: ignore[call-overload]
        for one in next(iter(by_set.values())):
            values = [by_set[size][one] for size in figures]
            table.add_row(one, str(values[0]["n"]), *(f"{value[key]:.3f}" for value in values))
        means = [figures[size][key] for size in figures]
        table.add_row(words("mean_of_sets", language), "", *(f"{value:.3f}" for value in means))
        console.print(table)
    best = max(figures, key=lambda size: float(str(figures[size]["recall_at_1"])))
    counts = ", ".join(f"{size}: {one['chunks']}" for size, one in figures.items())
    console.print(words("chunks_of_sizes", language, counts=counts), markup=False, soft_wrap=True)
    console.print(words("chosen_size", language, now=now, best=best), markup=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        sets = [one.with_relevant().drawn(arguments.limit, arguments.seed) for one in sets_in(arguments.sets)]
        settings = load_settings()
        embedder = open_embedder(settings)
        with tempfile.TemporaryDirectory(prefix="answerdesk-chunk-size-") as name:
            folder = Path(name)
            if arguments.documents:
                sets = [
                    smaller_corpus(one, arguments.documents, arguments.seed, folder / f"{number}.jsonl")
                    for number, one in enumerate(sets)
                ]
            figures = measure(sets, arguments.sizes, settings, embedder, folder)
        print_figures(figures, settings.chunk_tokens, console, language)
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("nothing_measured", language), markup=False)
        return _STOPPED
    return 0
