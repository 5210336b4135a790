"""The parts of a page, of which the address names one."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from ui.formats import as_markdown


def choose_view(key: str, names: Sequence[str], label: str, words_for: Callable[[str], str]) -> str:
    """Draw the choice among a page's parts, and return the one that the address names, or the first.

    ``key`` is the choice's own in the page; what is chosen goes into the address.
    """
    named = st.query_params.get("view", "")
    st.session_state[key] = named if named in names else names[0]
    st.segmented_control(
        as_markdown(label),
        names,
        required=True,
        format_func=lambda name: as_markdown(words_for(name)),
        key=key,
        on_change=partial(_keep, key),
        label_visibility="collapsed",
    )
    return str(st.session_state[key])


def _keep(key: str) -> None:
    st.query_params["view"] = st.session_state[key]
