"""The frame of a page's content: its headings, the views that the address names, and two halves that scroll alone."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rag.schema import Language
from rag.translate import translate
from ui.formats import as_markdown, markdown_word


def draw_heading(key: str, language: Language, **values: object) -> None:
    """Draw a heading, of the level below the page's own."""
    st.header(markdown_word(key, language, **values), anchor=False)


def choose_view(prefix: str, names: Sequence[str], language: Language) -> str:
    """Draw the choice among a page's views, and return the one that the address names, or the first.

    The choice's key is ``PREFIX_view``, its label ``ui.PREFIX_views``, a view's label ``ui.PREFIX_view_NAME``.
    """
    key, named = f"{prefix}_view", st.query_params.get("view", "")
    st.session_state[key] = named if named in names else names[0]
    st.segmented_control(
        as_markdown(translate(f"ui.{prefix}_views", language)),
        names,
        required=True,
        format_func=lambda name: as_markdown(translate(f"ui.{prefix}_view_{name}", language)),
        key=key,
        on_change=partial(_keep, key),
        label_visibility="collapsed",
    )
    return str(st.session_state[key])


def two_panes(left: int, right: int) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return the halves of a page, with widths in this proportion."""
    columns = st.columns([left, right], gap=None)
    return columns[0].container(key="left"), columns[1].container(key="right")


def _keep(key: str) -> None:
    st.query_params["view"] = st.session_state[key]
