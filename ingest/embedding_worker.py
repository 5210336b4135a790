"""Embeds passages for ingests of other processes and machines that share a database server (``embedding_share.py``).

    worker = EmbeddingWorker(EmbeddingJobs(place, space_of(embedder)), embedder, threads=2, tell=print)
    worker.run(threading.Event())

It writes nothing to this machine.  Killed, it loses a job to others at once; ended otherwise, it gives it back.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

from rag.errors import AnswerdeskError, DatabaseUnavailable
from rag.protocols import Embedder, PassageVectors
from rag.storage.embedding_jobs import EmbeddingJobs, Job, joined, member_name

_LOOK_SECONDS = 1.0
"""How often an idle worker looks by itself, beside the server's notifications."""
_CLEAN_SECONDS = 10.0
_AGAIN_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
"""For so long vectors are kept while the server is away; then their job is another's."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is about: passages so far, seconds of embedding, and why it does nothing, if it does not."""

    passages: int = 0
    busy_seconds: float = 0.0
    problem: AnswerdeskError | None = None


class EmbeddingWorker:
    """One worker with ``threads`` threads; ``tell`` is called in the thread that runs it, whenever its state changes.

    ``state`` may be read by any thread.
    """

    def __init__(
        self, jobs: EmbeddingJobs, embedder: Embedder, *, threads: int, tell: Callable[[WorkerState], None]
    ) -> None:
        self.name = member_name()
        self.state = WorkerState()
        self._jobs = jobs
        self._embedder = embedder
        self._threads = threads
        self._tell = tell
        self._clean_due_at = 0.0

    def run(self, ended: threading.Event) -> None:
        """Embed until the event is set, or a ``KeyboardInterrupt``; then give back what is not done.

        Raises ``DatabaseUnavailable`` where the server is away at the beginning; later it is waited for.  Raises
        ``WorkerRefused`` where an ingest found the vectors broken.
        """
        with ExitStack() as stack:
            self._jobs.join(self.name)
            stack.callback(self._leave)
            pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embedding")
            stack.callback(pool.shutdown, cancel_futures=True)
            self._jobs.register(self.name)
            while not ended.is_set():
                try:
                    self._serve(pool, ended)
                except DatabaseUnavailable as error:
                    self._jobs.suspect()
                    self._say(problem=error)
                    ended.wait(_AGAIN_SECONDS)

    def _serve(self, pool: ThreadPoolExecutor, ended: threading.Event) -> None:
        """Do jobs, and wait for them, as long as the server is there."""
        with closing(self._jobs.notices()) as notices:
            while not ended.is_set():
                self._jobs.register(self.name)
                job = self._jobs.claim(self.name)
                if job is not None:
                    self._say()
                    self._do(job, pool, ended)
                    continue
                if time.monotonic() >= self._clean_due_at:
                    self._clean_due_at = time.monotonic() + _CLEAN_SECONDS
                    self._jobs.forget_dead()
                unfit = self._jobs.unfit()
                self._say(problem=unfit[0] if unfit else None)
                notices.wait(_LOOK_SECONDS)

    def _do(self, job: Job, pool: ThreadPoolExecutor, ended: threading.Event) -> None:
        began = time.monotonic()
        vectors = joined(list(pool.map(self._embedder.embed_passages, job.batches)))
        seconds = time.monotonic() - began
        self._deliver(job, vectors, ended)
        self._say(len(vectors.tokens), seconds)

    def _deliver(self, job: Job, vectors: PassageVectors, ended: threading.Event) -> None:
        """Bring vectors to the server, and wait for a while where it is restarted."""
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._jobs.deliver(self.name, job, vectors)
                return
            except DatabaseUnavailable as error:
                if ended.is_set() or time.monotonic() > patient_until:
                    raise
                self._jobs.suspect()
                self._say(problem=error)
                ended.wait(_AGAIN_SECONDS)

    def _say(self, passages: int = 0, seconds: float = 0.0, problem: AnswerdeskError | None = None) -> None:
        """Tell what has changed."""
        before = self.state
        self.state = WorkerState(before.passages + passages, before.busy_seconds + seconds, problem)
        if str(problem) != str(before.problem) or passages:
            self._tell(self.state)

    def _leave(self) -> None:
        """Give back a job, and be nobody; a server that is away sees it by itself."""
        with suppress(DatabaseUnavailable):
            self._jobs.retire(self.name)
        self._jobs.leave(self.name)
        self._jobs.close()
