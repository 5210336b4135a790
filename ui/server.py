"""The desk as a program: one web application that is warm before its first page and says every error in words."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute

from rag.errors import AnswerdeskError, SignInNeeded
from rag.turns import Failure
from rag.turns.unforeseen import log_unforeseen
from ui.formats import markdown_word
from ui.parts.user_menu import draw_signed_out
from ui.services import PeopleServices, SharedServices, shared_services
from ui.session import page_language
from ui.sign_in import sign_in_first, sign_in_routes
from ui.turn_data import failure_sentence
from ui.turn_feed import feed_route

logger = logging.getLogger(__name__)

APP_SCRIPT = Path(__file__).resolve().with_name("app.py")


def desk_application(
    script: Path = APP_SCRIPT,
    services: Callable[[], SharedServices] = shared_services,
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
        made.files.close()
        made.shelf.close()
        made.turns.close()
        if made.writings is not None:
            made.writings.close()

    def people() -> PeopleServices | None:
        return services().people

    return st.App(
        script,
        lifespan=lifespan,
        routes=[*sign_in_routes(people), feed_route(lambda: services().feeds), *routes],
        middleware=[sign_in_first(people)],
        on_script_error=say_in_words,
    )


def say_in_words(error: Exception) -> bool:
    """Show one sentence for what a callback raised.

    An unforeseen error is logged, with where it arose and without what it says (it may quote a text).
    """
    if isinstance(error, SignInNeeded):
        draw_signed_out(page_language())
        return True
    if isinstance(error, AnswerdeskError):
        st.error(failure_sentence(Failure.of(error), page_language()))
        return True
    st.error(markdown_word("page_failed", page_language(), number=log_unforeseen(logger, "page", error)))
    return True
