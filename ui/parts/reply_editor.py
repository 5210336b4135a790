"""The text that leaves the desk.  It is copied in the browser, from what the agent sees, and kept there until then.

``navigator.clipboard`` is missing where the page is not on localhost or https, so the copy falls back to
``execCommand``, and where that fails, too, the text is selected and the agent told to press Ctrl+C.
"""

from collections.abc import Callable
from functools import cache

import streamlit as st

from rag.schema import Language
from ui.i18n import template
from ui.parts.look import PART_STYLE
from ui.turn_data import Data

_WORDS = (
    "reply_label",
    "copy",
    "copy_with_sources",
    "copied",
    "copy_failed",
    "restore",
    "handoff_label",
    "handoff_copy",
)

_FRAME = """
<section class="part editor">
  <div class="head"><h2 class="label"></h2><span class="said small" role="status"></span></div>
  <textarea rows="4" spellcheck="false"></textarea>
  <div class="row">
    <button type="button" class="button first copy"><span></span><kbd></kbd></button>
    <button type="button" class="button with-sources"><span></span><kbd></kbd></button>
    <button type="button" class="button restore" hidden></button>
  </div>
</section>
"""

_STYLE = (
    PART_STYLE
    + """
.editor { border-top: 1px solid var(--ad-line); padding-top: .6rem; margin-top: .2rem; }
.head { display: flex; gap: .6rem; align-items: baseline; padding-bottom: .3rem; }
.said { color: var(--ad-good); font-weight: 600; }
.said.failed { color: var(--ad-error); }
textarea { display: block; width: 100%; font: inherit; color: inherit; background: var(--ad-page);
  border: 1px solid var(--ad-border); border-radius: 6px; padding: .5rem .65rem; resize: vertical; min-height: 5rem;
  max-height: 45vh; field-sizing: content; }
textarea:focus { outline: 2px solid var(--ad-accent); outline-offset: 0; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; padding: .5rem 0; position: sticky; bottom: -1rem;
  background: var(--ad-page); }
"""
)

_SCRIPT = r"""
function byCommand(text) { // works without a secure context
  const area = document.createElement("textarea");
  area.value = text;
  area.style.cssText = "position:fixed;top:0;left:0;opacity:0";
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  let done = false;
  try { done = document.execCommand("copy"); } finally { area.remove(); }
  if (before && before.focus) before.focus();
  return done;
}
async function copied(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try { await navigator.clipboard.writeText(text); return true; } catch (refused) { /* the other way is next */ }
  }
  return byCommand(text);
}

class Editor {
  constructor(root) {
    this.root = root;
    this.at = (name) => root.querySelector("." + name);
    this.area = root.querySelector("textarea");
    this.area.addEventListener("input", () => this.keep());
    this.at("copy").addEventListener("click", () => this.copy(false));
    this.at("with-sources").addEventListener("click", () => this.copy(true));
    this.at("restore").addEventListener("click", () => this.put(this.data.text));
    this.onKey = (event) => this.key(event.detail.key);
    this.onRemove = (event) => this.remove(event.detail);
    this.onUse = (event) => this.use(event.detail);
    document.addEventListener("answerdesk:key", this.onKey);
    document.addEventListener("answerdesk:remove", this.onRemove);
    document.addEventListener("answerdesk:use", this.onUse);
  }
  close() {
    document.removeEventListener("answerdesk:key", this.onKey);
    document.removeEventListener("answerdesk:remove", this.onRemove);
    document.removeEventListener("answerdesk:use", this.onUse);
  }

  draw(data) {
    const same = this.data && this.data.turn === data.turn && this.data.mode === data.mode;
    const untouched = same && this.area.value === this.data.text;
    this.data = data;
    const words = data.words;
    const reply = data.mode === "reply";
    this.at("label").textContent = data.heading;
    this.area.setAttribute("aria-label", reply ? words.reply_label : words.handoff_label);
    this.area.lang = data.lang;
    this.at("copy").querySelector("span").textContent = reply ? words.copy : words.handoff_copy;
    this.at("copy").querySelector("kbd").textContent = reply ? "Alt+P" : "Alt+H";
    this.at("with-sources").hidden = !data.sources;
    this.at("with-sources").querySelector("span").textContent = words.copy_with_sources;
    this.at("with-sources").querySelector("kbd").textContent = "Alt+I";
    this.at("restore").textContent = words.restore;
    if (!same) this.say("", true);
    if (!same || untouched) this.put(this.kept() ?? data.text);
    this.at("editor").dataset.turn = data.turn;
    this.at("editor").hidden = !data.text && !this.area.value; // nothing to send yet
  }

  place() { return `answerdesk:${this.data.mode}:${this.data.turn}`; }
  kept() { return this.data.mode === "reply" ? sessionStorage.getItem(this.place()) : null; }
  put(text) { this.area.value = text; this.keep(); }
  keep() {
    const changed = this.area.value !== this.data.text;
    this.at("restore").hidden = !changed;
    if (this.data.mode !== "reply") return;
    if (changed) sessionStorage.setItem(this.place(), this.area.value);
    else sessionStorage.removeItem(this.place());
  }

  async copy(withSources) {
    this.say("", true); // what is said twice is heard twice
    const text = this.area.value + (withSources && this.data.sources ? "\n\n" + this.data.sources : "");
    if (await copied(text)) {
      this.say(this.data.words.copied, true);
      this.left();
    } else {
      this.area.focus();
      this.area.select();
      this.say(this.data.words.copy_failed, false);
    }
  }
  left() { // tell what became of the answer: handed over, or how much of it the agent wrote anew
    const [before, after] = [this.data.text, this.area.value];
    const most = Math.max(before.length, after.length);
    let same = 0;
    while (same < most && before[same] === after[same]) same++;
    let tail = 0;
    const room = Math.min(before.length, after.length) - same;
    while (tail < room && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
    const changed = before === after ? 0 : Math.min(1, Math.max(1 - (same + tail) / most, 1 / most));
    this.tell("left", { turn: this.data.turn, mode: this.data.mode, changed });
  }
  say(text, done) {
    const said = this.at("said");
    said.textContent = text;
    said.classList.toggle("failed", !done);
  }

  key(key) {
    if (key === "reply") this.area.focus();
    if (key === "copy" && this.data.mode === "reply") this.copy(false);
    if (key === "sources" && this.data.sources) this.copy(true);
    if (key === "handoff" && this.data.mode === "handoff") this.copy(false);
  }
  use({ turn, text }) { // beside what the agent wrote; in place of an answer that was only put there
    if (turn !== this.data.turn || this.data.mode !== "reply") return;
    const written = this.area.value === this.data.text ? "" : this.area.value.trimEnd();
    if (!written.includes(text)) this.put(written ? written + "\n\n" + text : text);
    this.at("editor").hidden = false;
    this.area.focus();
  }
  remove({ turn, text }) {
    if (turn !== this.data.turn || !this.area.value.includes(text)) return;
    this.put(this.area.value.replace(text, "").replace(/[ \t]{2,}/g, " ").replace(/\n{3,}/g, "\n\n").trim());
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const view = (parentElement.answerdeskView ??= new Editor(parentElement));
  view.tell = setTriggerValue;
  view.draw(data);
  return () => setTimeout(() => { // a superseded draw is cleaned up, too: only a view that is gone is closed
    if (parentElement.isConnected) return;
    view.close();
    delete parentElement.answerdeskView;
  });
}
"""


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.reply_editor", html=_FRAME, css=_STYLE, js=_SCRIPT)


def draw_reply(data: Data, language: Language, on_left: Callable[[Data], None]) -> None:
    """Draw the editor; ``data`` is ``ui.reply_text.reply_data``'s.

    ``on_left`` is called before the next run when its text was copied, with ``turn``, ``mode`` (reply or handoff) and
    ``changed``, the share in [0, 1] of the text that the agent changed.
    """
    words = {name: template(name, language) for name in _WORDS}

    def told() -> None:
        left = st.session_state.get("reply_editor", {}).get("left")
        if left is not None:
            on_left(dict(left))

    _component()(key="reply_editor", data={**data, "words": words}, on_left_change=told)
