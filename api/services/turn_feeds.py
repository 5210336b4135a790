"""Which turn each browser tab follows, for the socket that sends the tab its changes."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rag.schema import Language
from rag.turns import PersonalTurns

_REMEMBERED_TABS = 4096


@dataclass(frozen=True, slots=True)
class FollowedTurn:
    """A turn that a tab looks at, in whose words and with whose permission."""

    turn_id: str
    language: Language
    turns: PersonalTurns

    def is_like(self, other: "FollowedTurn") -> bool:
        """Tell whether it would show nothing new."""
        return self.turn_id == other.turn_id and self.language == other.language


class TurnFeeds:
    """Knows what each tab follows; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followed: OrderedDict[str, FollowedTurn | None] = OrderedDict()
        self._sockets: dict[str, Callable[[], None]] = {}

    def follow(self, tab: str, followed: FollowedTurn | None) -> None:
        """Tell the tab from now on what becomes of this turn, and of no other; None: of none."""
        with self._lock:
            before = self._followed.pop(tab, None)
            same = before is not None and followed is not None and before.is_like(followed)
            self._followed[tab] = before if same else followed
            while len(self._followed) > _REMEMBERED_TABS:
                self._followed.popitem(last=False)
            wake = self._sockets.get(tab)
        if wake is not None and not same:
            wake()

    def followed(self, tab: str) -> FollowedTurn | None:
        """Return the turn that a tab follows."""
        with self._lock:
            return self._followed.get(tab)

    def knows(self, tab: str) -> bool:
        """Tell whether a page of this process has this token."""
        with self._lock:
            return tab in self._followed

    def connect(self, tab: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever the tab follows another turn; a newer socket of the tab replaces this one."""
        with self._lock:
            self._sockets[tab] = wake

    def disconnect(self, tab: str, wake: Callable[[], None]) -> None:
        """Forget a socket."""
        with self._lock:
            if self._sockets.get(tab) is wake:
                del self._sockets[tab]
