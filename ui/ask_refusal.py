"""Why what was just put into the question box was not taken: said beneath it until the next question."""

import streamlit as st

from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.turns import Failure
from ui.formats import as_markdown
from ui.turn_data import failure_sentence

_STATE = "ask_refused"


def refuse(error: AnswerdeskError) -> None:
    """Have the next run say why nothing was asked."""
    st.session_state[_STATE] = Failure.of(error)


def forget_refusal() -> None:
    """Say it no longer."""
    st.session_state.pop(_STATE, None)


def draw_refusal(language: Language) -> None:
    """Say it, where there is something to say."""
    failure = st.session_state.get(_STATE)
    if isinstance(failure, Failure):
        with st.container(key="ask_refused"):
            st.error(as_markdown(failure_sentence(failure, language)))
