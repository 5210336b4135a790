"""One budget of memory for all reading processes of a program: those that run at once fit into it, others wait.

It counts address space, which is what the kernel can limit for a process (``RLIMIT_AS``); what is really in memory is
less.  A reading process takes its share before it starts, and a larger one while it looks at a picture.
"""

import threading
from collections.abc import Callable
from functools import lru_cache

from rag.ollama.hardware import memory_bytes
from rag.settings import Settings

_SHARE_OF_MACHINE = 2 / 3  # the model lies in memory beside it
_LOOK_EVERY_SECONDS = 0.1

GivenUp = Callable[[], bool]
"""Tells that nobody wants the memory any more."""


class MemoryBudget:
    """Bytes to be taken and given back, by any thread.

    A reader that finds nothing taken gets its share however small the budget is, and one picture is always let
    through: readers keep memory while they wait for each other's documents, and must not wait for it in a circle.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._changed = threading.Condition()
        self._taken_bytes = 0
        self._pictures = 0

    @property
    def taken_bytes(self) -> int:
        """How much is taken now."""
        return self._taken_bytes

    def take(self, size_bytes: int, given_up: GivenUp) -> bool:
        """Wait for room and take it; False where it was given up meanwhile."""
        return self._take(size_bytes, lambda: self._taken_bytes == 0, given_up)

    def take_now(self, size_bytes: int) -> bool:
        """Take room if there is some, without waiting."""
        with self._changed:
            if self._taken_bytes + size_bytes > self._total_bytes:
                return False
            self._taken_bytes += size_bytes
            return True

    def take_for_picture(self, size_bytes: int, given_up: GivenUp) -> bool:
        """Wait for room to look at a picture, and take it; False where it was given up meanwhile."""
        with self._changed:  # it can be entered again by the same thread
            taken = self._take(size_bytes, lambda: self._pictures == 0, given_up)
            self._pictures += taken
        return taken

    def give_back(self, size_bytes: int, *, of_picture: bool = False) -> None:
        """Give back what was taken."""
        with self._changed:
            self._taken_bytes -= size_bytes
            self._pictures -= of_picture
            self._changed.notify_all()

    def _take(self, size_bytes: int, goes_all_the_same: Callable[[], bool], given_up: GivenUp) -> bool:
        with self._changed:
            while self._taken_bytes + size_bytes > self._total_bytes and not goes_all_the_same():
                if given_up():
                    return False
                self._changed.wait(_LOOK_EVERY_SECONDS)
            self._taken_bytes += size_bytes
            return True


def budget_of(settings: Settings) -> MemoryBudget:
    """Return this program's budget of the size that is set."""
    return _budget(settings.readers_memory_megabytes * 1_000_000)


@lru_cache
def _budget(total_bytes: int) -> MemoryBudget:
    return MemoryBudget(total_bytes or int(memory_bytes() * _SHARE_OF_MACHINE))


def shared_budget() -> MemoryBudget:
    """Return this program's budget of the size that a machine gets where none is set."""
    return _budget(0)
