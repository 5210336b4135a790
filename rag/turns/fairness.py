"""Limits of one user's share of common resources, so that other users' searches start at once.

    pool = FairPool(16, "search", Share(2, most_waiting=4))
    future = pool.submit("lin", work)        # OwnQueueFull if four of lin's pieces wait already

An owner has no more threads than its share, and the users of an API key together no more than the key's.  When a thread
is free, the owner with the fewest is served next, and of several the one whose last piece was begun longest ago; an
owner's own pieces run in the order in which they came.  Limits apply to concurrency and to frequency.
"""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

from rag.errors import AnswerdeskError, OwnQueueFull, QuestionTooLong
from rag.settings import Settings
from rag.storage.access import key_of_owner

Result = TypeVar("Result")
_Piece = Callable[[], None]

_FILE_READERS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a pool: ``at_once`` threads (None: all), and ``most_waiting`` waiting pieces (None: any number).

    Raises ``ValueError`` if ``at_once`` is below 1.
    """

    at_once: int | None = None
    most_waiting: int | None = None

    def __post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise ValueError(f"at_once {self.at_once} must be at least 1")


EVERYTHING = Share()


class FairPool:
    """``workers`` threads.  Safe to use from many threads.

    ``share`` is one owner's, and ``key_share`` that of all users of an API key (``key_of_owner``).  If more would wait,
    ``refusal`` is raised with ``waiting`` and ``owner``.

    >>> pool = FairPool(2, "sums")
    >>> pool.submit("lin", lambda: 1 + 1).result()
    2
    >>> pool.shutdown()
    """

    def __init__(
        self,
        workers: int,
        name: str,
        share: Share = EVERYTHING,
        *,
        key_share: Share = EVERYTHING,
        refusal: type[AnswerdeskError] = OwnQueueFull,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers {workers} must be at least 1")
        self._workers = workers
        self._share = share
        self._key_share = key_share
        self._refusal = refusal
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[_Piece]] = OrderedDict()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=name)

    def submit(self, owner: str, work: Callable[[], Result], *, is_continuation: bool = False) -> "Future[Result]":
        """Do ``work`` in a thread when it is the owner's turn.

        The continuation of an earlier piece is not refused.  Raises the pool's refusal, and ``RuntimeError`` once it is
        shut down.
        """
        future: Future[Result] = Future()

        def piece() -> None:
            _settle(future, work)

        with self._changed:
            if self._is_closed:
                raise RuntimeError("the pool is shut down")
            if self._may_run(owner):
                self._running[owner] += 1
                self._threads.submit(self._work, owner, piece)
                return future
            if not is_continuation:
                self._require_place(owner)
            self._waiting.setdefault(owner, deque()).append(piece)
        return future

    def pieces_ahead(self, owner: str) -> int:
        """Return how many of the owner's own pieces the next one would wait for; 0 if it would begin at once."""
        with self._changed:
            if self._may_run(owner):
                return 0
            return max(1, self._running[owner] + len(self._waiting.get(owner, ())))

    def shutdown(self) -> None:
        """Refuse new pieces, and return when all accepted ones are done."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._waiting and not self._running)
        self._threads.shutdown(wait=True)

    def _may_run(self, owner: str) -> bool:
        if self._running.total() >= self._workers or not _is_below(self._running[owner], self._share.at_once):
            return False
        key = key_of_owner(owner)
        if not key or self._key_share.at_once is None:
            return True
        return sum(count for one, count in self._running.items() if key_of_owner(one) == key) < self._key_share.at_once

    def _require_place(self, owner: str) -> None:
        """Raise the refusal if the owner's, or the key's, most pieces wait already."""
        own, key = len(self._waiting.get(owner, ())), key_of_owner(owner)
        if not _is_below(own, self._share.most_waiting):
            raise self._refusal(waiting=own, owner=owner)
        if key and self._key_share.most_waiting is not None:
            of_key = sum(len(pieces) for one, pieces in self._waiting.items() if key_of_owner(one) == key)
            if of_key >= self._key_share.most_waiting:
                raise self._refusal(waiting=of_key, owner=owner)

    def _work(self, owner: str, piece: _Piece) -> None:
        """Do one piece after another while an owner with a waiting piece may have a thread."""
        todo: tuple[str, _Piece] | None = (owner, piece)
        while todo is not None:
            owner, piece = todo
            piece()
            del piece  # releases its objects while the thread continues
            with self._changed:
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
                todo = self._next_piece()
                self._changed.notify_all()

    def _next_piece(self) -> tuple[str, _Piece] | None:
        eligible = [owner for owner in self._waiting if self._may_run(owner)]
        if not eligible:
            return None
        owner = min(eligible, key=lambda one: self._running[one])
        own = self._waiting.pop(owner)
        piece = own.popleft()
        if own:
            self._waiting[owner] = own  # behind all others
        self._running[owner] += 1
        return owner, piece


def file_pool(settings: Settings, refusal: type[AnswerdeskError]) -> FairPool:
    """Return the pool in which customers' files are read, apart from the work of leads and admins."""
    return FairPool(
        _FILE_READERS,
        "file",
        Share(settings.person_files_at_once, settings.person_waiting),
        refusal=refusal,
    )


def _is_below(count: int, limit: int | None) -> bool:
    return limit is None or count < limit


def _settle(future: "Future[Result]", work: Callable[[], Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # it was cancelled before its turn came
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised by the future
        future.set_exception(error)
    else:
        future.set_result(result)


_SEARCHES_OF_A_KEY = 4
"""A quarter of the threads that search."""


@dataclass(frozen=True, slots=True)
class PersonLimits:
    """The limits of ``Settings``; None: none.

    ``searches`` run at once and ``waiting`` more wait; ``answers`` have a thread for the model's output: those at the
    model, those in its line, and as many as may come from a search only to be refused as the line is full.
    ``questions_a_minute`` are accepted at all.  ``question_characters`` is the longest question.

    A program can name any number of users, so all those of one API key share ``key_searches``, ``key_waiting`` and
    ``key_answers``: a quarter of the searches and of the queue.
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
        """Return the limits in the settings."""
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
        """Return the question, trimmed.  Raises ``QuestionTooLong``: nothing longer is stored, shown or logged."""
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
        """The quota of an owner within ``seconds``."""
        return self._most

    def spend(self, owner: str, amounts: Sequence[float]) -> float:
        """Spend and return 0.0; if that is too much, spend nothing and return the seconds until it fits.

        An amount above the whole quota never fits; then the result is the whole period.
        """
        return self._check(owner, amounts, spends=True)

    def wait_seconds(self, owner: str, amounts: Sequence[float]) -> float:
        """Return the result of ``spend`` without spending."""
        return self._check(owner, amounts, spends=False)

    def _check(self, owner: str, amounts: Sequence[float], *, spends: bool) -> float:
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
        """Forget owners without recent spending; the least recent come first."""
        while self._spent:
            owner, spent = next(iter(self._spent.items()))
            if spent and spent[-1][0] > now - self._seconds:
                return
            del self._spent[owner]
