"""Something that is looked at in the background, so that no page waits for it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_FIRST_LOOK_SECONDS = 0.3

State = TypeVar("State")


class Watch(Generic[State]):
    """Looks at something in the background, when somebody asks and the last look is old."""

    def __init__(self, look: Callable[[], State], before: State, every_seconds: float) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._state = before
        self._every_seconds = every_seconds
        self._looked = threading.Event()
        self._due_at = 0.0
        self._begun = self._kept = 0

    def __call__(self) -> State:
        """Return what was last seen; only the very first call waits, for 0.3 s at the most."""
        with self._lock:
            due = time.monotonic() >= self._due_at
            if due:
                self._due_at = time.monotonic() + self._every_seconds
        if due:
            threading.Thread(target=self._refresh, name="watch", daemon=True).start()
        self._looked.wait(_FIRST_LOOK_SECONDS)
        return self._state

    def look_now(self) -> State:
        """Look in this thread and return what was seen: for whoever has just changed it."""
        self._refresh()
        return self._state

    def _refresh(self) -> None:
        with self._lock:
            self._begun += 1
            number = self._begun
        state = self._look()
        with self._lock:
            if number > self._kept:  # one that began later may have seen more, and been quicker
                self._kept, self._state = number, state
        self._looked.set()
