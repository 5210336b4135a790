"""Sends a tab the changes of the turn that it shows, over a socket of its own.

A rerun of the page for every few words costs the server and the browser some tens of milliseconds each time, and what
was found would wait until the whole page is drawn.  Here passages are on their way as soon as they are there, and the
page runs again only when the turn has ended.

    WS  /turn-feed?tab=TOKEN    {"feed": ..., "evidence": ...}, as ``ui/turn_data.py`` has them
                                {"redraw": true} where the person may no longer see what the page shows

The token is the tab's own secret, the socket's person must be the one for whom the page was drawn, and each reading
asks again whether they may see the turn.  Where no turn runs, it is asked every few seconds whether they are still
signed in, with the same rights: nothing else would tell a page that nobody touches.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.services.turn_feeds import FollowedTurn, TurnFeeds
from rag.errors import AnswerdeskError, DatabaseUnavailable, PeopleError
from rag.schema import Language
from rag.storage.access import User
from rag.turns import TurnSnapshot
from ui.request_guard import LATER, NO_SIGN_IN
from ui.turn_data import Data, evidence_data, feed_data

UserOf = Callable[[HTTPConnection], Awaitable[User]]
"""Returns who opens a socket.  Raises a ``PeopleError`` or ``DatabaseUnavailable``."""

FEED_PATH = "/turn-feed"
UNKNOWN_TAB = 4404
"""The code with which a socket is closed whose tab is not known, as after a restart of the server, or another's."""

_PACE_SECONDS = 0.3
_QUEUED_PACE_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
_RIGHTS_SECONDS = 5.0


def feed_route(feeds: Callable[[], TurnFeeds], user_of: UserOf) -> BaseRoute:
    """Return the socket's route; ``user_of`` tells who opens a socket."""

    async def serve(socket: WebSocket) -> None:
        tab = socket.query_params.get("tab", "")
        await socket.accept()
        try:
            user = await user_of(socket)
        except PeopleError:
            await socket.close(NO_SIGN_IN)
            return
        except DatabaseUnavailable:
            await socket.close(LATER)
            return
        if feeds().knows(tab, user.name):
            await _FeedSocket(feeds(), tab, user, user_of, socket).run()
        else:
            await socket.close(UNKNOWN_TAB)

    return WebSocketRoute(FEED_PATH, serve)


class _FeedSocket:
    """One socket, until it is closed."""

    def __init__(self, feeds: TurnFeeds, tab: str, user: User, user_of: UserOf, socket: WebSocket) -> None:
        self._feeds = feeds
        self._tab = tab
        self._user = user
        self._user_of = user_of
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    async def run(self) -> None:
        wake = self._wake
        self._feeds.connect(self._tab, wake)
        telling = asyncio.create_task(self._send_or_close())
        try:
            while (await self._socket.receive())["type"] != "websocket.disconnect":
                pass  # nothing is expected, and nothing that a page sends is wrong; this ends when the tab is gone
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect):
                await telling
            self._feeds.disconnect(self._tab, wake)

    def _followed(self) -> FollowedTurn | None:
        return self._feeds.followed(self._tab, self._user.name)

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the server has ended, and nobody listens
            self._loop.call_soon_threadsafe(self._news.set)

    async def _send_or_close(self) -> None:
        """Send until the person is signed in no more: then the page reloads, which leads to the form."""
        try:
            await self._send_news()
        except PeopleError:
            await self._socket.close(NO_SIGN_IN)

    async def _send_news(self) -> None:
        """Send what becomes of the turns.  Raises a ``PeopleError`` where nobody is signed in any more."""
        while True:
            self._news.clear()
            followed = self._followed()
            if followed is not None:
                try:
                    await self._follow(followed)
                except DatabaseUnavailable:  # nobody knows who may see it; it goes on meanwhile
                    await _wait_for_access(followed)
                    continue
                except AnswerdeskError:  # signed out, or out of scope meanwhile: the page says so when it runs again
                    await self._has_other_rights()
                    await self._redraw()
                    await self._has_news(_RIGHTS_SECONDS)
                    continue
            while self._followed() is followed:
                if await self._has_news(_RIGHTS_SECONDS):
                    self._news.clear()
                elif await self._has_other_rights():
                    await self._redraw()

    async def _has_other_rights(self) -> bool:
        """Tell whether the person's rights have changed since the last look.  Raises a ``PeopleError``."""
        before = self._user
        with suppress(DatabaseUnavailable):  # nobody knows, and nothing new is shown meanwhile
            self._user = await self._user_of(self._socket)
        return self._user != before

    async def _redraw(self) -> None:
        await self._socket.send_text(json.dumps({"redraw": True}))

    async def _has_news(self, seconds: float) -> bool:
        """Wait for news, and return whether there are any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for of Python 3.11 may lose a cancellation
                await self._news.wait()
        return self._news.is_set()

    async def _follow(self, followed: FollowedTurn) -> None:
        """Send a turn's changes until it has ended or the tab follows another one."""
        state = _FeedState()

        def hear(snapshot: TurnSnapshot) -> None:
            if snapshot.final or len(snapshot.evidence) > state.passages:
                self._wake()  # the rest goes out at its own pace

        stop = followed.turns.listen(followed.turn_id, hear)
        try:
            while self._followed() is followed:
                self._news.clear()
                snapshot = followed.turns.snapshot(followed.turn_id, state.version)
                if snapshot is not None:
                    await self._socket.send_text(json.dumps(state.next(snapshot, followed.language)))
                    if snapshot.final:
                        return
                elif await self._has_other_rights():  # without news nobody has asked whether they may see the turn
                    await self._redraw()
                await self._has_news(state.pace_seconds)
        finally:
            stop()


async def _wait_for_access(followed: FollowedTurn) -> None:
    """Wait until the server answers again whether this person may see the turn."""
    with suppress(AnswerdeskError):
        while True:
            await asyncio.sleep(_AGAIN_SECONDS)
            with suppress(DatabaseUnavailable):
                await run_in_threadpool(followed.turns.snapshot, followed.turn_id)
                return


class _FeedState:
    """The state of a turn that was sent."""

    def __init__(self) -> None:
        self.version = -1
        self.passages = 0
        self.pace_seconds = _PACE_SECONDS

    def next(self, snapshot: TurnSnapshot, language: Language) -> Data:
        """Return the next message; the passages go once, and all again when a second search has added some."""
        self.version = snapshot.version
        self.pace_seconds = _QUEUED_PACE_SECONDS if snapshot.state == "queued" else _PACE_SECONDS
        said: Data = {"feed": feed_data(snapshot)}
        if len(snapshot.evidence) > self.passages:
            self.passages = len(snapshot.evidence)
            said["evidence"] = evidence_data(snapshot, language)
        return said
