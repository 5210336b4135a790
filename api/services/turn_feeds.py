"""Which turn each browser tab follows, and whose tab it is, for the socket that sends the tab its changes."""

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


@dataclass(frozen=True, slots=True)
class _Tab:
    reader: str
    followed: FollowedTurn | None


class TurnFeeds:
    """Knows what each tab follows; safe to call from any thread.

    A tab's token stands in the address of its socket, which proxies log.  So it opens nothing by itself: ``reader``,
    the name of the person who is signed in, must be the tab's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()
        self._sockets: dict[str, Callable[[], None]] = {}

    def follow(self, tab: str, reader: str, followed: FollowedTurn | None) -> None:
        """Tell the reader's tab from now on what becomes of this turn, and of no other; None: of none."""
        with self._lock:
            before = self._tabs.pop(tab, None)
            old = before.followed if before is not None and before.reader == reader else None
            same = old is not None and followed is not None and old.is_like(followed)
            self._tabs[tab] = _Tab(reader, old if same else followed)
            while len(self._tabs) > _REMEMBERED_TABS:
                self._tabs.popitem(last=False)
            wake = self._sockets.get(tab)
        if wake is not None and not same:
            wake()

    def followed(self, tab: str, reader: str) -> FollowedTurn | None:
        """Return the turn that the reader's tab follows; None for another's tab."""
        with self._lock:
            found = self._tabs.get(tab)
        return found.followed if found is not None and found.reader == reader else None

    def knows(self, tab: str, reader: str) -> bool:
        """Tell whether a page of this process has this token, and was last drawn for the reader."""
        with self._lock:
            found = self._tabs.get(tab)
        return found is not None and found.reader == reader

    def connect(self, tab: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever the tab follows another turn; a newer socket of the tab replaces this one."""
        with self._lock:
            self._sockets[tab] = wake

    def disconnect(self, tab: str, wake: Callable[[], None]) -> None:
        """Forget a socket."""
        with self._lock:
            if self._sockets.get(tab) is wake:
                del self._sockets[tab]
