"""Ingests the same documents again and again, with more and more workers, on all cores and with a core for each."""

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

from eval.bench.ingest.corpus import write_corpus
from rag.errors import DatabaseNotEmpty, SettingsError
from rag.settings import ServerDatabase, Settings
from rag.storage.shared_pieces import SharedKnowledge

SPEEDUP = 1.9
"""The bar: two workers of a core each against one, as if each were a machine."""

_NAME = "workers-benchmark"
_PASSAGES_A_FILE = 2.3  # of Markdown; measured
_END_SECONDS = 60.0
Cores = Collection[int]


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
    """Return what is measured: first all on all cores, then machines of one core each.  There must be two cores.

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
    load = round(os.getloadavg()[0], 2)
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
    command = ["eval.bench.workers.ingesting", str(folder / "corpus"), str(len(arrangement.workers))]
    worker = "eval.bench.workers.sleeping" if sleeping else "ingest.worker"
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
def _working(module: str, workers: Sequence[Cores], environment: dict[str, str]) -> Iterator[None]:
    """Let workers run, each on some cores."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", module],
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
