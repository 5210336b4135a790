"""The answer as it comes, and afterwards with its citations and marks; at its head the line that says what happens.

``answer_view`` is drawn by the page; what changes while a turn runs reaches it by a browser event of
``ui/components/turn_socket.py``, without a run of the page.  While an answer streams, only its new tail is appended, as
text: a selection survives, and nothing that a model wrote is ever read as markup.
"""

from collections.abc import Callable
from functools import cache

import streamlit as st

from rag.schema import Language
from rag.translate import template
from ui.components.answer_script import ANSWER_SCRIPT
from ui.formats import visible
from ui.look import PART_STYLE, SKELETON_STYLE
from ui.turn_data import Data

_WORDS = (
    "searching",
    "queued",
    "queued_unknown",
    "reading",
    "thinking",
    "answering",
    "thought",
    "no_support",
    "unconfirmed",
    "best_match",
    "use_this",
    "remove",
    "seconds",
    "milliseconds",
    "read_meanwhile",
    "times",
    "answer",
    "evidence_count",
    "stage_search",
    "stage_wait",
    "stage_prompt",
    "stage_thinking",
    "stage_answer",
)

_FRAME = """
<section class="part view" aria-label="">
  <div class="asked">
    <span class="clock small quiet"></span><p class="question"></p><span class="verdict" hidden></span>
  </div>
  <div class="status" role="status"></div>
  <p class="notice" hidden></p>
  <div class="best" hidden>
    <div class="best-head small"><span class="best-label"></span><button type="button" class="origin"></button>
      <button type="button" class="button use"></button></div>
    <p class="best-text" tabindex="0"></p>
  </div>
  <details class="thought" hidden><summary class="small"></summary><div class="thought-text small"></div></details>
  <div class="answer"></div>
  <p class="meanwhile quiet" hidden></p>
  <div class="skeleton" hidden><i></i><i></i><i></i></div>
  <div class="foot small quiet" hidden></div>
</section>
"""

_STYLE = (
    PART_STYLE
    + SKELETON_STYLE
    + """
.asked { display: flex; gap: .6rem; align-items: baseline; }
.question { flex: 1; font-weight: 600; white-space: pre-wrap; max-height: 6.4rem; overflow-y: auto; }
.verdict { font-size: .8125rem; font-weight: 600; padding: .05rem .55rem; border-radius: 999px; white-space: nowrap; }
.good { color: var(--ad-good); background: var(--ad-good-soft); }
.warning { color: var(--ad-warn); background: var(--ad-warn-soft); }
.bad { color: var(--ad-error); background: var(--ad-error-soft); }
.status { display: flex; flex-wrap: wrap; gap: .1rem 0; font-size: .8125rem; color: var(--ad-quiet);
  padding: .3rem 0 .45rem; min-height: 2rem; border-bottom: 1px solid var(--ad-line); margin-bottom: .6rem;
  font-variant-numeric: tabular-nums; }
.status span:not(:last-child)::after { content: "›"; margin: 0 .45rem; opacity: .6; }
.status.none { min-height: 0; padding-top: 0; }
.status .now { color: var(--ad-accent); font-weight: 600; }
.status .total { color: var(--ad-text); font-weight: 600; }
.notice { padding: .45rem .7rem; border-radius: 6px; margin-bottom: .6rem; border-left: 3px solid var(--ad-accent);
  background: var(--ad-accent-soft); }
.notice.error { border-color: var(--ad-error); background: var(--ad-error-soft); color: var(--ad-text); }
.best { border: 1px solid var(--ad-line); border-radius: 6px; padding: .35rem .7rem .5rem; margin-bottom: .6rem; }
.best-head { display: flex; align-items: center; gap: .4rem; }
.best-label { font-weight: 600; color: var(--ad-quiet); }
.best-head .use { margin-left: auto; }
.best-text { white-space: pre-wrap; max-height: 8rem; overflow-y: auto; }
.best.beside .best-text { max-height: 3.3rem; }
.thought { margin-bottom: .5rem; color: var(--ad-quiet); }
.thought summary { cursor: pointer; min-height: 1.5rem; width: fit-content; }
.thought-text { white-space: pre-wrap; border-left: 2px solid var(--ad-line); padding: .1rem 0 .1rem .7rem;
  max-height: 12rem; overflow-y: auto; }
.answer { display: grid; gap: .55rem; }
.answer.live { display: block; white-space: pre-wrap; }
.answer ul, .answer ol { padding-left: 1.5rem; display: grid; gap: .2rem; }
.answer pre { white-space: pre-wrap; background: var(--ad-panel); padding: .5rem .7rem; border-radius: 6px; }
.answer pre[data-language]::before { content: attr(data-language); display: block; color: var(--ad-quiet);
  font-size: .8125rem; }
.answer code { background: var(--ad-panel); border-radius: 4px; padding: 0 .25rem; font-size: .9em; }
.unsupported { background: var(--ad-mark); color: var(--ad-mark-text); text-decoration: underline dashed;
  text-decoration-thickness: 1px; text-underline-offset: .2em; }
.cite, .origin { border: 1px solid transparent; background: var(--ad-accent-soft); color: var(--ad-accent);
  border-radius: 4px; padding: 0 .35rem; min-width: 1.5rem; min-height: 1.5rem; margin-left: .2rem; font-size: .8125rem;
  font-weight: 600; }
.cite:hover, .origin:hover { border-color: var(--ad-accent); }
.cite.doubtful { color: var(--ad-warn); background: var(--ad-warn-soft); }
.flag { font-size: .8125rem; color: var(--ad-warn); margin-left: .35rem; white-space: nowrap; }
.flag button { border: 0; background: none; text-decoration: underline; padding: 0 .3rem; min-height: 1.5rem; }
.foot { margin-top: .7rem; }
.stand-in { color: var(--ad-warn); font-weight: 600; }
"""
)


@cache
def _view() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.answer_view", html=_FRAME, css=_STYLE, js=ANSWER_SCRIPT)


def draw_answer(data: Data, language: Language) -> None:
    """Draw a turn; ``data`` is ``ui.turn_data.answer_data``'s, and ``fresh`` tells that it was asked in this tab."""
    words = {name: template(f"ui.{name}", language) for name in _WORDS}
    _view()(key="answer_view", data=visible({**data, "words": words}))
