"""The earlier questions, in the sidebar."""

import streamlit as st

from rag.translate import translate
from rag.turns import TurnState, TurnSummary
from ui.components.choice_list import Choice, draw_choices
from ui.formats import format_clock
from ui.session import PageContext, current_turn, show_turn

_ROWS_AT_A_TIME = 30
_TONES: dict[TurnState, str] = {"done": "good", "refused": "warning", "failed": "bad", "stopped": "stopped"}


def draw_history(context: PageContext) -> None:
    """Draw the list, newest first, with a button above it that starts anew."""
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
        note=format_clock(row.asked_at.astimezone(context.reading.zone), context.reading.now, context.language),
        tone=_TONES.get(row.state, "running"),
        tone_words=translate(f"ui.{state}", context.language),
    )


def _start_anew() -> None:
    show_turn("")


def _show_more() -> None:
    limit = int(st.session_state.get("history_limit", _ROWS_AT_A_TIME))
    st.session_state["history_limit"] = limit + _ROWS_AT_A_TIME
