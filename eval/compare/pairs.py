"""Two runs question by question: who wins, and whether that could be chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eval.core.bootstrap import Interval, mean_interval

Outcome = Literal["win", "tie", "loss"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of the questions that both runs have.  A win is the second run's; higher is better.

    ``p_value`` is of the exact two-sided sign test, which for right and wrong is McNemar's exact test; ``interval`` is
    of the mean difference, second less first.
    """

    measure: str
    n: int
    first: float
    second: float
    difference: float
    interval: Interval | None
    wins: int
    ties: int
    losses: int
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would give as lopsided a result in less than 5 % of cases."""
        return self.p_value < 0.05


def compared(measure: str, first: Mapping[str, float], second: Mapping[str, float]) -> Comparison:
    """Compare values by question id, of the questions that are in both.

    >>> one = compared("right", {"a": 0.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "d": 0.0})
    >>> one.n, one.wins, one.ties, one.losses, one.p_value
    (2, 1, 1, 0, 1.0)
    """
    shared = sorted(first.keys() & second.keys())
    differences = [second[key] - first[key] for key in shared]
    wins, losses = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    return Comparison(
        measure=measure,
        n=len(shared),
        first=_mean([first[key] for key in shared]),
        second=_mean([second[key] for key in shared]),
        difference=_mean(differences),
        interval=mean_interval(differences),
        wins=wins,
        ties=len(shared) - wins - losses,
        losses=losses,
        p_value=sign_test(wins, losses),
    )


def outcome_of(difference: float) -> Outcome:
    """Return what a difference, second less first, is to the second run."""
    return "win" if difference > 0 else "loss" if difference < 0 else "tie"


def sign_test(wins: int, losses: int) -> float:
    """Return how probable a result as lopsided is where either side wins with probability 1/2; ties do not count."""
    decided = wins + losses
    tail = sum(math.comb(decided, count) for count in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**decided))


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
