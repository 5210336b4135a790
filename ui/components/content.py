"""What a page's content is made of: headings, views and halves; tables, cards, lists to choose from, and plots.

Texts come from documents and customers and are set as they are.  Streamlit reads the labels of buttons and the cells of
its static table as Markdown, and draws its other table on a canvas that no screen reader and no translator sees.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from eval.compare.report_page import style
from rag.schema import Language
from rag.translate import translate
from ui.browser import component, component_value
from ui.formats import as_markdown, markdown_word, visible

Choosing = tuple[str, Language]
"""How the rows of a table are chosen: the parameter of the address in which the id of the chosen row stands, and the
language of the links between that row and the other half of the page."""


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


def two_panes(left: int, right: int, *, chooses: Choosing | None = None) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return the halves of a page, with widths in this proportion.

    ``chooses`` is that of a table in the left half: while a row is chosen, the right half begins with a link
    back to it.
    """
    columns = st.columns([left, right], gap=None)
    halves = columns[0].container(key="left"), columns[1].container(key="right")
    if chooses is not None:
        parameter, language = chooses
        with halves[1]:
            label = translate("ui.back_to_list", language) if chosen_row(parameter) else ""
            component("way_back")(key="way_back", data={"label": label})
    return halves


def _keep(key: str) -> None:
    st.query_params["view"] = st.session_state[key]


Look = Literal["text", "wide", "figure", "words"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: a ``figure`` is aligned right, ``text`` stays on one line, ``wide`` takes most of the width."""

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
    """``row_id`` is what choosing it reports; empty: it cannot be chosen."""

    row_id: str
    cells: tuple[Cell, ...]


def columns_of(language: Language, *keys: str | tuple[str, Look]) -> list[Column]:
    """Return columns with titles of the catalogue ``ui``, each a key, or a key and the column's look.

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
    chooses: Choosing | None = None,
    on_choose: Callable[[], None] = lambda: None,
) -> None:
    """Draw the table; ``words`` are its heading and what it says when it is empty.

    ``on_choose`` is called before the run in which another row is chosen.  The chosen row has a link to the right half;
    in a narrow window, where that is below the table, choosing a row goes there.
    """
    heading, empty = words
    parameter, language = chooses or ("", "en")

    def choose() -> None:
        if row_id := component_value(key, "chosen"):
            st.query_params[parameter] = str(row_id)
        on_choose()

    data = {
        "columns": [asdict(column) for column in columns],
        "rows": [visible(asdict(row), ids=("row_id",)) for row in rows],
        "heading": heading,
        "empty": empty,
        "current": chosen_row(parameter) if parameter else "",
        "onward": translate("ui.to_chosen", language),
        "shown": translate("ui.shown_beside", language),
    }
    component("plain_table")(key=key, data=data, on_chosen_change=choose)


def chosen_row(parameter: str) -> str:
    """Return the id of the row that the address names, or an empty string."""
    return st.query_params.get(parameter, "")


def lang_of(language: Language) -> str:
    """Return a language's mark in the page."""
    return "zh-CN" if language == "zh" else "en"


@dataclass(frozen=True, slots=True)
class Note:
    """A few words below a card's title; ``tone`` colours them: good, warning or bad.  ``name``: of a file."""

    text: str
    tone: str = ""
    name: bool = False


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line, or a text of several; ``sign`` is "+" for what came and "-" for what is gone.

    ``lang`` is the line's own, where it is not the card's.  ``name``: of a file.
    """

    text: str
    sign: Literal["", "+", "-"] = ""
    quiet: bool = False
    lang: str = ""
    name: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """``mark`` stands before the title, a file's name where it has no ``lang``.  Without lines a card stays shut."""

    title: str
    mark: str = ""
    tone: str = ""
    lang: str = ""
    notes: tuple[Note, ...] = ()
    lines: tuple[TextLine, ...] = ()
    open: bool = False


def draw_cards(key: str, cards: Sequence[Card], *, heading: str = "", empty: str = "") -> None:
    """Draw the cards below each other; ``empty`` is said where there are none."""
    component("text_cards")(
        key=key, data={"cards": [visible(asdict(card)) for card in cards], "heading": heading, "empty": empty}
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """One row.  ``tone`` colours the dot before a row of the history: running, good, warning or bad."""

    choice_id: str
    text: str
    language: Language
    note: str = ""
    tone: str = ""
    tone_words: str = ""


def draw_choices(
    key: str,
    choices: Sequence[Choice],
    *,
    words: tuple[str, str],
    look: Literal["rows", "chips"],
    on_choose: Callable[[str], None],
    current: str = "",
) -> None:
    """Draw the list; ``words`` are its heading and what it says when it is empty.

    ``on_choose`` is called before the next run with the id of the row that was chosen.
    """
    heading, empty = words
    rows = [visible(asdict(choice), ids=("choice_id",)) for choice in choices]
    data = {"rows": rows, "heading": heading, "empty": empty, "look": look, "current": current}
    component("choice_list")(
        key=key, data=data, on_chosen_change=lambda: on_choose(str(component_value(key, "chosen") or ""))
    )


def draw_plots(key: str, plots: str, *, label: str) -> None:
    """Draw plots by ``eval.compare``, in which every word is escaped; ``label`` is read to those who do not see."""
    component("run_plots", style("plots"))(key=key, data={"plots": plots, "label": label})
