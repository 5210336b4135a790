"""A table of texts, of which a row can be chosen.

Streamlit's own draws on a canvas that no screen reader and no translator sees, and its static one reads Markdown; these
texts come from documents and customers, and here they are set as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from rag.schema import Language
from rag.translate import translate
from ui.browser import component, told
from ui.formats import visible

Look = Literal["text", "wide", "figure", "words"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: figures stand at the right; short texts keep together, ``words`` may break, ``wide`` takes the room."""

    label: str
    look: Look = "text"


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


def columns_of(language: Language, *keys: str | tuple[str, Look]) -> list[Column]:
    """Return columns with titles of the room ``ui``, each a key, or a key and the column's look.

    >>> [column.look for column in columns_of("en", "kb_language", ("kb_passages", "figure"))]
    ['text', 'figure']
    """
    pairs: list[tuple[str, Look]] = [key if isinstance(key, tuple) else (key, "text") for key in keys]
    return [Column(translate(f"ui.{key}", language), look) for key, look in pairs]


def draw_table(
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    words: tuple[str, str],
    chooses: str = "",
    on_choose: Callable[[], None] = lambda: None,
) -> None:
    """Draw the table; ``words`` are its heading and what it says when it is empty.

    ``chooses`` is the parameter of the address in which the id of the chosen row stands; ``on_choose`` is called before
    the run in which another row is chosen.
    """

    def choose() -> None:
        if row_id := told(key, "chosen"):
            st.query_params[chooses] = str(row_id)
        on_choose()

    heading, empty = words
    data = {
        "columns": [asdict(column) for column in columns],
        "rows": [visible(asdict(row), ids=("row_id",)) for row in rows],
        "heading": heading,
        "empty": empty,
        "current": chosen_row(chooses) if chooses else "",
    }
    component("plain_table")(key=key, data=data, on_chosen_change=choose)


def chosen_row(parameter: str) -> str:
    """Return the id of the row that the address names, or an empty string."""
    return st.query_params.get(parameter, "")


def lang_of(language: Language) -> str:
    """Return a language's mark in the page."""
    return "zh-CN" if language == "zh" else "en"
