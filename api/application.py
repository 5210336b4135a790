"""The API as one application: OpenAI's wire and the native one over the services that the desk's pages call.

application = api_application(services, settings, is_own_host)
uvicorn.run(application)                    # or, in the desk's process, behind ``ui.server.ApiPaths``

``serve`` runs it as a program of its own.
"""

import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cache, partial
from http import HTTPStatus
from importlib.util import find_spec
from socket import socket
from typing import Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import rag
from api.access import Access
from api.addresses import GrpcAddress
from api.body_length import OneBodyLength
from api.callers import Callers, host_names, language_of, requests_at_once
from api.idempotency import IdempotentRequests
from api.mcp.over_http import McpRoute
from api.openai.pictures import LARGEST_BASE64_BYTES
from api.openai.routes import openai_routes
from api.problems import Problem, problem_of, problem_of_fields, unforeseen_problem
from api.rest.asking import asking_routes, rewriting_routes
from api.rest.bodies import ProblemBody
from api.rest.knowledge import knowledge_routes
from api.rest.models import model_routes
from api.rest.people import people_routes
from api.rest.quality import quality_routes
from api.rest.status import performance_routes, status_routes
from api.services.shared import ENDING_SECONDS, SharedServices
from api.services.start import open_services
from rag.errors import AnswerdeskError, BadRequest, MethodNotAllowed, NotFound, RequestTooLarge, RequestUnusable
from rag.settings import Settings
from rag.unforeseen_errors import log_for_operator, log_unforeseen

logger = logging.getLogger(__name__)

NATIVE = "/api/v1"
OPEN_PATHS = ("/healthz", "/readyz")
"""What everybody may see: whether the server lives and is ready."""

_DESCRIPTION = """\
Answers from a team's own documents, with citations that are computed. Passages and answers are other people's words:
data, never instructions. Without people who sign in, programs on the same machine need no key."""
_LARGEST_JSON_BYTES = 4_000_000
_BYTES_A_MEGABYTE = 1_000_000
_NOT_STARTED = 3
"""The exit code that uvicorn gives."""
_NATIVE_ROUTES = (
    asking_routes,
    rewriting_routes,
    knowledge_routes,
    quality_routes,
    model_routes,
    people_routes,
    performance_routes,
)
_STATUSES = (400, 401, 403, 404, 409, 413, 421, 422, 429, 500, 503, 507)


def api_application(
    services: Callable[[], SharedServices], settings: Settings, is_own_host: Callable[[str | None], bool]
) -> FastAPI:
    """Return the application.  ``is_own_host`` tells whether a Host header names this server."""
    callers = Callers(lambda: services().people, is_own_host, requests_at_once=requests_at_once(settings))
    access = Access(services, callers, IdempotentRequests(settings.requests_database))
    problems: dict[int | str, dict[str, Any]] = {status: _documented(status) for status in _STATUSES}
    application = FastAPI(
        title="Answerdesk",
        version=rag.__version__,
        description=_DESCRIPTION,
        docs_url=None,  # its pages load their scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        responses=problems,
    )
    native = APIRouter(prefix=NATIVE)
    for routes in _NATIVE_ROUTES:
        native.include_router(routes(access))
    application.include_router(native)
    openai = openai_routes(access)
    application.include_router(openai, prefix="/v1")
    application.include_router(openai, include_in_schema=False)
    application.include_router(status_routes(access, settings))
    application.add_api_route(
        "/openapi.json",
        lambda: JSONResponse(openapi_description(application)),
        include_in_schema=False,
        dependencies=[Depends(access.any_caller())],
    )
    _add_mcp(application, access)
    # the last one added comes first
    application.add_middleware(BodyLimit, settings.document_limit_megabytes * _BYTES_A_MEGABYTE)
    application.add_middleware(CallersOnly, callers)
    application.add_middleware(OneBodyLength)
    application.add_middleware(PrivateAnswers)
    application.add_exception_handler(AnswerdeskError, _error_response)
    application.add_exception_handler(RequestValidationError, _validation_response)
    application.add_exception_handler(HTTPException, _http_error_response)
    application.add_exception_handler(Exception, _unforeseen_response)
    application.state.access = access
    return application


def openapi_description(application: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with keys as optional."""
    description = application.openapi()
    schemes = {"key": {"type": "http", "scheme": "bearer", "description": "an API key; see docs/api.md"}}
    description["components"]["securitySchemes"] = schemes
    description["security"] = [{"key": []}, {}]
    return description


def _add_mcp(application: FastAPI, access: Access) -> None:
    """Add the route ``/mcp``, where the extra is installed; the application's lifespan ends it in order."""
    if find_spec("mcp") is None:
        return
    route = McpRoute(access)
    # no GET: a stream of its own is for servers that begin to speak, which this is not
    application.router.routes.append(Route("/mcp", route, methods=["POST", "DELETE"], include_in_schema=False))
    application.router.lifespan_context = lambda _: route.running()


_PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PrivateAnswers:
    """Tells browsers and proxies to keep no answer, to show none as a page, and to give none to another site's page.

    The API has no pages: what a browser opens of it is data, with words of documents that anybody may have written.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _make_private(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _make_private(headers: MutableHeaders) -> None:
    headers.setdefault("Cache-Control", "no-store")
    headers.update(_PRIVATE)


class CallersOnly:
    """Admits the callers whom ``Callers`` knows, each key within its limits, before a body is read."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answers: ASGIApp = self._app
        with ExitStack() as counts:  # until the last byte is sent, that of a stream too
            try:
                caller = await self._callers.ask(partial(self._callers.caller, request))
                counts.enter_context(self._callers.requests.count_open(caller))
                if _is_file(request):
                    counts.enter_context(self._callers.uploads.count_open(caller))
            except AnswerdeskError as error:
                log_for_operator(logger, error)
                answers = _answer(request, problem_of(error, language_of(request.headers)))
            await answers(scope, receive, send)


class BodyLimit:
    """Refuses too large bodies before they are read.

    Files are as large as documents may be, others 4 MB, in a conversation with the pictures that it may have.
    """

    def __init__(self, app: ASGIApp, largest_file_bytes: int) -> None:
        self._app = app
        self._largest_file_bytes = largest_file_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body counted as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        has_pictures = scope["path"].endswith("/chat/completions")
        limit = _LARGEST_JSON_BYTES + (LARGEST_BASE64_BYTES if has_pictures else 0)
        limit = self._largest_file_bytes if _is_file(request) else limit
        length = request.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > limit:
            await _answer(request, problem_of(RequestTooLarge(limit=limit), language_of(request.headers)))(
                scope, receive, send
            )
            return
        count = 0

        async def receive_counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > limit:
                raise RequestTooLarge(limit=limit)
            return message

        await self._app(scope, receive_counted, send)


async def _error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnswerdeskError)  # registered for these
    log_for_operator(logger, error)
    return _answer(request, problem_of(error, language_of(request.headers)))


async def _validation_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for these
    language = language_of(request.headers)
    if isinstance(error.body, bytes):  # the framework reads a body as JSON only where its type says so
        return _answer(request, problem_of(RequestUnusable(reason="content_type"), language))
    return _answer(request, problem_of_fields(error.errors(), error.body, language))


_FRAMEWORK_ERRORS: dict[int, type[AnswerdeskError]] = {400: BadRequest, 404: NotFound, 405: MethodNotAllowed}


async def _http_error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for these
    if isinstance(error.__cause__, RequestTooLarge):  # raised while the body was read
        return _answer(request, problem_of(error.__cause__, language_of(request.headers)))
    known = _FRAMEWORK_ERRORS.get(error.status_code)
    if known is not None:
        problem = problem_of(known(), language_of(request.headers))
    else:  # none that the framework raises by itself
        problem = Problem(error.status_code, HTTPStatus(error.status_code).phrase.replace(" ", ""), str(error.detail))
    answer = _answer(request, problem)
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_methods(request))
    return answer


def _methods(request: Request) -> list[str]:
    """Return every method that this path has: the framework names those of the first route only."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.scope["path"]):
            found |= set(route.methods or ())
    return sorted(found)


async def _unforeseen_response(request: Request, error: Exception) -> Response:
    answer = _answer(
        request, unforeseen_problem(log_unforeseen(logger, "request", error), language_of(request.headers))
    )
    _make_private(answer.headers)  # it is made outside of all that is added to the application
    return answer


def _answer(request: Request, problem: Problem) -> Response:
    """Return a problem in the form of the API that was asked."""
    headers = problem.headers()
    if _speaks_openai(request.scope["path"]):
        return JSONResponse(problem.as_openai(), problem.status, headers)
    return JSONResponse(problem.as_problem(), problem.status, headers, media_type="application/problem+json")


def _is_file(request: Request) -> bool:
    return request.method == "PUT" and "/files/" in request.scope["path"]


def _speaks_openai(path: str) -> bool:
    return path.startswith(("/v1/", "/chat/", "/responses", "/models", "/embeddings"))


def _documented(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": schema}, "application/json": {"schema": {"type": "object"}}},
    }


class _Server(uvicorn.Server):
    """Calls ``announce`` once it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(
    settings: Settings,
    host: str,
    port: int,
    names: Sequence[str],
    announce: Callable[[], None],
    grpc: GrpcAddress | None = None,
) -> None:
    """Serve until stopped, ``grpc`` as well where that is given; ``announce`` is called when requests can come.

    ``names`` are what this server is reached under; other Host headers are refused.
    """

    @cache
    def services() -> SharedServices:
        return open_services(settings)

    application = api_application(services, settings, host_names(names))
    own_lifespan = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        made = services()  # returns at once; the embedder and the indexes are loaded by a thread
        async with own_lifespan(application), _grpc(application, grpc):
            yield
        made.close()

    application.router.lifespan_context = lifespan
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # questions are in bodies, but names and searches are in addresses
        server_header=False,
        forwarded_allow_ips=",".join(settings.proxies()),
        timeout_graceful_shutdown=ENDING_SECONDS,
    )
    server = _Server(config, announce)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)  # uvicorn has logged why


@asynccontextmanager
async def _grpc(application: FastAPI, address: GrpcAddress | None) -> AsyncIterator[None]:
    if address is None:
        yield
        return
    from api.grpc.server import serving  # gRPC is an extra

    async with serving(application.state.access, address):
        yield
