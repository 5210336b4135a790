"""Jobs for workers: bytes that are vectors or refused, and rows that outlive neither their ingest nor their worker."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest

from ingest.embedding_share import space_of
from rag.errors import WorkerRefused
from rag.protocols import PassageVectors
from rag.settings import ServerDatabase
from rag.storage.embedding_jobs import EmbeddingJobs, VectorSpace, joined, packed, unpacked
from rag.storage.postgres import pool_of
from rag.testing import HashEmbedder
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

SPACE = space_of(HashEmbedder())
TEXTS = [["return it within seven days", "we wrap gifts"], ["", "满 99 元免运费", "a\0b"]]
HOLD = """
import sys
from rag.settings import ServerDatabase
from rag.storage.embedding_jobs import EmbeddingJobs
from rag.testing import HashEmbedder
from ingest.embedding_share import space_of
jobs = EmbeddingJobs(ServerDatabase("embedding", sys.argv[1]), space_of(HashEmbedder()))
jobs.join("other")
if sys.argv[2] == "claim":
    jobs.register("other")
    assert jobs.claim("other") is not None
else:
    jobs.put("other", [["a text of an ingest that dies"]])
print("held", flush=True)
sys.stdin.readline()
"""


def embedded(texts: list[list[str]] = TEXTS) -> PassageVectors:
    return joined([HashEmbedder().embed_passages(batch) for batch in texts])


# bytes


def test_vectors_and_tokens_come_back_as_they_were() -> None:
    sent = embedded([["return it within seven days", "we wrap gifts"], ["满 99 元免运费"]])
    found = unpacked(packed(sent), 3, 64)
    assert found.vectors.tobytes() == sent.vectors.astype("<f4").tobytes()
    for mine, theirs in zip(sent.tokens, found.tokens, strict=True):
        assert mine.numbers.tolist() == theirs.numbers.tolist()
        assert mine.signs.tolist() == theirs.signs.tolist()
    assert [len(tokens.numbers) for tokens in found.tokens] == [5, 3, 6]


def _changed(content: bytes, at: int, by: bytes) -> bytes:
    return content[:at] + by + content[at + len(by) :]


SOUND = packed(embedded([["return it within seven days", "we wrap gifts"]]))
_COUNTS_AT = 8 + 4 * 2 * 64
HOSTILE = {
    "nothing": b"",
    "cut": SOUND[:-1],
    "too long": SOUND + b"\0",
    "another count": _changed(SOUND, 0, b"\3"),
    "another dimension": _changed(SOUND, 4, b"\x20"),
    "nan": _changed(SOUND, 8, np.array(np.nan, "<f4").tobytes()),
    "infinite": _changed(SOUND, 8, np.array(np.inf, "<f4").tobytes()),
    "largest": _changed(SOUND, 8, b"\xff\xff\x7f\x7f" * 4),
    "zeros": _changed(SOUND, 8, bytes(4 * 64)),
    "tokens below none": _changed(SOUND, _COUNTS_AT, np.array([-1, 9], "<i4").tobytes()),
    "tokens without end": _changed(SOUND, _COUNTS_AT, np.array([2**31 - 1, 2**31 - 1], "<i4").tobytes()),
    "pickle": b"\x80\x04cos\nsystem\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_vectors_is_refused(name: str) -> None:
    with pytest.raises(WorkerRefused, match="broken"):
        unpacked(HOSTILE[name], 2, 64)


def test_a_worker_of_another_space_or_version_is_refused_in_words() -> None:
    mine = VectorSpace("e5", 384, "0.2.0")
    assert mine.refusal(VectorSpace("e5", 384, "0.2.0")) is None
    other, newer = mine.refusal(VectorSpace("bge", 512, "0.2.0")), mine.refusal(VectorSpace("e5", 384, "0.3.0"))
    assert other is not None and "e5 [384]" in other.text("en") and "bge [512]" in other.text("zh")
    assert newer is not None and "0.2.0" in newer.text("en") and "0.3.0" in newer.text("zh")


# rows


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.make_room()
    yield url
    pool_of(url).close()


@contextmanager
def jobs_at(url: str, *members: str, space: VectorSpace = SPACE) -> Iterator[EmbeddingJobs]:
    jobs = EmbeddingJobs(ServerDatabase("embedding", url), space)
    for member in members:
        jobs.join(member)
    yield jobs
    for member in members:
        jobs.leave(member)
    jobs.close()


@contextmanager
def another(url: str, what: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, what],
        env={"PYTHONPATH": ":".join(sys.path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def rows(url: str, statement: str = "SELECT count(*) FROM embedding_job") -> object:
    with psycopg.connect(url) as server:
        cursor = server.execute(statement.encode())
        found = cursor.fetchone() if cursor.description else None
        return found[0] if found else None


@pytest.mark.real
def test_a_job_goes_to_one_worker_and_its_vectors_come_back(url: str) -> None:
    with jobs_at(url, "run", "first", "second") as jobs:
        digest = jobs.put("run", TEXTS)
        assert jobs.put("run", TEXTS) == digest, "twice is once"
        for worker in ("first", "second"):
            jobs.register(worker)
        assert jobs.workers() == ["first", "second"]
        job = jobs.claim("first")
        assert job is not None and job.batches == TEXTS
        assert jobs.claim("second") is None
        assert jobs.claim("first") == job, "an answer may have been lost"
        [state] = jobs.states("run")
        assert (state.worker, state.done) == ("first", False)
        jobs.deliver("second", job, embedded())
        jobs.deliver("first", job, embedded([["something else"]]))
        [delivery] = jobs.collect("run", [digest])
        assert delivery.worker == "second", "the first to come counts"
        assert unpacked(delivery.content, 5, 64).vectors.tobytes() == embedded().vectors.tobytes()
        assert rows(url) == 0


@pytest.mark.real
def test_the_tables_are_in_no_log(url: str) -> None:
    with jobs_at(url, "run") as jobs:
        jobs.put("run", TEXTS)
        condition = "relnamespace = current_schema()::regnamespace AND relname LIKE 'embedding\\_%' AND relkind = 'r'"
        assert rows(url, f"SELECT string_agg(relpersistence, '') FROM pg_class WHERE {condition}") == "uu"


@pytest.mark.real
def test_a_job_of_a_killed_worker_is_the_next_ones(url: str) -> None:
    with jobs_at(url, "run", "mine") as jobs:
        jobs.put("run", TEXTS)
        jobs.register("mine")
        with another(url, "claim") as other:
            assert jobs.claim("mine") is None
            assert jobs.workers() == ["mine", "other"]
            other.send_signal(signal.SIGKILL)
            other.wait()
            until(lambda: jobs.claim("mine") is not None, 3)
            assert jobs.workers() == ["mine"]


@pytest.mark.real
def test_texts_of_a_killed_ingest_are_deleted(url: str) -> None:
    with jobs_at(url, "mine") as jobs, another(url, "put") as other:
        jobs.forget_dead()
        assert rows(url) == 1
        other.send_signal(signal.SIGKILL)
        other.wait()
        until(lambda: jobs.forget_dead() is None and rows(url) == 0, 3)


@pytest.mark.real
def test_others_see_only_jobs_that_they_can_do(url: str) -> None:
    spaces = {"model": VectorSpace("other", 64, SPACE.version), "version": VectorSpace(SPACE.model_id, 64, "0.0.1")}
    with jobs_at(url, "run") as jobs:
        jobs.put("run", TEXTS)
        for name, space in spaces.items():
            with jobs_at(url, name, space=space) as other:
                other.register(name)
                assert other.claim(name) is None
                assert len(other.unfit_reasons()) == 1
        assert jobs.workers() == jobs.unfit_reasons() == []
        assert rows(url) == 1


@pytest.mark.real
def test_a_refused_worker_is_told_and_counts_no_more(url: str) -> None:
    with jobs_at(url, "worker") as jobs:
        jobs.register("worker")
        jobs.refuse("worker", "vectors")
        assert jobs.workers() == []
        with pytest.raises(WorkerRefused, match="broken"):
            jobs.register("worker")


@pytest.mark.real
@pytest.mark.parametrize("texts", ["'no JSON'", "'[[1]]'", "'[[]]'", "'{}'", "''", "'[[\"another text\"]]'"])
def test_a_hostile_row_is_no_job(url: str, texts: str) -> None:
    with jobs_at(url, "run", "worker") as jobs:
        jobs.put("run", TEXTS)
        change = f"UPDATE embedding_job SET texts = convert_to({texts}, 'UTF8')"
        rows(url, change)
        assert jobs.claim("worker") is None
        assert rows(url) == 0, "its ingest sees that it is gone"
        jobs.put("run", TEXTS)
        rows(url, f"{change}, digest = sha256(convert_to({texts}, 'UTF8'))")
        job = jobs.claim("worker")
        assert job is None or job.batches == [["another text"]]


@pytest.mark.real
def test_what_a_worker_had_is_given_back_when_it_ends(url: str) -> None:
    with jobs_at(url, "run", "first", "second") as jobs:
        jobs.put("run", TEXTS)
        jobs.register("first")
        assert jobs.claim("first") is not None
        jobs.retire("first")
        assert jobs.claim("second") is not None
        assert jobs.workers() == []
