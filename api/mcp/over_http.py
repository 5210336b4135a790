"""MCP as a route of the API: streamable HTTP at ``/mcp``.

The SDK is imported, and its session manager started, when the first client comes: it costs most of a second and 60 MB.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from api.access import Access
from api.callers import Caller
from rag.errors import AnswerdeskError, TooManyAtOnce

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_MOST_SESSIONS = 1000
_SESSIONS_OF_A_KEY = 50
"""So that it takes twenty keys to lock the others out; an assistant has a session for each of its windows."""

_IDLE_SECONDS = 1800.0
_SESSION = "mcp-session-id"


@dataclass(slots=True)
class _Session:
    """A session of a key.  ``session_id`` is empty before it has begun and after it has ended.

    ``in_use`` are the requests in it now; the last one ended at ``used_at``, in seconds of the clock.
    """

    key_id: str
    session_id: str = ""
    in_use: int = 0
    used_at: float = 0.0


class SessionShares:
    """Counts each key's sessions by the headers that pass, for the SDK counts only those of all keys together.

    Idle ones end after half an hour, here as in the SDK.  Belongs to one event loop.  ``clock`` gives seconds.
    """

    def __init__(self, most: int = _SESSIONS_OF_A_KEY, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._sessions: list[_Session] = []

    @contextmanager
    def count_session(self, request: Request, key_id: str) -> Iterator[Callable[[Message], None]]:
        """Count the session that a request begins or uses, and yield the function to call with its answer.

        Raises ``TooManyAtOnce`` where the key has as many as it may.
        """
        session_id = request.headers.get(_SESSION, "")
        session = self._find(session_id, key_id) if session_id else self._add(key_id)
        session.in_use += 1

        def note(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            if message["status"] < 400 and not session_id:
                session.session_id = Headers(raw=message["headers"]).get(_SESSION, "")
            elif message["status"] == 404 or (message["status"] < 400 and request.method == "DELETE"):
                session.session_id = ""

        try:
            yield note
        finally:
            session.in_use -= 1
            session.used_at = self._clock()
            self._forget_ended()

    def _find(self, session_id: str, key_id: str) -> _Session:
        """Return a session, or an uncounted one if this key did not begin it here."""
        known = (one for one in self._sessions if (one.session_id, one.key_id) == (session_id, key_id))
        return next(known, _Session("", session_id))

    def _add(self, key_id: str) -> _Session:
        self._forget_ended()
        if sum(one.key_id == key_id for one in self._sessions) >= self._most:
            raise TooManyAtOnce(reason="sessions", count=self._most)
        session = _Session(key_id)
        self._sessions.append(session)
        return session

    def _forget_ended(self) -> None:
        idle_since = self._clock() - _IDLE_SECONDS
        self._sessions = [one for one in self._sessions if one.in_use or (one.session_id and one.used_at > idle_since)]


class McpRoute:
    """Serves MCP as an ASGI application, for callers whom ``access`` lets in.

    Host and Origin are asked about by ``Callers``, as for every other route, so the SDK need not ask again.  Within
    ``running`` it ends in order; without, with the event loop.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._task: asyncio.Task[None] | None = None
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._ending = asyncio.Event()
        self._shares = SessionShares()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        from api.mcp.server import LEFT

        manager = await self._start()
        left = asyncio.Event()
        key_id = self._access.callers.caller(Request(scope)).key_id
        with self._count_session(Request(scope), key_id, send) as counting:
            async with _watch_client(receive, left) as next_message:
                await manager.handle_request({**_with_owner(scope, key_id), LEFT: left}, next_message, counting)

    @contextmanager
    def _count_session(self, request: Request, key_id: str, send: Send) -> Iterator[Send]:
        """Count the session that a request begins or uses, and yield the sender of its answer.

        Requests of the protocol of 2026 have none, and the person at this machine is not counted.
        """
        from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

        version = request.headers.get("mcp-protocol-version")
        if not key_id or (version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS):
            yield send
            return
        with self._shares.count_session(request, key_id) as note:

            async def send_and_note(message: Message) -> None:
                note(message)
                await send(message)

            yield send_and_note

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve until the block is left; then calls are cancelled."""
        try:
            yield
        finally:
            if self._task is not None:
                self._ending.set()
                await self._task
                self._task = None
                self._ending.clear()

    async def _start(self) -> "StreamableHTTPSessionManager":
        if self._task is None or self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._manager))
        return await asyncio.shield(self._manager)

    async def _run(self, started: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        """Run the session manager: what it begins belongs to this task, not to a request's."""
        manager = await asyncio.to_thread(_session_manager, self._access)
        async with manager.run():
            started.set_result(manager)
            await self._ending.wait()


def _with_owner(scope: Scope, key_id: str) -> Scope:
    """Return a request's scope with its key as the SDK's user: to others a session looks as if it did not exist."""
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    if not key_id:
        return scope
    return {**scope, "user": AuthenticatedUser(AccessToken(token="", client_id=key_id, scopes=[]))}


def _session_manager(access: Access) -> "StreamableHTTPSessionManager":
    from mcp.server.transport_security import TransportSecuritySettings

    from api.mcp.server import Call, mcp_server, request_of

    def caller_of(call: Call) -> Caller:
        request = request_of(call)
        assert request is not None  # it came over HTTP
        return access.callers.caller(request)

    server = mcp_server(access, caller_of)
    server.streamable_http_app(
        max_sessions=_MOST_SESSIONS,
        session_idle_timeout=_IDLE_SECONDS,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager


@asynccontextmanager
async def _watch_client(receive: Receive, left: asyncio.Event) -> AsyncIterator[Receive]:
    """Yield the reader of a request's messages; ``left`` is set as soon as the client has left."""
    messages: asyncio.Queue[Message | AnswerdeskError] = asyncio.Queue()

    async def read() -> None:
        try:
            while not left.is_set():
                message = await receive()
                if message["type"] == "http.disconnect":
                    left.set()
                await messages.put(message)
        except AnswerdeskError as error:  # the body is too large
            await messages.put(error)

    async def next_message() -> Message:
        if left.is_set() and messages.empty():
            return {"type": "http.disconnect"}
        message = await messages.get()
        if isinstance(message, AnswerdeskError):
            raise message
        return message

    reading = asyncio.ensure_future(read())
    try:
        yield next_message
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
