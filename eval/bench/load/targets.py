"""What a load test is held against.  A bar that was not measured is not shown."""

from collections.abc import Mapping
from dataclasses import dataclass

RAW_RATIO = 0.97
PLAIN_RATIO = 2.0
EVIDENCE_P99_MS = 150.0
WAIT_ERROR = 0.25
PAGE_EVIDENCE_P99_MS = 1000.0
GPU_TOTAL_P99_MS = 1200.0
MEMORY_MB = 15.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``name`` is its key in ``locale/*/bench_load.toml``."""

    name: str
    shown: str
    bar: str
    met: bool


def bars(figures: Mapping[str, object], *, gpu_timed: bool) -> list[Bar]:
    """Return the bars that these figures can be held against."""
    arms, against = _of(figures, "arms"), _of(figures, "product_against")
    desk = _of(arms, "desk") or _of(arms, "page")
    rows: list[Bar] = []
    if "page" in arms:
        rows += _at_most("bar_page_evidence", _of(desk, "times", "evidence_ms").get("p99"), PAGE_EVIDENCE_P99_MS, " ms")
    elif gpu_timed:
        rows += _at_most("bar_gpu_total", _of(desk, "times", "total_ms").get("p99"), GPU_TOTAL_P99_MS, " ms")
    else:
        rows += _at_least("bar_raw", _of(against, "raw").get("ratio"), RAW_RATIO, "x")
        rows += _at_least("bar_top5", _of(against, "top5").get("ratio"), PLAIN_RATIO, "x")
        rows += _at_most("bar_wait", _of(desk, "wait_told").get("median_error"), WAIT_ERROR, "")
        rows += _at_most("bar_evidence", _of(desk, "times", "evidence_ms").get("p99"), EVIDENCE_P99_MS, " ms")
    rows += _at_most("bar_memory", desk.get("memory_mb_a_session"), MEMORY_MB, " MB")
    if desk:
        outcomes = _of(desk, "outcomes")
        errors, lost = int(str(outcomes.get("failed", 0))), int(str(outcomes.get("lost", 0)))
        rows.append(Bar("bar_lost", f"{errors} / {lost}", "0 / 0", errors == lost == 0))
    return rows


def _of(value: object, *path: str) -> Mapping[str, object]:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _at_least(name: str, value: object, bar: float, unit: str) -> list[Bar]:
    if not isinstance(value, float | int):
        return []
    return [Bar(name, f"{value:g}{unit}", f">= {bar:g}{unit}", value >= bar)]


def _at_most(name: str, value: object, bar: float, unit: str) -> list[Bar]:
    if not isinstance(value, float | int):
        return []
    return [Bar(name, f"{value:g}{unit}", f"<= {bar:g}{unit}", value <= bar)]
