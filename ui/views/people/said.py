"""What is said about a change in the run that follows it, beside the part of the page that made it."""

from collections.abc import Callable

import streamlit as st

from rag.errors import AnswerdeskError, PeopleError
from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure
from ui.formats import as_markdown
from ui.turn_data import failure_sentence


def attempt(part: str, what: Callable[[], object], language: Language, done: str = "ui.people_done") -> bool:
    """Do it, keep the words ``done`` or the error's for ``draw_said`` of this part, and tell whether it was done."""
    try:
        what()
    except AnswerdeskError as error:
        own = isinstance(error, PeopleError)  # its sentence names nothing that an admin may not see
        sentence = error.text(language) if own else failure_sentence(Failure.of(error), language)
        st.session_state[f"{part}_said"] = (sentence, "")
        return False
    st.session_state[f"{part}_said"] = ("", translate(done, language) if done else "")
    return True


def draw_said(part: str) -> None:
    """Say once what is kept for a part of the page."""
    wrong, done = st.session_state.pop(f"{part}_said", ("", ""))
    if wrong:
        st.error(as_markdown(wrong))
    if done:
        st.success(as_markdown(done))
