"""Follows the shared knowledge bases of a server: another desk's publication is here within a second.

A thread listens to the server's notifications, and looks by itself once a second, so that one which was lost, or a
server that was restarted, costs no more; another fetches, which may take minutes.  What cannot be taken over is said,
and what was here before serves on.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rag.errors import AnswerdeskError, BucketUnavailable, DatabaseUnavailable, IndexDamaged, IngestRunning
from rag.schema import Audience
from rag.settings import ServerDatabase, Settings
from rag.storage.access import UNSETTLED, Access
from rag.storage.shared_pieces import UNKNOWN_SCOPE, HeadLine, SharedKnowledge
from rag.storage.sharing import KnowledgeShare, Transfer
from rag.storage.store import DATABASE_NAME

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_AFTER_FAILURE_SECONDS = 30.0
"""A revision that could not be taken over is tried again after so long, or once there is another."""
_AFTER_SILENCE_SECONDS = 3.0
"""A bucket that is away is asked again after so long; until then the work of an attempt would be in vain."""
_END_SECONDS = 10.0
_UNSHARED = "unshared"  # instead of a revision


@dataclass(slots=True)
class _Base:
    """The state of one knowledge base.  ``failed`` is the revision that could not be fetched."""

    share: KnowledgeShare
    failed: str = ""
    again_at: float = 0.0
    problem: AnswerdeskError | None = None


class KnowledgeFollower:
    """Keeps the knowledge bases below ``folder`` as the server has them, in threads, from ``start`` to ``close``."""

    def __init__(self, place: ServerDatabase, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._server = SharedKnowledge(place)
        self._bases: dict[str, _Base] = {}
        self._access: Mapping[str, Access] = {}
        self._away: AnswerdeskError | None = None
        self._closing = threading.Event()
        self._looked = threading.Event()
        self._heard = threading.Event()
        self._lines: Mapping[str, HeadLine] = {}
        self._threads = [
            threading.Thread(target=work, name=f"{name} shared knowledge", daemon=True)
            for name, work in (("hear of", self._listen), ("fetch", self._work))
        ]

    @classmethod
    def of(cls, settings: Settings) -> "KnowledgeFollower | None":
        """Return the follower of the settings' server; None if knowledge bases are not shared."""
        place = settings.knowledge_database
        return None if place is None else cls(place, settings.knowledge_folder)

    def start(self, wait_seconds: float = 0.0) -> None:
        """Begin to follow; wait for the first look at everything, ``wait_seconds`` at most."""
        for thread in self._threads:
            thread.start()
        self._looked.wait(wait_seconds)

    def close(self) -> None:
        """End the threads; an unfinished fetch leaves nothing."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_END_SECONDS)

    def problem(self, name: str) -> AnswerdeskError | None:
        """Return why a knowledge base may be older here than on the server; None if it is current."""
        known = self._bases.get(name)
        return self._away or (known.problem if known is not None else None)

    def transfer(self, name: str) -> Transfer:
        """Return the size of the last fetch of a knowledge base."""
        known = self._bases.get(name)
        return known.share.transfer if known is not None else Transfer()

    def access(self, name: str) -> Access | None:
        """Return the server's access rule of a knowledge base; None if it is not shared.

        It holds before the files that say so are here.
        """
        return self._access.get(name)

    def _listen(self) -> None:
        """Watch the served revisions during fetches, so that access rules take effect at once."""
        try:
            while not self._closing.is_set():
                try:
                    with closing(self._server.notices()) as notices:
                        while not self._closing.is_set():
                            lines = self._server.lines()
                            self._access = {name: _access_of(line) for name, line in lines.items()}
                            self._lines, self._away = lines, None
                            self._heard.set()
                            notices.wait(_LOOK_SECONDS)
                except AnswerdeskError as error:
                    if self._away is None:
                        _LOG.warning("shared knowledge bases cannot be followed: %s", type(error).__name__)
                    self._away = error
                    self._looked.set()
                    self._closing.wait(_LOOK_SECONDS)
        finally:
            if not self._closing.is_set():  # an error that nobody foresaw, which the process prints
                self._away = DatabaseUnavailable(server="-", reason="the thread that follows it has ended")

    def _work(self) -> None:
        """Fetch new revisions, and share local knowledge bases."""
        while not self._closing.is_set():
            if not self._heard.wait(_LOOK_SECONDS):
                continue
            self._heard.clear()
            lines = self._lines
            for name in {path.parent.name for path in self._folder.glob(f"*/{DATABASE_NAME}")} - lines.keys():
                self._catch_up(name, _UNSHARED)
            for name, line in lines.items():
                self._catch_up(name, line.token)
            self._looked.set()

    def _catch_up(self, name: str, token: str) -> None:
        base = self._bases.get(name)
        if base is None:
            base = self._bases[name] = _Base(KnowledgeShare(self._place, name, self._folder / name))
        if token == base.share.token():
            base.problem = None
            return
        if self._closing.is_set() or (token == base.failed and time.monotonic() < base.again_at):
            return
        try:
            if token == _UNSHARED:
                base.share.begin()
                base.failed, base.again_at = token, time.monotonic() + _AFTER_FAILURE_SECONDS  # it may be empty
            else:
                base.share.catch_up()
            base.problem = None
        except (IngestRunning, DatabaseUnavailable) as error:
            base.problem = error  # the next look may do better
        except BucketUnavailable as error:
            base.problem, base.failed, base.again_at = error, token, time.monotonic() + _AFTER_SILENCE_SECONDS
        except (AnswerdeskError, OSError, sqlite3.Error) as error:
            if token != base.failed:
                _LOG.warning("knowledge base %s is not taken over: %s", name, type(error).__name__)
            foreign = IndexDamaged(reason=f"{name}: {type(error).__name__}")
            base.problem = error if isinstance(error, AnswerdeskError) else foreign
            base.failed, base.again_at = token, time.monotonic() + _AFTER_FAILURE_SECONDS


def _access_of(line: HeadLine) -> Access:
    audience = next((known for known in get_args(Audience) if known == line.audience), None)
    return UNSETTLED if audience is None or line.scope == UNKNOWN_SCOPE else Access(line.scope, audience)
