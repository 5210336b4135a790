"""Feedback on an answer: the agent's opinion, its outcome, and a correction.

Nothing here is a dialog: reasons and the correction open below the answer, and everything else can go on.
"""

from typing import get_args

import streamlit as st

from rag.errors import CuratedUnusable
from rag.retrieval.message import read_message
from rag.reuse.curated import Place
from rag.schema import Evidence
from rag.storage.turn_store import FeedbackReason, Opinion
from rag.translate import translate
from rag.turns import TurnSnapshot
from ui.blocks import plain_text
from ui.browser import component
from ui.components.job_view import show_failure
from ui.formats import as_markdown
from ui.session import PageContext
from ui.turn_data import Data

_CORRECTING, _CORRECTED = "correcting", "corrected"
_QUESTION_PIXELS = 130
"""Three lines of a question; a mail is scrolled, or the field drawn larger."""


def draw_feedback(context: PageContext, snapshot: TurnSnapshot) -> None:
    """Draw the thumbs and the way to a correction, once a turn has ended."""
    if not snapshot.final or (snapshot.answer is None and not snapshot.evidence):
        return
    language, turn_id = context.language, snapshot.turn_id
    answered = snapshot.state == "done"
    opinion = context.services.turns.opinion(turn_id) if answered else None
    with st.container(key="feedback"):
        with st.container(key="feedback_row", horizontal=True, vertical_alignment="center"):
            if answered:
                _draw_thumb(context, turn_id, opinion, useful=True)
                _draw_thumb(context, turn_id, opinion, useful=False)
            label = translate("ui.correct" if answered else "ui.write_answer", language)
            st.button(label, key="correct", shortcut="alt+k", on_click=_open_correction, args=(turn_id,))
        if opinion is not None and not opinion.useful:
            _draw_reasons(context, turn_id, opinion)
        if st.session_state.get(_CORRECTING) == turn_id:
            _draw_correction(context, snapshot)
        _draw_drafts(turn_id)
        corrected = st.session_state.get(_CORRECTED)
        if corrected is not None and corrected[0] == turn_id:
            st.success(translate(f"ui.corrected_{corrected[1]}", language))


def record_use(context: PageContext, left: Data) -> None:
    """Record that the reply editor's text was copied; ``left`` is ``draw_reply``'s value."""
    turn_id, changed = str(left["turn"]), float(str(left["changed"]))
    if left["mode"] == "handoff":
        context.services.turns.record_outcome(turn_id, "handed_over")
    else:
        context.services.turns.record_outcome(turn_id, "edited" if changed else "copied", min(1.0, max(0.0, changed)))


def record_discarded(context: PageContext, snapshot: TurnSnapshot) -> None:
    """Record that an answer was probably not used: another one was asked for."""
    if snapshot.state == "done":
        context.services.turns.record_outcome(snapshot.turn_id, "discarded")


def _draw_thumb(context: PageContext, turn_id: str, opinion: Opinion | None, *, useful: bool) -> None:
    name = "useful" if useful else "not_useful"
    st.button(
        translate(f"ui.{name}", context.language),
        key=name,
        icon=":material/thumb_up:" if useful else ":material/thumb_down:",
        shortcut="alt+u" if useful else "alt+b",
        type="primary" if opinion is not None and opinion.useful is useful else "secondary",
        on_click=_judge,
        args=(context, turn_id, useful),
    )


def _judge(context: PageContext, turn_id: str, useful: bool) -> None:
    context.services.turns.judge(turn_id, useful=useful)


def _draw_reasons(context: PageContext, turn_id: str, opinion: Opinion) -> None:
    key = f"reason {turn_id}"
    st.session_state.setdefault(key, opinion.reason)
    st.pills(
        translate("ui.not_useful_why", context.language),
        list(get_args(FeedbackReason)),
        format_func=lambda reason: translate(f"ui.reason_{reason}", context.language),
        key=key,
        on_change=_give_reason,
        args=(context, turn_id, key),
    )


def _give_reason(context: PageContext, turn_id: str, key: str) -> None:
    context.services.turns.judge(turn_id, useful=False, reason=st.session_state.get(key))


def _open_correction(turn_id: str) -> None:
    st.session_state[_CORRECTING] = turn_id
    st.session_state.pop(_CORRECTED, None)


def _close_correction() -> None:
    turn_id = st.session_state.pop(_CORRECTING, None)
    st.session_state[_attempt_key(turn_id)] = _attempt(turn_id) + 1


def _attempt(turn_id: str | None) -> int:
    """Return how many corrections of a turn have ended in this window: the next one has fields of its own."""
    return int(st.session_state.get(_attempt_key(turn_id), 0))


def _attempt_key(turn_id: str | None) -> str:
    return f"corrections of {turn_id}"


def _draw_drafts(turn_id: str) -> None:
    """Let the browser put the agent's reply, or a half-written correction, into the form, and forget ended ones."""
    data = {"turn": turn_id, "attempt": _attempt(turn_id)}
    with st.container(key="drafts"):
        component("correction_drafts")(key="correction_drafts", data=data, height=1)


def _draw_correction(context: PageContext, snapshot: TurnSnapshot) -> None:
    """Draw the form: the question without the customer's name, the answer, what it rests on, and what saving does.

    Where the agent changed the reply, or has begun the correction already, the browser puts these words in instead.
    """
    language, turn_id = context.language, snapshot.turn_id
    passages = {passage.number: passage for passage in snapshot.evidence}
    answered, attempt = snapshot.answer is not None and not snapshot.answer.refused, _attempt(turn_id)
    with st.form(f"correction {turn_id}", border=True):
        question = st.text_area(
            translate("ui.correct_question", language),
            read_message(snapshot.question).text,
            height=_QUESTION_PIXELS,
            max_chars=20_000,
            key=f"correct_question {turn_id} {attempt}",
        )
        answer = st.text_area(
            translate("ui.correct_answer", language),
            plain_text(snapshot.text) if answered else "",
            height=150,
            max_chars=20_000,
            key=f"correct_answer {turn_id} {attempt}",
        )
        numbers = st.pills(
            translate("ui.correct_sources", language),
            list(passages),
            selection_mode="multi",
            default=_cited_numbers(snapshot) if answered else [],
            format_func=lambda number: as_markdown(f"{number} · {passages[number].title}"),
            key=f"correct_sources {turn_id} {attempt}",
        )
        waits = context.services.corrections.waits_for_review(snapshot.knowledge_base)
        st.markdown(translate("ui.correct_waits" if waits else "ui.correct_serves", language))
        with st.container(horizontal=True):
            saved = st.form_submit_button(translate("ui.correct_save", language), type="primary", key="correct_save")
            left = st.form_submit_button(translate("ui.correct_leave", language), key="correct_leave")
    if left:
        _close_correction()
        st.rerun()
    if saved:
        _save(context, snapshot, question, answer, [passages[number] for number in numbers])


def _save(context: PageContext, snapshot: TurnSnapshot, question: str, answer: str, passages: list[Evidence]) -> None:
    sources = [Place(passage.document_id, passage.start, passage.end) for passage in passages]
    try:
        kept = context.services.corrections.write(snapshot.knowledge_base, question, answer, sources)
    except CuratedUnusable as error:
        show_failure(error, context.language)
        return
    st.session_state[_CORRECTED] = (snapshot.turn_id, kept.state)
    _close_correction()
    st.rerun()


def _cited_numbers(snapshot: TurnSnapshot) -> list[int]:
    cited = [] if snapshot.answer is None else snapshot.answer.citations
    return [
        passage.number
        for passage in snapshot.evidence
        if any(
            citation.document_id == passage.document_id and passage.start <= citation.quote_start < passage.end
            for citation in cited
        )
    ]
