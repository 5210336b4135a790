"""Shares an ingest's passages out to workers of other processes and machines, through the team's own database server.

A job is up to eight batches.  Workers are offered the newest batches of the backlog, and the ingest embeds the oldest;
jobs become smaller towards the end, so that all finish at about the same time.  Each batch is either in the backlog or
in one job, never in both:

    backlog  ->  job        while there are workers, one job for each beside the one it has
    job      ->  vectors    delivered, whole and sound
    job      ->  backlog    no worker has it, or its worker has died, and there is no other or this process has nothing
                            else to do; it took too long; its vectors were broken; the server lost it, or is away

So the ingest never waits for a worker that is gone, and goes on alone without any.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import rag
from rag.errors import DatabaseUnavailable, WorkerRefused
from rag.protocols import Embedder, PassageVectors
from rag.storage.embedding_jobs import (
    Delivery,
    EmbeddingJobs,
    JobState,
    VectorSpace,
    display_name,
    member_name,
    unpacked,
)

BATCHES_A_JOB = 8
"""256 passages: 130 KB of texts there and 2 MB of vectors and tokens back, each 3 to 6 seconds."""

_LOOK_SECONDS = 0.1
_WORKERS_SECONDS = 1.0
"""How often workers are counted, which asks for a lock of each."""
_PATIENCE_SECONDS = 30.0
"""A living worker that holds a job this long while the ingest is idle hangs or is very slow."""
_AWAY_SECONDS = 3.0
"""How long the server may be away before jobs are taken back: a restart takes less."""
_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Passages for one call of the embedder: their hashes, their texts, and the future of their vectors."""

    hashes: Sequence[bytes]
    texts: Sequence[str]
    vectors: Future[PassageVectors] = field(default_factory=Future)


class Backlog:
    """The batches not begun yet.  Threads of this process take the oldest, workers elsewhere the newest."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, batch: Batch) -> None:
        """Add a batch."""
        with self._changed:
            self._batches.append(batch)
            self._changed.notify()

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Return batches that workers had taken; they come first."""
        with self._changed:
            self._batches.extendleft(reversed(list(batches)))
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """Wait for the oldest batch and take it; None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_closed)
            return None if self._is_closed else self._batches.popleft()

    def take_newest(self, count: int) -> list[Batch]:
        """Take up to ``count`` of the newest batches, in their order."""
        with self._changed:
            taken = [self._batches.pop() for _ in range(min(count, len(self._batches)))]
        return taken[::-1]

    def close(self) -> None:
        """Hand out no more batches."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def space_of(embedder: Embedder) -> VectorSpace:
    """Return the vector space of an embedder, which a worker must share."""
    return VectorSpace(embedder.model_id, embedder.dimension, rag.__version__)


@dataclass(frozen=True, slots=True)
class _Job:
    """Batches that are in a job, and since when."""

    batches: Sequence[Batch]
    since: float

    @property
    def passages(self) -> int:
        return sum(len(batch.texts) for batch in self.batches)


class EmbeddingShare:
    """The workers that help an ingest.  ``threads`` is how many embed in this process.

    Raises ``DatabaseUnavailable`` where the server is away at the beginning; later it is waited for.
    """

    def __init__(self, jobs: EmbeddingJobs, dimension: int, threads: int) -> None:
        self._server = jobs
        self._dimension = dimension
        self._threads = threads
        self._run = member_name()
        self._jobs: dict[bytes, _Job] = {}
        self._workers: Sequence[str] = ()
        self._workers_due_at = 0.0
        self._reached_at = time.monotonic()
        self._was_away = False
        self._passages: Counter[str] = Counter()
        self._refused: dict[str, str] = {}
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def count(self) -> int:
        """How many workers help now."""
        return len(self._workers)

    @property
    def passages(self) -> Mapping[str, int]:
        """How many passages each worker has embedded, by its printable name."""
        return dict(self._passages)

    @property
    def refused(self) -> Mapping[str, str]:
        """Why workers were refused, by their printable names: keys of the reasons of ``WorkerRefused``."""
        return dict(self._refused)

    def begin(self, backlog: Backlog) -> None:
        """Work on the backlog in a separate thread."""
        self._server.join(self._run)
        try:
            self._server.forget_dead()
            self._workers = self._server.workers()
        except BaseException:
            self._server.leave(self._run)
            raise
        self._thread = threading.Thread(target=self._work, args=(backlog,), name="embedding share", daemon=True)
        self._thread.start()

    def require_sound(self) -> None:
        """Raise the error that ended the thread, if any."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Take back unfinished jobs, and leave nothing on the server."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
        with suppress(DatabaseUnavailable):  # the next one to come deletes it
            self._server.forget(self._run)
        self._server.leave(self._run)
        self._server.close()

    def _work(self, backlog: Backlog) -> None:
        try:
            while not self._ended.wait(_LOOK_SECONDS):
                self._step(backlog)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._failure = error
            self._workers = ()
            in_jobs = (batch for job in self._jobs.values() for batch in job.batches)
            for batch in (*in_jobs, *backlog.take_newest(len(backlog))):
                if batch.vectors.set_running_or_notify_cancel():
                    batch.vectors.set_exception(error)

    def _step(self, backlog: Backlog) -> None:
        try:
            self._look_for_workers()
            if self._jobs or self._was_away:
                self._look_at_jobs(backlog)
            self._offer(backlog)
            self._reached_at, self._was_away = time.monotonic(), False
        except DatabaseUnavailable:
            self._was_away = True
            self._server.suspect()
            if time.monotonic() - self._reached_at > _AWAY_SECONDS:
                self._workers = ()
                self._take_back(list(self._jobs), backlog)

    def _look_for_workers(self) -> None:
        now = time.monotonic()
        if now >= self._workers_due_at:
            self._workers = self._server.workers()
            self._workers_due_at = now + _WORKERS_SECONDS

    def _look_at_jobs(self, backlog: Backlog) -> None:
        states = {state.digest: state for state in self._server.states(self._run)}
        done = [digest for digest, state in states.items() if state.done]
        for delivery in self._server.collect(self._run, done) if done else ():
            self._receive(delivery, backlog)
        self._take_back(self._jobs.keys() - states.keys(), backlog)  # the server has crashed, or took us for dead
        if unwanted := states.keys() - self._jobs.keys():  # taken back while the server was away
            self._server.withdraw(self._run, unwanted)
        overdue = [digest for digest in self._jobs if self._is_overdue(states[digest], is_idle=not len(backlog))]
        if overdue:
            self._take_back(self._server.withdraw(self._run, overdue), backlog)

    def _is_overdue(self, state: JobState, *, is_idle: bool) -> bool:
        if not state.worker:
            return is_idle or not self._workers
        return is_idle and time.monotonic() - self._jobs[state.digest].since > _PATIENCE_SECONDS

    def _receive(self, delivery: Delivery, backlog: Backlog) -> None:
        job = self._jobs.pop(delivery.digest, None)
        if job is None:  # it was taken back
            return
        name = display_name(delivery.worker)
        try:
            if name in self._refused:
                raise WorkerRefused(reason="vectors")
            vectors = unpacked(delivery.content, job.passages, self._dimension)
        except WorkerRefused as refusal:
            self._refused[name] = str(refusal.details["reason"])
            backlog.put_back(job.batches)
            self._server.refuse(delivery.worker, self._refused[name])
            self._workers_due_at = 0.0
            return
        self._passages[name] += job.passages
        begin = 0
        for batch in job.batches:
            end = begin + len(batch.texts)
            _deliver(batch, PassageVectors(vectors.vectors[begin:end], vectors.tokens[begin:end]))
            begin = end

    def _take_back(self, digests: Collection[bytes], backlog: Backlog) -> None:
        for digest in digests:
            job = self._jobs.pop(digest, None)
            if job is not None:
                backlog.put_back(job.batches)

    def _offer(self, backlog: Backlog) -> None:
        """Keep one job waiting for each worker, besides the one it works on."""
        while len(self._jobs) < 2 * len(self._workers):
            size = self._size(len(backlog))
            batches = backlog.take_newest(size) if size else []
            if not batches:
                return
            try:
                digest = self._server.put(self._run, [batch.texts for batch in batches])
            except BaseException:
                backlog.put_back(batches)
                raise
            self._jobs[digest] = _Job(batches, time.monotonic())

    def _size(self, waiting: int) -> int:
        """Return the next job's size in batches: smaller towards the end, and leaving a batch for each own thread."""
        if waiting <= self._threads:
            return 0
        return min(BATCHES_A_JOB, max(1, waiting // (2 * (len(self._workers) + 1))))


def _deliver(batch: Batch, vectors: PassageVectors) -> None:
    """Set a batch's vectors, unless they were cancelled."""
    if batch.vectors.set_running_or_notify_cancel():
        batch.vectors.set_result(vectors)
