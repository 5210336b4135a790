"""MCP over standard input and output, for an assistant that starts this program itself."""

import os

import anyio

from api.access import Access
from api.callers import Caller, Callers
from api.idempotency import IdempotentRequests
from api.mcp.calls import Call
from api.mcp.tools import mcp_server
from api.services.shared import SharedServices
from rag.people.keys import ApiKeys
from rag.settings import Settings

THIS_MACHINE = "127.0.0.1"


def speak(services: SharedServices, settings: Settings) -> None:
    """Serve until the input ends.

    Whoever started this program calls, with the key of ``ANSWERDESK_API_KEY``; without one, where nobody has to sign
    in, as the person who sits here.  Raises ``ApiKeyRefused`` and ``KeyNeeded``.
    """
    secret = os.environ.get("ANSWERDESK_API_KEY", "").strip()
    callers = Callers(ApiKeys(settings.people_path), lambda: services.people, lambda host: False)
    access = Access(lambda: services, callers, IdempotentRequests(settings.data_dir / "requests.db"))

    def caller_of(_: Call | None) -> Caller:
        return callers.of_key(secret) if secret else callers.without_key({}, THIS_MACHINE)

    caller_of(None)
    anyio.run(mcp_server(access, caller_of).run_stdio_async)
