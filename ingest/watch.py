"""Keeps a knowledge base up to date with folders while they change: one ingest after each burst of changes."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

QUIET_SECONDS = 0.5
"""So long must nothing change before an ingest begins: editors and copies write a file in several steps."""

_LONGEST_BURST_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.1
_UNIMPORTANT = {"opened", "closed_no_write"}  # reading is no change, and the ingest itself reads


class _Changes(FileSystemEventHandler):
    """Remembers when something changed last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first_at: float | None = None
        self._last_at = 0.0

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _UNIMPORTANT:
            return
        with self._lock:
            self._last_at = time.monotonic()
            self._first_at = self._first_at or self._last_at

    def take(self) -> bool:
        """Tell whether a burst of changes has ended, and forget it."""
        now = time.monotonic()
        with self._lock:
            if self._first_at is None:
                return False
            if now - self._last_at < QUIET_SECONDS and now - self._first_at < _LONGEST_BURST_SECONDS:
                return False
            self._first_at = None
            return True


def watch(paths: Sequence[Path], update: Callable[[], None], ended: threading.Event) -> None:
    """Call ``update`` once at the start and after every burst of changes under ``paths``, until ``ended`` is set.

    What ``update`` raises ends the watch.  A change during an update leads to the next one.
    """
    with _observed(paths) as changes:
        update()
        while not ended.wait(_LOOK_EVERY_SECONDS):
            if changes.take():
                update()


@contextmanager
def _observed(paths: Sequence[Path]) -> Iterator[_Changes]:
    changes = _Changes()
    observer = Observer()
    for folder in {path if path.is_dir() else path.parent for path in paths}:
        observer.schedule(changes, str(folder), recursive=True)
    observer.start()
    try:
        yield changes
    finally:
        observer.stop()
        observer.join()
