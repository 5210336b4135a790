"""The desk as a program: one web application that is warm before its first page and says every error in words."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute

from rag.turns.unforeseen import log_unforeseen
from ui.i18n import word
from ui.services import DeskServices, shared_services
from ui.session import page_language

logger = logging.getLogger(__name__)

APP_SCRIPT = Path(__file__).resolve().with_name("app.py")


def desk_application(
    script: Path = APP_SCRIPT,
    services: Callable[[], DeskServices] = shared_services,
    routes: Sequence[BaseRoute] = (),
) -> st.App:
    """Return the application; ``.run(config={"server.port": 8501})`` serves it until it is stopped.

    ``services`` are made when the server starts, before its first page, and stopped when it ends; the script must ask
    for the same ones.  ``routes`` are served beside the page.
    """

    @asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[None]:
        made = services()  # returns at once; the embedder and the indexes are loaded by a thread
        yield
        made.turns.close()

    return st.App(script, lifespan=lifespan, routes=routes, on_script_error=say_in_words)


def say_in_words(error: Exception) -> bool:
    """Show one sentence for an unforeseen error, and log where it arose without what it says (it may quote a text)."""
    st.error(word("page_failed", page_language(), number=log_unforeseen(logger, "page", error)))
    return True
