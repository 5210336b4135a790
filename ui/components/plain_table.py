"""A table of texts, of which a row can be chosen.

Streamlit's own draws on a canvas that no screen reader and no translator sees, and its static one reads Markdown; these
texts come from documents and customers, and here they are set as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from rag.schema import Language
from ui.browser import component
from ui.formats import visible


@dataclass(frozen=True, slots=True)
class Column:
    """A column: figures stand at the right; short texts keep together, ``words`` may break, ``wide`` takes the room."""

    label: str
    look: Literal["text", "wide", "figure", "words"] = "text"


@dataclass(frozen=True, slots=True)
class Cell:
    """``note`` is smaller, below the text; ``tone`` colours: quiet, good, warning or bad.  ``lang`` is the text's.

    ``names`` tells that what has no language are names of files and folders, which no translator may touch.
    """

    text: str
    note: str = ""
    tone: str = ""
    lang: str = ""
    names: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """``row_id`` is what is told when it is chosen; empty: it cannot be."""

    row_id: str
    cells: tuple[Cell, ...]


def draw_table(
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    words: tuple[str, str],
    on_choose: Callable[[], None] = lambda: None,
    current: str = "",
) -> None:
    """Draw the table; ``words`` are its heading and what it says when it is empty.

    ``on_choose`` is called before the next run; ``chosen_row(key)`` then tells which row it was.
    """
    heading, empty = words
    data = {
        "columns": [asdict(column) for column in columns],
        "rows": [visible(asdict(row), ids=("row_id",)) for row in rows],
        "heading": heading,
        "empty": empty,
        "current": current,
    }
    component("plain_table")(key=key, data=data, on_chosen_change=on_choose)


def chosen_row(key: str) -> str:
    """Return the id of the row that was just chosen, or an empty string."""
    value = st.session_state.get(key, {}).get("chosen")
    return value if isinstance(value, str) else ""


def lang_of(language: Language) -> str:
    """Return a language's mark in the page."""
    return "zh-CN" if language == "zh" else "en"
