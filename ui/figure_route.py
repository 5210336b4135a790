"""The pictures of documents, for the evidence beside an answer.

    GET  /figure/KNOWLEDGE_BASE/DIGEST.webp

``ui/request_guard.py`` has let the request in; who it is from is asked here, and whether they may see the picture of
``KnowledgeService.figure``, which asks the one guard of all knowledge bases.  Others get the answer for a picture
that is not there.  Nothing is served but a WebP that was redrawn when its document was read.
"""

from collections.abc import Callable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.services.knowledge import KnowledgeService
from api.services.shared import SharedServices
from rag.errors import AnswerdeskError
from rag.storage.figures import FIGURE_MEDIA_TYPE
from ui.sign_in import current_user

_HEADERS = {
    "Cache-Control": "no-store",  # a person who loses the right, or signs out, sees it no more
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def figure_address(knowledge_base: str, digest: str) -> str:
    """Return a picture's address.

    >>> figure_address("default", "3f0c")
    '/figure/default/3f0c.webp'
    """
    return f"/figure/{knowledge_base}/{digest}.webp"


def figure_route(services: Callable[[], SharedServices]) -> BaseRoute:
    """Return the pictures' route."""

    async def serve(request: Request) -> Response:
        content = await run_in_threadpool(_content, services(), request)
        if content is None:
            return Response(status_code=404, headers=_HEADERS)
        return Response(content, media_type=FIGURE_MEDIA_TYPE, headers=_HEADERS)

    return Route("/figure/{base}/{digest}.webp", serve, methods=["GET"])


def _content(services: SharedServices, request: Request) -> bytes | None:
    who = partial(current_user, services.people, request)
    base, digest = request.path_params["base"], request.path_params["digest"]
    try:
        return KnowledgeService(services.knowledge_registry, base, who, services.bases.require).figure(digest)
    except AnswerdeskError:
        return None
