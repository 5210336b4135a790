"""Counts running searches, so that background work can yield to them."""

import threading


class Searches:
    """Counts searches under way; safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[str] = set()

    def begin(self, turn_id: str) -> None:
        """Count a turn from now on."""
        with self._changed:
            self._under_way.add(turn_id)

    def end(self, turn_id: str) -> None:
        """Count it no more; a second time is nothing."""
        with self._changed:
            self._under_way.discard(turn_id)
            if not self._under_way:
                self._changed.notify_all()

    def let_go_first(self, timeout_seconds: float) -> None:
        """Return when none is under way, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, timeout=timeout_seconds)
