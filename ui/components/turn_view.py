"""A turn in the browser: the answer as it comes, the passages, the reply editor, and the socket that feeds them.

The page draws them; what changes while a turn runs reaches them by browser events of the socket, without a run of the
page.  While an answer streams, only its new tail is appended, as text: a selection survives, and nothing that a model
wrote is ever read as markup.  A click on a citation is a browser event, too: the server is not asked, and nothing else
moves.
"""

from collections.abc import Callable, Mapping
from functools import partial

from rag.schema import Language
from rag.translate import template
from ui.browser import component, component_value
from ui.formats import visible
from ui.turn_data import Data

ANSWER_WORDS = (
    "searching", "queued", "queued_unknown", "reading", "thinking", "answering", "thought", "no_support", "unconfirmed",
    "best_match", "use_this", "show_all", "show_question", "remove", "seconds", "milliseconds", "read_meanwhile",
    "times", "answer", "evidence_count", "evidence_one",
    "stage_search", "stage_wait", "stage_prompt", "stage_thinking", "stage_answer",
)  # fmt: skip
EVIDENCE_WORDS = ("evidence", "evidence_count", "evidence_one", "empty_evidence", "none_found", "figure_close")
REPLY_WORDS = (
    "reply_label", "copy", "copy_with_sources", "copied", "copy_failed", "restore", "handoff_label", "handoff_copy",
    "rewritten", "rewritten_meanwhile", "unconfirmed",
)  # fmt: skip

NO_EVIDENCE: Data = {"turn": "", "searching": False, "note": "", "passages": []}


def draw_answer(data: Data, language: Language) -> None:
    """Draw a turn; ``data`` is ``ui.turn_data.answer_data``'s, and ``fresh`` tells that it was asked in this tab."""
    component("answer_view")(key="answer_view", data=visible({**data, "words": _words(ANSWER_WORDS, language)}))


def draw_evidence(data: Data, language: Language, on_translate: Callable[[Data], None] = lambda asked: None) -> None:
    """Draw the passages; ``data`` is ``ui.turn_data.evidence_data``'s, or ``NO_EVIDENCE``.

    ``on_translate`` is called before the next run when somebody wants a passage in the page's language, or no longer,
    with ``turn``, ``number``, ``stop``, and ``token``, the click's own.
    """
    component("evidence_view")(
        key="evidence_view",
        data=visible({**data, "words": _words(EVIDENCE_WORDS, language)}),
        on_translate_change=partial(_forward_value, "evidence_view", "translate", on_translate),
    )


def draw_reply(
    data: Data,
    rewriting: Data,
    language: Language,
    on_left: Callable[[Data], None],
    on_rewrite: Callable[[Data], None],
) -> None:
    """Draw the editor; ``data`` is ``ui.turn_data.reply_data``'s, ``rewriting`` that of ``rewriting.rewriting_data``.

    ``on_left`` is called before the next run when its text was copied, with ``turn``, ``mode`` (reply or handoff) and
    ``changed``, the share in [0, 1] of the text that the agent changed; ``on_rewrite`` when the text is to be
    rewritten, with ``turn``, ``wish``, the ``text`` as it stands, and ``token``, the click's own.

    The text is copied in the browser, from what the agent sees, and kept there until then.  ``navigator.clipboard`` is
    missing where the page is not on localhost or https, so the copy falls back to ``execCommand``, and where that
    fails, too, the text is selected and the agent told to press Ctrl+C.
    """
    component("reply_editor")(
        key="reply_editor",
        data={**data, "rewriting": rewriting, "words": _words(REPLY_WORDS, language)},
        on_left_change=partial(_forward_value, "reply_editor", "left", on_left),
        on_rewrite_change=partial(_forward_value, "reply_editor", "rewrite", on_rewrite),
    )


def draw_socket(path: str, tab: str, turn_id: str, *, final: bool, found: bool) -> None:
    """Hear of ``turn_id`` at ``path`` under the token ``tab`` (``ui/turn_feed.py``).

    The page runs again when it shows too little of the turn: ``final`` and ``found`` tell whether this run draws the
    turn's end, and its passages.
    """
    data = {"path": path, "tab": tab, "turn": turn_id, "final": final, "found": found}
    component("turn_socket")(key="turn_socket", data=data, height=1, on_redraw_change=_run_again)


def _run_again() -> None:
    """Do nothing: the rerun is all that is wanted."""


def _forward_value(key: str, name: str, call: Callable[[Data], None]) -> None:
    """Call with the value that the browser sent under this name, if any."""
    value = component_value(key, name)
    if isinstance(value, Mapping):
        call(dict(value))


def _words(names: tuple[str, ...], language: Language) -> dict[str, str]:
    return {name: template(f"ui.{name}", language) for name in names}
