"""Estimates prompt-processing speed from past answers, to turn a time budget into a token budget.

The beginning that all prompts share is read once and then served from the prefix cache; where it was not, an answer
looks slower than the machine is.  So the quicker ones of the last answers count.
"""

import threading
from collections import deque

import numpy as np

FEWEST_TOKENS = 400
"""However slow the machine is.  Of 120 answerable customers' texts over product pages the facts were read in 58 with
160 tokens, 78 with 320, 86 with 400, 87 with 480."""

_REMEMBERED = 16
_FEWEST_ANSWERS = 4
_QUICKER_PERCENT = 75


class PromptSpeed:
    """Safe to use from many threads.

    >>> pace = PromptSpeed()
    >>> for _ in range(4):
    ...     pace.learn(300, 10.0)
    >>> pace.affordable_tokens(8.0, unknown=480, most=3000), pace.affordable_tokens(60.0, unknown=480, most=3000)
    (400, 1800)
    """

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def learn(self, tokens: int, seconds: float) -> None:
        """Take in that so many new tokens of a prompt were read in so many seconds."""
        if tokens > 0 and seconds > 0:
            with self._lock:
                self._seen.append(tokens / seconds)

    @property
    def tokens_a_second(self) -> float | None:
        """The pace; None before the fourth answer."""
        with self._lock:
            seen = list(self._seen)
        return float(np.percentile(seen, _QUICKER_PERCENT)) if len(seen) >= _FEWEST_ANSWERS else None

    def affordable_tokens(self, seconds: float, *, unknown: int, most: int) -> int:
        """Return how many tokens can be read in so many seconds, up to ``most``; ``unknown`` where no pace is known."""
        pace = self.tokens_a_second
        if pace is None:
            return min(unknown, most)
        return int(min(most, max(FEWEST_TOKENS, pace * seconds)))
