"""A desk that a test steers from its own process: by routes in front of the guard, which the product does not have."""

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from api.services.shared import SharedServices
from ui.server import DeskApplication


class SteeredDesk(DeskApplication):
    """The product's own application; requests to ``controls`` pass its guard by."""

    def __init__(self, script: Path, services: Callable[[], SharedServices], controls: Sequence[Route]) -> None:
        super().__init__(script, services)
        self._controls = Router(controls)
        self._steered = {route.path for route in controls}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        steered = scope["type"] == "http" and scope["path"] in self._steered
        await (self._controls if steered else super().__call__)(scope, receive, send)
