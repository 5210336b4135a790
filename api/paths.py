"""Which paths are the API's, in a process that serves the desk as well."""

from starlette.types import ASGIApp, Receive, Scope, Send

API_PATHS = ("/v1/", "/api/v1/", "/chat/completions", "/mcp", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""What of a process that serves the desk as well belongs to the API, by the beginnings of paths."""


class ApiPaths:
    """Serves the API's paths by ``api`` and all others by ``desk``, in one process."""

    def __init__(self, api: ASGIApp, desk: ASGIApp) -> None:
        self._api = api
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_api = scope["type"] == "http" and scope["path"].startswith(API_PATHS)
        await (self._api if is_api else self._desk)(scope, receive, send)
