"""The record of an attempt, and the figures of a run: pass@k with its interval, kinds of failure, times.

The reply is kept apart from the verdict on its program, which can be judged again.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from pydantic import TypeAdapter

from eval.code.judging import OUTCOMES, Outcome
from eval.core.statistics import Interval, mean_interval, rounded, share_interval

_REPORTED_K = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reply of the model; ``sample`` counts the replies to one problem from 0, ``error`` is an error's class.

    ``seconds`` is from the request until the end of the reply; waiting for a slot is not counted.
    """

    task_id: str
    sample: int
    reply: str = ""
    thinking: str = ""
    truncated: bool = False
    error: str = ""
    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AttemptVerdict:
    """The verdict on one attempt."""

    task_id: str
    sample: int
    outcome: Outcome
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.outcome == "passed"


ATTEMPTS = TypeAdapter(Attempt)


VERDICTS = TypeAdapter(AttemptVerdict)


VERDICTS_NAME = "verdicts.jsonl"


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the unbiased estimate that one of ``k`` replies passes, where ``passed`` of ``samples`` did.

    1 - C(n - c, k) / C(n, k), of M. Chen et al., 2021.

    >>> pass_at_k(3, 1, 1), pass_at_k(4, 2, 2)
    (0.3333333333333333, 0.8333333333333334)

    Raises ``ValueError`` where k is not in [1, samples].
    """
    if not 1 <= k <= samples:
        raise ValueError(f"k must be in [1, {samples}], not {k}")
    draws = math.comb(samples, k)
    return (draws - math.comb(samples - passed, k)) / draws


def passed_by_problem(judged: Sequence[AttemptVerdict]) -> dict[str, tuple[int, int]]:
    """Return how many samples each problem has and how many of them passed."""
    found: dict[str, tuple[int, int]] = {}
    for one in judged:
        samples, passed = found.get(one.task_id, (0, 0))
        found[one.task_id] = (samples + 1, passed + one.passed)
    return found


def summarise(attempts: Sequence[Attempt], judged: Sequence[AttemptVerdict]) -> dict[str, object]:
    """Return the figures of a run, in which each problem has as many samples as the others."""
    by_problem = passed_by_problem(judged)
    samples = max((count for count, _ in by_problem.values()), default=0)
    at_k = {
        str(k): _mean([pass_at_k(count, passed, k) for count, passed in by_problem.values()])
        for k in _REPORTED_K
        if k <= samples
    }
    kinds = Counter(one.outcome for one in judged)
    return {
        "n": len(by_problem),
        "samples": samples,
        "passed": kinds["passed"],
        "pass_at_1": at_k.get("1"),
        "pass_at_k": at_k,
        "intervals": {"pass_at_1": _interval(by_problem, samples)},
        "outcomes": {name: kinds[name] for name in OUTCOMES},
        "seconds": _seconds(attempts),
        "tokens": {
            "prompt": _mean([one.prompt_tokens for one in attempts]),
            "generated": _mean([one.generated_tokens for one in attempts]),
        },
        "thought": sum(bool(one.thinking) for one in attempts),
    }


def _interval(by_problem: Mapping[str, tuple[int, int]], samples: int) -> Interval | None:
    """Return Wilson's interval; of several samples a problem, which are not independent, one by drawing problems."""
    if samples == 1:
        return share_interval(sum(passed for _, passed in by_problem.values()), len(by_problem))
    return mean_interval([passed / count for count, passed in by_problem.values()])


def _seconds(attempts: Sequence[Attempt]) -> dict[str, float | None]:
    known = [one.seconds for one in attempts if not one.error]
    if not known:
        return {"median": None, "mean": None, "longest": None}
    return {"median": round(median(known), 2), "mean": round(mean(known), 2), "longest": round(max(known), 2)}


def _mean(values: Sequence[float]) -> float | None:
    return rounded(mean(values)) if values else None
