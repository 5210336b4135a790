"""MCP as a route of the API: streamable HTTP at ``/mcp``.

The SDK is imported, and its session manager started, when the first client comes: it costs most of a second and 60 MB.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from starlette.types import Message, Receive, Scope, Send

from api.access import Access
from api.callers import Caller
from rag.errors import AnswerdeskError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_MOST_SESSIONS = 1000


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        from api.mcp.calls import LEFT

        manager = await self._started()
        left = asyncio.Event()
        async with _watched(receive, left) as watched:
            await manager.handle_request({**scope, LEFT: left}, watched, send)

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

    async def _started(self) -> "StreamableHTTPSessionManager":
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


def _session_manager(access: Access) -> "StreamableHTTPSessionManager":
    from mcp.server.transport_security import TransportSecuritySettings

    from api.mcp.calls import Call, request_of
    from api.mcp.tools import mcp_server

    def caller_of(call: Call) -> Caller:
        request = request_of(call)
        assert request is not None  # it came over HTTP
        return access.callers.caller(request)

    server = mcp_server(access, caller_of)
    server.streamable_http_app(
        max_sessions=_MOST_SESSIONS,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager


@asynccontextmanager
async def _watched(receive: Receive, left: asyncio.Event) -> AsyncIterator[Receive]:
    """Give a request's messages, read as they come, so that ``left`` is set as soon as the client has left."""
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

    async def watched() -> Message:
        if left.is_set() and messages.empty():
            return {"type": "http.disconnect"}
        message = await messages.get()
        if isinstance(message, AnswerdeskError):
            raise message
        return message

    reading = asyncio.ensure_future(read())
    try:
        yield watched
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
