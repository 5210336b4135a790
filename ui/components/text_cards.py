"""Cards that open: passages as they are, articles with the lines that came and went, messages to a model.

Texts come from documents and are set as plain text, white space and all.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

import streamlit as st

from ui.formats import visible
from ui.look import PART_STYLE


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


_FRAME = """<section class="part"><h2 class="label"></h2><p class="empty small quiet" hidden></p>
<div class="cards"></div></section>"""

_STYLE = (
    PART_STYLE
    + """
.label { padding: .1rem 0 .35rem; }
.cards { display: grid; gap: .4rem; }
.card { border: 1px solid var(--ad-line); border-radius: 8px; background: var(--ad-page); }
.top { padding: .35rem .6rem .3rem; display: grid; grid-template-columns: auto 1fr; gap: 0 .5rem; list-style: none;
  border-radius: 8px; align-items: baseline; }
summary.top { cursor: pointer; }
summary::-webkit-details-marker { display: none; }
.mark { color: var(--ad-accent); background: var(--ad-accent-soft); border-radius: 4px; min-width: 1.5rem;
  padding: 0 .35rem; text-align: center; font-weight: 600; font-size: .75rem; line-height: 1.4rem;
  white-space: nowrap; }
.mark.good { color: var(--ad-good); background: var(--ad-good-soft); }
.mark.warning { color: var(--ad-warn); background: var(--ad-warn-soft); }
.mark.bad { color: var(--ad-error); background: var(--ad-error-soft); }
.title { font-weight: 600; font-size: .875rem; }
.notes { grid-column: 2; font-size: .78rem; color: var(--ad-quiet); display: flex; flex-wrap: wrap; gap: 0 .8rem; }
.note.good { color: var(--ad-good); font-weight: 600; }
.note.warning { color: var(--ad-warn); font-weight: 600; }
.note.bad { color: var(--ad-error); font-weight: 600; }
.lines { padding: .1rem .6rem .55rem; font-size: .8125rem; display: grid; gap: 1px; line-height: 1.5; }
.line { white-space: pre-wrap; padding: .05rem .3rem; border-radius: 3px; }
.line.came { background: var(--ad-good-soft); }
.line.gone { background: var(--ad-error-soft); }
.line .sign { display: inline-block; width: 1rem; font-weight: 700; user-select: none; }
.came .sign { color: var(--ad-good); }
.gone .sign { color: var(--ad-error); }
"""
)

_SCRIPT = r"""
function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
function line(data, lang) {
  const kind = { "+": " came", "-": " gone" }[data.sign] ?? "";
  const node = element("div", "line" + kind + (data.quiet ? " quiet" : ""));
  if (data.lang) node.lang = data.lang;
  else if (!data.quiet && lang) node.lang = lang;
  node.translate = data.quiet && !data.lang && !data.name; // a document's own words, or a customer's, or a file's name
  if (data.sign) node.append(element("span", "sign", data.sign === "-" ? "−" : "+"));
  node.append(data.text);
  return node;
}
function card(data) {
  const opens = data.lines.length > 0;
  const node = element(opens ? "details" : "div", "card");
  const top = node.appendChild(element(opens ? "summary" : "div", "top"));
  top.append(element("span", "mark " + data.tone, data.mark));
  const title = top.appendChild(element("span", "title", data.title));
  if (data.lang) title.lang = data.lang;
  else title.translate = false;
  if (data.notes.length) {
    const notes = top.appendChild(element("span", "notes"));
    notes.append(...data.notes.map((note) => {
      const words = element("span", "note " + note.tone, note.text);
      words.translate = !note.name;
      return words;
    }));
  }
  if (opens) {
    node.open = data.open;
    node.appendChild(element("div", "lines")).append(...data.lines.map((one) => line(one, data.lang)));
  }
  return node;
}
export default function ({ parentElement: root, data }) {
  const state = JSON.stringify(data);
  if (root.answerdeskDrawn === state) return; // drawn again as it was: what was opened stays open
  root.answerdeskDrawn = state;
  root.querySelector(".label").textContent = data.heading;
  root.querySelector(".label").hidden = !data.heading;
  const empty = root.querySelector(".empty");
  empty.hidden = data.cards.length > 0 || !data.empty;
  empty.textContent = data.empty;
  root.querySelector(".cards").replaceChildren(...data.cards.map(card));
}
"""


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.text_cards", html=_FRAME, css=_STYLE, js=_SCRIPT)


def draw_cards(key: str, cards: Sequence[Card], *, heading: str = "", empty: str = "") -> None:
    """Draw the cards below each other; ``empty`` is said where there are none."""
    _component()(key=key, data={"cards": [visible(asdict(card)) for card in cards], "heading": heading, "empty": empty})
