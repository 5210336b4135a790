"""A table of texts, of which a row can be chosen.

Streamlit's own draws on a canvas that no screen reader and no translator sees, and its static one reads Markdown; these
texts come from documents and customers, and here they are set as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

import streamlit as st

from rag.schema import Language
from ui.formats import visible
from ui.look import PART_STYLE


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


_FRAME = """<section class="part"><h2 class="label"></h2><p class="empty small quiet" hidden></p>
<table><thead></thead><tbody></tbody></table></section>"""

_STYLE = (
    PART_STYLE
    + """
.label { padding: .1rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .8125rem; line-height: 1.4; }
th { text-align: left; font-weight: 600; color: var(--ad-quiet); padding: .2rem .5rem; white-space: nowrap;
  border-bottom: 1px solid var(--ad-border); background: var(--ad-page); }
td { padding: .3rem .5rem; border-bottom: 1px solid var(--ad-line); vertical-align: top; overflow-wrap: normal; }
th:first-child, td:first-child { padding-left: .4rem; }
td.text { white-space: nowrap; }
td.words { min-width: 7rem; }
td.wide { overflow-wrap: anywhere; width: 60%; min-width: 9rem; }
td.wide .text { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
td.figure, th.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.can { cursor: pointer; }
tr.can:hover td, tr[aria-current="true"] td { background: var(--ad-accent-soft); }
tr[aria-current="true"] td:first-child { box-shadow: inset 3px 0 var(--ad-accent); }
button { border: 0; background: none; padding: 0; text-align: left; display: block; width: 100%; }
.note { display: block; color: var(--ad-quiet); font-size: .75rem; }
.quiet { color: var(--ad-quiet); }
.good { color: var(--ad-good); font-weight: 600; }
.warning { color: var(--ad-warn); font-weight: 600; }
.bad { color: var(--ad-error); font-weight: 600; }
"""
)

_SCRIPT = r"""
function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
function content(cell) {
  const text = element("span", "text " + cell.tone, cell.text);
  if (cell.lang) text.lang = cell.lang;
  else text.translate = !cell.names;
  if (!cell.note) return [text];
  const note = element("span", "note", cell.note);
  note.translate = !cell.names;
  return [text, note];
}
export default function ({ parentElement: root, data, setTriggerValue }) {
  root.querySelector(".label").textContent = data.heading;
  const table = root.querySelector("table");
  table.setAttribute("aria-label", data.heading);
  table.hidden = data.rows.length === 0;
  const empty = root.querySelector(".empty");
  empty.hidden = data.rows.length > 0;
  empty.textContent = data.empty;
  const head = element("tr");
  head.append(...data.columns.map((column) => {
    const cell = element("th", column.look, column.label);
    cell.scope = "col";
    return cell;
  }));
  root.querySelector("thead").replaceChildren(head);
  root.querySelector("tbody").replaceChildren(...data.rows.map((row) => {
    const line = element("tr", row.row_id ? "can" : "");
    line.dataset.row = row.row_id;
    if (row.row_id && row.row_id === data.current) line.setAttribute("aria-current", "true");
    const button = data.columns.findIndex((column) => column.look === "wide");
    row.cells.forEach((cell, index) => {
      const place = line.appendChild(element("td", data.columns[index].look));
      if (row.row_id && index === Math.max(button, 0)) {
        const choose = place.appendChild(element("button"));
        choose.type = "button";
        choose.append(...content(cell));
      } else place.append(...content(cell));
    });
    if (row.row_id) line.addEventListener("click", () => setTriggerValue("chosen", row.row_id));
    return line;
  }));
}
"""


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.plain_table", html=_FRAME, css=_STYLE, js=_SCRIPT)


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
    _component()(key=key, data=data, on_chosen_change=on_choose)


def chosen_row(key: str) -> str:
    """Return the id of the row that was just chosen, or an empty string."""
    value = st.session_state.get(key, {}).get("chosen")
    return value if isinstance(value, str) else ""


def lang_of(language: Language) -> str:
    """Return a language's mark in the page."""
    return "zh-CN" if language == "zh" else "en"
