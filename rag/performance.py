"""How quickly the desk answers, over a window, and the load of its machine.

For ``python -m rag latency``, the page *Performance* and Prometheus.
"""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table

from rag.errors import ServingError, SettingsError
from rag.ollama.client import LoadedModel
from rag.ollama.hosts import loaded_models
from rag.ollama.neighbours import Neighbours
from rag.ollama.state import read_living_state
from rag.queue.admission import Admission, Occupancy
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_times import EVIDENCE, Outcomes, SlowTurn, TurnTimesTable, WindowCounts
from rag.tracing import STAGES, Percentiles
from rag.translate import is_known, translate

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

EVIDENCE_LIMIT_MS = 1000.0
EVIDENCE_SHARE = 0.99
_SECONDS = {"m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Objective:
    """Evidence within ``limit_ms`` for a ``share`` of the questions.

    ``met`` of ``n`` were in time; one that failed before its evidence was not.  ``burn`` is the share of late ones over
    the share that may be late; None without a question.
    """

    limit_ms: float
    share: float
    n: int
    met: int
    burn: float | None


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """The stages that occurred, ``evidence`` first, and the objective."""

    since: datetime | None
    turns: dict[str, int]
    stages: dict[str, Percentiles]
    objective: Objective

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self) | {"since": self.since.isoformat() if self.since is not None else None}


def measure_latency(times: TurnTimesTable, since: datetime | None = None) -> LatencyReport:
    """Read the turns that were asked at ``since`` (with a zone: UTC) or later."""
    measured = {stage: times.durations_ms(stage, since) for stage in (EVIDENCE, *STAGES)}
    return LatencyReport(
        since,
        times.outcomes(since).turns,
        {stage: Percentiles.of(durations) for stage, durations in measured.items() if durations},
        objective_of(measured[EVIDENCE], times.failed_without_evidence(since)),
    )


def objective_of(evidence_ms: list[float], failed: int) -> Objective:
    """Hold times until evidence against the objective; ``failed`` had none.

    >>> objective_of([20.0] * 98 + [1500.0], failed=1).burn
    2.0
    """
    n = len(evidence_ms) + failed
    met = sum(one <= EVIDENCE_LIMIT_MS for one in evidence_ms)
    burn = round((n - met) / n / (1 - EVIDENCE_SHARE), 2) if n else None
    return Objective(EVIDENCE_LIMIT_MS, EVIDENCE_SHARE, n, met, burn)


def stage_words(stage: str, language: Language) -> str:
    """Return a stage's name."""
    return translate(f"latency.{stage}", language) if is_known(f"latency.{stage}") else stage


def since_of(text: str | None, now: datetime, language: Language) -> datetime | None:
    """Return the beginning of a window such as ``90m``, ``24h`` or ``7d``; None for None.  Raises ``SettingsError``."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise SettingsError(reason=translate("latency.bad_since", language, text=text))
    return now - timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def show_latency(report: LatencyReport, language: Language, console: Console) -> None:
    """Print the report as a table with the objective under it."""
    since = f"{report.since:%Y-%m-%d %H:%M} UTC" if report.since is not None else translate("latency.always", language)
    states = {"thinking": "thinking_now"}
    turns = translate("latency.comma", language).join(
        f"{count} {translate(f'latency.{states.get(state, state)}', language)}"
        for state, count in sorted(report.turns.items())
    )
    title = translate("latency.title", language, since=since, turns=turns or translate("latency.no_turns", language))
    console.print(title, highlight=False)
    table = Table()
    table.add_column(translate("latency.stage", language))
    for column in (translate("latency.n", language), "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    for stage, found in report.stages.items():
        row = [f"{value:,.1f}" for value in (found.p50, found.p95, found.p99) if value is not None]
        table.add_row(translate(f"latency.{stage}", language), str(found.n), *row)
    console.print(table)
    objective = report.objective
    seen = f"{100 * objective.met / objective.n:.2f} %" if objective.n else "-"
    burn = f"{objective.burn:g}" if objective.burn is not None else "-"
    console.print(
        translate(
            "latency.objective",
            language,
            limit=objective.limit_ms,
            share=100 * objective.share,
            met=objective.met,
            n=objective.n,
            seen=seen,
            burn=burn,
        ),
        highlight=False,
    )
    console.print(translate("latency.burn", language), highlight=False)


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU.  ``busy_percent`` in [0, 100]."""

    name: str
    busy_percent: int
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class MachineState:
    """``cpu_percent`` is of all cores together, in [0, 100], since the look before; ``models`` None: no server.

    Beside ``neighbours`` the model has so many ``threads``; None: as many as without them.
    """

    occupancy: Occupancy
    cpu_percent: float
    cores: int
    used_bytes: int
    total_bytes: int
    desk_bytes: int
    models: tuple[LoadedModel, ...] | None
    gpus: tuple[GpuState, ...]
    neighbours: Neighbours | None = None
    threads: int | None = None


def machine_sampler(settings: Settings) -> Callable[[], MachineState]:
    """Return a function that samples the machine; it asks the model server, so it takes up to seconds."""
    admission = Admission.of(settings)
    desk = psutil.Process()
    psutil.cpu_percent()  # from here on it is counted

    def look() -> MachineState:
        memory = psutil.virtual_memory()
        server = read_living_state(settings)
        return MachineState(
            occupancy=admission.occupancy(),
            cpu_percent=psutil.cpu_percent(),
            cores=psutil.cpu_count() or 1,
            used_bytes=memory.total - memory.available,
            total_bytes=memory.total,
            desk_bytes=desk.memory_info().rss,
            models=_models_in_memory(settings),
            gpus=gpus(),
            neighbours=server.neighbours if server is not None else None,
            threads=server.threads if server is not None else None,
        )

    return look


def gpus() -> tuple[GpuState, ...]:
    """Return the NVIDIA GPUs; none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
        return tuple(_gpu(handle) for handle in handles)
    except pynvml.NVMLError:
        return ()  # a card that is being reset or has fallen off the bus tells nothing
    finally:
        pynvml.nvmlShutdown()


def _gpu(handle: object) -> GpuState:
    import pynvml

    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    busy = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return GpuState(str(name), busy, int(memory.used), int(memory.total))


def _models_in_memory(settings: Settings) -> tuple[LoadedModel, ...] | None:
    try:
        return tuple(loaded_models(settings))
    except ServingError:
        return None


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
        """The number of turns."""
        return sum(self.turns.values())

    @property
    def asked_per_minute(self) -> float:
        """The mean number of turns a minute."""
        return self.asked / self.seconds * 60


def measure(
    times: TurnTimesTable, until: datetime, seconds: float, bases: Collection[str] | None = None
) -> Performance:
    """Measure the window of ``seconds`` before ``until``; ``bases`` None: of all knowledge bases."""
    since = until - timedelta(seconds=seconds)
    return _report(
        until,
        seconds,
        list(times.timed_spans(since, bases)),
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


def example_day(until: datetime) -> Performance:
    """Return an invented day, to look at before there is a real one; the same each time.

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
    """Reports, each computed once for simultaneous viewers, and the latest sample of the machine."""

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
    """The reports for a lead, of their knowledge bases only; ``who`` names them on every call."""

    def __init__(self, reports: PerformanceReports, bases: KnowledgeBases, who: Callable[[], User]) -> None:
        self._reports = reports
        self._bases = bases
        self._who = who

    def report(self, seconds: float) -> Performance:
        """Return the report of the window of ``seconds`` that ends now.  Raises ``NotPermitted``."""
        user = self._who().require("lead")
        return self._reports.report(seconds, None if user.scopes is None else frozenset(self._bases.names_for(user)))

    def example_day(self, until: datetime) -> Performance:
        """Return the invented day (``example_day``).  Raises ``NotPermitted``."""
        self._who().require("lead")
        return example_day(until)

    def machine(self) -> MachineState | None:
        """Return the last look at the machine; None before the first.  Raises ``NotPermitted``."""
        self._who().require("lead")
        return self._reports.machine()
