"""How long a thread waits for Python's lock while others compute."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_STALL_SECONDS = 0.1
_TICK_SECONDS = 0.002


class Watcher:
    """A thread that wants to run every two milliseconds, and notes how long it could not.

    The machine may be busy with others: of a wait only what this process itself computed meanwhile is counted.
    """

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.is_set():
            wall, cpu = time.perf_counter(), time.process_time()
            time.sleep(_TICK_SECONDS)
            waited = min(time.perf_counter() - wall - _TICK_SECONDS, time.process_time() - cpu)
            self.longest_seconds = max(self.longest_seconds, waited)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


@contextmanager
def watched() -> Iterator[Watcher]:
    watcher = Watcher()
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.end()
