"""Shares the embedding of passages out over a PostgreSQL server: an ingest puts jobs, workers bring their vectors.

    jobs = EmbeddingJobs(place, VectorSpace("multilingual-e5-small", 384, "0.2.0"))
    jobs.join("ingest")                             # lives for all who ask the server, until this process dies
    jobs.put("ingest", [[text, ...], ...])          # a job: batches of texts, named by the SHA-256 of its content

    jobs.register("worker")                         # in another process, after its own ``join``
    job = jobs.claim("worker")                      # nobody else has it while "worker" lives
    jobs.deliver("worker", job, vectors)            # from anybody, once or twice: the first one counts

    jobs.collect("ingest", digests)                 # takes the vectors, and deletes texts and vectors

A job is taken from a worker that has died, and forgotten with an ingest that has (``server_session.py`` tells); nothing
depends on a clock.  No statement waits for another one's row, and none is part of a longer transaction, so a lost
answer costs a job done twice and no more.  Both tables are UNLOGGED: texts get into no write-ahead log, no standby and
no archive of it, and after a crash of the server the tables are empty, which an ingest sees.
"""

import json
import os
import secrets
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import WorkerRefused
from rag.protocols import PassageTokens, PassageVectors
from rag.settings import ServerDatabase
from rag.storage.connection import Connection, open_server_database, set_unlogged
from rag.storage.embeddings import UNIT_TOLERANCE

if TYPE_CHECKING:
    from rag.storage.postgres import Notices
    from rag.storage.server_session import ServerSession

CHANNEL = "answerdesk_embedding"
"""The channel on which the server announces new jobs."""

_HEADER = np.dtype("<u4")
_HEADER_BYTES = 2 * _HEADER.itemsize


def _job_tables(connection: Connection) -> None:
    """Jobs with their texts and, once they are done, their vectors; and the workers.

    ``worker`` is empty while nobody has a job.  ``refused`` is a key of the reasons of ``WorkerRefused``.
    """
    for statement in (
        """CREATE TABLE embedding_worker (
            name TEXT PRIMARY KEY,
            space TEXT NOT NULL,
            dimension INTEGER NOT NULL,
            version TEXT NOT NULL,
            refused TEXT NOT NULL DEFAULT ''
        )""",
        """CREATE TABLE embedding_job (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL,
            digest BLOB NOT NULL,
            space TEXT NOT NULL,
            dimension INTEGER NOT NULL,
            version TEXT NOT NULL,
            texts BLOB NOT NULL,
            worker TEXT NOT NULL DEFAULT '',
            vectors BLOB,
            UNIQUE (run, digest)
        )""",
        # vectors do not become smaller
        "ALTER TABLE embedding_job ALTER COLUMN vectors SET STORAGE EXTERNAL",
    ):
        connection.execute(statement)
    set_unlogged(connection, ("embedding_worker", "embedding_job"))


EMBEDDING_MIGRATIONS = (_job_tables,)

Batches = Sequence[Sequence[str]]
"""Texts; each batch goes through the embedder in one call, as its content affects the last bits."""


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """The space that worker and ingest must share: model, dimension, and the program's version."""

    model_id: str
    dimension: int
    version: str

    def refusal(self, other: "VectorSpace") -> WorkerRefused | None:
        """Return why a worker of this space cannot embed for an ingest of another one; None: it can."""
        if self.version != other.version:
            return WorkerRefused(reason="version", found=self.version, expected=other.version)
        if self != other:
            spaces = {"found": self._name(), "expected": other._name()}
            return WorkerRefused(reason="space", **spaces)
        return None

    def _name(self) -> str:
        return f"{self.model_id} [{self.dimension}]"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job."""

    run: str
    digest: bytes
    batches: Batches


@dataclass(frozen=True, slots=True)
class JobState:
    """The progress of a job; ``worker`` is empty unless a living one has it."""

    digest: bytes
    worker: str
    done: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """The vectors of a job as they came: ``unpacked`` checks them."""

    digest: bytes
    worker: str
    content: bytes


def member_name() -> str:
    """Return a name for this process that no other has, ``HOST:PID:RANDOM``."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def display_name(member: str) -> str:
    """Return the public name of a member.

    >>> display_name("gpu.example:4711:9f3c01aa")
    'gpu.example:4711'
    """
    return member.rpartition(":")[0] or member


class EmbeddingJobs:
    """The jobs of one vector space on one server.  Safe from many threads; making one asks the server nothing.

    Every method raises ``DatabaseUnavailable`` where the server cannot be used.
    """

    def __init__(self, place: ServerDatabase, space: VectorSpace) -> None:
        self._database = open_server_database(place, EMBEDDING_MIGRATIONS)
        self._url = place.url
        self._space = space
        self._is_known = {"space": space.model_id, "dimension": space.dimension, "version": space.version}

    def join(self, member: str) -> None:
        """Mark a name as alive for all clients of the server, until ``leave`` or the end of this process."""
        self._session().join(member, self._hear)

    def leave(self, member: str) -> None:
        """Release a name, in a moment."""
        self._session().leave(member)

    def suspect(self) -> None:
        """Let the session check the server at once, after a failure."""
        self._session().suspect()

    # the ingest

    def put(self, run: str, batches: Batches) -> bytes:
        """Offer a job to all workers, and return its digest; one that is there already stays as it is."""
        content = json.dumps(batches).encode()
        digest = sha256(content).digest()
        self._ask(
            "INSERT INTO embedding_job (run, digest, space, dimension, version, texts) "
            "VALUES (:run, :digest, :space, :dimension, :version, :texts) ON CONFLICT (run, digest) DO NOTHING "
            "RETURNING pg_notify(CAST(:channel AS TEXT), '')",
            {"run": run, "digest": digest, "texts": content, "channel": CHANNEL} | self._is_known,
        )
        return digest

    def states(self, run: str) -> list[JobState]:
        """Return the states of an ingest's jobs."""
        rows = self._ask(
            f"SELECT digest, CASE WHEN worker = '' OR {_is_dead('worker')} THEN '' ELSE worker END AS worker, "
            "vectors IS NOT NULL AS done FROM embedding_job WHERE run = :run",
            {"run": run},
        )
        return [JobState(bytes(row["digest"]), row["worker"], bool(row["done"])) for row in rows]

    def collect(self, run: str, digests: Collection[bytes]) -> list[Delivery]:
        """Take the vectors of finished jobs, and delete these jobs."""
        rows = self._ask(
            "DELETE FROM embedding_job WHERE run = :run AND digest = ANY(:digests) AND vectors IS NOT NULL "
            "RETURNING digest, worker, vectors",
            {"run": run, "digests": list(digests)},
        )
        return [Delivery(bytes(row["digest"]), row["worker"], bytes(row["vectors"])) for row in rows]

    def withdraw(self, run: str, digests: Collection[bytes]) -> set[bytes]:
        """Delete the unfinished ones of some jobs, even claimed ones, and return them."""
        rows = self._ask(
            "DELETE FROM embedding_job WHERE run = :run AND digest = ANY(:digests) AND vectors IS NULL "
            "RETURNING digest",
            {"run": run, "digests": list(digests)},
        )
        return {bytes(row["digest"]) for row in rows}

    def forget(self, run: str) -> None:
        """Delete all jobs of an ingest."""
        self._ask("DELETE FROM embedding_job WHERE run = :run RETURNING 1", {"run": run})

    def workers(self) -> list[str]:
        """Return the names of the living workers of this space that were not refused."""
        rows = self._ask(
            "SELECT name FROM embedding_worker WHERE space = :space AND dimension = :dimension "
            f"AND version = :version AND refused = '' AND NOT {_is_dead('name')} ORDER BY name",
            self._is_known,
        )
        return [str(row["name"]) for row in rows]

    def refuse(self, worker: str, reason: str) -> None:
        """Refuse a worker; ``reason`` is a key of the reasons of ``WorkerRefused``."""
        WorkerRefused.require_reason(reason)
        self._ask(
            "UPDATE embedding_worker SET refused = :reason WHERE name = :worker RETURNING name",
            {"reason": reason, "worker": worker},
        )

    def forget_dead(self) -> None:
        """Delete the jobs of ingests that have died, and dead workers."""
        for table, column in (("embedding_job", "run"), ("embedding_worker", "name")):
            names = f"SELECT {column} FROM (SELECT DISTINCT {column} FROM {table}) AS member"
            self._ask(f"DELETE FROM {table} WHERE {column} IN ({names} WHERE {_is_dead(column)}) RETURNING 1")

    # the worker

    def register(self, worker: str) -> None:
        """Offer to embed.  Raises ``WorkerRefused`` where an ingest wants no more of this worker's vectors."""
        rows = self._ask(
            "INSERT INTO embedding_worker (name, space, dimension, version) "
            "VALUES (:name, :space, :dimension, :version) "
            "ON CONFLICT (name) DO UPDATE SET space = excluded.space RETURNING refused",
            {"name": worker} | self._is_known,
        )
        if reason := rows[0]["refused"]:
            raise WorkerRefused(reason=reason)

    def claim(self, worker: str) -> Job | None:
        """Claim the oldest free job, or this worker's own again; None if there is none.

        What does not agree with its own digest is deleted: its ingest embeds it.
        """
        rows = self._ask(
            "UPDATE embedding_job SET worker = :worker WHERE number = (SELECT number FROM embedding_job "
            "WHERE vectors IS NULL AND space = :space AND dimension = :dimension AND version = :version "
            f"AND (worker IN ('', :worker) OR {_is_dead('worker')}) "
            "ORDER BY worker <> :worker, number LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING run, digest, texts",
            {"worker": worker} | self._is_known,
        )
        if not rows:
            return None
        run, digest, content = str(rows[0]["run"]), bytes(rows[0]["digest"]), bytes(rows[0]["texts"])
        if sha256(content).digest() == digest and (batches := _batches(content)):
            return Job(run, digest, batches)
        self.withdraw(run, [digest])
        return None

    def deliver(self, worker: str, job: Job, vectors: PassageVectors) -> None:
        """Deliver the vectors of a job; ignored if another worker was quicker, or the ingest is gone."""
        self._ask(
            "UPDATE embedding_job SET worker = :worker, vectors = :vectors "
            "WHERE run = :run AND digest = :digest AND vectors IS NULL RETURNING number",
            {"worker": worker, "vectors": packed(vectors), "run": job.run, "digest": job.digest},
        )

    def retire(self, worker: str) -> None:
        """Release a worker's jobs, and offer no more."""
        self._ask(
            "UPDATE embedding_job SET worker = '' WHERE worker = :worker AND vectors IS NULL "
            "RETURNING pg_notify(CAST(:channel AS TEXT), '')",
            {"worker": worker, "channel": CHANNEL},
        )
        self._ask("DELETE FROM embedding_worker WHERE name = :worker RETURNING name", {"worker": worker})

    def unfit_reasons(self) -> list[WorkerRefused]:
        """Return why this program's workers cannot do the waiting jobs, one reason for each other space."""
        rows = self._ask(
            "SELECT DISTINCT space, dimension, version FROM embedding_job WHERE vectors IS NULL AND worker = ''"
        )
        spaces = [VectorSpace(str(row["space"]), int(row["dimension"]), str(row["version"])) for row in rows]
        return [refusal for space in spaces if (refusal := self._space.refusal(space)) is not None]

    def notices(self) -> "Notices":
        """Return the notices of new jobs."""
        return self._database.notices(CHANNEL)

    def close(self) -> None:
        """Close the connections that nothing else in this process uses."""
        self._database.close()

    def _session(self) -> "ServerSession":
        from rag.storage.server_session import session_of  # needs psycopg

        return session_of(self._url)

    def _ask(self, statement: str, values: dict[str, object] | None = None) -> list[Any]:
        return self._database.contents(statement, values or {})

    def _hear(self, payload: str, is_anew: bool) -> None:
        """Ignore the session's news, which concern the queue."""


def _is_dead(column: str) -> str:
    from rag.storage.server_session import is_dead

    return is_dead(column)


def _batches(content: bytes) -> Batches:
    """Return the batches of a job; none if it is invalid."""
    try:
        found = json.loads(content)
    except ValueError:
        return ()
    is_sound = isinstance(found, list) and all(
        isinstance(batch, list) and batch and all(isinstance(text, str) for text in batch) for batch in found
    )
    return found if is_sound else ()


def joined(parts: Sequence[PassageVectors]) -> PassageVectors:
    """Return the vectors of several batches as one."""
    return PassageVectors(
        np.concatenate([part.vectors for part in parts]), tuple(tokens for part in parts for tokens in part.tokens)
    )


def packed(passages: PassageVectors) -> bytes:
    """Return vectors and tokens as bytes: counts, float32 vectors, tokens a passage, their numbers, their signs."""
    numbers = [tokens.numbers.astype("<i4") for tokens in passages.tokens]
    return b"".join(
        (
            np.array(passages.vectors.shape, dtype=_HEADER).tobytes(),
            np.ascontiguousarray(passages.vectors, dtype="<f4").tobytes(),
            np.array([len(each) for each in numbers], dtype="<i4").tobytes(),
            *(each.tobytes() for each in numbers),
            *(np.ascontiguousarray(tokens.signs).tobytes() for tokens in passages.tokens),
        )
    )


def unpacked(content: bytes, count: int, dimension: int) -> PassageVectors:
    """Unpack the result of ``packed`` for ``count`` passages.

    Raises ``WorkerRefused`` where it is anything else: of another shape, not finite, or not of length 1.
    """
    broken = WorkerRefused(reason="vectors")
    fixed = _HEADER_BYTES + 4 * count * dimension + 4 * count
    if len(content) < fixed or np.frombuffer(content, _HEADER, 2).tolist() != [count, dimension]:
        raise broken
    vectors = np.frombuffer(content, "<f4", count * dimension, _HEADER_BYTES).reshape(count, dimension)
    lengths = np.frombuffer(content, "<i4", count, fixed - 4 * count).astype(np.int64)
    total, width = int(lengths.sum()), -(-dimension // 8)
    if (lengths < 0).any() or len(content) != fixed + total * (4 + width):
        raise broken
    with np.errstate(all="ignore"):  # what is not finite is not near 1
        if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < UNIT_TOLERANCE).all():
            raise broken
    numbers = np.frombuffer(content, "<i4", total, fixed)
    signs = np.frombuffer(content, np.uint8, total * width, fixed + 4 * total).reshape(total, width)
    ends = np.cumsum(lengths).tolist()
    tokens = tuple(
        PassageTokens(numbers[end - length : end], signs[end - length : end])
        for end, length in zip(ends, lengths.tolist(), strict=True)
    )
    return PassageVectors(vectors, tokens)
