"""When questions come, and the arms of one load test one after another.

A question comes as soon as one was answered (a closed loop), or by chance whatever the answers do (an open one).  In an
open loop it is planned for a moment, and its times count from there, also where it could only be sent later: else a
slow product would be asked less, and look quick ("coordinated omission", Gil Tene).

Arms take turns, A B, B A, so that a noisy machine is as noisy for all.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, islice
from types import TracebackType
from typing import Self

import psutil

from eval.bench.load.records import Ask, Asking, Block, LoadRecord, RecordFile
from ingest.golden import GoldenQuestion

_LOOK_EVERY_SECONDS = 0.25

_MEMORY_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """How one block is asked.

    A closed loop (``per_minute`` 0) begins no question after ``seconds``, and none beyond ``questions`` where that is
    given; an open one begins what is planned within ``seconds``.  What runs then may end within ``drain_seconds``.
    """

    round: int
    sessions: int
    seconds: float
    drain_seconds: float
    per_minute: float = 0.0
    questions: int | None = None
    seed: int = 0


def endlessly(questions: Sequence[GoldenQuestion], seed: int) -> Iterator[GoldenQuestion]:
    """Yield the questions in an order drawn by the seed, again and again, each time in another one."""
    draw = random.Random(seed)
    while True:
        yield from draw.sample(questions, len(questions))


def poisson_seconds(per_minute: float, seconds: float, seed: int) -> list[float]:
    """Return the moments of arrival within ``seconds``: gaps are exponential, as of people who know nothing of another.

    >>> times = poisson_seconds(60, 1000, seed=1)
    >>> 900 < len(times) < 1100 and times == sorted(times)
    True
    """
    draw = random.Random(seed)
    moments: list[float] = []
    moment = draw.expovariate(per_minute / 60)
    while moment < seconds:
        moments.append(moment)
        moment += draw.expovariate(per_minute / 60)
    return moments


class Drive:
    """Asks one block's questions; an exception in the thread that runs it ends it early, an interruption too."""

    def __init__(self, ask: Ask, keep: Callable[[LoadRecord], None]) -> None:
        self._ask = ask
        self._keep = keep
        self._stop = threading.Event()
        self._finish = threading.Event()
        self._failures: list[BaseException] = []
        self._ended_at = 0.0

    def finish(self) -> None:
        """Begin no further question; those under way may end."""
        self._finish.set()

    def run(self, plan: Plan, questions: Iterator[GoldenQuestion]) -> tuple[int, float]:
        """Return how many questions were asked, and the seconds from the first one's moment to the last one's end.

        Raises what ``ask`` raises, which ends the block.
        """
        began_at = self._ended_at = time.perf_counter()
        workers = plan.sessions if not plan.per_minute else _open_workers(plan)
        with ThreadPoolExecutor(workers, thread_name_prefix="load") as pool:
            try:
                asked = (self._open if plan.per_minute else self._closed)(pool, plan, questions, began_at)
            except BaseException:
                self._stop.set()
                raise
        if self._failures:
            raise self._failures[0]
        return asked, self._ended_at - began_at

    def _closed(
        self, pool: ThreadPoolExecutor, plan: Plan, questions: Iterator[GoldenQuestion], began_at: float
    ) -> int:
        numbers, lock = count(), threading.Lock()
        asked = 0

        def session(number: int) -> None:
            nonlocal asked
            while not (self._stop.is_set() or self._finish.is_set()):
                with lock:
                    due_at = time.perf_counter()
                    is_over = due_at - began_at >= plan.seconds if plan.questions is None else asked >= plan.questions
                    if is_over:
                        return
                    asked += 1
                    question = next(questions)
                self._one(Asking(plan.round, number, question, due_at, self._stop))

        pending = [pool.submit(session, next(numbers)) for _ in range(plan.sessions)]
        limit = plan.seconds if plan.questions is None else 10 * plan.seconds
        self._await(pending, began_at + limit + plan.drain_seconds)
        return asked

    def _open(self, pool: ThreadPoolExecutor, plan: Plan, questions: Iterator[GoldenQuestion], began_at: float) -> int:
        moments = poisson_seconds(plan.per_minute, plan.seconds, plan.seed)
        pending = []
        for number, moment in enumerate(moments):
            if self._stop.wait(max(0.0, began_at + moment - time.perf_counter())):
                break
            due_at = began_at + moment
            asking = Asking(plan.round, number % plan.sessions, next(questions), due_at, self._stop, planned=True)
            pending.append(pool.submit(self._one, asking))
        self._await(pending, began_at + plan.seconds + plan.drain_seconds)
        return len(pending)

    def _one(self, asking: Asking) -> None:
        if self._stop.is_set():
            return
        try:
            record = self._ask(asking)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failures.append(error)
            self._stop.set()
            return
        self._ended_at = max(self._ended_at, time.perf_counter())
        self._keep(record)

    def _await(self, pending: Sequence[Future[None]], until: float) -> None:
        futures = set(pending)
        while futures and not self._stop.is_set():
            futures = set(wait(futures, timeout=_LOOK_EVERY_SECONDS).not_done)
            if time.perf_counter() >= until:
                self._stop.set()


def _open_workers(plan: Plan) -> int:
    """Return a thread for each question that can be under way: one that found none would be sent late."""
    return max(plan.sessions, len(poisson_seconds(plan.per_minute, plan.seconds, plan.seed)), 1)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of asking.  ``process_id`` is the process whose memory counts, if any."""

    name: str
    ask: Ask
    process_id: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Where records go, and what hears of arms and records."""

    file: RecordFile
    began: Callable[[Arm, int], None] = lambda arm, round_number: None
    asked: Callable[[LoadRecord], None] = lambda record: None

    def keep(self, record: LoadRecord) -> None:
        """Write a record, and tell of it."""
        self.file.keep(record)
        self.asked(record)


def run_rounds(arms: Sequence[Arm], questions: Sequence[GoldenQuestion], plan: Plan, rounds: int, watch: Watch) -> None:
    """Run ``rounds`` rounds of all arms, each for ``plan.seconds`` / ``rounds``.

    In a closed loop the first arm of a round runs by the clock, and the others are asked the same questions, as many.
    Raises what an arm raises; records kept until then stay.
    """
    asked_before = 0
    for number in range(rounds):
        wanted = replace(plan, round=number, seconds=plan.seconds / rounds, seed=plan.seed + number)
        asked = 0
        for place, arm in enumerate(arms if number % 2 == 0 else arms[::-1]):
            watch.began(arm, number)
            own = islice(endlessly(questions, plan.seed), asked_before, None)
            by_count = asked if place and not plan.per_minute else None
            asked = _block(arm, Drive(arm.ask, watch.keep), replace(wanted, questions=by_count), own, watch)
        asked_before += asked


def _block(arm: Arm, drive: Drive, plan: Plan, questions: "islice[GoldenQuestion]", watch: Watch) -> int:
    with ProcessWatch(arm.process_id) as used:
        asked, seconds = drive.run(plan, questions)
    watch.file.keep(Block(arm.name, plan.round, seconds, used.before_bytes, used.peak_bytes, used.processor_seconds))
    return asked


class ProcessWatch:
    """What a process used during a block; 0 for no process.

    Its resident memory before the block and the largest during it, in bytes, and its seconds on a processor; with
    ``children`` the memory of the processes that it started counts as well.
    """

    def __init__(self, process_id: int | None, *, children: bool = False) -> None:
        self._children = children
        self._process = psutil.Process(process_id) if process_id is not None else None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory-peak", daemon=True)
        self.before_bytes = self.peak_bytes = 0
        self.processor_seconds = 0.0

    def __enter__(self) -> Self:
        if self._process is not None:
            self.before_bytes = self.peak_bytes = self._resident_bytes()
            self.processor_seconds = -self._used_seconds()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._process is not None:
            self._thread.join()
            self.processor_seconds += self._used_seconds()

    def _used_seconds(self) -> float:
        if self._process is None or not self._process.is_running():
            return 0.0
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _look(self) -> None:
        assert self._process is not None  # the thread is not started without
        while not self._is_over.wait(_MEMORY_EVERY_SECONDS):
            try:
                self.peak_bytes = max(self.peak_bytes, self._resident_bytes())
            except psutil.NoSuchProcess:
                return

    def _resident_bytes(self) -> int:
        assert self._process is not None  # nobody else asks
        whole = int(self._process.memory_info().rss)
        for child in self._process.children(recursive=True) if self._children else ():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                whole += child.memory_info().rss
        return whole
