"""The arms of one load test, one after another and again: A B, B A, so that a noisy machine is as noisy for all."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType
from typing import Self

import psutil

from eval.bench.load.arrivals import Drive, Plan, endlessly
from eval.bench.load.records import Ask, Block, LoadRecord, RecordFile
from ingest.golden import GoldenQuestion

_MEMORY_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of asking.  ``process_id`` is whose memory counts, None: nobody's."""

    name: str
    ask: Ask
    process_id: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Where records go, and who is told."""

    file: RecordFile
    began: Callable[[Arm, int], None] = lambda arm, round_number: None
    asked: Callable[[LoadRecord], None] = lambda record: None


def run_rounds(arms: Sequence[Arm], questions: Sequence[GoldenQuestion], plan: Plan, rounds: int, watch: Watch) -> None:
    """Run ``rounds`` rounds of all arms, each for ``plan.seconds`` / ``rounds``.

    In a closed loop the first arm of a round runs by the clock, and the others are asked the same questions, as many.
    Raises what an arm raises; what was kept until then stays.
    """
    asked_before = 0
    for number in range(rounds):
        wanted = replace(plan, round=number, seconds=plan.seconds / rounds, seed=plan.seed + number)
        asked = 0
        for place, arm in enumerate(arms if number % 2 == 0 else arms[::-1]):
            watch.began(arm, number)
            own = islice(endlessly(questions, plan.seed), asked_before, None)
            by_count = asked if place and not plan.per_minute else None
            asked = _block(arm, Drive(arm.ask, _kept(watch)), replace(wanted, questions=by_count), own, watch)
        asked_before += asked


def _block(arm: Arm, drive: Drive, plan: Plan, questions: "islice[GoldenQuestion]", watch: Watch) -> int:
    with ProcessWatch(arm.process_id) as used:
        asked, seconds = drive.run(plan, questions)
    watch.file.keep(Block(arm.name, plan.round, seconds, used.before_bytes, used.peak_bytes, used.processor_seconds))
    return asked


def _kept(watch: Watch) -> Callable[[LoadRecord], None]:
    def keep(record: LoadRecord) -> None:
        watch.file.keep(record)
        watch.asked(record)

    return keep


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
