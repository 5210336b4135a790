"""Records of a load test as figures: pure, and defined for the empty case."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from eval.bench.load.records import PRODUCT_ARMS, Block, LoadRecord
from rag.percentiles import Percentiles
from rag.tracing import STAGES

_TIMES = ("evidence_ms", "first_word_ms", "total_ms", "late_ms")
_ENDED = ("answered", "refused")
_MEGABYTE = 1e6


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
        "times": {name: _percentiles(_of_ended(records, name)) for name in _TIMES},
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
    return {name: _percentiles(values[name]) for name in STAGES if name in values}


def _percentiles(values: Sequence[float]) -> dict[str, float | int | None]:
    found = Percentiles.of(values)
    largest = round(max(values), 1) if values else None
    return {"n": found.n, "p50": found.p50, "p95": found.p95, "p99": found.p99, "largest": largest}


def _told(pairs: Sequence[tuple[float, float]]) -> Mapping[str, float | int | None]:
    """Return the error of what was told of the remaining wait: |told - real| / real, as ``docs/waiting.md`` has it."""
    errors = [abs(told - real) / real for told, real in pairs if real > 0]
    if not errors:
        return {"n": 0, "median_error": None, "p90_error": None}
    median, p90 = (round(float(value), 3) for value in np.percentile(errors, [50, 90]))
    return {"n": len(errors), "median_error": median, "p90_error": p90}
