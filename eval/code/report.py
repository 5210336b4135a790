"""A run of HumanEval as rows and HTML, beside what the makers of a model publish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from eval.code.judging import OUTCOMES
from eval.code.records import ATTEMPTS, VERDICTS, VERDICTS_NAME, Attempt
from eval.core.runs import Run, read_records
from eval.core.svg import Bar, bar_chart
from eval.core.tables import html_table, part_of
from rag.schema import Language
from rag.translate import translate

_FAILED_SHOWN = 60

Figures = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Published:
    """What a model's makers publish: pass@1 in [0, 1], greedy, with 16-bit weights."""

    model: str
    pass_at_1: float


SOURCE = "B. Hui et al., Qwen2.5-Coder Technical Report, 2024, arXiv 2409.12186"
PUBLISHED: Mapping[str, Published] = {
    "stand-in:0.5b": Published("Qwen2.5-Coder-0.5B-Instruct", 0.616),
    "stand-in:1.5b": Published("Qwen2.5-Coder-1.5B-Instruct", 0.707),
}
"""By the stand-ins' names here, which are these models with 4-bit weights.  DeepSeek-R1's makers publish none."""

OVERVIEW_COLUMNS = (
    "run", "model", "sampling", "thinking", "problems", "pass_at_1", "interval", "published", *OUTCOMES[1:]
)  # fmt: skip
R1_ROW = "DeepSeek-R1"


def overview_rows(runs: Sequence[tuple[str, Figures]], language: Language) -> list[list[str]]:
    """Return a row a run, with thinking on and off under each other, and an empty one for R1 until it has a run."""
    rows = [_row(name, figures, language) for name, figures in runs]
    if all(figures.get("stand_in") for _, figures in runs):
        rows.append(["-", R1_ROW, *["-"] * (len(OVERVIEW_COLUMNS) - 2)])
    return rows


def _row(name: str, figures: Figures, language: Language) -> list[str]:
    model = str(figures.get("model"))
    published = PUBLISHED.get(model)
    outcomes = part_of(figures, "outcomes")
    return [
        name,
        translate("eval_code.stand_in", language, model=model) if figures.get("stand_in") else model,
        translate(f"eval_code.sampling_{figures.get('sampling')}", language),
        translate(f"eval_code.thinking_{'on' if figures.get('think') else 'off'}", language),
        f"{figures.get('n')} x {figures.get('samples')}" if figures.get("samples") != 1 else str(figures.get("n")),
        percent(figures.get("pass_at_1")),
        interval_words(figures),
        "-" if published is None else f"{percent(published.pass_at_1)} ({published.model})",
        *(str(outcomes.get(outcome, 0)) for outcome in OUTCOMES[1:]),
    ]


def percent(share: object) -> str:
    """Return a share as percents with a digit.

    >>> percent(0.616), percent(None)
    ('61.6', '-')
    """
    return f"{100 * share:.1f}" if isinstance(share, int | float) else "-"


def interval_words(figures: Figures) -> str:
    """Return the interval of pass@1 in percents."""
    known = part_of(figures, "intervals").get("pass_at_1")
    return " – ".join(percent(one) for one in known) if isinstance(known, list | tuple) else "-"


def page_section(figures: Figures, language: Language) -> str:
    """Return a finished run's figures as HTML."""
    bars = [
        Bar(f"pass@{k}", float(value), percent(value), _interval(figures) if k == "1" else None)
        for k, value in part_of(figures, "pass_at_k").items()
        if isinstance(value, int | float)
    ]
    published = PUBLISHED.get(str(figures.get("model")))
    if published is not None:
        bars.append(Bar(published.model, published.pass_at_1, percent(published.pass_at_1), group=2))
    outcomes = part_of(figures, "outcomes")
    counts = [
        Bar(translate(f"eval_code.{name}", language), count, str(count), group=int(name != "passed"))
        for name in OUTCOMES
        if isinstance(count := outcomes.get(name), int)
    ]
    note = translate("eval_code.published_note", language, source=SOURCE) if published is not None else ""
    return (
        bar_chart(translate("eval_code.title", language, n=figures.get("n")), bars, 1.0)
        + (f'<p class="note">{escape(note)}</p>' if note else "")
        + bar_chart(translate("eval_code.outcomes", language), counts)
    )


def overview(runs: Sequence[Run], language: Language) -> str:
    """Return all runs of HumanEval in one table, as HTML; empty without any."""
    if not runs:
        return ""
    rows = overview_rows([(run.folder.name, run.figures()) for run in runs], language)
    titles = [translate(f"eval_code.{name}", language) for name in OVERVIEW_COLUMNS]
    note = f'<p class="note">{escape(translate("eval_code.published_note", language, source=SOURCE))}</p>'
    return f"<h2>{escape(translate('eval_code.overview', language))}</h2>{html_table(titles, rows)}{note}"


def failed_attempts(run: Run, language: Language) -> str:
    """Return the attempts that did not pass as HTML: how each failed, and the model's reply."""
    attempts: dict[tuple[str, int], Attempt] = {(one.task_id, one.sample): one for one in run.records(ATTEMPTS)}
    failed = [one for one in read_records(run.folder / VERDICTS_NAME, VERDICTS) if not one.passed]
    if not failed:
        return ""
    titles = [translate(f"eval_code.{name}", language) for name in ("problem", "outcome", "detail", "reply")]
    rows = [
        [
            one.task_id,
            translate(f"eval_code.{one.outcome}", language),
            one.detail,
            attempts[(one.task_id, one.sample)].reply,
        ]
        for one in failed[:_FAILED_SHOWN]
    ]
    summary = escape(translate("eval_code.failed", language, n=len(failed)))
    return f"<details><summary>{summary}</summary>{html_table(titles, rows)}</details>"


def _interval(figures: Figures) -> tuple[float, float] | None:
    known = part_of(figures, "intervals").get("pass_at_1")
    return (float(known[0]), float(known[1])) if isinstance(known, list | tuple) else None
