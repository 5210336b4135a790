"""Per-user limits on shared resources: how much at once, and how often, so that other users' searches start at once."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from rag.errors import QuestionTooLong
from rag.settings import Settings

_SEARCHES_OF_A_KEY = 4
"""A quarter of the threads that search."""


@dataclass(frozen=True, slots=True)
class PersonLimits:
    """The limits of ``Settings``; None: none.

    ``searches`` run at once and ``waiting`` more wait; ``answers`` have a thread that takes in what the model says:
    those at the model, those in its line, and as many as come from a search to hear there that the line is full.
    ``questions_a_minute`` are taken at all.  ``question_characters`` is the longest question.

    A program names its users as it likes, so all those of one API key share ``key_searches``, ``key_waiting`` and
    ``key_answers``: however many names it invents, it takes a quarter of the searches and of the queue.
    """

    question_characters: int | None = None
    searches: int | None = None
    waiting: int | None = None
    answers: int | None = None
    questions_a_minute: int | None = None
    key_searches: int | None = None
    key_waiting: int | None = None
    key_answers: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        slots, key_searches = settings.slots_of_all_hosts, max(settings.person_searches, _SEARCHES_OF_A_KEY)
        return cls(
            settings.question_limit_characters,
            settings.person_searches,
            settings.person_waiting,
            slots + settings.person_waiting + settings.person_searches,
            settings.person_questions_a_minute,
            key_searches,
            settings.key_waiting,
            slots + settings.key_waiting + key_searches,
        )

    def require_short(self, question: str) -> str:
        """Return the question, trimmed.  Raises ``QuestionTooLong``: nothing longer is to be kept, shown or logged."""
        trimmed = question.strip()
        if self.question_characters is not None and len(trimmed) > self.question_characters:
            raise QuestionTooLong(characters=len(trimmed), limit=self.question_characters)
        return trimmed


NO_LIMITS = PersonLimits()


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

    @property
    def most(self) -> tuple[float, ...]:
        """What an owner may spend within ``seconds``."""
        return self._most

    def spend(self, owner: str, amounts: Sequence[float]) -> float:
        """Spend and return 0.0; where that is too much, spend nothing and return the seconds until it fits.

        What is more than the whole quota never fits: the answer is then the whole stretch of time.
        """
        return self._ask(owner, amounts, spends=True)

    def wait_seconds(self, owner: str, amounts: Sequence[float]) -> float:
        """Return what ``spend`` would, and spend nothing."""
        return self._ask(owner, amounts, spends=False)

    def _ask(self, owner: str, amounts: Sequence[float], *, spends: bool) -> float:
        now = self._clock()
        with self._lock:
            self._forget(now)
            spent = self._spent.setdefault(owner, deque())
            while spent and spent[0][0] <= now - self._seconds:
                spent.popleft()
            wait_seconds = self._wait_seconds(self._most, [(now, amounts), *reversed(spent)], now)
            if wait_seconds == 0.0 and spends:
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
                return min(at + self._seconds - now, float(self._seconds))  # the sum of floats may be a little more
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget the owners who spent nothing lately; the one whose last spending is longest ago comes first."""
        while self._spent:
            owner, spent = next(iter(self._spent.items()))
            if spent and spent[-1][0] > now - self._seconds:
                return
            del self._spent[owner]
