"""Publishes a knowledge base again and again with one document changed, and looks when another desk serves it.

Where the settings name a bucket, all of it is done twice: with the pieces in rows of the server, and in the bucket.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from eval.bench.ingest.child_processes import GeneratedVectors
from ingest.pipeline import IngestOptions, ingest
from ingest.publish import rollback
from rag.errors import DatabaseNotEmpty
from rag.settings import ServerDatabase, Settings
from rag.storage.shared_pieces import SharedKnowledge
from rag.storage.sharing import KnowledgeShare

SERVED_WITHIN_SECONDS = 1.0
"""The bar: from the server's commit to the other desk, in the median."""

_NAME = "sharing-benchmark"
_WORDS, _WORDS_A_PASSAGE, _PASSAGES_A_DOCUMENT = 20_000, 60, 5
_LONGEST_WAIT_SECONDS = 120.0
_SAMPLE = Path(__file__).resolve().parents[3] / "data" / "knowledge"


@dataclass(frozen=True, slots=True)
class SharingFigures:
    """What one knowledge base took, with its pieces in one ``place``: the server's ``rows``, or a ``bucket``.

    ``first_bytes`` travel once, to a desk with an empty folder; ``change_bytes`` for each change of one document (the
    median), of all that the revision has.  Seconds are from the server's commit until the other desk serves it, median
    and maximum over the changes, and for a rollback; ``publish_seconds`` is the median of a whole ingest.
    """

    knowledge_base: str
    place: str
    passages: int
    first_bytes: int
    change_bytes: int
    seconds_p50: float
    seconds_max: float
    rollback_seconds: float
    publish_seconds: float

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self)


def measure_sharing(
    settings: Settings, place: ServerDatabase, passages: int, changes: int, told: Callable[[], object]
) -> list[SharingFigures]:
    """Measure the sample, and a generated knowledge base of so many ``passages``, with so many ``changes`` each.

    Folders are made below the data folder and deleted, as is what the server and the bucket had of it.  Raises
    ``DatabaseNotEmpty`` where the server has knowledge bases already, whose desks would be told of these.
    """
    with closing(SharedKnowledge(place)) as server:
        if server.tokens():
            raise DatabaseNotEmpty(place="the server's database")
    figures = []
    for name, blob_url in product(("sample", "generated"), blob_urls(settings)):
        with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="sharing-") as folder:
            manual = Path(folder) / "manual"
            if name == "sample":
                shutil.copytree(_SAMPLE, manual)
            else:
                _write_manual(manual, passages)
            site = _Site(settings, Path(folder), manual, replace(place, blob_url=blob_url))
            try:
                figures.append(site.measure(name, changes, told))
            finally:
                with closing(SharedKnowledge(site.place)) as server:
                    server.delete(_NAME)
    return figures


def blob_urls(settings: Settings) -> tuple[str, ...]:
    """Return the places that are measured: empty, the server's rows, and the bucket that the settings name."""
    return tuple(dict.fromkeys(("", settings.blob_url)))


def _write_manual(folder: Path, passages: int) -> None:
    folder.mkdir()
    draw = random.Random(0)
    for number in range(-(-passages // _PASSAGES_A_DOCUMENT)):
        (folder / f"{number}.md").write_text(_document(number, draw), encoding="utf-8")


def _document(number: int, draw: random.Random) -> str:
    paragraphs = (
        " ".join(f"w{draw.randrange(_WORDS)}" for _ in range(_WORDS_A_PASSAGE)) for _ in range(_PASSAGES_A_DOCUMENT)
    )
    return "\n\n".join([f"# Article {number}", *(f"## Part {part}\n\n{text}" for part, text in enumerate(paragraphs))])


class _Site:
    """A machine that publishes, here, and a desk that follows, in a process of its own."""

    def __init__(self, settings: Settings, folder: Path, manual: Path, place: ServerDatabase) -> None:
        shared = {"database_url": place.url, "blob_url": place.blob_url, "knowledge_base": _NAME}
        self._settings = settings.changed(data_dir=folder / "here", **shared)
        self._there = folder / "there"
        self._manual = manual
        self.place = place

    def measure(self, name: str, changes: int, told: Callable[[], object]) -> SharingFigures:
        summary = self._ingest()
        told()
        seconds, fetched, published = [], [], []
        draw = random.Random(1)
        with _following(self._settings, self._there) as served, _commits(self.place) as committed:
            first = served()
            files = sorted(self._manual.rglob("*.md"))
            for number in range(changes):
                files[number % len(files)].write_text(_document(number, draw), encoding="utf-8")
                began = time.monotonic()
                self._ingest()
                published.append(time.monotonic() - began)
                line = served()
                seconds.append(float(line["at"]) - committed())
                fetched.append(int(line["fetched"]))
                told()
            rollback(self._settings.knowledge_dir, share=KnowledgeShare.of(self._settings))
            back = float(served()["at"]) - committed()
        place = "bucket" if self.place.blob_url else "rows"
        return SharingFigures(
            name, place, summary, int(first["fetched"]), int(np.median(fetched)), round(float(np.median(seconds)), 3),
            round(max(seconds), 3), round(back, 3), round(float(np.median(published)), 2),
        )  # fmt: skip

    def _ingest(self) -> int:
        return ingest([self._manual], self._settings, GeneratedVectors(), IngestOptions(prune=True)).chunks


@contextmanager
def _following(settings: Settings, data_dir: Path) -> Iterator[Callable[[], dict[str, float]]]:
    """Give what waits for the next generation that the other desk serves."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ANSWERDESK_DATA_DIR": str(data_dir),
        "ANSWERDESK_DATABASE_URL": settings.database_url,
        "ANSWERDESK_BLOB_URL": settings.blob_url,
        "ANSWERDESK_KNOWLEDGE_BASE": settings.knowledge_base,
    }
    desk = subprocess.Popen(
        [sys.executable, "-m", "eval.bench.sharing.desk"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield lambda: json.loads(desk.stdout.readline() if desk.stdout is not None else "")
    finally:
        desk.communicate(timeout=_LONGEST_WAIT_SECONDS)


@contextmanager
def _commits(place: ServerDatabase) -> Iterator[Callable[[], float]]:
    """Give what tells when the server last notified of a revision: a tenth of a millisecond after its commit."""
    with closing(SharedKnowledge(place)) as server, closing(server.notices()) as notices:
        times: list[float] = []
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                if notices.wait(0.2):
                    times.append(time.monotonic())

        thread = threading.Thread(target=listen, name="commits")
        thread.start()
        try:
            yield lambda: times[-1]
        finally:
            ended.set()
            thread.join()
