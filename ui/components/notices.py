"""What a button was refused for: kept until the run that follows says it."""

from collections.abc import Callable

import streamlit as st

from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.turns import Failure
from ui.formats import as_markdown, markdown_word
from ui.turn_data import failure_sentence


def draw_heading(key: str, language: Language, **values: object) -> None:
    """Draw a heading, of the level below the page's own."""
    st.header(markdown_word(key, language, **values), anchor=False)


def attempt(call: Callable[[], object]) -> None:
    """Do what a button is for."""
    try:
        call()
    except AnswerdeskError as error:
        st.session_state["kb_notice"] = Failure.of(error)


def say_notice(language: Language) -> None:
    """Say why the last button did nothing, once."""
    notice = st.session_state.pop("kb_notice", None)
    if isinstance(notice, Failure):
        st.error(as_markdown(failure_sentence(notice, language)))
