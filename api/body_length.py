"""Refuses a request that gives the length of its body twice: a proxy in front may see another end of it than we do.

What follows that end would pass the proxy as a part of the body, and be a request of its own here (request smuggling).
https://www.rfc-editor.org/rfc/rfc9112#section-6.3
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_LENGTHS = (b"content-length", b"transfer-encoding")


class OneBodyLength:
    """Passes on to ``app`` the requests with one length or none; the others' connection is closed after a 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
        is_refused = names.issuperset(_LENGTHS)
        await (Response(status_code=400, headers={"Connection": "close"}) if is_refused else self._app)(
            scope, receive, send
        )
