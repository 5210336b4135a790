"""``python -m eval workers``: how many passages a second an ingest embeds with workers beside it.

The same documents are ingested again and again, with more and more workers, on all cores and with a core for each.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from eval.bench.ingest.corpus import write_corpus
from eval.commands.shared import (
    command_parser,
    counted_steps,
    exit_code,
    headed_table,
    load_average,
    print_line,
    print_machine,
    write_json,
)
from rag.errors import DatabaseNotEmpty, SettingsError
from rag.schema import Language
from rag.settings import ServerDatabase, Settings, load_settings
from rag.storage.shared_pieces import SharedKnowledge
from rag.terminal import terminal_language
from rag.translate import translate

SPEEDUP = 1.9
"""The bar: two workers of a core each against one, as if each were a machine."""

_NAME = "workers-benchmark"
_PASSAGES_A_FILE = 2.3  # of Markdown; measured
_END_SECONDS = 60.0
Cores = Collection[int]

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


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What runs where: the cores of the ingest and of each worker; ``shares`` is False for one without ``--workers``.

    With ``share_only`` the ingest embeds nothing itself, and makes no index.
    """

    name: str
    ingest: Cores
    workers: Sequence[Cores] = ()
    shares: bool = True
    share_only: bool = False


def arrangements(cores: Sequence[int]) -> tuple[Arrangement, ...]:
    """Return the arrangements: first all on all cores, then machines of one core each.  There must be two cores.

    The last one has more workers than that, and says something only where embedders sleep.
    """
    first, second = [cores[0]], [cores[1]]
    return (
        Arrangement("plain", cores, shares=False),
        Arrangement("no_worker", cores),
        Arrangement("one_worker", cores, [cores]),
        Arrangement("two_workers", cores, [cores, cores]),
        Arrangement("one_machine", first, shares=False),
        Arrangement("two_machines", first, [second]),
        Arrangement("one_pinned", cores, [first], share_only=True),
        Arrangement("two_pinned", cores, [first, second], share_only=True),
        Arrangement("four_pinned", cores, [first, second] * 2, share_only=True),
    )


@dataclass(frozen=True, slots=True)
class BenchmarkSize:
    """How many passages each of the ``chosen`` arrangements embeds.

    ``sleeping``: each embedder, of ingest and workers, takes the time of one core and not the core.
    """

    passages: int
    chosen: Collection[str]
    sleeping: bool = False


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What one arrangement took; ``load_average`` is the machine's before it began."""

    arrangement: str
    passages: int
    seconds: float
    by_workers: int
    load_average: float

    @property
    def rate(self) -> float:
        """Passages a second."""
        return self.passages / self.seconds

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return {**asdict(self), "passages_per_second": round(self.rate, 1)}


def measure_workers(
    settings: Settings, place: ServerDatabase, size: BenchmarkSize, told: Callable[[], object]
) -> list[WorkerFigures]:
    """Measure the chosen arrangements with about so many passages each.

    Folders are made below the data folder and deleted, as is what the server had of it.  Raises ``DatabaseNotEmpty``
    where the server has knowledge bases already, and ``SettingsError`` on a machine of one core.
    """
    with closing(SharedKnowledge(place)) as server:
        if server.tokens():
            raise DatabaseNotEmpty(place="the server's database")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SettingsError(reason="one core")
    figures = []
    with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="workers-") as name:
        folder = Path(name)
        write_corpus(folder / "corpus", round(size.passages / _PASSAGES_A_FILE), seed=4, formats=("md",))
        for arrangement in arrangements(cores[:2]):
            if arrangement.name in size.chosen:
                figures.append(_measure(arrangement, folder, place, sleeping=size.sleeping))
                told()
    return figures


def _measure(arrangement: Arrangement, folder: Path, place: ServerDatabase, *, sleeping: bool) -> WorkerFigures:
    load = load_average()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ANSWERDESK_DATA_DIR": str(folder / arrangement.name),
        "ANSWERDESK_DATABASE_URL": place.url,
        "ANSWERDESK_KNOWLEDGE_BASE": _NAME,
        "ANSWERDESK_INGEST_WORKERS": str(arrangement.shares).lower(),
    }
    if sleeping:
        environment["ANSWERDESK_EMBEDDER_THREADS"] = "1"
    options = {"--share-only": arrangement.share_only, "--sleeping": sleeping}
    command = ["eval.bench.workers.processes", str(folder / "corpus"), str(len(arrangement.workers))]
    worker = ["eval.bench.workers.processes", "--worker"] if sleeping else ["ingest.worker"]
    try:
        with _working(worker, arrangement.workers, environment):
            ended = subprocess.run(
                [sys.executable, "-m", *command, *(name for name, chosen in options.items() if chosen)],
                env=environment, stdout=subprocess.PIPE, text=True, check=True,
                preexec_fn=partial(os.sched_setaffinity, 0, arrangement.ingest),
            )  # fmt: skip
    finally:
        with closing(SharedKnowledge(place)) as server:
            server.delete(_NAME)
    found = json.loads(ended.stdout.splitlines()[-1])
    by_workers = sum(found["by_worker"].values())
    return WorkerFigures(arrangement.name, found["passages"], round(found["seconds"], 2), by_workers, load)


@contextmanager
def _working(module: Sequence[str], workers: Sequence[Cores], environment: dict[str, str]) -> Iterator[None]:
    """Let workers run, each on some cores."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *module],
            env=environment, stderr=subprocess.DEVNULL, preexec_fn=partial(os.sched_setaffinity, 0, cores),
        )
        for cores in workers
    ]  # fmt: skip
    try:
        yield
    finally:
        for worker in running:
            worker.send_signal(signal.SIGINT)
        for worker in running:
            worker.wait(_END_SECONDS)


_NAMES = tuple(one.name for one in arrangements((0, 1)))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("workers", "Time an ingest with workers beside it.  有工作进程协助时的导入速度", _EXAMPLES)
    parser.add_argument("--passages", type=int, default=4000, metavar="N", help="of each ingest (4,000)  段落数")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=list(_NAMES), metavar="NAME", help="only these")
    parser.add_argument("--sleeping", action="store_true", help="embedders sleep instead of working  以休眠代替计算")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[WorkerFigures], console: Console, language: Language) -> None:
    keys = ("arrangement", "passages", "seconds", "by_workers", "rate", "load")
    table = headed_table((f"bench_workers.{key}" for key in keys), "", language)
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

    def work() -> None:
        settings = load_settings()
        place = settings.knowledge_database
        if place is None or arguments.passages < 1:
            raise SettingsError(reason=translate("bench_workers.usage", language))
        size = BenchmarkSize(arguments.passages, arguments.only, arguments.sleeping)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with counted_steps(console, translate("bench_workers.ingesting", language), len(arguments.only)) as advance:
            figures = measure_workers(settings, place, size, advance)
        _print(figures, console, language)
        print_machine(load_average(), console, language)
        write_json(arguments.json, {"figures": [row.to_json() for row in figures]})

    return exit_code(work)
