"""What a button of this page was refused for, or what it did at once: kept until the run that follows says it."""

from collections.abc import Callable

import streamlit as st

from rag.errors import AnswerdeskError, IngestRunning
from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure
from ui.views.models.jobs import draw_goes_before, failure_words

_NOTICE, _DONE = "m_notice", "m_did"


def attempt(call: Callable[[], object]) -> None:
    """Do what a button is for."""
    try:
        call()
    except IngestRunning:
        st.session_state[_NOTICE] = "busy"
    except AnswerdeskError as error:
        st.session_state[_NOTICE] = Failure.of(error)


def keep_done(key: str, variables: list[str]) -> None:
    """Have the next run say the words of ``key``, and which variables of the environment go before what was chosen."""
    st.session_state[_DONE] = (key, tuple(variables))


def say_notices(language: Language) -> None:
    """Say both, once."""
    notice = st.session_state.pop(_NOTICE, None)
    if notice == "busy":
        st.warning(translate("ui.m_busy", language))
    elif isinstance(notice, Failure):
        st.error(failure_words(notice, language))
    key, variables = st.session_state.pop(_DONE, ("", ()))
    if key:
        st.success(translate(f"ui.{key}", language))
    if variables:
        draw_goes_before(variables, language)
