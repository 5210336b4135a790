"""How sure a figure is: 95 % intervals.

Of means by drawing the questions anew (B. Efron, R. Tibshirani, 1993, chapter 13); of shares of a few questions by
Wilson's score, which is honest about 0 of 10 as well (E. B. Wilson, JASA 22, 1927).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_DIGITS = 4
_NORMAL_97_5 = 1.959964
"""The 97.5 % point of the normal distribution."""

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


def share_interval(hits: int, count: int) -> Interval | None:
    """Return Wilson's interval of ``hits`` among ``count``; None where ``count`` is 0.

    >>> share_interval(0, 10), share_interval(94, 120)
    ((0.0, 0.2775), (0.7015, 0.8476))
    """
    if not count:
        return None
    share, square = hits / count, _NORMAL_97_5**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _NORMAL_97_5 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return round(max(0.0, middle - reach), _DIGITS), round(min(1.0, middle + reach), _DIGITS)


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return round(float(low), _DIGITS), round(float(high), _DIGITS)
