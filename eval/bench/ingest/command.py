"""``python -m eval ingest``: how fast and lean the ingest is, and how hard to break, against its bars."""

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from eval.bench.ingest.benchmark import (
    PARTS,
    PartName,
    Result,
    Sizes,
    measure_encoder,
    measure_kills,
    measure_langchain,
    measure_memory,
    measure_unchanged,
)
from eval.commands import shared
from eval.commands.shared import command_parser, headed_table, print_line, question_bar, write_json
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = """\
parts:
  encoder      chunks a second end to end, against the encoder alone on the same chunks
  langchain    the same against LangChain's stock pipeline (imports torch in a process of its own)
  unchanged    a second run over 10,000 documents that nobody has changed
  memory       the peak at 100,000 chunks over that at 10,000
  kills        60 kills at random moments: sound afterwards, and complete after the next run

examples:
  python -m eval ingest                              all of them: half an hour
  python -m eval ingest --part encoder kills --json figures.json
  python -m eval ingest --scale 0.05                 a quick look; the bars are meant for scale 1

exit codes: 0 measured, every bar met; 1 a bar missed; 2 usage; 5 the embedder is missing; 130 interrupted
"""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "ingest", "Measure the ingest against its bars, on documents made from the sample knowledge base.", EXAMPLES
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME", help="only these")
    parser.add_argument("--scale", type=_scale, default=1.0, help="0.05 measures with a twentieth of everything")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _scale(value: str) -> float:
    scale = float(value)
    Sizes.scaled(scale)  # its ValueError is argparse's
    return scale


def measure(part: PartName, sizes: Sizes, seed: int, settings: Settings, bar: Progress) -> Result:
    """Measure one part in an empty folder that is deleted afterwards."""
    language = terminal_language()
    task = bar.add_task(translate(f"bench_ingest.{part}", language), total=sizes.kills if part == "kills" else None)

    def say(stage: str) -> None:
        names = [translate(f"bench_ingest.{key}", language) for key in (part, stage)]
        bar.update(task, description=": ".join(names))

    with tempfile.TemporaryDirectory(prefix="answerdesk-ingest-") as name:
        folder = Path(name)
        measuring: dict[PartName, Callable[[], Result]] = {
            "encoder": lambda: measure_encoder(folder, sizes.chunks, seed, settings, open_embedder(settings), say),
            "langchain": lambda: measure_langchain(folder, sizes.chunks, seed, settings, open_embedder(settings), say),
            "unchanged": lambda: measure_unchanged(folder, sizes.unchanged_documents, seed, say),
            "memory": lambda: measure_memory(folder, sizes.memory_chunks, seed, say),
            "kills": lambda: measure_kills(folder, sizes.kills, seed, say, lambda: bar.advance(task)),
        }
        result = measuring[part]()
    bar.remove_task(task)
    return result


def print_results(results: Sequence[Result], console: Console, language: Language) -> None:
    """Print a row a part: what came out, the bar, and whether it is met."""
    heads = (f"bench_ingest.{key}" for key in ("what", "measured", "bar", "met"))
    table = headed_table(heads, "bench_ingest.title", language)
    for result in results:
        met = translate("bench_ingest.yes" if result.met else "bench_ingest.no", language)
        table.add_row(translate(f"bench_ingest.{result.part}", language), result.shown, result.bar, met)
    console.print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    before = os.getloadavg()

    def work() -> int:
        settings = load_settings()
        results = []
        with question_bar(console, disable=not console.is_terminal) as bar:
            for part in PARTS:
                if part in arguments.part:
                    results.append(measure(part, Sizes.scaled(arguments.scale), arguments.seed, settings, bar))
                    print_line(console, f"{translate('bench_ingest.' + part, language)}: {results[-1].shown}")
        loads = {name: _load_text(load) for name, load in (("before", before), ("after", os.getloadavg()))}
        print_results(results, console, language)
        for key in ("seed", "load", "generated"):
            print_line(console, translate(f"bench_ingest.{key}", language, seed=arguments.seed, **loads))
        parts = {result.part: asdict(result) for result in results}
        write_json(arguments.json, {"seed": arguments.seed, "scale": arguments.scale, "load": loads, "parts": parts})
        return 0 if all(result.met for result in results) else 1

    return shared.measure(work)


def _load_text(load: tuple[float, float, float]) -> str:
    return " ".join(f"{value:.2f}" for value in load)
