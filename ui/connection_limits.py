"""How much of the server one person may hold: open pages, and files that wait in memory.

Counted in the event loop alone, so there is no lock.  Without sign-in everybody at this machine is one person.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag.errors import TooManyTabs, UploadsFull
from rag.storage.access import LOCAL_USER

SESSION_KEPT_SECONDS = 300.0
"""How long Streamlit keeps a session without a socket (server.disconnectedSessionTTL): a closed page still costs."""

_OPENED_PER_TAB = 4  # within those seconds: reloads, and connections that were lost
_LOCAL_SHARE = 8  # a load test opens as many pages as a team
_MEGABYTE = 1024 * 1024


class ConnectionLimits:
    """Limits for everybody; ``held_bytes`` tells how much Streamlit holds for a session now.

    ``tabs`` is how many pages a person may have open, ``megabytes`` how much their files may take together.
    """

    def __init__(
        self,
        tabs: int,
        megabytes: int,
        held_bytes: Callable[[str], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tabs = tabs
        self._megabytes = megabytes
        self._held_bytes = held_bytes
        self._clock = clock
        self._open: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._opened: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._arriving: defaultdict[str, int] = defaultdict(int)
        self._sessions: defaultdict[str, set[str]] = defaultdict(set)

    def require_tab(self, person: str, kind: str) -> None:
        """Raise ``TooManyTabs`` where a further socket of this ``kind`` would be refused."""
        key, tabs = (person, kind), self._tabs_of(person)
        opened, until = self._opened[key], self._clock() - SESSION_KEPT_SECONDS
        while opened and opened[0] <= until:
            opened.popleft()
        full = self._open[key] >= tabs or len(opened) >= tabs * _OPENED_PER_TAB
        if not self._open[key]:
            del self._open[key]
        if not opened:
            del self._opened[key]
        if full:
            raise TooManyTabs(limit=tabs)

    @contextmanager
    def tab(self, person: str, kind: str) -> Iterator[None]:
        """Count a socket while the block runs.  Raises ``TooManyTabs``."""
        self.require_tab(person, kind)
        key = (person, kind)
        self._open[key] += 1
        self._opened[key].append(self._clock())
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    @contextmanager
    def upload(self, person: str, session: str, length: int) -> Iterator[None]:
        """Count ``length`` bytes that arrive for a session while the block runs.  Raises ``UploadsFull``."""
        held = {other: self._held_bytes(other) for other in self._sessions[person]}
        self._sessions[person] = {other for other, size in held.items() if size}
        if sum(held.values()) + self._arriving[person] + length > self._megabytes * _MEGABYTE:
            raise UploadsFull(megabytes=self._megabytes)
        self._sessions[person].add(session)
        self._arriving[person] += length
        try:
            yield
        finally:
            self._arriving[person] -= length
            if not self._arriving[person]:
                del self._arriving[person]

    def _tabs_of(self, person: str) -> int:
        return self._tabs * _LOCAL_SHARE if person == LOCAL_USER.name else self._tabs
