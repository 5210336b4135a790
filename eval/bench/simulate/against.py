"""A run of ``python -m eval load`` beside the same run simulated: whether its waits are the expected ones."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.bench.load.records import LINES, MODEL_STAGES, PRODUCT_ARMS, LoadRecord
from eval.bench.simulate.day import Times, begins
from eval.core.runs import Run, read_records
from rag.errors import SettingsError
from rag.terminal import terminal_language
from rag.translate import translate

_TIMES_PLAYED = 400
_INNER = (2.5, 97.5)
_NAMES = ("mean", "p50", "p90")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of the waits, in seconds: as measured, and the middle and both ends of 95 of 100 simulated runs."""

    name: str
    measured: float
    simulated: float
    low: float
    high: float

    @property
    def is_inside(self) -> bool:
        """Tell whether the measured figure is among these."""
        return self.low <= self.measured <= self.high


def compare_with(run: Run, seed: int = 0) -> list[Comparison]:
    """Simulate the run many times, with its own pace, slots and answer times, each time drawn again.

    Raises ``SettingsError`` where the run is none of the load test or has too few answers.
    """
    identity = run.identity()
    lines = read_records(run.folder / "records.jsonl", LINES)
    records = [one for one in lines if isinstance(one, LoadRecord) and one.arm in PRODUCT_ARMS and one.spans]
    asked = [one for one in records if one.outcome in ("answered", "refused") and _span(one, MODEL_STAGES)]
    if identity.get("command") != "load" or len(asked) < 10:
        reason = translate("bench_simulate.no_load_run", terminal_language(), run=run.folder.name, answers=len(asked))
        raise SettingsError(reason=reason)
    measured = _figures(np.array([_span(one, ("wait",)) for one in asked]))
    lasts = np.array([_span(one, MODEL_STAGES) for one in asked])
    around = np.array([max(0.0, one.total_ms / 1000 - _span(one, ("wait", *MODEL_STAGES))) for one in asked])
    slots, per_minute = int(str(identity["slots"])), identity.get("per_minute")
    rounds, draw = max(1, len({one.round for one in asked})), np.random.default_rng(seed)
    played = []
    for _ in range(_TIMES_PLAYED):
        waits = []
        for _ in range(rounds):
            if per_minute:
                waits.append(_open(len(asked) // rounds, float(str(identity["seconds"])), lasts, slots, draw))
            else:
                waits.append(_closed(int(str(identity["sessions"])), len(asked) // rounds, lasts, around, slots, draw))
        played.append(_figures(np.concatenate(waits)))
    table = np.array(played)
    low, high = np.percentile(table, _INNER, axis=0)
    middle = np.median(table, axis=0)
    return [
        Comparison(name, float(measured[at]), float(middle[at]), float(low[at]), float(high[at]))
        for at, name in enumerate(_NAMES)
    ]


def _open(count: int, seconds: float, lasts: Times, slots: int, draw: np.random.Generator) -> Times:
    """Play so many questions that come by chance, whatever the answers do; return their waits."""
    arrivals = np.sort(draw.random(count)) * seconds
    return begins(arrivals, draw.choice(lasts, count), slots) - arrivals


def _closed(sessions: int, answers: int, lasts: Times, around: Times, slots: int, draw: np.random.Generator) -> Times:
    """Play sessions that ask again as soon as they are answered; return their waits."""
    asks = sorted(draw.choice(around, sessions).tolist())
    free_at = [0.0] * slots
    waits = np.empty(answers)
    for number in range(answers):
        asked_at = heapq.heappop(asks)
        begin = max(asked_at, free_at[0])
        ended = begin + float(draw.choice(lasts))
        heapq.heapreplace(free_at, ended)
        heapq.heappush(asks, ended + float(draw.choice(around)))
        waits[number] = begin - asked_at
    return waits


def _span(record: LoadRecord, names: Sequence[str]) -> float:
    return sum(span.duration_ms for span in record.spans if span.name in names) / 1000


def _figures(waits: Times) -> Times:
    if not len(waits):
        return np.zeros(len(_NAMES))
    return np.array([waits.mean(), np.quantile(waits, 0.5), np.quantile(waits, 0.9)])
