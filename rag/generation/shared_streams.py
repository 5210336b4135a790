"""Identical work in flight is done once: who asks for it joins those who wait, and sees all from its beginning.

Nobody owns a shared stream.  Whoever needs its next event draws it, the others wait for that; so it goes on when the
one who began it leaves, and ends when the last one does.
"""

import threading
from collections.abc import Callable, Generator, Hashable, Iterator
from typing import Generic, TypeVar

from rag.errors import AnswerCancelled

Item = TypeVar("Item")

_LOOK_EVERY_SECONDS = 0.1  # how soon somebody who only waits for another's drawing sees that it is cancelled


class _AllLeft(threading.Event):
    """Set while everybody who takes part has been cancelled."""

    def __init__(self, run: "_Run[Item]") -> None:
        super().__init__()
        self._run = run

    def is_set(self) -> bool:
        return all(cancelled.is_set() for cancelled in list(self._run.taking_part.values()))


class _Run(Generic[Item]):
    """One stream and those who take part in it, by number."""

    def __init__(self, begin: Callable[[threading.Event], Iterator[Item]]) -> None:
        self.taking_part: dict[int, threading.Event] = {}
        self.joined = 0
        self.ended = False
        self._changed = threading.Condition()
        self._items: list[Item] = []
        self._error: BaseException | None = None
        self._is_drawn = False
        self._source = begin(_AllLeft(self))

    def at(self, place: int, cancelled: threading.Event) -> Item | None:
        """Return the item at a place, None behind the last; wait for it, or draw it.  Raises what the stream raises."""
        while True:
            with self._changed:
                if place < len(self._items):
                    return self._items[place]
                if self._error is not None:
                    raise self._error
                if self.ended:
                    return None
                if cancelled.is_set():
                    raise AnswerCancelled
                if self._is_drawn:
                    self._changed.wait(_LOOK_EVERY_SECONDS)
                    continue
                self._is_drawn = True
            self._draw()

    def close(self) -> None:
        """End the stream; nobody takes part any more."""
        if isinstance(self._source, Generator):
            self._source.close()

    def _draw(self) -> None:
        error: BaseException | None = None
        items: list[Item] = []
        try:
            items = [next(self._source)]
        except StopIteration:
            pass
        except BaseException as raised:  # noqa: BLE001  (raised again, for everybody)
            error = raised
        with self._changed:
            self._is_drawn = False
            self._items += items
            self._error = error
            self.ended = not items
            self._changed.notify_all()


class SharedStreams(Generic[Item]):
    """The streams that are in flight, by what they are of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[Hashable, _Run[Item]] = {}

    def stream(
        self, key: Hashable, cancelled: threading.Event, begin: Callable[[threading.Event], Iterator[Item]]
    ) -> Generator[tuple[Item, bool], None, None]:
        """Yield the items of the stream under ``key``, each with whether somebody else had begun it.

        ``begin`` starts the stream where there is none, and is given an event that is set once all who take part are
        cancelled.  Whoever is cancelled leaves with ``AnswerCancelled`` as soon as it would wait.
        """
        with self._lock:
            run = self._runs.get(key)
            is_joined = run is not None and not run.ended
            if run is None or not is_joined:
                run = self._runs[key] = _Run(begin)
            number = run.joined
            run.joined += 1
            run.taking_part[number] = cancelled
        place = 0
        try:
            while (item := run.at(place, cancelled)) is not None:
                place += 1
                yield item, is_joined
        finally:
            self._leave(key, run, number)

    def _leave(self, key: Hashable, run: _Run[Item], number: int) -> None:
        with self._lock:
            del run.taking_part[number]
            is_last = not run.taking_part
            if (is_last or run.ended) and self._runs.get(key) is run:
                del self._runs[key]
        if is_last:
            run.close()
