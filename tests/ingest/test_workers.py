"""Workers that embed for an ingest over a real server: what they do, and what becomes of it when they die or lie."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from ingest.check import check
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestProgress, IngestSummary
from rag.settings import Settings
from rag.storage.postgres import pool_of
from tests.support.by_day import by_day
from tests.support.embedding_worker import SlowEmbedder, name_of, working
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

pytestmark = pytest.mark.real

PASSAGES, PASSAGES_A_FILE = 1200, 20
TAKEN_OVER_WITHIN_SECONDS = 5.0
KILLS = {str(number): number / 10 for number in range(20)}
"""Seconds from the first job that a worker has until it is killed."""


@dataclass(frozen=True)
class Alone:
    """A manual, and what becomes of it without workers and without a server, to be compared with."""

    manual: Path
    settings: Settings


@dataclass
class Bench:
    """Machines that ingest a manual with workers over a server."""

    folder: Path
    url: str
    reader: FileReader
    alone: Alone
    progress: list[IngestProgress] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ANSWERDESK_DATA_DIR": str(self.folder / "worker"),
            "ANSWERDESK_DATABASE_URL": self.url,
        }

    def ingest(self, name: str, embedder: SlowEmbedder, *, told: Callable[[], object] = lambda: None) -> IngestSummary:
        settings = _settings(self.folder / name, database_url=self.url, ingest_workers=True)

        def tell(progress: IngestProgress) -> None:
            self.progress.append(progress)
            told()

        return ingest([self.alone.manual], settings, embedder, IngestOptions(), progress=tell, reader=self.reader)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as server:
            cursor = server.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def require_as_without_workers(self, name: str) -> None:
        """The index is the same byte by byte, all rows of vectors are, and nothing is left on the server."""
        mine, other = _settings(self.folder / name).knowledge_dir, self.alone.settings.knowledge_dir
        assert check(mine).findings == ()
        files = sorted(path.relative_to(other) for path in (other / "generations").rglob("*") if path.is_file())
        assert len(files) > 3
        for file in files:
            if file.name != "index.json":  # which has the time
                assert (mine / file).read_bytes() == (other / file).read_bytes(), file
        assert _vectors(mine) == _vectors(other)
        assert self.ask("SELECT count(*) FROM embedding_job") == [(0,)]


def _settings(folder: Path, **values: object) -> Settings:
    return Settings(data_dir=folder, chunk_tokens=64, embedder_threads=1, **values)  # type: ignore[arg-type]


def _vectors(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "knowledge.db")) as database:
        return database.execute("SELECT * FROM embedding ORDER BY content_hash").fetchall()


@pytest.fixture(autouse=True)
def ordinary_user() -> None:
    """Be who runs the test, otherwise than in the tests beside these: PostgreSQL is started anew in some of them."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, file_reader: FileReader) -> Alone:
    folder: Path = tmp_path_factory.mktemp("alone")
    made = Alone(folder / "manual", _settings(folder / "data"))
    made.manual.mkdir()
    for number in range(PASSAGES // PASSAGES_A_FILE):
        paragraphs = [
            f"Part {part} of {number}. " + f"word{number % 97} of it. " * 14 for part in range(PASSAGES_A_FILE)
        ]
        (made.manual / f"{number}.md").write_text(f"# Article {number}\n\n" + "\n\n".join(paragraphs))
    ingest([made.manual], made.settings, SlowEmbedder(seconds=0), IngestOptions(), reader=file_reader)
    return made


@pytest.fixture
def bench(postgres_server: PostgresServer, tmp_path: Path, file_reader: FileReader, alone: Alone) -> Iterator[Bench]:
    url = postgres_server.make_room()
    yield Bench(tmp_path, url, file_reader, alone)
    pool_of(url).close()


def end(worker: "subprocess.Popen[str]", number: signal.Signals = signal.SIGINT) -> tuple[int, dict[str, object], str]:
    """Stop a worker, and return its exit code, its JSON and what it said."""
    worker.send_signal(number)
    output, said = worker.communicate(timeout=30)
    return worker.returncode, json.loads(output) if output else {}, said


def test_two_workers_and_the_index_is_the_same(bench: Bench) -> None:
    embedder = SlowEmbedder()
    with working(bench.environment, "sound") as first, working(bench.environment, "sound") as second:
        summary = bench.ingest("here", embedder)
        by_worker = dict(summary.workers)
        assert set(by_worker) == {name_of(first), name_of(second)}
        assert sum(by_worker.values()) + embedder.passages == summary.embedded >= PASSAGES
        assert min(by_worker.values()) > summary.embedded / 6, "each does its part"
        assert max(progress.workers for progress in bench.progress) == 2
        for worker in (first, second):
            code, told, said = end(worker)
            assert code == 130
            assert int(str(told["passages"])) >= by_worker[name_of(worker)], "some may have been done twice"
            assert "word" not in said, "no text gets into what it says"
    bench.require_as_without_workers("here")
    assert bench.ask("SELECT count(*) FROM embedding_worker") == [(0,)]


def test_without_a_worker_nothing_is_put_on_the_server(bench: Bench) -> None:
    embedder, seen = SlowEmbedder(seconds=0.01), set()
    bench.ingest(
        "here",
        embedder,
        told=lambda: seen.update(bench.ask("SELECT last_value, is_called FROM embedding_job_number_seq")),
    )
    assert seen == {(1, False)}
    bench.require_as_without_workers("here")


@pytest.mark.parametrize("seconds", by_day("1", of=KILLS))
def test_a_killed_workers_share_is_done_by_others(bench: Bench, seconds: float) -> None:
    with working(bench.environment, "sound") as first, working(bench.environment, "sound") as second:

        def kill() -> None:
            has_a_job = f"SELECT 1 FROM embedding_job WHERE worker LIKE '%:{first.pid}:%' AND vectors IS NULL"
            until(lambda: _asked(bench, has_a_job), 30)
            time.sleep(seconds)
            first.kill()
            taken.append(until(lambda: not _asked(bench, has_a_job), 30))

        taken: list[float] = []
        killing = threading.Thread(target=kill)
        killing.start()
        summary = bench.ingest("here", SlowEmbedder(seconds=0.2))
        killing.join()
        assert name_of(second) in summary.workers
        assert taken[0] < TAKEN_OVER_WITHIN_SECONDS
    bench.require_as_without_workers("here")


def _asked(bench: Bench, statement: str) -> bool:
    try:
        return bool(bench.ask(statement))
    except psycopg.errors.UndefinedTable:
        return False


def test_a_worker_that_hangs_holds_up_nobody_for_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.embedding_share._PATIENCE_SECONDS", 1.0)
    with working(bench.environment, "stuck"):
        summary = bench.ingest("here", SlowEmbedder(seconds=0.02))
    assert summary.workers == {}
    bench.require_as_without_workers("here")


def test_broken_vectors_are_refused_and_their_passages_are_others(bench: Bench) -> None:
    with working(bench.environment, "broken") as broken, working(bench.environment, "sound") as sound:
        summary = bench.ingest("here", SlowEmbedder())
        assert broken.wait(10) == 3
        assert broken.stderr is not None and "broken" in broken.stderr.read()
        assert set(summary.workers) == {name_of(sound)}
        assert summary.refused_workers == {name_of(broken): "vectors"}
    bench.require_as_without_workers("here")


@pytest.mark.parametrize(("kind", "words"), [("other", "hash-32 [32]"), ("old", "0.0.1")])
def test_a_worker_that_does_not_fit_says_so_and_leaves_the_jobs(bench: Bench, kind: str, words: str) -> None:
    with working(bench.environment, kind) as unfit, working(bench.environment, "slow") as fit:
        summary = bench.ingest("here", SlowEmbedder())
        assert unfit.stderr is not None and words in unfit.stderr.readline()
        assert set(summary.workers) <= {name_of(fit)}
        assert max(progress.workers for progress in bench.progress) == 1
        assert end(unfit)[0] == 130
    bench.require_as_without_workers("here")


def test_one_that_is_stopped_gives_back_its_job(bench: Bench) -> None:
    with working(bench.environment, "slow") as slow:
        ended: list[int] = []

        def stop() -> None:
            until(lambda: _asked(bench, "SELECT 1 FROM embedding_job WHERE worker <> ''"), 30)
            ended.append(end(slow, signal.SIGTERM)[0])

        stopping = threading.Thread(target=stop)
        stopping.start()
        summary = bench.ingest("here", SlowEmbedder())
        stopping.join()
    assert ended == [130]
    assert sum(summary.workers.values()) < summary.embedded
    bench.require_as_without_workers("here")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_the_server_may_be_restarted(
    own_postgres: PostgresServer, tmp_path: Path, file_reader: FileReader, alone: Alone, how: signal.Signals
) -> None:
    bench = Bench(tmp_path, own_postgres.url(), file_reader, alone)
    with working(bench.environment, "sound") as worker:

        def restart() -> None:
            until(lambda: _asked(bench, "SELECT 1 FROM embedding_job WHERE worker <> ''"), 30)
            own_postgres.stop(how)
            own_postgres.start()

        restarting = threading.Thread(target=restart)
        restarting.start()
        summary = bench.ingest("here", SlowEmbedder(seconds=0.3))
        restarting.join()
        assert summary.workers[name_of(worker)] > 0
        assert end(worker)[0] == 130
    bench.require_as_without_workers("here")


def test_hostile_rows_in_the_midst_cost_nothing(bench: Bench) -> None:
    """Somebody writes nonsense over jobs and vectors while they are under way."""
    ended = threading.Event()

    def spoil() -> None:
        while not ended.wait(0.05):
            for change in (
                "UPDATE embedding_job SET vectors = '\\x00', worker = 'nobody:1:00' WHERE number % 3 = 0",
                "UPDATE embedding_job SET texts = '\\xff' WHERE number % 5 = 0 AND worker = ''",
                "INSERT INTO embedding_job (run, digest, space, dimension, version, texts) SELECT run, '\\x01', "
                "space, dimension, version, '[]' FROM embedding_job LIMIT 1 ON CONFLICT DO NOTHING",
            ):
                _asked(bench, change)

    with working(bench.environment, "sound"):
        spoiling = threading.Thread(target=spoil)
        spoiling.start()
        try:
            bench.ingest("here", SlowEmbedder())
        finally:
            ended.set()
            spoiling.join()
    bench.require_as_without_workers("here")
