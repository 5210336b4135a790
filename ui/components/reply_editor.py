"""The text that leaves the desk.  It is copied in the browser, from what the agent sees, and kept there until then.

``navigator.clipboard`` is missing where the page is not on localhost or https, so the copy falls back to
``execCommand``, and where that fails, too, the text is selected and the agent told to press Ctrl+C.
"""

from collections.abc import Callable
from functools import cache, partial

import streamlit as st

from rag.schema import Language
from rag.translate import template
from ui.components.reply_script import REPLY_SCRIPT
from ui.look import PART_STYLE
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
    "rewritten",
    "rewritten_meanwhile",
)

_FRAME = """
<section class="part editor">
  <div class="head"><h2 class="label"></h2><span class="said small" role="status"></span></div>
  <div class="row wishes" hidden>
    <button type="button" class="button small tone" aria-expanded="false"><span></span><kbd></kbd></button>
    <div class="tones" hidden>
      <button type="button" class="button small friendlier"><span></span><kbd></kbd></button>
      <button type="button" class="button small formal"><span></span><kbd></kbd></button>
    </div>
    <button type="button" class="button small shorter"><span></span><kbd></kbd></button>
    <button type="button" class="button small longer"><span></span><kbd></kbd></button>
    <button type="button" class="button small translate"><span></span><kbd></kbd></button>
    <button type="button" class="button small undo" hidden><span></span><kbd></kbd></button>
  </div>
  <div class="writing">
    <textarea rows="4" spellcheck="false"></textarea>
    <div class="row">
      <button type="button" class="button first copy"><span></span><kbd></kbd></button>
      <button type="button" class="button with-sources"><span></span><kbd></kbd></button>
      <button type="button" class="button restore" hidden></button>
    </div>
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
.wishes { position: static; padding: 0 0 .4rem; gap: .35rem; }
.wishes .button { min-height: 1.6rem; padding: .05rem .55rem; }
.wishes[hidden], .tones[hidden], .undo[hidden], .translate[hidden] { display: none; }
.tones { display: flex; gap: .35rem; padding: 0 .35rem; border-left: 2px solid var(--ad-accent); }
.button[aria-disabled="true"] { opacity: .55; cursor: default; }
kbd:empty { display: none; }
"""
)


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.reply_editor", html=_FRAME, css=_STYLE, js=REPLY_SCRIPT)


def draw_reply(
    data: Data,
    rewriting: Data | None,
    language: Language,
    on_left: Callable[[Data], None],
    on_rewrite: Callable[[Data], None],
) -> None:
    """Draw the editor; ``data`` comes from ``reply_text.reply_data``, ``rewriting`` from ``rewriting.rewriting_data``.

    ``on_left`` is called before the next run when its text was copied, with ``turn``, ``mode`` (reply or handoff) and
    ``changed``, the share in [0, 1] of the text that the agent changed; ``on_rewrite`` when the text is to be put into
    other words, with ``turn``, ``wish``, the ``text`` as it stands, and ``token``, the click's own.
    """
    words = {name: template(f"ui.{name}", language) for name in _WORDS}

    def told(name: str, call: Callable[[Data], None]) -> None:
        value = st.session_state.get("reply_editor", {}).get(name)
        if value is not None:
            call(dict(value))

    _component()(
        key="reply_editor",
        data={**data, "rewriting": rewriting, "words": words},
        on_left_change=partial(told, "left", on_left),
        on_rewrite_change=partial(told, "rewrite", on_rewrite),
    )
