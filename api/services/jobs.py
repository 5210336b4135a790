"""Work that takes longer than a page may wait: done by threads of the program, looked at by any page at any time.

    jobs = Jobs()
    jobs.start("knowledge default", "check", work, who="lin")
    jobs.latest("knowledge default").state           # "running", then "done", "failed" or "stopped"

A job slot, named by what it is about, runs one job at a time.  A job goes on whatever becomes of the page that asked
for it.
Programs ask for theirs by number, also when the slot has a later one.
A ``Watch`` keeps the last state of something that is slow to look at.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Generic, Literal, TypeVar

from starlette.concurrency import run_in_threadpool

from rag.errors import AnswerdeskError, IngestRunning, IngestStopped, JobMissing
from rag.turns import Failure, FairPool, Share
from rag.unforeseen_errors import log_unforeseen

_FIRST_LOOK_SECONDS = 0.3
_LOOK_EVERY_SECONDS = 0.25

State = TypeVar("State")
logger = logging.getLogger(__name__)
_WORKERS, _WORKERS_A_PERSON = 8, 4
_SLOTS_REMEMBERED = 64
_EARLIER_REMEMBERED = 200
_TROUBLES_REMEMBERED = 200


class Watch(Generic[State]):
    """Looks at something in the background, when somebody asks and the last look is old."""

    def __init__(self, look: Callable[[], State], before: State, every_seconds: float) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._state = before
        self._every_seconds = every_seconds
        self._looked = threading.Event()
        self._due_at = 0.0
        self._begun = self._kept = 0

    def __call__(self) -> State:
        """Return the last state; only the very first call waits, for 0.3 s at most."""
        with self._lock:
            due = time.monotonic() >= self._due_at
            if due:
                self._due_at = time.monotonic() + self._every_seconds
        if due:
            threading.Thread(target=self._refresh, name="watch", daemon=True).start()
        self._looked.wait(_FIRST_LOOK_SECONDS)
        return self._state

    def look_now(self) -> State:
        """Look in this thread and return the state: for callers who have just changed it."""
        self._refresh()
        return self._state

    def _refresh(self) -> None:
        with self._lock:
            self._begun += 1
            number = self._begun
        state = self._look()
        with self._lock:
            if number > self._kept:  # one that began later may have seen more, and been quicker
                self._kept, self._state = number, state
        self._looked.set()


JobState = Literal["running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now.  ``progress`` and ``result`` are its work's own values; times are in UTC.

    ``troubles`` are what went wrong without ending it, such as files that could not be read.  ``number`` is that of an
    unforeseen error in the log, empty for others.  One ``by_number`` is found by its id when its slot has another.
    """

    job_id: int
    kind: str
    who: str
    began_at: datetime
    by_number: bool = False
    state: JobState = "running"
    progress: object = None
    troubles: tuple[AnswerdeskError, ...] = ()
    result: object = None
    failure: Failure | None = None
    number: str = ""
    ended_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether somebody is still working on it."""
        return self.state == "running"


@dataclass(slots=True)
class JobControl:
    """The work's control: it reports progress and learns that it is to stop."""

    _change: Callable[..., None]
    _stopped: threading.Event = field(default_factory=threading.Event)
    _on_stop: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, progress: object, trouble: AnswerdeskError | None = None) -> None:
        """Report progress.  Raises ``IngestStopped`` if it is to end."""
        if self._stopped.is_set():
            raise IngestStopped
        self._change(progress, trouble)

    def on_stop(self, call: Callable[[], None]) -> None:
        """Call ``call`` when it is stopped; at once if it was."""
        with self._lock:
            self._on_stop.append(call)
            stopped = self._stopped.is_set()
        if stopped:
            call()

    def stop(self) -> None:
        """End the work as soon as it can be."""
        with self._lock:
            self._stopped.set()
            calls = list(self._on_stop)
        for call in calls:
            call()

    @property
    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped.is_set()


Work = Callable[[JobControl], object]


class Jobs:
    """The last job of each slot, and earlier ones by their numbers.  Safe to call from any thread.

    ``pool`` has the threads, in which the persons who begin jobs take turns; None: eight, of which one person has four.
    """

    def __init__(self, pool: FairPool | None = None) -> None:
        self._lock = threading.RLock()
        self._ended = threading.Condition(self._lock)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._earlier: OrderedDict[int, tuple[str, Job]] = OrderedDict()
        self._controls: dict[str, JobControl] = {}
        self._pool = pool if pool is not None else FairPool(_WORKERS, "job", Share(_WORKERS_A_PERSON))
        self._count = 0
        self._closed = False

    def start(self, slot: str, kind: str, work: Work, who: str = "", *, by_number: bool = False) -> Job:
        """Begin a job of ``who``.

        Raises ``IngestRunning`` where the slot has one that has not ended, and what the pool refuses it with.
        """
        with self._lock:
            former = self._jobs.get(slot)
            if self._closed or (former is not None and former.running):
                raise IngestRunning(holder=former.who if former is not None else "-")
            self._count += 1
            job = Job(self._count, kind, who, datetime.now(UTC), by_number)
            control = JobControl(lambda progress, trouble: self._progress(slot, progress, trouble))
            future = self._pool.submit(who, partial(work, control))
            self._leave(slot)
            self._jobs[slot], self._controls[slot] = job, control  # what the job tells waits for the lock until then
            self._jobs.move_to_end(slot)
            self._forget_old()
        future.add_done_callback(partial(self._settle, slot, job.job_id))
        return job

    def latest(self, slot: str) -> Job | None:
        """Return the slot's last job; None where there was none, or it was forgotten."""
        with self._lock:
            return self._jobs.get(slot)

    def find(self, slot: str, number: int) -> Job | None:
        """Return a job of a slot by its number, the last one for 0; None where there is none, or it was forgotten."""
        with self._lock:
            latest = self._jobs.get(slot)
            if latest is not None and number in (0, latest.job_id):
                return latest
            slot_of, earlier = self._earlier.get(number, ("", None))
            return earlier if slot_of == slot else None

    def forget(self, slot: str) -> None:
        """Forget the slot's last job, unless it runs; one that has a number is still found by that."""
        with self._lock:
            job = self._jobs.get(slot)
            if job is not None and not job.running:
                self._leave(slot)

    def stop(self, slot: str, number: int = 0) -> None:
        """Ask the slot's job to end, or only the one of this number; it counts as running until it has."""
        with self._lock:
            job, control = self._jobs.get(slot), self._controls.get(slot)
        if control is not None and job is not None and number in (0, job.job_id):
            control.stop()

    def wait(self, slot: str, timeout_seconds: float) -> Job | None:
        """Return the slot's last job, once it has ended or the time is over."""
        with self._lock:
            self._ended.wait_for(
                lambda: slot not in self._jobs or not self._jobs[slot].running, timeout=timeout_seconds
            )
            return self._jobs.get(slot)

    def close(self) -> None:
        """Stop all jobs and wait until they have ended."""
        with self._lock:
            self._closed = True
            slots = list(self._controls)
        for slot in slots:
            self.stop(slot)
        self._pool.shutdown()

    def _settle(self, slot: str, job_id: int, future: Future[object]) -> None:
        error = future.exception()
        with self._lock:
            job = self._jobs[slot]
            if job.job_id != job_id:
                return
            job = replace(job, ended_at=datetime.now(UTC))
            if error is None:
                job = replace(job, state="done", result=future.result())
            elif isinstance(error, AnswerdeskError):
                state: JobState = "stopped" if isinstance(error, IngestStopped) else "failed"
                job = replace(job, state=state, failure=Failure.of(error))
            else:
                job = replace(job, state="failed", number=log_unforeseen(logger, "job", error))
            self._jobs[slot] = job
            self._controls.pop(slot, None)
            self._ended.notify_all()

    def _progress(self, slot: str, progress: object, trouble: AnswerdeskError | None) -> None:
        with self._lock:
            job = self._jobs[slot]
            troubles = job.troubles if trouble is None else (*job.troubles, trouble)[:_TROUBLES_REMEMBERED]
            self._jobs[slot] = replace(job, progress=progress, troubles=troubles)

    def _leave(self, slot: str) -> None:
        """Take the slot's last job out; one that has a number stays to be found by that."""
        job = self._jobs.pop(slot, None)
        if job is not None and job.by_number:
            self._earlier[job.job_id] = slot, job
            while len(self._earlier) > _EARLIER_REMEMBERED:
                self._earlier.popitem(last=False)

    def _forget_old(self) -> None:
        ended = [slot for slot, job in self._jobs.items() if not job.running]
        for slot in ended[: max(0, len(self._jobs) - _SLOTS_REMEMBERED)]:
            self._leave(slot)


FindJob = Callable[[int], Job | None]
"""Returns a job by its number as it is now, the last one for 0; None where there is none, or it was forgotten."""


def require_job(find: FindJob, number: int) -> Job:
    """Return the job of this number, the last one for 0.  Raises ``JobMissing``."""
    job = find(number)
    if job is None:
        raise JobMissing(number=number)
    return job


async def watched_job(find: FindJob, job: Job) -> AsyncIterator[Job]:
    """Yield a job as it is now, and again at each look until it has ended.  Raises ``JobMissing``."""
    yield job
    while job.running:
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        job = await run_in_threadpool(require_job, find, job.job_id)
        yield job
