"""A list of texts to choose from: earlier questions, or topics to try.

Streamlit's buttons read their labels as Markdown, and these texts come from customers and documents; here they are set
as plain text.
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
class Choice:
    """One row.  ``tone`` colours the dot before a row of the history: running, good, warning or bad."""

    choice_id: str
    text: str
    language: Language
    note: str = ""
    tone: str = ""
    tone_words: str = ""


_FRAME = '<nav class="part list"><h2 class="label"></h2><p class="empty small quiet" hidden></p><ul></ul></nav>'

_STYLE = (
    PART_STYLE
    + """
ul { list-style: none; padding: 0; margin: 0; display: grid; gap: 1px; }
.label { padding: .2rem 0 .35rem; }
.row { display: grid; gap: 0; width: 100%; text-align: left; border: 0; line-height: 1.4;
  background: none; padding: .35rem .5rem; border-radius: 6px; min-height: 1.75rem; font-size: .875rem; }
.row:hover { background: var(--ad-accent-soft); }
.row[aria-current="true"] { background: var(--ad-accent-soft); box-shadow: inset 3px 0 var(--ad-accent); }
.text { overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
.note { color: var(--ad-quiet); font-variant-numeric: tabular-nums; font-size: .75rem; }
.dot { display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; margin-right: .4rem;
  background: var(--ad-border); }
.dot.running { background: var(--ad-accent); }
.dot.good { background: var(--ad-good); }
.dot.warning { background: var(--ad-warn); }
.dot.bad { background: var(--ad-error); }
.list.chips ul { display: flex; flex-wrap: wrap; gap: .4rem; }
.list.chips .row { border: 1px solid var(--ad-border); padding: .25rem .7rem; border-radius: 999px; width: auto;
  display: block; }
.list.chips .row:hover { border-color: var(--ad-accent); }
"""
)

_SCRIPT = r"""
export default function ({ parentElement: root, data, setTriggerValue }) {
  const list = root.querySelector(".list");
  list.className = "part list " + data.look;
  list.setAttribute("aria-label", data.heading);
  root.querySelector(".label").textContent = data.heading;
  const empty = root.querySelector(".empty");
  empty.hidden = data.rows.length > 0;
  empty.textContent = data.empty;
  root.querySelector("ul").replaceChildren(...data.rows.map((row) => {
    const item = document.createElement("li");
    const button = item.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "row";
    button.dataset.choice = row.choice_id;
    if (row.choice_id === data.current) button.setAttribute("aria-current", "true");
    if (row.note) {
      const note = button.appendChild(document.createElement("span"));
      note.className = "note";
      if (row.tone) {
        const dot = note.appendChild(document.createElement("span"));
        dot.className = "dot " + row.tone;
        dot.title = row.tone_words;
        dot.setAttribute("role", "img");
        dot.setAttribute("aria-label", row.tone_words);
      }
      note.append(row.note);
    }
    const text = button.appendChild(document.createElement("span"));
    text.className = "text";
    text.lang = row.language;
    text.textContent = row.text;
    button.addEventListener("click", () => setTriggerValue("chosen", row.choice_id));
    return item;
  }));
}
"""


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.choice_list", html=_FRAME, css=_STYLE, js=_SCRIPT)


def draw_choices(
    key: str,
    choices: Sequence[Choice],
    *,
    words: tuple[str, str],
    look: Literal["rows", "chips"],
    on_choose: Callable[[], None],
    current: str = "",
) -> None:
    """Draw the list; ``words`` are its heading and what it says when it is empty.

    ``on_choose`` is called before the next run; ``chosen(key)`` then tells which row it was.
    """
    heading, empty = words
    rows = [visible(asdict(choice), ids=("choice_id",)) for choice in choices]
    data = {"rows": rows, "heading": heading, "empty": empty, "look": look, "current": current}
    _component()(key=key, data=data, on_chosen_change=on_choose)


def chosen(key: str) -> str:
    """Return the id of the row that was just chosen, or an empty string."""
    value = st.session_state.get(key, {}).get("chosen")
    return value if isinstance(value, str) else ""
