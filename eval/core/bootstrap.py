"""How sure a figure is: 95 % intervals by drawing the questions anew (B. Efron, R. Tibshirani, 1993, chapter 13)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_DIGITS = 4

Interval = tuple[float, float]


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval | None:
    """Return the percentile interval of the mean; None without values.

    >>> mean_interval([1.0, 1.0])
    (1.0, 1.0)
    """
    if not values:
        return None
    array = np.asarray(values, dtype=np.float64)
    return _percentiles(array[_draws(len(array), seed)].mean(axis=1))


def ratio_interval(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Interval | None:
    """Return the interval of ``sum(values) / sum(others)``, both of the same questions in the same order.

    Draws in which the others sum to 0 are left out; None where there are no values or all are left out.
    """
    if not values:
        return None
    draws = _draws(len(values), seed)
    above = np.asarray(values, dtype=np.float64)[draws].sum(axis=1)
    below = np.asarray(others, dtype=np.float64)[draws].sum(axis=1)
    usable = below > 0
    return _percentiles(above[usable] / below[usable]) if usable.any() else None


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return round(float(low), _DIGITS), round(float(high), _DIGITS)
