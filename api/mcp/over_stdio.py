"""MCP over standard input and output, for an assistant that starts this program itself."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

import anyio
from mcp.server.mcpserver import MCPServer

from api.access import Access
from api.callers import Caller, Callers
from api.idempotency import IdempotentRequests
from api.mcp.calls import Call
from api.mcp.tools import mcp_server
from api.services.shared import SharedServices, open_people
from rag.settings import Settings

_THIS_MACHINE = "127.0.0.1"


def speak(open_services: Callable[[], SharedServices], settings: Settings) -> None:
    """Serve until the input ends.

    Whoever started this program calls, with the key of ``ANSWERDESK_API_KEY``; without one, where nobody has to sign
    in, as the person who sits here.  The services are opened when the SDK has the output to itself: what libraries
    print goes to the standard error then.  Raises ``ApiKeyRefused`` and ``KeyNeeded``.
    """
    secret = os.environ.get("ANSWERDESK_API_KEY", "").strip()
    people, services = open_people(settings), cache(open_services)
    callers = Callers(lambda: people, lambda host: False)
    access = Access(services, callers, IdempotentRequests(settings.requests_database))

    def caller_of(_: Call | None) -> Caller:
        return callers.of_key(secret) if secret else callers.without_key({}, _THIS_MACHINE)

    @asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        made = services()
        try:
            yield
        finally:
            made.close()

    caller_of(None)
    anyio.run(mcp_server(access, caller_of, lifespan).run_stdio_async)
