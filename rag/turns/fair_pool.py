"""A thread pool that takes owners in turn, so that no owner can hold all threads.

    pool = FairPool(16, "search", Share(2, most_waiting=4))
    future = pool.submit("lin", work)        # OwnQueueFull where four of lin's pieces wait already

An owner has no more threads than its share, and the users of an API key together no more than the key's.  When a thread
is free, the owner with the fewest is served next, and of several the one whose last piece was begun longest ago; an
owner's own pieces are done in the order in which they came.
"""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from rag.errors import AnswerdeskError, OwnQueueFull
from rag.settings import Settings
from rag.storage.access import key_of_owner

Result = TypeVar("Result")
_Piece = Callable[[], None]

_FILE_READERS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """What of a pool one may have: ``at_once`` threads, None: all, and ``most_waiting`` more pieces, None: any number.

    Raises ``ValueError`` where ``at_once`` is below 1.
    """

    at_once: int | None = None
    most_waiting: int | None = None

    def __post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise ValueError(f"at_once {self.at_once} must be at least 1")


EVERYTHING = Share()


class FairPool:
    """``workers`` threads.  Safe to use from many threads.

    ``share`` is one owner's, and ``key_share`` what the users of one API key (``key_of_owner``) have together.  Where
    more would wait, ``refusal`` is raised with ``waiting`` and ``owner``.

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

    def submit(self, owner: str, work: Callable[[], Result], *, goes_on: bool = False) -> "Future[Result]":
        """Do ``work`` in a thread when it is the owner's turn.

        What ``goes_on`` from a piece that was taken before is not refused.  Raises the pool's refusal else, and
        ``RuntimeError`` once it is shut down.
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
            if not goes_on:
                self._require_place(owner)
            self._waiting.setdefault(owner, deque()).append(piece)
        return future

    def ahead_of(self, owner: str) -> int:
        """Return behind how many of the owner's own pieces the next one would wait; 0 where it would begin at once."""
        with self._changed:
            if self._may_run(owner):
                return 0
            return max(1, self._running[owner] + len(self._waiting.get(owner, ())))

    def shutdown(self) -> None:
        """Take nothing more, and return when all that was taken is done."""
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
        """Raise the refusal where as many of the owner's, or of the key's, pieces wait as may."""
        own, key = len(self._waiting.get(owner, ())), key_of_owner(owner)
        if not _is_below(own, self._share.most_waiting):
            raise self._refusal(waiting=own, owner=owner)
        if key and self._key_share.most_waiting is not None:
            of_key = sum(len(pieces) for one, pieces in self._waiting.items() if key_of_owner(one) == key)
            if of_key >= self._key_share.most_waiting:
                raise self._refusal(waiting=of_key, owner=owner)

    def _work(self, owner: str, piece: _Piece) -> None:
        """Do one piece after another, as long as there is one whose owner may have a thread."""
        todo: tuple[str, _Piece] | None = (owner, piece)
        while todo is not None:
            owner, piece = todo
            piece()
            del piece  # what it holds is free while the thread goes on
            with self._changed:
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
                todo = self._next()
                self._changed.notify_all()

    def _next(self) -> tuple[str, _Piece] | None:
        served = [owner for owner in self._waiting if self._may_run(owner)]
        if not served:
            return None
        owner = min(served, key=lambda one: self._running[one])
        own = self._waiting.pop(owner)
        piece = own.popleft()
        if own:
            self._waiting[owner] = own  # behind all others
        self._running[owner] += 1
        return owner, piece


def file_pool(settings: Settings, refusal: type[AnswerdeskError]) -> FairPool:
    """Return the pool in which customers' files are read: apart from all that leads and admins begin."""
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
    except BaseException as error:  # noqa: BLE001 - handed to whoever holds the future
        future.set_exception(error)
    else:
        future.set_result(result)
