"""How quickly the desk answers, over a window: for leads, of the knowledge bases that they may use."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from rag.errors import NotPermitted
from rag.latency import Objective, objective_of
from rag.percentiles import Percentiles
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_times import EVIDENCE, Outcomes, SlowTurn, TurnTimesTable, WindowCounts
from rag.telemetry.machine import MachineState

Window = Literal["15m", "1h", "24h", "7d"]
WINDOWS: Mapping[str, float] = MappingProxyType({"15m": 900.0, "1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0})
"""How many seconds each ``Window`` has."""
BUCKETS = 24
SLOWEST = 8
_KEPT_SECONDS = 1.5  # a page that is drawn every two seconds, for several people, is computed once
_AS_A_WHOLE = ("total", EVIDENCE)
_MADE_UP_QUESTIONS = (0, 0, 0, 0, 0, 0, 1, 3, 8, 14, 18, 16, 9, 12, 17, 19, 16, 12, 8, 5, 4, 2, 1, 0)
"""Questions by the hour of the day: 165 of them, most in the morning and in the afternoon."""
_MADE_UP_LATE = (31, 77, 120)
_MADE_UP_LATE_MS = 1600.0
_MADE_UP_PACE = 24.0  # tokens per second


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of the window, which begins at ``at`` (UTC), with the times of each stage in it."""

    at: datetime
    stages: dict[str, Percentiles]


@dataclass(frozen=True, slots=True)
class Performance:
    """A window of ``seconds`` that ends at ``until`` (UTC).

    ``stages`` are the parts of an answer, the slowest p95 first; ``whole`` are ``total`` and ``evidence``, where they
    occurred.  ``tokens_per_second`` None: the model generated nothing.  ``models`` are those that answered, each with
    whether it is a stand-in.
    """

    until: datetime
    seconds: float
    turns: dict[str, int]
    stages: tuple[tuple[str, Percentiles], ...]
    whole: dict[str, Percentiles]
    buckets: tuple[Bucket, ...]
    objective: Objective
    tokens_per_second: float | None
    models: tuple[tuple[str, bool], ...]
    slowest: tuple[SlowTurn, ...]

    @property
    def asked(self) -> int:
        """How many turns there were."""
        return sum(self.turns.values())

    @property
    def asked_per_minute(self) -> float:
        """How many turns a minute had on average."""
        return self.asked / self.seconds * 60


def measure(
    times: TurnTimesTable, until: datetime, seconds: float, bases: Collection[str] | None = None
) -> Performance:
    """Measure the window of ``seconds`` before ``until``; ``bases`` None: of all knowledge bases."""
    since = until - timedelta(seconds=seconds)
    return _report(
        until,
        seconds,
        list(times.timed(since, bases)),
        times.counts(since, bases),
        times.slowest(since, SLOWEST, bases),
    )


def _report(
    until: datetime,
    seconds: float,
    timed: Iterable[tuple[str, float, float]],
    counts: WindowCounts,
    slowest: Sequence[SlowTurn],
) -> Performance:
    """Sum up a window; ``timed`` are stages with when they were asked for (seconds since 1970) and milliseconds."""
    since = until - timedelta(seconds=seconds)
    durations: dict[str, list[float]] = defaultdict(list)
    cells: dict[tuple[int, str], list[float]] = defaultdict(list)
    for stage, asked_at, duration_ms in timed:
        durations[stage].append(duration_ms)
        place = min(BUCKETS - 1, max(0, int((asked_at - since.timestamp()) / seconds * BUCKETS)))
        cells[place, stage].append(duration_ms)
    percentiles = {stage: Percentiles.of(values) for stage, values in durations.items()}
    outcomes = counts.outcomes
    return Performance(
        until=until,
        seconds=seconds,
        turns=outcomes.turns,
        stages=tuple(
            sorted(
                ((stage, found) for stage, found in percentiles.items() if stage not in _AS_A_WHOLE),
                key=lambda row: -(row[1].p95 or 0.0),
            )
        ),
        whole={stage: percentiles[stage] for stage in _AS_A_WHOLE if stage in percentiles},
        buckets=tuple(
            Bucket(
                since + timedelta(seconds=seconds * place / BUCKETS),
                {stage: Percentiles.of(cells[place, stage]) for stage in durations if cells.get((place, stage))},
            )
            for place in range(BUCKETS)
        ),
        objective=objective_of(durations[EVIDENCE], counts.failed_without_evidence),
        tokens_per_second=outcomes.generated_tokens / outcomes.generation_ms * 1000 if outcomes.generation_ms else None,
        models=counts.models,
        slowest=tuple(slowest),
    )


def made_up_day(until: datetime) -> Performance:
    """Return a day that nobody measured, to look at before there is a real one; the same each time.

    The answers wait for each other around noon, three searches are late, and neither turns nor models are named.
    """
    timed: list[tuple[str, float, float]] = []
    writing_ms = 0.0
    for place in range(BUCKETS):
        began_at = until - timedelta(hours=BUCKETS - place)
        asked = _MADE_UP_QUESTIONS[began_at.hour]
        for number in range(asked):
            turn = sum(_MADE_UP_QUESTIONS[: began_at.hour]) + number
            spans = {
                "embed": 7.0 + turn % 5,
                "search": _MADE_UP_LATE_MS if turn in _MADE_UP_LATE else 24.0 + 7 * turn % 23,
                "pack": 11.0 + turn % 7,
                "wait": 900.0 * max(0, asked - 12) + 13 * turn % 240,
                "prompt": 800.0 + 37 * turn % 500,
                "answer": 4200.0 + 211 * turn % 5800,
            }
            writing_ms += spans["answer"]
            spans |= {EVIDENCE: spans["embed"] + spans["search"] + spans["pack"], "total": sum(spans.values())}
            at = began_at.timestamp() + 3600 * number / asked
            timed += [(stage, at, duration_ms) for stage, duration_ms in spans.items()]
    turns = {"done": 148, "refused": 14, "stopped": 3}
    outcomes = Outcomes(turns, round(writing_ms / 1000 * _MADE_UP_PACE), writing_ms)
    return _report(until, BUCKETS * 3600.0, timed, WindowCounts(outcomes, 0, ()), ())


class PerformanceReports:
    """Reports, each computed once for all who look at the same moment, and the last look at the machine."""

    def __init__(self, times: TurnTimesTable, machine: Callable[[], MachineState | None]) -> None:
        self._times = times
        self.machine = machine
        self._lock = threading.Lock()
        self._kept: dict[tuple[float, frozenset[str] | None], tuple[float, Performance]] = {}

    def report(self, seconds: float, bases: frozenset[str] | None) -> Performance:
        """Return the report of the window that ends now."""
        with self._lock:
            due_at, report = self._kept.get((seconds, bases), (0.0, None))
            began_at = time.monotonic()
            if report is None or began_at >= due_at:
                report = measure(self._times, datetime.now(UTC), seconds, bases)
                took = time.monotonic() - began_at
                self._kept[seconds, bases] = (began_at + max(_KEPT_SECONDS, 20 * took), report)  # 5 % of a core at most
            return report


class PersonalPerformance:
    """The reports for whoever ``who`` names; they need be a lead, and see their knowledge bases only."""

    def __init__(self, reports: PerformanceReports, bases: KnowledgeBases, who: Callable[[], User]) -> None:
        self._reports = reports
        self._bases = bases
        self._who = who

    def report(self, seconds: float) -> Performance:
        """Return the report of the window of ``seconds`` that ends now.  Raises ``NotPermitted``."""
        user = self._lead()
        return self._reports.report(seconds, None if user.scopes is None else frozenset(self._bases.names_for(user)))

    def made_up_day(self, until: datetime) -> Performance:
        """Return the day that nobody measured (``made_up_day``).  Raises ``NotPermitted``."""
        self._lead()
        return made_up_day(until)

    def machine(self) -> MachineState | None:
        """Return the last look at the machine; None before the first.  Raises ``NotPermitted``."""
        self._lead()
        return self._reports.machine()

    def _lead(self) -> User:
        user = self._who()
        if not user.is_at_least("lead"):
            raise NotPermitted(role="lead")
        return user
