"""How quickly the desk answers, over a window: for leads, of the knowledge bases that they may use."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.errors import NotPermitted
from rag.latency import Objective, objective_of
from rag.percentiles import Percentiles
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_times import EVIDENCE, SlowTurn, TurnTimesTable
from rag.telemetry.machine import MachineState

BUCKETS = 24
SLOWEST = 8
_KEPT_SECONDS = 1.5  # a page that is drawn every two seconds, for several people, is computed once
_AS_A_WHOLE = ("total", EVIDENCE)


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
    durations: dict[str, list[float]] = defaultdict(list)
    cells: dict[tuple[int, str], list[float]] = defaultdict(list)
    for stage, asked_at, duration_ms in times.timed(since, bases):
        durations[stage].append(duration_ms)
        place = min(BUCKETS - 1, max(0, int((asked_at - since.timestamp()) / seconds * BUCKETS)))
        cells[place, stage].append(duration_ms)
    percentiles = {stage: Percentiles.of(values) for stage, values in durations.items()}
    counts = times.counts(since, bases)
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
        slowest=times.slowest(since, SLOWEST, bases),
    )


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

    def machine(self) -> MachineState | None:
        """Return the last look at the machine; None before the first.  Raises ``NotPermitted``."""
        self._lead()
        return self._reports.machine()

    def _lead(self) -> User:
        user = self._who()
        if not user.is_at_least("lead"):
            raise NotPermitted(role="lead")
        return user
