"""The desk: from a customer's words to a reply that the agent dares to send, and the history in the sidebar."""

from functools import partial

import streamlit as st

from rag.errors import AccessDenied, TurnMissing
from rag.translate import translate
from rag.turns import TurnSnapshot, TurnState, TurnSummary
from ui.components.content import Choice, draw_choices, two_panes
from ui.components.turn_view import NO_EVIDENCE, draw_answer, draw_evidence, draw_reply, draw_socket
from ui.session import PageContext, ask_token, current_turn, feed_token, show_turn
from ui.turn_data import answer_data, evidence_data, reply_data
from ui.turn_feed import FEED_PATH
from ui.views.desk.feedback import draw_feedback, record_use
from ui.views.desk.question import ask_attached, ask_topic, ask_with_picture, draw_picture, draw_question, feed_turn
from ui.views.desk.rewriting import begin_rewriting, begin_translation, draw_writings, rewriting_data, translation_data

_WAIT_FOR_EVIDENCE_SECONDS = 0.3
_ROWS_AT_A_TIME = 30
_TONES: dict[TurnState, str] = {"done": "good", "refused": "warning", "failed": "bad", "stopped": "stopped"}


def render(context: PageContext) -> None:
    """Draw the page: frame and slots first, then the turn that the address names."""
    ask_attached(context)
    snapshot, unseen = _turn(context)
    with st.container(key="desk"):
        left, right = two_panes(3, 2)
    with left:
        picture_slot = draw_question(context, snapshot)
        if snapshot is not None:
            fresh = st.session_state.get("asked_turn") == snapshot.turn_id
            draw_answer({**answer_data(snapshot, context.reading), "fresh": fresh}, context.language)
            reply = reply_data(snapshot, context.reading)
            if reply is not None:
                draw_reply(
                    reply,
                    rewriting_data(context, snapshot),
                    context.language,
                    partial(record_use, context),
                    partial(begin_rewriting, context, snapshot),
                )
            draw_writings(context, snapshot)
            draw_feedback(context, snapshot)
        else:
            _draw_empty(context, unseen)
    with right:
        _draw_evidence(context, snapshot)
    with picture_slot.container():
        draw_picture(context, partial(ask_with_picture, context))
    _follow(context, snapshot)


def _draw_evidence(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    if snapshot is None:
        draw_evidence(NO_EVIDENCE, context.language)
        return
    data = evidence_data(snapshot, context.language, translation_data(context, snapshot))
    draw_evidence(data, context.language, partial(begin_translation, context, snapshot))


def _turn(context: PageContext) -> tuple[TurnSnapshot | None, str]:
    """Return the turn to show, and the reason if it is not the one that the address names."""
    turn_id = current_turn()
    if not turn_id:
        return None, ""
    turns = context.services.turns
    try:
        if st.session_state.pop("just_asked", False):
            found = turns.wait(turn_id, _has_evidence, timeout_seconds=_WAIT_FOR_EVIDENCE_SECONDS)
            return found, ""
        return turns.snapshot(turn_id), ""
    except (TurnMissing, AccessDenied):  # one sentence, so that nobody learns which numbers there are
        return None, "turn_missing"


def _has_evidence(snapshot: TurnSnapshot) -> bool:
    return bool(snapshot.evidence)


def _draw_empty(context: PageContext, unseen: str) -> None:
    language = context.language
    if unseen:
        st.warning(translate(f"ui.{unseen}", language))
    if not context.services.knowledge_base:
        st.warning(translate("ui.no_scope", language))
        return
    if context.services.knowledge_state().published_at is None:
        st.warning(translate("ui.error_KnowledgeBaseMissing", language))
        return
    topics = context.services.topics(language)
    st.caption(translate("ui.empty_answer", language))
    if topics:
        draw_choices(
            "topics",
            [Choice(topic.title, topic.title, topic.language) for topic in topics],
            words=(translate("ui.examples", language), ""),
            look="chips",
            on_choose=partial(ask_topic, context, ask_token()),
        )


def _follow(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    """Let the browser follow a running turn; the page runs again when it has ended."""
    if snapshot is None or snapshot.final:
        feed_turn(context, None)
    else:
        feed_turn(context, snapshot.turn_id)
    with st.container(key="feed"):
        draw_socket(
            FEED_PATH,
            feed_token(),
            snapshot.turn_id if snapshot is not None else "",
            final=snapshot is not None and snapshot.final,
            found=snapshot is not None and bool(snapshot.evidence),
        )


def draw_history(context: PageContext) -> None:
    """Draw the list, newest first, below a button for a new conversation."""
    language = context.language
    limit = int(st.session_state.get("history_limit", _ROWS_AT_A_TIME))
    team = context.user.is_at_least("lead") and bool(st.session_state.get("history_team"))
    searched = str(st.session_state.get("history_search") or "").strip()
    rows = context.services.turns.history(limit=limit, team=team, containing=searched)
    st.button(
        translate("ui.new_question", language), key="new", shortcut="alt+n", width="stretch", on_click=_start_anew
    )
    _draw_search(context)
    draw_choices(
        "history",
        [_choice(context, row) for row in rows],
        words=(
            translate("ui.history", language),
            translate("ui.history_none_found" if searched else "ui.history_empty", language),
        ),
        look="rows",
        on_choose=show_turn,
        current=current_turn(),
    )
    if len(rows) == limit:
        st.button(translate("ui.history_more", language), key="history_more", type="tertiary", on_click=_show_more)


def _draw_search(context: PageContext) -> None:
    language = context.language
    if context.user.is_at_least("lead") and context.sign_in_required:
        st.toggle(translate("ui.history_team", language), key="history_team")
    st.text_input(
        translate("ui.history_search", language),
        key="history_search",
        max_chars=200,
        placeholder=translate("ui.history_search", language),
        label_visibility="collapsed",
    )


def _choice(context: PageContext, row: TurnSummary) -> Choice:
    state = "stage_wait" if row.state == "queued" else row.state
    return Choice(
        choice_id=row.turn_id,
        text=row.question,
        language=row.language,
        note=context.reading.clock(row.asked_at),
        tone=_TONES.get(row.state, "running"),
        tone_words=translate(f"ui.{state}", context.language),
    )


def _start_anew() -> None:
    show_turn("")


def _show_more() -> None:
    limit = int(st.session_state.get("history_limit", _ROWS_AT_A_TIME))
    st.session_state["history_limit"] = limit + _ROWS_AT_A_TIME
