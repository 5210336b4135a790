"""The findings of a calibration: the cells of its table, remarks, and a page with plots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pydantic import TypeAdapter, ValidationError

from eval.calibrate_model.results import LEAST_AGREEMENT, MARGIN, ROUNDS, Row, Target, Trial
from eval.compare.report_page import document
from eval.core.runs import Run
from eval.core.svg import Bar, bar_chart
from eval.core.tables import html_table
from rag.errors import SettingsError
from rag.schema import Language
from rag.translate import translate

_FEW = 100
_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Findings:
    """What a calibration found.  ``reconstructed_from`` is empty where the weights are the makers' own."""

    model: str
    stand_in: bool
    reconstructed_from: str
    rows: tuple[Row, ...]
    best: Row | None
    target: Target
    whole: bool
    run: str
    trials: tuple[Trial, ...] = ()


_FINDINGS = TypeAdapter(Findings)


def findings_of(run: Run) -> Findings:
    """Return a finished run's findings.  Raises ``SettingsError`` where it is not finished, or no calibration."""
    try:
        return _FINDINGS.validate_python(run.figures())
    except ValidationError as error:
        raise SettingsError(reason=run.folder.name) from error


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's figures in the order of the heads."""
    one = row.configuration
    return (
        one.kind,
        str(one.slots),
        f"{one.context_tokens:,}",
        str(row.n),
        "-" if row.accuracy is None else f"{row.accuracy:.0%}",
        f"{row.prompt_rate:.0f}",
        f"{row.generation_rate:.1f}",
        f"{row.load_rate:.1f}",
        f"{row.memory_bytes / _GIGABYTE:.2f} GB",
        _seconds(row.p50_ms),
        _seconds(row.p99_ms),
        str(row.agents),
    )


HEADS = (
    "kind", "slots", "context", "questions", "accuracy", "prompt_rate", "generation_rate", "load_rate", "memory", "p50",
    "p99", "agents",
)  # fmt: skip
"""The keys of the columns' titles, in the order of ``cells``."""


def trial_cells(trial: Trial, language: Language) -> tuple[str, ...]:
    """Return a trial's figures in the order of the heads."""
    accuracy = "-"
    if trial.row is not None and trial.row.accuracy is not None and trial.reference is not None:
        accuracy = f"{trial.reference:.0%} → {trial.row.accuracy:.0%}"
    verdict = "not_quicker" if trial.row is None else "kept" if trial.kept else "other_answers"
    return (
        trial.configuration.tuning.key or "-",
        f"{trial.prompt_ratio:.2f}",
        f"{trial.generation_ratio:.2f}",
        f"{trial.gain:+.0%}",
        accuracy,
        "-" if trial.agreement is None else f"{trial.agreement:.0%}",
        translate(f"eval_calibration.verdict_{verdict}", language),
    )


TRIAL_HEADS = ("setting", "prompt_ratio", "generation_ratio", "gain", "accuracy", "agreement", "verdict")
"""The keys of the columns' titles, in the order of ``trial_cells``."""


def remarks(findings: Findings, language: Language) -> list[str]:
    """Return the remarks on the figures."""
    target = findings.target
    found = [
        translate(
            "eval_calibration.target", language, pause=target.pause_seconds, share=target.share, seconds=target.seconds
        ),
    ]
    first = findings.rows[0] if findings.rows else None
    if first is not None and first.interval is not None and first.compared < _FEW:
        low, high = first.interval
        found.append(translate("eval_calibration.few", language, compared=first.compared, low=low, high=high))
    if findings.trials:
        found.append(translate("eval_calibration.trials", language, rounds=ROUNDS, agreement=LEAST_AGREEMENT))
    if findings.stand_in:
        found.append(translate("eval_calibration.stand_in", language, name=findings.model))
    if findings.reconstructed_from:
        found.append(translate("eval_calibration.reconstructed", language, kind=findings.reconstructed_from))
    if not findings.whole:
        found.append(translate("eval_calibration.time_up", language, run=findings.run))
    if findings.best is None:
        return [*found, translate("eval_calibration.no_winner", language)]
    one = findings.best.configuration
    best = translate(
        "eval_calibration.winner", language, kind=one.kind, slots=one.slots, context=one.context_tokens, margin=MARGIN
    )
    tuned = [translate("eval_calibration.tuned", language, tuning=one.tuning.key)] if one.tuning.key else []
    return [*found, best, *tuned]


def page(findings: Findings, language: Language) -> str:
    """Return a self-contained page."""
    heads = [translate(f"eval_calibration.{name}", language) for name in HEADS]
    rows = html_table(heads, map(cells, findings.rows), lambda cell: True)
    notes = "".join(f"<p>{escape(remark)}</p>" for remark in remarks(findings, language))
    drawn = "".join(plots(findings, language))
    body = f"{notes}{rows}{_trials(findings, language)}{drawn}"
    return document(translate("eval_calibration.title", language, name=findings.model), body, language)


def _trials(findings: Findings, language: Language) -> str:
    if not findings.trials:
        return ""
    heads = [translate(f"eval_calibration.{name}", language) for name in TRIAL_HEADS]
    rows = [trial_cells(trial, language) for trial in findings.trials]
    title = escape(translate("eval_calibration.trials_title", language))
    return f"<h2>{title}</h2>{html_table(heads, rows, lambda cell: True)}"


def plots(findings: Findings, language: Language) -> list[str]:
    """Return the plots as HTML styled by ``plots.css``; the winner's bars are of another colour."""
    measures: Mapping[str, Callable[[Row], float]] = {
        "plot_p99": lambda row: (row.p99_ms or 0.0) / 1000,
        "plot_speed": lambda row: row.load_rate,
        "plot_memory": lambda row: row.memory_bytes / _GIGABYTE,
        "plot_agents": lambda row: float(row.agents),
    }
    right = [
        Bar(label(row), row.accuracy, f"{row.accuracy:.0%}", row.interval, group=int(row == findings.best))
        for row in findings.rows
        if row.accuracy is not None
    ]
    charts = [bar_chart(translate("eval_calibration.plot_accuracy", language), right, 1.0)]
    for key, value in measures.items():
        charts.append(bar_chart(translate(f"eval_calibration.{key}", language), _bars(findings, value)))
    return charts


def _bars(findings: Findings, value: Callable[[Row], float]) -> Sequence[Bar]:
    return [Bar(label(row), value(row), f"{value(row):.3g}", group=int(row == findings.best)) for row in findings.rows]


def label(row: Row) -> str:
    """Name a row by its quantization, slots, context and what is tuned."""
    one = row.configuration
    tuned = f", {one.tuning.key}" if one.tuning.key else ""
    return f"{one.kind}, {one.slots} x {one.context_tokens:,}{tuned}"


def _seconds(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f}"
