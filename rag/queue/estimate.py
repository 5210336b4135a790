"""Estimates from finished answers how long the next takes, by prompt and thinking, and how fast prompts are read.

``seconds = mean + slope * (prompt tokens - their mean) + slope * (thinking - its mean)``, the newest counting
most; a slope is shrunk towards 0 if few answers, or only similar ones, support it.  The remaining time of a running
answer comes from the spread of finished ones around that: one that is late already is not "due now".

The speed of prompt processing turns a time budget into a token budget.  The common beginning of all prompts is read
once and then served from the prefix cache; an answer without that looks slower than the machine is.  So the quicker
ones of the last answers count.
"""

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 64  # finished answers; with the weights below, older ones hardly count
_HALF_LIFE = 16  # answers after which one counts half: a machine's pace changes while others use it
_DOUBT = 3.0  # so many answers without any slope are added to the finished ones
_NEWEST_WEIGHT = 0.3  # of the newest duration in the average that is shown
_WAYS = 64  # simulations of the line
_EACH_WAY = np.arange(_WAYS)
_SHORTEST, _LONGEST = 0.25, 4.0  # times the mean: the regression is not extrapolated further


@dataclass(frozen=True, slots=True)
class Work:
    """A request to the model.  ``prompt_tokens`` without the prompt's shared beginning; 0: unknown."""

    prompt_tokens: int = 0
    thinks: bool = False


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """An answer that was completed, and the ``seconds`` for which it held its slot."""

    work: Work
    seconds: float


class WaitEstimate:
    """Estimates durations from finished answers, oldest first.

    >>> estimate = WaitEstimate([FinishedAnswer(Work(), 10.0)] * 2)
    >>> estimate.waits_seconds([(Work(), 4.0)], [Work()], slots=1)
    [6.0]
    """

    def __init__(self, finished: Sequence[FinishedAnswer]) -> None:
        self._known = len(finished) > 0
        if not self._known:
            return
        seconds = np.array([one.seconds for one in finished])
        features = np.array([_features(one.work) for one in finished])
        weights = 0.5 ** (np.arange(len(finished))[::-1] / _HALF_LIFE)
        self._mean_seconds = float(np.average(seconds, weights=weights))
        self._mean_features = np.average(features, axis=0, weights=weights)
        self._slopes = _slopes(features - self._mean_features, seconds - self._mean_seconds, weights)
        expected = np.array([self._expected_seconds(one.work) for one in finished])
        self._ratios = seconds / np.maximum(expected, 1e-9)
        self._weights = weights
        self._average_seconds = _average(seconds)

    @property
    def average_seconds(self) -> float | None:
        """The average duration, weighted to the newest; None before a first answer."""
        return self._average_seconds if self._known else None

    def waits_seconds(
        self, running: Sequence[tuple[Work, float]], waiting: Sequence[Work], slots: int
    ) -> list[float | None]:
        """Return how long each of ``waiting``, next one first, has to wait; None before a first answer.

        ``running`` are the answers being generated and their seconds so far.  The line is simulated several times, each
        answer deviating from its expected duration as a finished one did; the wait is the median, since the first of
        several slots is free sooner than any one's mean says.
        """
        if not self._known:
            return [None] * len(waiting)
        draw = np.random.default_rng(0)  # the same line gives the same estimate
        free_in = np.zeros((_WAYS, max(slots, len(running))))
        for slot, (work, elapsed_seconds) in enumerate(running):
            free_in[:, slot] = self._remaining(draw, work, elapsed_seconds)
        waits: list[float | None] = []
        for work in waiting:
            first = free_in.argmin(axis=1)
            free_at = free_in[_EACH_WAY, first]
            waits.append(float(np.median(free_at)))
            free_in[_EACH_WAY, first] = free_at + self._remaining(draw, work, 0.0)
        return waits

    def _remaining(self, draw: np.random.Generator, work: Work, elapsed_seconds: float) -> NDArray[np.float64]:
        """Draw the remaining times of an answer, float64 [ways]: zeros if none ever took so long."""
        durations = self._ratios * self._expected_seconds(work)
        longer = durations > elapsed_seconds
        if not longer.any():
            return np.zeros(_WAYS)
        weights = self._weights[longer]
        return draw.choice(durations[longer], size=_WAYS, p=weights / weights.sum()) - elapsed_seconds

    def _expected_seconds(self, work: Work) -> float:
        seconds = self._mean_seconds + float(self._slopes @ (np.array(_features(work)) - self._mean_features))
        return min(max(seconds, _SHORTEST * self._mean_seconds), _LONGEST * self._mean_seconds)


def _features(work: Work) -> tuple[float, float]:
    return float(work.prompt_tokens), float(work.thinks)


def _slopes(
    features: NDArray[np.float64], seconds: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted least-squares slopes, float64 [features]; those of a feature that never varied are 0."""
    squares = (features * weights[:, None]).T @ features
    spread = np.diag(squares) / weights.sum()
    if not (spread > 0).any():
        return np.zeros(features.shape[1])
    doubt = np.diag(np.where(spread > 0, _DOUBT * spread, 1.0))
    return np.asarray(np.linalg.solve(squares + doubt, (features * weights[:, None]).T @ seconds))


def _average(seconds: NDArray[np.float64]) -> float:
    average = math.nan
    for one in seconds:
        average = float(one) if math.isnan(average) else average + _NEWEST_WEIGHT * (float(one) - average)
    return average


FEWEST_TOKENS = 400
"""However slow the machine is.  Of 120 answerable customers' texts over product pages the facts were read in 58 with
160 tokens, 78 with 320, 86 with 400, 87 with 480."""

_REMEMBERED = 16
_FEWEST_ANSWERS = 4
_QUICKER_PERCENT = 75
_STEP_CHARACTERS = 100
"""Two prompts are compared at every so many characters: how far both begin alike."""


class PromptSpeed:
    """Safe to use from many threads.

    >>> pace = PromptSpeed()
    >>> for _ in range(4):
    ...     pace.learn(300, 10.0)
    >>> pace.affordable_tokens(8.0, unknown=480, most=3000), pace.affordable_tokens(60.0, unknown=480, most=3000)
    (400, 1800)
    """

    def __init__(self) -> None:
        self._speeds: deque[float] = deque(maxlen=_REMEMBERED)
        self._beginnings: deque[frozenset[int]] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def learn(self, tokens: int, seconds: float, prompt: str = "") -> None:
        """Record that so many new tokens of a ``prompt`` were read in so many seconds.

        A prompt half of which is the beginning of a recent one tells nothing: the model's prefix cache held that, and a
        question that is asked again a few times would make the machine look many times as quick as it is.
        """
        if tokens <= 0 or seconds <= 0:
            return
        beginnings = frozenset(hash(prompt[:end]) for end in range(_STEP_CHARACTERS, len(prompt), _STEP_CHARACTERS))
        with self._lock:
            most_cached = max((len(beginnings & before) for before in self._beginnings), default=0)
            if not beginnings or most_cached < len(beginnings) / 2:
                self._speeds.append(tokens / seconds)
            self._beginnings.append(beginnings)

    @property
    def tokens_a_second(self) -> float | None:
        """The speed; None before the fourth answer."""
        with self._lock:
            speeds = list(self._speeds)
        return float(np.percentile(speeds, _QUICKER_PERCENT)) if len(speeds) >= _FEWEST_ANSWERS else None

    def affordable_tokens(self, seconds: float, *, unknown: int, most: int) -> int:
        """Return how many tokens can be read in so many seconds, up to ``most``; ``unknown`` without a known speed."""
        pace = self.tokens_a_second
        if pace is None:
            return min(unknown, most)
        return int(min(most, max(FEWEST_TOKENS, pace * seconds)))
