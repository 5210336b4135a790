"""When questions come: again as soon as one was answered (closed), or by chance whatever the answers do (open).

In an open loop a question is planned for a moment, and its times count from there, also where it could only be sent
later: else a slow product would be asked less, and look quick ("coordinated omission", Gil Tene).
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count

from eval.bench.load.records import Ask, Asking, LoadRecord
from ingest.golden import GoldenQuestion

_LOOK_EVERY_SECONDS = 0.25


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
