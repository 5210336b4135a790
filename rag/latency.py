"""``python -m rag latency``: how long each stage of the desk's answers takes, and whether evidence comes in time."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from rag.errors import SettingsError
from rag.percentiles import Percentiles
from rag.schema import Language
from rag.storage.turn_times import EVIDENCE, TurnTimesTable
from rag.tracing import STAGES
from rag.translate import is_known, translate

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
    """Return what a stage is called."""
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
