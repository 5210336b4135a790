"""The passages, with the stretches marked that the answer rests on.

A click on a citation reaches this part as a browser event, so the server is not asked and nothing else moves.
"""

from collections.abc import Callable
from functools import cache

import streamlit as st

from rag.schema import Language
from rag.translate import template
from ui.components.mounting import MOUNTING
from ui.formats import visible
from ui.look import PART_STYLE, SKELETON_STYLE
from ui.turn_data import Data

_WORDS = ("evidence", "evidence_count", "empty_evidence", "none_found", "nearest")

_FRAME = """
<section class="part evidence">
  <div class="head"><h2 class="label"></h2><span class="count small quiet"></span><span class="note small"></span></div>
  <p class="empty quiet" hidden></p>
  <div class="skeleton" hidden><i></i><i></i><i></i><i></i><i></i></div>
  <div class="cards"></div>
</section>
"""

_STYLE = (
    PART_STYLE
    + SKELETON_STYLE
    + """
.head { display: flex; gap: .6rem; align-items: baseline; padding: .2rem 0 .4rem; }
.note { color: var(--ad-warn); font-weight: 600; }
.empty { padding: .4rem 0; }
.cards { display: grid; gap: .5rem; }
.card { border: 1px solid var(--ad-line); border-radius: 8px; background: var(--ad-page); }
.card.active { border-color: var(--ad-accent); box-shadow: 0 0 0 1px var(--ad-accent); }
.card > summary { cursor: pointer; padding: .4rem .65rem .3rem; display: grid; grid-template-columns: auto 1fr;
  gap: 0 .5rem; list-style: none; border-radius: 8px; }
.card > summary::-webkit-details-marker { display: none; }
.number { color: var(--ad-accent); background: var(--ad-accent-soft); border-radius: 4px; min-width: 1.5rem;
  text-align: center; font-weight: 600; font-size: .8125rem; height: 1.5rem; line-height: 1.5rem; }
.title { font-weight: 600; font-size: .9375rem; }
.headings { color: var(--ad-quiet); font-weight: 400; }
.meta { grid-column: 2; min-height: 1.25rem; font-size: .8125rem; color: var(--ad-quiet); display: flex;
  flex-wrap: wrap; gap: 0 .7rem; }
.internal { color: var(--ad-error); font-weight: 600; }
.expired { color: var(--ad-warn); font-weight: 600; }
.conflict { grid-column: 2; font-size: .8125rem; color: var(--ad-warn); font-weight: 600; }
.cited { color: var(--ad-accent); }
.passage { padding: .1rem .65rem .65rem; font-size: .875rem; color: var(--ad-quiet); display: grid; gap: .4rem;
  overflow-x: auto; }
.passage .focus { color: var(--ad-text); }
.passage p, td, th { white-space: pre-wrap; }
.translation { margin: 0 .65rem .55rem; font-size: .875rem; border-top: 1px dashed var(--ad-line);
  padding-top: .25rem; }
.translation summary { cursor: pointer; color: var(--ad-accent); min-height: 1.5rem; width: fit-content; }
.translation .text { white-space: pre-wrap; background: var(--ad-panel); border-radius: 6px; padding: .4rem .6rem; }
.translation .note { font-size: .8125rem; font-weight: 400; padding: .2rem 0; }
.translation .button { margin-top: .2rem; }
h3.heading { font-size: .875rem; font-weight: 600; }
.item { padding-left: 1.2rem; position: relative; }
.item + .item { margin-top: -.25rem; }
.item .marker { position: absolute; left: 0; min-width: .9rem; text-align: right; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { border: 1px solid var(--ad-line); padding: .15rem .45rem; text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
th { font-weight: 600; background: var(--ad-panel); }
mark { background: var(--ad-mark); color: var(--ad-mark-text); border-radius: 2px; padding: .05em 0; }
mark.active { outline: 2px solid var(--ad-accent); outline-offset: 1px; }
"""
)

_SCRIPT = (
    MOUNTING
    + r"""
function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

class Evidence {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.onCite = (event) => this.cite(event.detail);
    this.unfolded = new Set(); // the passages whose translation is open
    this.onKey = (event) => {
      if (event.detail.key === "passage") this.next(1);
      if (event.detail.key === "translate") this.unfold();
    };
    this.onEvidence = (event) => { // on its way before the page is drawn with it
      if (this.data) this.draw({ ...event.detail, words: this.data.words });
    };
    document.addEventListener("answerdesk:cite", this.onCite);
    document.addEventListener("answerdesk:key", this.onKey);
    document.addEventListener("answerdesk:evidence", this.onEvidence);
    this.at("cards").addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      this.next(event.key === "ArrowDown" ? 1 : -1);
    });
  }
  close() {
    document.removeEventListener("answerdesk:cite", this.onCite);
    document.removeEventListener("answerdesk:key", this.onKey);
    document.removeEventListener("answerdesk:evidence", this.onEvidence);
  }

  draw(data) {
    const told = window.answerdesk?.evidence;
    if (data.searching && told?.turn === data.turn) data = { ...told, words: data.words };
    const whole = JSON.stringify(data);
    if (whole === this.whole) return;
    this.whole = whole;
    const words = data.words;
    const closed = this.data && this.data.turn === data.turn
      ? new Set([...this.root.querySelectorAll(".card:not([open])")].map((card) => card.dataset.number)) : null;
    if (!closed) this.unfolded.clear();
    this.data = data;
    this.at("label").textContent = words.evidence;
    this.at("count").textContent = data.passages.length
      ? words.evidence_count.replace("{count}", data.passages.length) : "";
    this.at("note").textContent = data.note;
    this.at("skeleton").hidden = !data.searching;
    const empty = this.at("empty");
    empty.hidden = data.searching || data.passages.length > 0;
    empty.textContent = data.turn ? words.none_found : words.empty_evidence;
    const narrow = window.matchMedia("(max-width: 900px)").matches;
    this.at("cards").replaceChildren(...data.passages.map((passage, index) => {
      const card = this.card(passage);
      card.open = closed && closed.size < data.passages.length
        ? !closed.has(String(passage.number)) : !narrow || index < 3;
      return card;
    }));
    this.at("evidence").dataset.turn = data.turn;
    this.at("evidence").dataset.passages = data.passages.length;
  }

  card(passage) {
    const card = element("details", "card");
    card.dataset.number = passage.number;
    const summary = card.appendChild(element("summary"));
    summary.append(element("span", "number", String(passage.number)));
    const title = summary.appendChild(element("span", "title", passage.title));
    title.lang = passage.lang;
    if (passage.headings) title.append(" ", element("span", "headings", "› " + passage.headings));
    const meta = summary.appendChild(element("span", "meta"));
    for (const name of ["internal", "expired", "date", "cited"]) {
      if (passage[name]) meta.append(element("span", name, passage[name]));
    }
    for (const line of passage.conflicts) summary.append(element("span", "conflict", line));
    const text = card.appendChild(element("div", "passage"));
    text.lang = passage.lang;
    text.append(...passage.blocks.map((block) => this.block(block)));
    if (passage.translation) card.append(this.translation(passage));
    return card;
  }

  translation({ number, translation }) { // folded, and marked as what it is; the original above it stays
    const part = element("details", "translation");
    part.dataset.state = translation.state;
    part.open = this.unfolded.has(number);
    part.append(element("summary", "", translation.label));
    if (translation.text) {
      const text = part.appendChild(element("p", "text", translation.text));
      text.lang = document.documentElement.lang;
    }
    if (translation.note) part.append(element("p", "note", translation.note));
    const words = { running: translation.stop, failed: translation.again }[translation.state];
    if (words) {
      const button = part.appendChild(element("button", "button small", words));
      button.type = "button";
      button.addEventListener("click", () => this.translate(number, translation.state === "running"));
    }
    part.addEventListener("toggle", () => {
      if (part.open === this.unfolded.has(number)) return;
      if (part.open) this.unfolded.add(number); else this.unfolded.delete(number);
      if (part.open && translation.state === "none") this.translate(number, false);
    });
    return part;
  }
  translate(number, stop) {
    this.tell("translate", { turn: this.data.turn, number, stop, token: `${Date.now()} ${Math.random()}` });
  }
  unfold() { // the translation of the passage that has the focus
    const card = (this.root.activeElement ?? null)?.closest(".card");
    const part = card?.querySelector(".translation");
    if (!part) return;
    card.open = true;
    part.open = true;
    part.scrollIntoView({ block: "nearest" });
  }

  block(block) {
    if (block.kind !== "table") {
      const node = element(block.kind === "heading" ? "h3" : "p", block.kind);
      if (block.marker) node.append(element("span", "marker", block.marker));
      return this.fill(node, block.rows[0][0]);
    }
    const table = element("table");
    block.rows.forEach((row, index) => {
      const line = table.appendChild(element("tr"));
      line.append(...row.map((cell) => this.fill(element(block.head && !index ? "th" : "td"), cell)));
    });
    return table;
  }

  fill(node, runs) {
    for (const [text, focus, sentences] of runs) {
      const run = node.appendChild(element(sentences.length ? "mark" : "span", focus ? "focus" : "", text));
      if (sentences.length) run.dataset.sentences = sentences.join(" ");
    }
    return node;
  }

  cite({ turn, number, sentence }) {
    if (!this.data || turn !== this.data.turn) return;
    const card = this.root.querySelector(`.card[data-number="${number}"]`);
    if (!card) return;
    for (const old of this.root.querySelectorAll(".active")) old.classList.remove("active");
    card.open = true;
    card.classList.add("active");
    const marks = [...card.querySelectorAll("mark")].filter(
      (mark) => mark.dataset.sentences.split(" ").includes(String(sentence)));
    for (const mark of marks) mark.classList.add("active");
    this.show(marks[0] ?? card, card);
  }

  next(step) {
    const summaries = [...this.root.querySelectorAll(".card > summary")];
    if (!summaries.length) return;
    const at = summaries.indexOf(this.root.activeElement ?? null);
    const card = summaries[(at + step + summaries.length) % summaries.length].parentElement;
    card.open = true;
    this.show(card, card);
  }

  show(node, card) {
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.querySelector("summary").focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }
}

export default mounting(Evidence);
"""
)

NO_EVIDENCE: Data = {"turn": "", "searching": False, "note": "", "passages": []}


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.evidence_view", html=_FRAME, css=_STYLE, js=_SCRIPT)


def draw_evidence(data: Data, language: Language, on_translate: Callable[[Data], None] = lambda asked: None) -> None:
    """Draw the passages; ``data`` is ``ui.turn_data.evidence_data``'s, or ``NO_EVIDENCE``.

    ``on_translate`` is called before the next run when somebody wants a passage in the page's language, or no longer,
    with ``turn``, ``number``, ``stop``, and ``token``, the click's own.
    """
    words = {name: template(f"ui.{name}", language) for name in _WORDS}

    def told() -> None:
        asked = st.session_state.get("evidence_view", {}).get("translate")
        if asked is not None:
            on_translate(dict(asked))

    _component()(key="evidence_view", data=visible({**data, "words": words}), on_translate_change=told)
