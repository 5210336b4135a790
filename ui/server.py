"""The desk as a program: one web application that is warm before its first page and says every error in words."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import streamlit.runtime
from starlette.types import Receive, Scope, Send
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from rag.errors import AnswerdeskError, SignInNeeded
from rag.settings import load_settings
from rag.turns import Failure
from rag.turns.unforeseen import log_unforeseen
from ui.components.user_menu import draw_signed_out
from ui.connection_limits import ConnectionLimits
from ui.formats import as_markdown, markdown_word
from ui.request_guard import RequestGuard
from ui.services.shared import PeopleServices, SharedServices, shared_services
from ui.services.turn_feed import feed_route
from ui.session import page_language
from ui.sign_in import sign_in_routes
from ui.turn_data import failure_sentence

logger = logging.getLogger(__name__)

APP_SCRIPT = Path(__file__).resolve().with_name("app.py")


class DeskApplication(st.App):
    """The application behind its guard; ``run(config={"server.port": 8501})`` serves it until it is stopped.

    ``services`` are made when the server starts, before its first page, and stopped when it ends; the script must ask
    for the same ones.
    """

    def __init__(self, script: Path = APP_SCRIPT, services: Callable[[], SharedServices] = shared_services) -> None:
        @asynccontextmanager
        async def lifespan(_: st.App) -> AsyncIterator[None]:
            made = services()  # returns at once; the embedder and the indexes are loaded by a thread
            yield
            made.files.close()
            made.shelf.close()
            made.turns.close()
            if made.writings is not None:
                made.writings.close()

        def people() -> PeopleServices | None:
            return services().people

        super().__init__(
            script,
            lifespan=lifespan,
            routes=[*sign_in_routes(people), feed_route(lambda: services().feeds)],
            on_script_error=say_in_words,
        )
        settings = load_settings()
        limits = ConnectionLimits(settings.tabs_per_person, settings.uploads_per_person_megabytes, _held_bytes)
        self._guard = RequestGuard(super().__call__, people, limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, if it passes the guard."""
        await self._guard(scope, receive, send)

    def run(self, config: Mapping[str, object] | None = None) -> None:
        """Serve until stopped.  Only proxies that the settings name are believed about whom they speak for."""
        os.environ["FORWARDED_ALLOW_IPS"] = ",".join(load_settings().proxies())  # uvicorn's own way to be told
        super().run(config=config)


def _held_bytes(session: str) -> int:
    """Return the size of the files that Streamlit holds for a session."""
    if not streamlit.runtime.exists():
        return 0
    uploads = streamlit.runtime.get_instance().uploaded_file_mgr
    held = uploads.file_storage.get(session, {}) if isinstance(uploads, MemoryUploadedFileManager) else {}
    return sum(len(record.data) for record in list(held.values()))


def say_in_words(error: Exception) -> bool:
    """Show one sentence for what a callback raised.

    An unforeseen error is logged, with where it arose and without what it says (it may quote a text).
    """
    if isinstance(error, SignInNeeded):
        draw_signed_out(page_language())
        return True
    if isinstance(error, AnswerdeskError):
        st.error(as_markdown(failure_sentence(Failure.of(error), page_language())))
        return True
    st.error(markdown_word("ui.page_failed", page_language(), number=log_unforeseen(logger, "page", error)))
    return True
