"""Statistics of a run: 95 % intervals, logistic regression with few parameters, and how well its scores separate.

Intervals of means are bootstrapped over the questions (B. Efron, R. Tibshirani, 1993, chapter 13); those of shares of
questions are Wilson's, which is honest about 0 of 10 as well (E. B. Wilson, JASA 22, 1927).

The regression is T. Hastie, R. Tibshirani, J. Friedman, *The Elements of Statistical Learning*, section 4.4: Newton's
method, here with a quadratic penalty on the weights of the standardised signals, so that a handful of questions cannot
make one infinite.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95
_DIGITS = 6
_NORMAL_97_5 = 1.959964
"""The 97.5 % point of the normal distribution."""

Interval = tuple[float, float]

Matrix = NDArray[np.float64]
Labels = NDArray[np.bool_]

FALSE_REFUSALS = 0.04
"""A little under the 5 % that are meant: on questions that were not seen, somewhat more are refused."""

FOLDS, REPEATS = 5, 5
"""Parts of a cross-validation, and how often it is repeated."""

_STEPS = 100
_CONVERGED = 1e-10
_SMALLEST_SPREAD = 1e-12


def rounded(value: float) -> float:
    """Return a figure with six digits after the point: it is shown with three, and must not be rounded twice."""
    return round(float(value), _DIGITS)


def rounded_mean(values: Sequence[float | bool | None]) -> float | None:
    """Return the mean of the known values, with six digits; None without any.

    >>> rounded_mean([True, None, False, False]), rounded_mean([])
    (0.333333, None)
    """
    known = [float(value) for value in values if value is not None]
    return rounded(sum(known) / len(known)) if known else None


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval | None:
    """Return the percentile interval of the mean; None for fewer than two values, which do not say how they vary.

    >>> mean_interval([1.0, 1.0])
    (1.0, 1.0)
    """
    if len(values) < 2:
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
    ((0.0, 0.277533), (0.701456, 0.847633))
    """
    if not count:
        return None
    share, square = hits / count, _NORMAL_97_5**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _NORMAL_97_5 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return round(max(0.0, middle - reach), _DIGITS), round(min(1.0, middle + reach), _DIGITS)


def right_interval(values: Sequence[float | bool]) -> Interval | None:
    """Return Wilson's interval of the share of ones among values that are 0 or 1; None without values.

    >>> right_interval([True, True])
    (0.34238, 1.0)
    """
    return share_interval(sum(value > 0 for value in values), len(values))


def _draws(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return round(float(low), _DIGITS), round(float(high), _DIGITS)


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """``intercept`` and one weight a column, for the signals as they are, not standardised."""

    intercept: float
    weights: Matrix

    def logits(self, signals: Matrix) -> Matrix:
        """Return [n] for signals [n, columns]."""
        return self.intercept + signals @ self.weights


def fit_logistic(signals: Matrix, labels: Labels, penalty: float = 1.0) -> LogisticFit:
    """Fit signals [n, columns] to labels [n], of which both kinds must be there.

    A constant column gets the weight 0.
    """
    if not (labels.any() and (~labels).any()):
        raise ValueError(f"both kinds of labels are needed, there are {labels.sum()} of {len(labels)}")
    centre, spread = signals.mean(axis=0), signals.std(axis=0)
    varies = spread > _SMALLEST_SPREAD
    design = np.column_stack([np.ones(len(signals)), (signals[:, varies] - centre[varies]) / spread[varies]])
    penalties = np.diag([0.0, *np.full(int(varies.sum()), penalty)])
    solution = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        probabilities = 1 / (1 + np.exp(-np.clip(design @ solution, -30, 30)))
        gradient = design.T @ (probabilities - labels) + penalties @ solution
        curvature = (design.T * (probabilities * (1 - probabilities))) @ design + penalties
        step = np.linalg.solve(curvature, gradient)
        solution = solution - step
        if np.abs(step).max() < _CONVERGED:
            break
    weights = np.zeros(signals.shape[1])
    weights[varies] = solution[1:] / spread[varies]
    return LogisticFit(float(solution[0] - weights @ centre), weights)


def auroc(scores: Matrix, labels: Labels) -> float:
    """Return the probability that a positive scores above a negative, ties counting half; NaN without both kinds."""
    positives, negatives = scores[labels], scores[~labels]
    if not len(positives) or not len(negatives):
        return float("nan")
    above = (positives[:, None] > negatives[None, :]).mean()
    return float(above + 0.5 * (positives[:, None] == negatives[None, :]).mean())


def threshold_at(scores: Matrix, labels: Labels, false_refusals: float) -> float:
    """Return the threshold below which ``false_refusals`` of the positives lie, at the most."""
    positives = np.sort(scores[labels])
    return float(positives[int(np.floor(false_refusals * len(positives)))])


def folds(labels: Labels, count: int, seed: int) -> Iterator[tuple[Labels, Labels]]:
    """Yield (training, held out) masks of a cross-validation in which every part has its share of both kinds."""
    generator = np.random.default_rng(seed)
    part = np.empty(len(labels), dtype=np.int64)
    for kind in (True, False):
        positions = generator.permutation(np.flatnonzero(labels == kind))
        part[positions] = np.arange(len(positions)) % count
    for number in range(count):
        yield part != number, part == number


def held_out_logits(signals: Matrix, labels: Labels, count: int, seed: int) -> Matrix:
    """Return each row's logit, [n], by a fit on the other folds."""
    logits = np.empty(len(labels))
    for training, held_out in folds(labels, count, seed):
        logits[held_out] = fit_logistic(signals[training], labels[training]).logits(signals[held_out])
    return logits


def held_out_refusals(signals: Matrix, labels: Labels, false_refusals: float, count: int, repeats: int) -> Matrix:
    """Return each row's rate of refusal, [n], with threshold and weights from the other folds."""
    refused = np.zeros(len(labels))
    for seed in range(repeats):
        for training, held_out in folds(labels, count, seed):
            fitted = fit_logistic(signals[training], labels[training])
            threshold = threshold_at(fitted.logits(signals[training]), labels[training], false_refusals)
            refused[held_out] += fitted.logits(signals[held_out]) < threshold
    return refused / repeats


@dataclass(frozen=True, slots=True)
class CrossValidatedFit:
    """A fit on all rows, and the results of such fits on held-out rows.

    ``logits`` and ``refused`` are [n]: each row's mean logit, and how often it is refused where weights and threshold
    come from the other folds.  ``threshold`` is a logit: it leaves ``FALSE_REFUSALS`` of the positives refused.
    """

    fit: LogisticFit
    logits: Matrix
    refused: Matrix
    threshold: float

    def figures(self, scores: Matrix, labels: Labels) -> dict[str, float]:
        """Return the AUROC of ``scores``, the calibration error of the held-out logits, and both shares refused."""
        return {
            "auroc": auroc(scores, labels),
            "ece": calibration_error(probabilities_of(self.logits), labels),
            "refused_answerable": float(self.refused[labels].mean()),
            "refused_unanswerable": float(self.refused[~labels].mean()),
        }


def cross_validated_fit(signals: Matrix, labels: Labels) -> CrossValidatedFit:
    """Fit signals [n, columns] to labels [n], and judge such fits on held-out parts: 5 folds, 5 times."""
    logits = np.mean([held_out_logits(signals, labels, FOLDS, seed) for seed in range(REPEATS)], axis=0)
    return CrossValidatedFit(
        fit=fit_logistic(signals, labels),
        logits=logits,
        refused=held_out_refusals(signals, labels, FALSE_REFUSALS, FOLDS, REPEATS),
        threshold=threshold_at(logits, labels, FALSE_REFUSALS),
    )


def probabilities_of(logits: Matrix) -> Matrix:
    """Return [n] in [0, 1] for logits [n]."""
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


def calibration_error(probabilities: Matrix, labels: Labels, bins: int = 10) -> float:
    """Return the expected calibration error over bins of equal width: C. Guo et al., https://arxiv.org/abs/1706.04599."""
    which = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    return float(
        sum(
            (which == number).mean() * abs(probabilities[which == number].mean() - labels[which == number].mean())
            for number in np.unique(which)
        )
    )
