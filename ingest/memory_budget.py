"""The memory budget that all reading processes of this machine share.

The desk, the ingests it starts and those of a terminal are separate programs.  They count in one file of the cache
folder: a program locks as many bytes of it as it has taken units of memory.  These are the kernel's "open file
description locks" (fcntl(2)), so a program that ends in any way gives its share back.
"""

import fcntl
import logging
import math
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from rag.ollama.hardware import memory_bytes
from rag.settings import Settings

logger = logging.getLogger(__name__)

GivenUp = Callable[[], bool]
"""Returns whether the memory is no longer wanted."""

UNIT_BYTES = 10_000_000  # what one locked byte stands for
_SHARE_OF_MACHINE = 2 / 3  # the model lies in memory beside it
_LOOK_EVERY_SECONDS = 0.1
_COUNTING = 1 << 40  # the byte that is locked while a program counts; it stands for no memory
_RECORD = "hhqqi0q"  # struct flock of 64-bit Linux: kind, whence, start, length, process


class MachineCount:
    """The units that all programs with the same file have taken.  One object's calls must not overlap.

    The file is made by the first call: building an object writes nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._held: list[int] = []

    def hold(self, units: int, total: int, *, anyway: bool) -> bool:
        """Hold ``units`` of ``total`` from now on; False, and the former number, where others have too many.

        ``anyway``: hold those that are free, and return True.  Raises ``OSError`` where the file cannot be used.
        """
        with self._count_lock() as descriptor:
            while len(self._held) > units:
                _lock(descriptor, fcntl.F_UNLCK, self._held.pop())
            new: list[int] = []
            for unit in range(total):
                if len(self._held) + len(new) >= units:
                    break
                if unit not in self._held and _lock(descriptor, fcntl.F_WRLCK, unit):
                    new.append(unit)
            if len(self._held) + len(new) < units and not anyway:
                for unit in new:
                    _lock(descriptor, fcntl.F_UNLCK, unit)
                return False
            self._held += new
            return True

    @contextmanager
    def _count_lock(self) -> Iterator[int]:
        if self._descriptor is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, _record(fcntl.F_WRLCK, _COUNTING))
        try:
            yield self._descriptor
        finally:
            _lock(self._descriptor, fcntl.F_UNLCK, _COUNTING)


def _lock(descriptor: int, kind: int, place: int) -> bool:
    """Lock or unlock a byte; False where another program has it."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _record(kind, place))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, by POSIX
        return False
    return True


def _record(kind: int, place: int) -> bytes:
    return struct.pack(_RECORD, kind, os.SEEK_SET, place, 1, 0)


class MemoryBudget:
    """One budget for all reading processes, in bytes of address space.  Safe from any thread.

    Address space is what the kernel can limit for a process (``RLIMIT_AS``); less is really in memory.  A reading
    process takes its share before it starts, and a larger one while it looks at a picture.

    The first reader of this program gets its share however small the budget is, and one picture is always let through:
    readers keep memory while they wait for each other's documents, and must not deadlock; nor should a customer's file
    wait for hours until another program's ingest has ended.

    With a ``machine`` the readers of all programs are counted.  Where its file cannot be used, that is logged, and from
    then on only this program's are.
    """

    def __init__(self, total_bytes: int, machine: MachineCount | None = None) -> None:
        self._total_bytes = total_bytes
        self._machine = machine
        self._changed = threading.Condition()
        self._taken_bytes = 0
        self._pictures = 0

    def take(self, size_bytes: int, given_up: GivenUp) -> bool:
        """Wait for room and take it; False if given up meanwhile."""
        return self._wait_for_room(size_bytes, lambda: self._taken_bytes == 0, given_up)

    def take_now(self, size_bytes: int) -> bool:
        """Take room if there is some, without waiting."""
        with self._changed:
            return self._take(size_bytes, anyway=False)

    def take_for_picture(self, size_bytes: int, given_up: GivenUp) -> bool:
        """Wait for room to read a picture, and take it; False if given up meanwhile."""
        with self._changed:  # it can be entered again by the same thread
            taken = self._wait_for_room(size_bytes, lambda: self._pictures == 0, given_up)
            self._pictures += taken
        return taken

    def give_back(self, size_bytes: int, *, of_picture: bool = False) -> None:
        """Return taken room."""
        with self._changed:
            self._taken_bytes -= size_bytes
            self._pictures -= of_picture
            self._hold(anyway=True)
            self._changed.notify_all()

    def _wait_for_room(self, size_bytes: int, goes_all_the_same: Callable[[], bool], given_up: GivenUp) -> bool:
        with self._changed:
            while not self._take(size_bytes, anyway=goes_all_the_same()):
                if given_up():
                    return False
                self._changed.wait(_LOOK_EVERY_SECONDS)
            return True

    def _take(self, size_bytes: int, *, anyway: bool) -> bool:
        if self._taken_bytes + size_bytes > self._total_bytes and not anyway:
            return False
        self._taken_bytes += size_bytes
        if self._hold(anyway=anyway):
            return True
        self._taken_bytes -= size_bytes
        return False

    def _hold(self, *, anyway: bool) -> bool:
        """Announce this program's memory to the others; False where they have taken too much for that."""
        if self._machine is None:
            return True
        units = math.ceil(self._taken_bytes / UNIT_BYTES)
        try:
            return self._machine.hold(units, self._total_bytes // UNIT_BYTES, anyway=anyway)
        except OSError as error:
            logger.warning("the memory of reading processes is not counted with other programs': %s", error)
            self._machine = None
            return True


def budget_of(settings: Settings) -> MemoryBudget:
    """Return the budget of the size that is set, which all programs with these settings' cache folder share."""
    return _budget(settings.readers_memory_megabytes * 1_000_000, settings.cache_dir / "readers.lock")


@lru_cache
def _budget(total_bytes: int, path: Path) -> MemoryBudget:
    return MemoryBudget(total_bytes or int(memory_bytes() * _SHARE_OF_MACHINE), MachineCount(path))
