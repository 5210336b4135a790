"""The desk as a program: one web application that is warm before its first page and says every error in words.

Streamlit reads its configuration in the current folder, the home folder and the environment.  The options handed to
``App.run`` go before all of them: those of ``.streamlit/config.toml`` beside this module.  (The link in the checkout's
root is for Streamlit's own tester.)
"""

import logging
import os
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import streamlit as st
import streamlit.runtime
import uvicorn
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import error_util
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from api.body_length import OneBodyLength
from api.services.shared import ENDING_SECONDS, PeopleServices, SharedServices
from rag.errors import AnswerdeskError, SignInNeeded
from rag.settings import Settings, load_settings
from rag.storage.access import User
from rag.unforeseen_errors import log_unforeseen
from ui.components.job_view import show_failure
from ui.components.page_shell import draw_signed_out
from ui.figure_route import figure_route
from ui.formats import markdown_word
from ui.provider_sign_in import ProviderSignIn, provider_start_route
from ui.request_guard import ConnectionLimits, RequestGuard
from ui.session import page_language, shared_services
from ui.sign_in import current_user, sign_in_routes
from ui.turn_feed import feed_route

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger(__name__)

APP_SCRIPT = Path(__file__).resolve().with_name("app.py")

CONFIGURATION = Path(__file__).with_name(".streamlit") / "config.toml"


API_PATHS = ("/v1/", "/api/v1/", "/chat/completions", "/mcp", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""The beginnings of the paths that belong to the API in a process that serves the desk as well."""


class ApiPaths:
    """Serves the API's paths by ``api`` and all others by ``desk``, in one process."""

    def __init__(self, api: ASGIApp, desk: ASGIApp) -> None:
        self._api = api
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_api = scope["type"] == "http" and scope["path"].startswith(API_PATHS)
        await (self._api if is_api else self._desk)(scope, receive, send)


class DeskApplication(st.App):
    """The application behind its guard; ``run(config={"server.port": 8501})`` serves it until it is stopped.

    ``services`` are made when the server starts, before its first page, and stopped when it ends; the script must ask
    for the same ones.  With ``api``, its paths are other programs', and answered from the same services.
    """

    def __init__(
        self,
        script: Path = APP_SCRIPT,
        services: Callable[[], SharedServices] = shared_services,
        *,
        api: bool = False,
    ) -> None:
        settings = load_settings()
        other_programs = _api_application(services, settings) if api else None

        @asynccontextmanager
        async def lifespan(_: st.App) -> AsyncIterator[None]:
            made = services()  # returns at once; the embedder and the indexes are loaded by a thread
            async with AsyncExitStack() as stack:
                if other_programs is not None:
                    await stack.enter_async_context(other_programs.router.lifespan_context(other_programs))
                yield
            made.close()

        def people() -> PeopleServices:
            return services().people

        async def user_of(connection: HTTPConnection) -> User:
            return await people().ask(partial(current_user, people(), connection))

        feed = feed_route(lambda: services().feeds, user_of)
        super().__init__(
            script,
            lifespan=lifespan,
            routes=[*sign_in_routes(people), provider_start_route(), feed, figure_route(services)],
            on_script_error=show_error,
        )
        limits = ConnectionLimits(settings.tabs_per_person, settings.uploads_per_person_megabytes, _held_bytes)
        guard = OneBodyLength(RequestGuard(ProviderSignIn(super().__call__, people), people, limits))
        self._serve: ASGIApp = guard if other_programs is None else ApiPaths(other_programs, guard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, if it passes the guard; the API has one of its own."""
        await self._serve(scope, receive, send)

    def run(self, config: Mapping[str, object] | None = None) -> None:
        """Serve until stopped.  Only proxies that the settings name are believed about whom they speak for."""
        os.environ["FORWARDED_ALLOW_IPS"] = ",".join(load_settings().proxies())  # where uvicorn looks for them
        with _ending_in_time(), _without_foreseen_errors_in_the_log():
            super().run(config=config)


@contextmanager
def _ending_in_time() -> Iterator[None]:
    """Limit how long a server that has to end waits for its clients.

    Else a request of which half was sent, as by a laptop that fell asleep, would keep it for ever.  Streamlit makes
    uvicorn's configuration by itself, and has no option for this.
    """
    with _replaced(uvicorn, "Config", partial(uvicorn.Config, timeout_graceful_shutdown=ENDING_SECONDS)):
        yield


@contextmanager
def _without_foreseen_errors_in_the_log() -> Iterator[None]:
    """Let Streamlit log no traceback of an error that ``show_error`` says in words, as of a right that was lost.

    It logs each error of a callback before it asks ``on_script_error``.
    """
    log = error_util._log_uncaught_app_exception

    def log_unless_foreseen(error: BaseException) -> None:
        if not isinstance(error, AnswerdeskError):
            log(error)

    with _replaced(error_util, "_log_uncaught_app_exception", log_unless_foreseen):
        yield


@contextmanager
def _replaced(module: ModuleType, name: str, by: object) -> Iterator[None]:
    before = vars(module)[name]
    vars(module)[name] = by
    try:
        yield
    finally:
        vars(module)[name] = before


def _api_application(services: Callable[[], SharedServices], settings: Settings) -> "FastAPI":
    from api.application import api_application  # FastAPI takes half a second to import

    return api_application(services, settings, is_host_allowed)


def _held_bytes(session: str) -> int:
    """Return the size of the files that Streamlit holds for a session."""
    if not streamlit.runtime.exists():
        return 0
    uploads = streamlit.runtime.get_instance().uploaded_file_mgr
    held = uploads.file_storage.get(session, {}) if isinstance(uploads, MemoryUploadedFileManager) else {}
    return sum(len(record.data) for record in list(held.values()))


def show_error(error: Exception) -> bool:
    """Show one sentence for a callback's error.

    An unforeseen error is logged, with where it arose and without what it says (it may quote a text).
    """
    if isinstance(error, SignInNeeded):
        draw_signed_out(page_language())
        return True
    if isinstance(error, AnswerdeskError):
        show_failure(error, page_language())
        return True
    st.error(markdown_word("ui.page_failed", page_language(), number=log_unforeseen(logger, "page", error)))
    return True


def desk_configuration(own: Mapping[str, object]) -> dict[str, object]:
    """Return every option of the file by its dotted name, as ``App.run`` takes them; ``own`` go before the file's."""
    return {**dict(_options("", tomllib.loads(CONFIGURATION.read_text(encoding="utf-8")))), **own}


def _options(section: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _options(f"{section}{name}.", value)
        else:
            yield f"{section}{name}", value
