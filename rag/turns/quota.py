"""Rate limits per user: questions a minute, uploaded files and bytes a day."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence


class Quota:
    """At most ``most`` within any ``seconds``, for each owner; kept in memory only.  Safe to use from many threads.

    ``most`` may have several amounts, such as files and bytes, which are spent together.  ``clock`` gives seconds.

    >>> quota = Quota([2], seconds=60, clock=lambda: 100.0)
    >>> [quota.spend("lin", [1]) for _ in range(3)]
    [0.0, 0.0, 60.0]
    """

    def __init__(self, most: Sequence[float], *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = tuple(most)
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, deque[tuple[float, Sequence[float]]]] = OrderedDict()

    def spend(self, owner: str, amounts: Sequence[float]) -> float:
        """Spend and return 0.0; where that is too much, spend nothing and return the seconds until it fits.

        What is more than the whole quota never fits: the answer is then the whole stretch of time.
        """
        now = self._clock()
        with self._lock:
            self._forget(now)
            spent = self._spent.setdefault(owner, deque())
            while spent and spent[0][0] <= now - self._seconds:
                spent.popleft()
            wait_seconds = self._wait_seconds(self._most, [(now, amounts), *reversed(spent)], now)
            if wait_seconds == 0.0:
                spent.append((now, tuple(amounts)))
                self._spent.move_to_end(owner)
            return wait_seconds

    def _wait_seconds(
        self, rest: Sequence[float], newest_first: Iterable[tuple[float, Sequence[float]]], now: float
    ) -> float:
        """Return how long the newest one that does not fit in the quota still counts."""
        for at, amounts in newest_first:
            rest = [left - amount for left, amount in zip(rest, amounts, strict=True)]
            if min(rest) < 0:
                return at + self._seconds - now
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget the owners who spent nothing lately; the one whose last spending is longest ago comes first."""
        while self._spent:
            owner, spent = next(iter(self._spent.items()))
            if spent and spent[-1][0] > now - self._seconds:
                return
            del self._spent[owner]
