"""``python -m eval workers``: how many passages a second an ingest embeds with workers beside it."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.bench.workers.benchmark import SPEEDUP, BenchmarkSize, WorkerFigures, arrangements, measure_workers
from eval.commands.progress_bar import question_bar
from eval.commands.question_options import INTERRUPTED, print_line, write_json
from rag.errors import AnswerdeskError, SettingsError
from rag.schema import Language
from rag.settings import load_settings
from rag.terminal import fail, terminal_language
from rag.translate import translate

_EXAMPLES = """\
examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@localhost/empty python -m eval workers
  python -m eval workers --passages 1000 --only one_pinned two_pinned --json figures.json
  python -m eval workers --sleeping           embedders that sleep as long as a core needs: each is a machine of its own

Two cores of this machine are used, and the real embedder; figures of a machine that others use as well say little, so
the load average is printed.  With --sleeping it matters less, and only what the sharing costs is measured.  The
server's database must hold no knowledge bases; the benchmark deletes its own.

exit codes: 0 measured, 2 usage or no server named, 3 the server is away or holds knowledge bases,
  5 the embedder is missing, 130 interrupted"""
_NAMES = tuple(one.name for one in arrangements((0, 1)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval workers",
        description="Time an ingest with workers beside it.  有工作进程协助时的导入速度",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--passages", type=int, default=4000, metavar="N", help="of each ingest (4,000)  段落数")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=list(_NAMES), metavar="NAME", help="only these")
    parser.add_argument("--sleeping", action="store_true", help="embedders sleep instead of working  以休眠代替计算")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[WorkerFigures], console: Console, language: Language) -> None:
    keys = ("arrangement", "passages", "seconds", "by_workers", "rate", "load")
    table = Table(*(translate(f"bench_workers.{key}", language) for key in keys))
    for row in figures:
        table.add_row(
            translate(f"bench_workers.{row.arrangement}", language),
            f"{row.passages:,}",
            f"{row.seconds:.1f}",
            f"{row.by_workers:,}",
            f"{row.rate:.1f}",
            f"{row.load_average:g}",
        )
    console.print(table)
    rates = {row.arrangement: row.rate for row in figures}
    for one, two in (("one_pinned", "two_pinned"), ("one_machine", "two_machines")):
        if one in rates and two in rates:
            speedup = rates[two] / rates[one]
            met = translate(f"bench_workers.{'met' if speedup >= SPEEDUP else 'not_met'}", language)
            values = {"what": translate(f"bench_workers.{two}", language), "speedup": speedup, "bar": SPEEDUP}
            print_line(console, translate("bench_workers.speedup", language, met=met, **values))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    try:
        settings = load_settings()
        place = settings.knowledge_database
        if place is None or arguments.passages < 1:
            raise SettingsError(reason=translate("bench_workers.usage", language))
        size = BenchmarkSize(arguments.passages, arguments.only, arguments.sleeping)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with question_bar(console, disable=not console.is_terminal) as bar:
            task = bar.add_task(translate("bench_workers.ingesting", language), total=len(arguments.only))
            figures = measure_workers(settings, place, size, lambda: bar.advance(task))
        _print(figures, console, language)
        load = round(os.getloadavg()[0], 2)
        print_line(console, translate("bench_load.machine", language, load=load, cores=os.cpu_count()))
        write_json(arguments.json, {"figures": [row.to_json() for row in figures]})
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0
