"""``python -m eval sharing``: what travels between desks that share a knowledge base, and how soon it serves.

A knowledge base is published again and again with one document changed, while another desk follows.  Where the settings
name a bucket, all of it is done twice: with the pieces in rows of the server, and in the bucket.

``python -m eval.bench.sharing`` is the other desk, in a process of its own and with its settings in the environment: it
prints a line of JSON for each generation that serves there.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console

from eval.bench.ingest.child_processes import GeneratedVectors
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
from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.pipeline import IngestOptions, ingest
from ingest.publish import rollback
from rag.errors import DatabaseNotEmpty, SettingsError
from rag.private_files import keep_files_private
from rag.schema import Language
from rag.settings import ServerDatabase, Settings, load_settings
from rag.storage.following import KnowledgeFollower
from rag.storage.shared_pieces import SharedKnowledge
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language
from rag.translate import translate

SERVED_WITHIN_SECONDS = 1.0
"""The bar: from the server's commit to the other desk, in the median."""

_NAME = "sharing-benchmark"
_WORDS, _WORDS_A_PASSAGE, _PASSAGES_A_DOCUMENT = 20_000, 60, 5
_LONGEST_WAIT_SECONDS = 120.0

_LOOK_EVERY_SECONDS = 0.002

_EXAMPLES = """\
examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@localhost/empty python -m eval sharing
  python -m eval sharing --passages 2000 --changes 5 --json figures.json
  ANSWERDESK_BLOB_URL=s3://pieces/desk python -m eval sharing    # the server's rows, and the bucket beside them

The server's database must hold no knowledge bases; the benchmark deletes its own. Vectors are drawn by chance: no model
is needed. Folders lie in the data folder for as long as it runs.

exit codes: 0 measured, 2 usage or no server named, 3 the server or the bucket is away, or the server holds knowledge
bases, 130 interrupted"""
_KNOWLEDGE_BASES = 2


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


def measure_sharing(
    settings: Settings, place: ServerDatabase, passages: int, changes: int, told: Callable[[], object]
) -> list[SharingFigures]:
    """Measure the sample, and a generated knowledge base of so many ``passages``, with so many ``changes`` each.

    Folders are made below the data folder and deleted, as is what the server and the bucket had of it.  Raises
    ``DatabaseNotEmpty`` where the server has knowledge bases already, whose desks would be notified of these.
    """
    with closing(SharedKnowledge(place)) as server:
        if server.tokens():
            raise DatabaseNotEmpty(place="the server's database")
    figures = []
    for name, blob_url in product(("sample", "generated"), blob_urls(settings)):
        with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="sharing-") as folder:
            manual = Path(folder) / "manual"
            if name == "sample":
                shutil.copytree(KNOWLEDGE_DIR, manual)
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
    """Give a function that waits for the next generation that the other desk serves."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ANSWERDESK_DATA_DIR": str(data_dir),
        "ANSWERDESK_DATABASE_URL": settings.database_url,
        "ANSWERDESK_BLOB_URL": settings.blob_url,
        "ANSWERDESK_KNOWLEDGE_BASE": settings.knowledge_base,
    }
    desk = subprocess.Popen(
        [sys.executable, "-m", "eval.bench.sharing"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield lambda: json.loads(desk.stdout.readline() if desk.stdout is not None else "")
    finally:
        desk.communicate(timeout=_LONGEST_WAIT_SECONDS)


@contextmanager
def _commits(place: ServerDatabase) -> Iterator[Callable[[], float]]:
    """Give a function that tells when the server last notified of a revision: 0.1 ms after its commit."""
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


def follow() -> None:
    """Follow until standard input ends; times are of the machine's clock that only rises."""
    settings = load_settings()
    follower = KnowledgeFollower.of(settings)
    if follower is None:
        sys.exit("no server is named")
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, name="end", daemon=True).start()
    follower.start(wait_seconds=600)
    store, served = KnowledgeStore(settings.knowledge_dir), -1
    while not ended.is_set():
        generation = store.current_generation()
        if generation != served:
            at, served = time.monotonic(), generation
            transfer = follower.transfer(settings.knowledge_base)
            line = {"generation": generation, "at": at, "fetched": transfer.sent_bytes, "kept": transfer.kept_bytes}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        time.sleep(_LOOK_EVERY_SECONDS)
    follower.close()


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "sharing", "Change a document of a shared knowledge base, and time another desk.  共享知识库耗时", _EXAMPLES
    )
    parser.add_argument("--passages", type=int, default=10_000, metavar="N", help="generated passages (10,000)  段落数")
    parser.add_argument("--changes", type=int, default=10, metavar="N", help="publications of each (10)  发布次数")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[SharingFigures], console: Console, language: Language) -> None:
    keys = ("knowledge_base", "place", "passages", "first", "change", "seconds", "rollback", "ingest")
    table = headed_table((f"bench_sharing.{key}" for key in keys), "", language)
    for row in figures:
        table.add_row(
            row.knowledge_base,
            translate(f"bench_sharing.{row.place}", language),
            f"{row.passages:,}",
            f"{row.first_bytes / 1e6:.1f}",
            f"{row.change_bytes / 1e6:.2f}",
            f"{row.seconds_p50:.2f} / {row.seconds_max:.2f}",
            f"{row.rollback_seconds:.2f}",
            f"{row.publish_seconds:.1f}",
        )
    console.print(table)
    worst = max(row.seconds_p50 for row in figures)
    met = translate(f"bench_sharing.{'met' if worst <= SERVED_WITHIN_SECONDS else 'not_met'}", language)
    values = {"seconds": f"{worst:.2f}", "bar": f"{SERVED_WITHIN_SECONDS:g}", "met": met}
    print_line(console, translate("bench_sharing.bar", language, **values))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        settings = load_settings()
        place = settings.knowledge_database
        if place is None or min(arguments.passages, arguments.changes) < 1:
            raise SettingsError(reason=translate("bench_sharing.usage", language))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        load = load_average()
        steps = _KNOWLEDGE_BASES * len(blob_urls(settings)) * (arguments.changes + 1)
        with counted_steps(console, translate("bench_sharing.publishing", language), steps) as advance:
            figures = measure_sharing(settings, place, arguments.passages, arguments.changes, advance)
        _print(figures, console, language)
        print_machine(load, console, language)
        write_json(arguments.json, {"load_average": load, "figures": [asdict(row) for row in figures]})

    return exit_code(work)


if __name__ == "__main__":
    keep_files_private()
    follow()
