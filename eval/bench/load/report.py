"""The figures of a load test as tables in the terminal and as a section of the report's page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from rich.console import Console
from rich.table import Table

from eval.bench.load.records import PRODUCT_ARMS, Block, LoadRecord
from eval.commands.shared import headed_table, model_line, print_line
from eval.core.svg import Bar as Stripe
from eval.core.svg import bar_chart
from eval.core.tables import html_table, part_of
from rag.schema import Language
from rag.tracing import STAGES, Percentiles
from rag.translate import translate

_TIMES = ("evidence_ms", "first_word_ms", "total_ms", "around_model_ms", "late_ms")
_PERCENTILES = ("n", "p50", "p95", "p99", "largest")
_GPU_TIMED = "gpu-timed"

Figures = Mapping[str, object]

RAW_RATIO = 0.97
DESKS_RATIO = 0.97
DESKS_EVIDENCE_P99_MS = 200.0
PLAIN_RATIO = 2.0
EVIDENCE_P99_MS = 150.0
WAIT_ERROR = 0.25
PAGE_EVIDENCE_P99_MS = 1000.0
AROUND_MODEL_P99_MS = 1200.0
MEMORY_MB = 15.0
_ENDED = ("answered", "refused")
_MEGABYTE = 1e6


def is_gpu_timed(figures: Figures) -> bool:
    """Tell whether the stand-in for a GPU answered."""
    return _GPU_TIMED in str(figures.get("model", ""))


def print_figures(figures: Figures, console: Console, language: Language) -> None:
    """Print arms, times, stages and bars, and whose figures they are."""
    console.print(_arms_table(figures, language))
    for table in _times_tables(figures, language):
        console.print(table)
    console.print(bars_table(bars(figures, gpu_timed=is_gpu_timed(figures)), language))
    for line in notes(figures, language):
        print_line(console, line)


def notes(figures: Figures, language: Language) -> list[str]:
    """Return in words whose figures these are, how the arms compare, and how busy the machine was with other things."""
    model = {"model": str(figures.get("model", "")), "stand_in": figures.get("stand_in")}
    lines = [translate("bench_load.gpu_note", language) if is_gpu_timed(figures) else model_line(model, language)]
    for arm, compared in part_of(figures, "product_against").items():
        ratio, rounds = part_of(compared).get("ratio"), part_of(compared).get("rounds")
        if ratio is not None:
            shown = ", ".join(str(one) for one in rounds) if isinstance(rounds, list) else ""
            name = translate(f"bench_load.arm_{arm}", language)
            lines.append(translate("bench_load.against", language, arm=name, ratio=ratio, rounds=shown))
    load, cores = figures.get("load_average", "?"), figures.get("cores", "?")
    return [*lines, translate("bench_load.machine", language, load=load, cores=cores)]


def _arms_table(figures: Figures, language: Language) -> Table:
    heads = (f"bench_load.{key}" for key in ("arm", "asked", "a_minute", "outcomes", "accuracy", "tokens"))
    table = headed_table(heads, "bench_load.load", language)
    for arm, values in part_of(figures, "arms").items():
        one = part_of(values)
        outcomes = " / ".join(str(count) for count in part_of(one, "outcomes").values())
        tokens = f"{_shown(one.get('prompt_tokens'))} / {_shown(one.get('generated_tokens'))}"
        cells = (one.get("n"), one.get("answers_a_minute"), outcomes, one.get("accuracy"), tokens)
        table.add_row(translate(f"bench_load.arm_{arm}", language), *(_shown(cell) for cell in cells))
    return table


def _times_tables(figures: Figures, language: Language) -> list[Table]:
    tables = []
    for arm, values in part_of(figures, "arms").items():
        table = headed_table(("eval.stage", *_PERCENTILES[:-1], "bench_load.largest"), "", language)
        table.title = f"{translate('bench_load.times', language)}: {translate(f'bench_load.arm_{arm}', language)}"
        for name, row in _rows_of(values).items():
            if row.get("n"):
                shown = translate(f"bench_load.{name}", language) if name in _TIMES else name
                table.add_row(shown, *(_shown(row.get(key)) for key in _PERCENTILES))
        tables.append(table)
    return tables


def _rows_of(arm: object) -> dict[str, Figures]:
    """Return what a reader of the page saw, then the product's own stages."""
    both = {**part_of(arm, "times"), **part_of(arm, "stages")}
    return {name: part_of(row) for name, row in both.items()}


def bars_table(rows: Sequence["Bar"], language: Language) -> Table:
    """Return a row a bar: the measured figure, and whether it is enough."""
    heads = (f"bench_load.{key}" for key in ("what", "measured", "bar", "met"))
    table = headed_table(heads, "bench_load.bars", language)
    for one in rows:
        table.add_row(*one.cells(language))
    return table


def page_section(figures: Figures, language: Language) -> str:
    """Return the figures as HTML: for each arm a stripe a stage, its length the median and its line up to p99."""
    parts = [f"<p>{escape(line)}</p>" for line in notes(figures, language)]
    rates = [
        Stripe(translate(f"bench_load.arm_{arm}", language), float(str(rate)), f"{rate}")
        for arm, values in part_of(figures, "arms").items()
        if (rate := part_of(values).get("answers_a_minute")) is not None
    ]
    parts.append(bar_chart(translate("bench_load.a_minute", language), rates))
    for number, (arm, values) in enumerate(part_of(figures, "arms").items()):
        stripes = [
            _stripe(translate(f"bench_load.{name}", language) if name in _TIMES else name, row, number % 3)
            for name, row in _rows_of(values).items()
            if row.get("n") and name != "late_ms"
        ]
        title = f"{translate('bench_load.times_plot', language)}: {translate(f'bench_load.arm_{arm}', language)}"
        parts.append(bar_chart(title, stripes))
    rows = [one.cells(language) for one in bars(figures, gpu_timed=is_gpu_timed(figures))]
    return f"{''.join(parts)}{html_table((), rows)}"


def _stripe(label: str, row: Figures, group: int) -> Stripe:
    p50, p99 = float(str(row["p50"])), float(str(row["p99"]))
    return Stripe(label, p50, f"{p50:.0f} – {p99:.0f} ms (n = {row['n']})", (p50, p99), group)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``name`` is its key in ``locale/*/bench_load.toml``."""

    name: str
    shown: str
    bar: str
    met: bool

    def cells(self, language: Language) -> tuple[str, str, str, str]:
        """Return the cells of its row."""
        met = translate("bench_load.yes" if self.met else "bench_load.no", language)
        return translate(f"bench_load.{self.name}", language), self.shown, self.bar, met


def bars(figures: Mapping[str, object], *, gpu_timed: bool) -> list[Bar]:
    """Return the bars that apply to these figures."""
    arms, against = part_of(figures, "arms"), part_of(figures, "product_against")
    desk = next((part_of(arms, name) for name in PRODUCT_ARMS if name in arms), {})
    rows: list[Bar] = []
    if "desks" in arms:
        rows += _at_least("bar_desks", part_of(against, "one_desk").get("ratio"), DESKS_RATIO, "x")
        rows += at_most(
            "bar_desks_evidence", part_of(desk, "times", "evidence_ms").get("p99"), DESKS_EVIDENCE_P99_MS, " ms"
        )
    elif "page" in arms:
        rows += at_most(
            "bar_page_evidence", part_of(desk, "times", "evidence_ms").get("p99"), PAGE_EVIDENCE_P99_MS, " ms"
        )
    elif gpu_timed:
        rows += at_most(
            "bar_around_model", part_of(desk, "times", "around_model_ms").get("p99"), AROUND_MODEL_P99_MS, " ms"
        )
    else:
        rows += _at_least("bar_raw", part_of(against, "raw").get("ratio"), RAW_RATIO, "x")
        rows += _at_least("bar_top5", part_of(against, "top5").get("ratio"), PLAIN_RATIO, "x")
        rows += at_most("bar_wait", part_of(desk, "wait_told").get("median_error"), WAIT_ERROR, "")
        rows += at_most("bar_evidence", part_of(desk, "times", "evidence_ms").get("p99"), EVIDENCE_P99_MS, " ms")
    rows += at_most("bar_memory", desk.get("memory_mb_a_session"), MEMORY_MB, " MB")
    if desk:
        outcomes = part_of(desk, "outcomes")
        errors, lost = int(str(outcomes.get("failed", 0))), int(str(outcomes.get("lost", 0)))
        rows.append(Bar("bar_lost", f"{errors} / {lost}", "0 / 0", errors == lost == 0))
    return rows


def _at_least(name: str, value: object, bar: float, unit: str) -> list[Bar]:
    if not isinstance(value, float | int):
        return []
    return [Bar(name, f"{value:g}{unit}", f">= {bar:g}{unit}", value >= bar)]


def at_most(name: str, value: object, bar: float, unit: str) -> list[Bar]:
    """Return the bar of a figure that may be ``bar`` at the most; none where the figure is missing."""
    if not isinstance(value, float | int):
        return []
    return [Bar(name, f"{value:g}{unit}", f"<= {bar:g}{unit}", value <= bar)]


def figures(records: Sequence[LoadRecord], blocks: Sequence[Block], sessions: int) -> dict[str, object]:
    """Return every arm's figures, and how the product compares with the others."""
    arms = list(dict.fromkeys(block.arm for block in blocks))
    by_arm = {
        arm: _arm([one for one in records if one.arm == arm], [one for one in blocks if one.arm == arm], sessions)
        for arm in arms
    }
    rates = {arm: {block.round: _rate(records, [block]) for block in blocks if block.arm == arm} for arm in arms}
    product = next((arm for arm in PRODUCT_ARMS if arm in arms), None)
    against = {
        arm: {
            "ratio": _ratio(by_arm[product]["answers_a_minute"], by_arm[arm]["answers_a_minute"]),
            "rounds": [_ratio(rates[product].get(number), rate) for number, rate in rates[arm].items()],
        }
        for arm in arms
        if product is not None and arm != product
    }
    return {"arms": by_arm, "product_against": against}


def _arm(records: Sequence[LoadRecord], blocks: Sequence[Block], sessions: int) -> dict[str, object]:
    outcomes = Counter(one.outcome for one in records)
    known = [one.right for one in records if one.right is not None]
    told = [one for record in records for one in record.told]
    busy = sum(block.processor_seconds for block in blocks)
    memory = [block.memory_peak_bytes - block.memory_before_bytes for block in blocks if block.memory_peak_bytes]
    return {
        "n": len(records),
        "seconds": round(sum(block.seconds for block in blocks), 1),
        "answers_a_minute": _rate(records, blocks),
        "outcomes": {name: outcomes.get(name, 0) for name in ("answered", "refused", "failed", "unfinished", "lost")},
        "errors": dict(Counter(one.error for one in records if one.outcome == "failed")),
        "accuracy": round(sum(known) / len(known), 3) if known else None,
        "generated_tokens": _mean([one.generated_tokens for one in records if one.generated_tokens]),
        "prompt_tokens": _mean([one.prompt_tokens for one in records if one.prompt_tokens]),
        "times": {name: percentile_row(_of_ended(records, name)) for name in _TIMES},
        "stages": _stages(records),
        "wait_told": _told([(one.told_seconds, one.real_seconds) for one in told]),
        "processor_ms_a_question": round(1000 * busy / len(records), 1) if busy and records else None,
        "memory_mb_a_session": round(max(memory) / _MEGABYTE / sessions, 2) if memory else None,
    }


def _rate(records: Sequence[LoadRecord], blocks: Sequence[Block]) -> float | None:
    """Count the questions that the model ended, a minute of the blocks' time; None where there was no time."""
    rounds = {(block.arm, block.round) for block in blocks}
    seconds = sum(block.seconds for block in blocks)
    ended = sum((one.arm, one.round) in rounds and one.outcome in _ENDED and one.asked_model for one in records)
    return round(60 * ended / seconds, 2) if seconds > 0 else None


def _ratio(own: object, other: object) -> float | None:
    return round(own / other, 3) if isinstance(own, float) and isinstance(other, float) and other else None


def _mean(values: Sequence[int]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None


def _of_ended(records: Sequence[LoadRecord], name: str) -> list[float]:
    """Return a time of those that were answered or refused; evidence counts wherever it was seen."""
    found = [getattr(one, name) for one in records if one.outcome in _ENDED or name in ("evidence_ms", "late_ms")]
    return [value for value in found if value is not None]


def _stages(records: Sequence[LoadRecord]) -> dict[str, object]:
    values: dict[str, list[float]] = {}
    for record in records:
        for span in record.spans:
            values.setdefault(span.name, []).append(span.duration_ms)
    return {name: percentile_row(values[name]) for name in STAGES if name in values}


def percentile_row(values: Sequence[float]) -> dict[str, float | int | None]:
    """Return percentiles, how many values there are, and the largest."""
    found = Percentiles.of(values)
    largest = round(max(values), 1) if values else None
    return {"n": found.n, "p50": found.p50, "p95": found.p95, "p99": found.p99, "largest": largest}


def _told(pairs: Sequence[tuple[float, float]]) -> Mapping[str, float | int | None]:
    """Return the error of the estimated remaining wait: |told - real| / real, as ``docs/waiting.md`` has it."""
    errors = [abs(told - real) / real for told, real in pairs if real > 0]
    if not errors:
        return {"n": 0, "median_error": None, "p90_error": None}
    median, p90 = (round(float(value), 3) for value in np.percentile(errors, [50, 90]))
    return {"n": len(errors), "median_error": median, "p90_error": p90}
