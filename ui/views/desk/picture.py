"""What a model says that a customer's picture shows, beneath the question box: a machine's words, to be checked.

The words in the picture are asked at once.  Then the model is shown it, and what it says stands in a box, where the
agent corrects it, searches with it, or leaves it out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from api.services.jobs import Job
from rag.errors import AnswerdeskError
from rag.generation.picture_description import PictureDescription
from rag.pictures import Picture
from rag.text.language import text_language
from rag.text.markup import LONGEST_DESCRIPTION_CHARACTERS, marked_description
from rag.translate import translate
from rag.turns import Failure
from ui.components.job_view import follow, say_failure
from ui.formats import markdown_word
from ui.session import PageContext, ask_token, tab_name
from ui.turn_data import failure_sentence

Ask = Callable[[str, "ShownPicture", str], None]
"""Asks a question, with the token of the question box, that goes on from a picture's own."""

_SHOWN = "shown_picture"
_TICK_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture that was dropped: the ``question`` that was asked of it, and what a further one goes on from.

    ``picture`` is None once the model is shown it; ``refused`` says why it could not be.
    """

    picture_id: str
    question: str
    follows: str
    base: str
    picture: Picture | None
    refused: Failure | None = None


def show_picture(shown: ShownPicture) -> None:
    """Let the model describe a picture once the page is drawn: the question's own answer comes first."""
    st.session_state[_SHOWN] = shown


def drop_picture(context: PageContext) -> None:
    """Stop and forget the picture that was shown before."""
    shown, descriptions = _shown(), context.services.descriptions
    if shown is not None and descriptions is not None:
        descriptions.stop(shown.picture_id)
        descriptions.forget(shown.picture_id)
    st.session_state.pop(_SHOWN, None)


def draw_picture(context: PageContext, ask: Ask) -> None:
    """Draw how far the description is, the description to be edited, or why there is none.

    A picture that was dropped is shown to the model now: its question is asked by then, and has its evidence.
    """
    _begin(context)
    shown, descriptions, language = _shown(), context.services.descriptions, context.language
    if shown is None or descriptions is None:
        return
    job = descriptions.job(shown.picture_id)
    if shown.refused is not None:
        say_failure(shown.refused, language)
    elif job is None:
        return
    elif job.running:
        with st.container(key="picture", horizontal=True, vertical_alignment="center"):
            label = translate("ui.stop", language)
            st.button(label, key="stop_picture", on_click=descriptions.stop, args=(shown.picture_id,))
            st.caption(translate("ui.picture_describing", language))
        follow(job, partial(descriptions.job, shown.picture_id), every_seconds=_TICK_SECONDS)
    elif isinstance(job.result, PictureDescription):
        _draw_description(context, shown, job.result, ask)
    else:
        with st.container(key="picture_failed"):
            st.text(_why(context, job))


def _begin(context: PageContext) -> None:
    """Show the model the picture, where one was dropped and it has not been shown it."""
    shown, descriptions = _shown(), context.services.descriptions
    if shown is None or shown.picture is None:
        return
    if descriptions is None:
        drop_picture(context)
        return
    language = text_language(shown.question) if shown.question else context.language
    refused = None
    try:
        descriptions.start(shown.picture_id, shown.picture, language, tab=tab_name())
    except AnswerdeskError as error:
        refused = Failure.of(error)
    st.session_state[_SHOWN] = replace(shown, picture=None, refused=refused)


def _draw_description(context: PageContext, shown: ShownPicture, found: PictureDescription, ask: Ask) -> None:
    language, key = context.language, f"described_{shown.picture_id}"
    with st.container(key="picture_described"):
        st.caption(markdown_word("ui.picture_described", language, model=found.model))
        st.text_area(
            translate("ui.picture_words", language),
            found.text,
            key=key,
            max_chars=LONGEST_DESCRIPTION_CHARACTERS,
            height=80,
        )
        with st.container(key="picture_buttons", horizontal=True):
            label = translate("ui.picture_search", language)
            st.button(label, key="picture_search", on_click=_search, args=(context, shown, key, ask_token(), ask))
            label = translate("ui.picture_leave", language)
            st.button(label, key="picture_leave", on_click=drop_picture, args=(context,))


def _search(context: PageContext, shown: ShownPicture, key: str, token: str, ask: Ask) -> None:
    """Ask the picture's question once more, with the description as it stands in the box."""
    words = str(st.session_state.get(key) or "").strip()
    if not words:
        return
    drop_picture(context)
    ask(token, shown, "\n\n".join(filter(None, (shown.question, marked_description(words)))))


def _shown() -> ShownPicture | None:
    found = st.session_state.get(_SHOWN)
    return found if isinstance(found, ShownPicture) else None


def _why(context: PageContext, job: Job) -> str:
    if job.state == "stopped":
        return translate("ui.picture_stopped", context.language)
    if job.failure is None:
        return translate("ui.page_failed", context.language, number=job.number)
    return translate("ui.picture_failed", context.language, why=failure_sentence(job.failure, context.language))
