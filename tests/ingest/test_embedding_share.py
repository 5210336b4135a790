"""What is shared out to workers, how much at a time, and how it comes back whatever becomes of it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import cast

import pytest

from ingest import embedding_share as module
from ingest.embedding import PassageEmbedding
from ingest.embedding_share import Backlog, Batch, EmbeddingShare
from rag.errors import DatabaseUnavailable
from rag.storage.connection import Database
from rag.storage.embedding_jobs import Batches, Delivery, EmbeddingJobs, JobState, display_name, joined, packed
from rag.storage.embeddings import EmbeddingTable
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.testing import HashEmbedder


@dataclass
class Server:
    """What ``EmbeddingJobs`` does, in memory, for one ingest."""

    names: list[str] = field(default_factory=list)
    jobs: dict[bytes, Batches] = field(default_factory=dict)
    holders: dict[bytes, str] = field(default_factory=dict)
    vectors: dict[bytes, bytes] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    is_away: bool = False

    def _reach(self) -> None:
        if self.is_away:
            raise DatabaseUnavailable(server="here", reason="away")

    def join(self, member: str) -> None:
        pass

    leave = join

    def suspect(self) -> None:
        pass

    close = forget_dead = suspect

    def workers(self) -> list[str]:
        self._reach()
        return [name for name in self.names if name not in self.refusals]

    def put(self, run: str, batches: Batches) -> bytes:
        self._reach()
        digest = sha256(repr(batches).encode()).digest()
        self.jobs[digest] = batches
        return digest

    def states(self, run: str) -> list[JobState]:
        self._reach()
        return [JobState(digest, self.holders.get(digest, ""), digest in self.vectors) for digest in self.jobs]

    def collect(self, run: str, digests: Collection[bytes]) -> list[Delivery]:
        self._reach()
        return [
            Delivery(digest, self.holders[digest], self.vectors.pop(digest))
            for digest in digests
            if self.jobs.pop(digest, None) is not None
        ]

    def withdraw(self, run: str, digests: Collection[bytes]) -> set[bytes]:
        self._reach()
        return {digest for digest in list(digests) if self.jobs.pop(digest, None) is not None}

    def refuse(self, worker: str, reason: str) -> None:
        self.refusals[worker] = reason

    def forget(self, run: str) -> None:
        self._reach()
        self.jobs.clear()

    def work(self, worker: str, *, broken: bool = False) -> bytes:
        """Let a worker do the oldest job that nobody has."""
        digest = next(one for one in self.jobs if one not in self.holders)
        self.holders[digest] = worker
        vectors = joined([HashEmbedder().embed_passages(batch) for batch in self.jobs[digest]])
        self.vectors[digest] = b"broken" if broken else packed(vectors)
        return digest


FIRST, SECOND = "a:1:00", "b:2:00"


def batches(count: int) -> list[Batch]:
    return [Batch([bytes([number])], [f"passage {number}"]) for number in range(count)]


def shared(server: Server, threads: int = 1) -> EmbeddingShare:
    return EmbeddingShare(cast("EmbeddingJobs", server), 64, threads)


def backlog_of(waiting: list[Batch]) -> Backlog:
    backlog = Backlog()
    for batch in waiting:
        backlog.put(batch)
    return backlog


def taken(backlog: Backlog) -> list[Batch]:
    return backlog.take_newest(len(backlog))


def texts(server: Server) -> list[list[str]]:
    return [[batch[0] for batch in job] for job in server.jobs.values()]


def test_without_workers_nothing_is_shared() -> None:
    server, backlog = Server(), backlog_of(batches(20))
    shared(server)._step(backlog)
    assert (len(backlog), server.jobs) == (20, {})


def test_a_worker_is_offered_two_jobs_of_the_newest_and_smaller_ones_towards_the_end() -> None:
    server, backlog = Server([FIRST]), backlog_of(batches(100))
    share = shared(server)
    share._step(backlog)
    assert [len(job) for job in texts(server)] == [8, 8]
    assert texts(server)[0] == [f"passage {number}" for number in range(92, 100)]
    taken(backlog)
    server.jobs.clear()
    share._jobs.clear()
    backlog.put_back(batches(9))
    share._step(backlog)
    assert [len(job) for job in texts(server)] == [2, 1], "a quarter of what is left"
    assert len(backlog) == 6


def test_what_this_process_begins_now_is_not_shared() -> None:
    server, backlog = Server([FIRST, SECOND]), backlog_of(batches(2))
    shared(server, threads=2)._step(backlog)
    assert len(backlog) == 2
    shared(server, threads=0)._step(backlog)
    assert len(backlog) == 0, "one that embeds nothing itself shares all"


def test_vectors_reach_their_batches_and_are_counted() -> None:
    server, waiting = Server([FIRST]), batches(40)
    backlog, share = backlog_of(waiting), shared(server)
    share._step(backlog)
    server.work(FIRST)
    share._step(backlog)
    assert share.passages == {"a:1": 8}
    done = [batch for batch in waiting if batch.vectors.done()]
    assert len(done) == 8
    for batch in done:
        expected = HashEmbedder().embed_passages(batch.texts).vectors.astype("float32")
        assert batch.vectors.result().vectors.tobytes() == expected.tobytes()
        assert len(batch.vectors.result().tokens) == 1


def test_a_worker_with_broken_vectors_is_refused_for_good() -> None:
    server, waiting = Server([FIRST]), batches(40)
    backlog, share = backlog_of(waiting), shared(server)
    share._step(backlog)
    server.work(FIRST, broken=True)
    share._step(backlog)
    assert server.refusals == {FIRST: "vectors"} and share.refused == {"a:1": "vectors"}
    server.work(FIRST)
    share._step(backlog)
    share._step(backlog)
    assert share.count == 0 and share.passages == {}
    assert server.jobs == {} and len(backlog) == 40


def test_jobs_of_the_dead_come_back_and_are_done_first() -> None:
    server, waiting = Server([FIRST]), batches(40)
    backlog, share = backlog_of(waiting), shared(server)
    share._step(backlog)
    assert len(backlog) == 24
    server.names.clear()
    share._workers_due_at = 0.0
    share._step(backlog)
    assert (len(backlog), server.jobs) == (40, {})
    assert backlog.take() in waiting[24:]


def test_another_worker_may_have_them_while_there_is_other_work() -> None:
    server, backlog = Server([FIRST]), backlog_of(batches(40))
    share = shared(server)
    share._step(backlog)
    share._step(backlog)
    assert len(server.jobs) == 2, "nobody has them, and they are left"
    taken(backlog)
    share._step(backlog)
    assert len(backlog) > 0, "this process has nothing else to do"


def test_a_worker_that_takes_for_ever_loses_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    server, backlog = Server([FIRST]), backlog_of(batches(40))
    share = shared(server)
    share._step(backlog)
    server.holders |= dict.fromkeys(server.jobs, FIRST)
    taken(backlog)
    share._step(backlog)
    assert len(backlog) == 0
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.0)
    share._step(backlog)
    assert len(backlog) + sum(map(len, texts(server))) == 16


def test_jobs_that_the_server_lost_come_back() -> None:
    server, backlog = Server([FIRST]), backlog_of(batches(40))
    share = shared(server)
    share._step(backlog)
    server.jobs.clear()
    server.names.clear()
    share._workers_due_at = 0.0
    share._step(backlog)
    assert len(backlog) == 40


def test_a_server_that_is_away_for_long_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    server, waiting = Server([FIRST]), batches(40)
    backlog, share = backlog_of(waiting), shared(server)
    share._step(backlog)
    server.is_away = True
    share._step(backlog)
    assert len(backlog) == 24, "a restart takes less"
    monkeypatch.setattr(module, "_AWAY_SECONDS", 0.0)
    share._step(backlog)
    assert (len(backlog), share.count) == (40, 0)
    server.is_away = False
    server.work(FIRST)
    taken(backlog)
    share._workers_due_at = 0.0
    share._step(backlog)
    share._step(backlog)
    assert server.jobs == {} and not any(batch.vectors.done() for batch in waiting)


@contextmanager
def table_in(folder: str) -> Iterator[EmbeddingTable]:
    from pathlib import Path

    database = Database(Path(folder) / "knowledge.db", KNOWLEDGE_MIGRATIONS, create=True)
    yield EmbeddingTable(database, "hash-64", 64)
    database.close()


@pytest.mark.slow
def test_a_fault_of_the_share_is_heard(tmp_path: object) -> None:
    class Faulty(Server):
        def states(self, run: str) -> list[JobState]:
            raise RuntimeError("a fault")

    server = Faulty([FIRST])
    with (
        table_in(str(tmp_path)) as table,
        PassageEmbedding(table, HashEmbedder(), threads=0, helpers=shared(server, threads=0)) as embedding,
    ):
        embedding.offer({bytes([number]) * 32: f"number {number}" for number in range(100)})
        with pytest.raises(RuntimeError, match="a fault"):
            list(embedding.finish())


def test_a_name_is_shown_without_what_makes_it_unique() -> None:
    assert display_name(FIRST) == "a:1"
