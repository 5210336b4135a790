"""The desk: from a customer's words to a reply that the agent dares to send."""

from functools import partial

import streamlit as st

from rag.errors import AccessDenied, QuestionsTooFast, QuestionTooLong, TurnMissing
from rag.translate import translate
from rag.turns import TurnRequest, TurnSnapshot
from ui.ask_refusal import draw_refusal, forget_refusal, refuse
from ui.components.choice_list import Choice, chosen, draw_choices
from ui.components.turn_view import NO_EVIDENCE, draw_answer, draw_evidence, draw_reply, draw_socket
from ui.services.turn_feed import FEED_PATH, Followed
from ui.session import PageContext, ask_token, current_turn, feed_token, show_turn, tab_name, use_up_token
from ui.turn_data import answer_data, evidence_data, reply_data
from ui.views.desk.attachments import FILE_TYPES, LARGEST_MEGABYTES, attach, draw_attachment, take_attached
from ui.views.desk.feedback import draw_feedback, keep_discarded, keep_use
from ui.views.desk.rewriting import begin_rewriting, begin_translation, draw_writings, rewriting_data, translation_data

_WAIT_FOR_EVIDENCE_SECONDS = 0.3
_THINK = {"auto": None, "on": True, "off": False}


def render(context: PageContext) -> None:
    """Draw the page: frame and slots first, then the turn that the address names."""
    take_attached(context, partial(_ask_attached, context))
    snapshot, unseen = _turn(context)
    with st.container(key="desk"):
        left, right = st.columns([3, 2], gap=None)
    with left.container(key="left"):
        _draw_question(context, snapshot)
        if snapshot is not None:
            fresh = st.session_state.get("asked_turn") == snapshot.turn_id
            draw_answer({**answer_data(snapshot, context.reading), "fresh": fresh}, context.language)
            reply = reply_data(snapshot, context.reading)
            if reply is not None:
                draw_reply(
                    reply,
                    rewriting_data(context, snapshot),
                    context.language,
                    partial(keep_use, context),
                    partial(begin_rewriting, context, snapshot),
                )
            draw_writings(context, snapshot)
            draw_feedback(context, snapshot)
        else:
            _draw_empty(context, unseen)
    with right.container(key="right"):
        _draw_evidence(context, snapshot)
    _follow(context, snapshot)


def _draw_evidence(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    if snapshot is None:
        draw_evidence(NO_EVIDENCE, context.language)
        return
    data = evidence_data(snapshot, context.language, translation_data(context, snapshot))
    draw_evidence(data, context.language, partial(begin_translation, context, snapshot))


def _turn(context: PageContext) -> tuple[TurnSnapshot | None, str]:
    """Return the turn to show, and the word for why the one that the address names is not."""
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


def _draw_question(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    language = context.language
    with st.container(key="ask"):
        with st.container(key="ask_row", horizontal=True, vertical_alignment="center"):
            st.markdown(translate("ui.question", language), width="stretch")
            _draw_scope(context)
            st.segmented_control(
                translate("ui.thinking_switch", language),
                list(_THINK),
                default="auto",
                required=True,
                format_func=lambda option: translate(f"ui.thinking_{option}", language),
                key="think",
            )
            _draw_buttons(context, snapshot)
        st.chat_input(
            translate("ui.ask_placeholder" if snapshot is None else "ui.ask_on_placeholder", language),
            key="question",
            max_chars=20_000,
            accept_file=True,
            file_type=FILE_TYPES,
            max_upload_size=LARGEST_MEGABYTES,
            on_submit=_ask,
            args=(context, ask_token()),
        )
        draw_attachment(context)
        draw_refusal(context.language)


def _draw_scope(context: PageContext) -> None:
    """Offer the knowledge bases that this person may use, where there is a choice."""
    names = context.services.knowledge_bases
    if len(names) > 1:
        st.selectbox(
            translate("ui.scope", context.language),
            names,
            index=names.index(context.services.knowledge_base),
            key="scope",
            placeholder=translate("ui.people_choose_scopes", context.language),
            label_visibility="collapsed",
        )


def _draw_buttons(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    language = context.language
    if snapshot is None:
        return
    if snapshot.final:
        label = translate("ui.retry", language)
        st.button(label, key="retry", shortcut="alt+g", on_click=_retry, args=(context, snapshot, ask_token()))
    else:
        label = translate("ui.stop", language)
        st.button(label, key="stop", shortcut="alt+s", on_click=context.services.turns.cancel, args=(snapshot.turn_id,))


def _draw_empty(context: PageContext, unseen: str) -> None:
    language = context.language
    if unseen:
        st.warning(translate(f"ui.{unseen}", language))
    if not context.services.knowledge_base:
        st.warning(translate("ui.no_scope", language))
        return
    if context.services.knowledge().published_at is None:
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
            on_choose=partial(_ask_topic, context, ask_token()),
        )


def _ask(context: PageContext, token: str) -> None:
    """Ask what was typed, a question that goes on from the turn that is shown, or read the file that came with it."""
    forget_refusal()
    asked = st.session_state["question"]
    if asked is not None and asked.files:
        file = asked.files[0]
        attach(context, token, file.name, file.getvalue(), asked.text)
    elif asked is not None:
        _submit(context, token, asked.text, follows=current_turn())


def _ask_attached(context: PageContext, token: str, question: str, follows: str) -> None:
    _submit(context, token, question, follows=follows)


def _ask_topic(context: PageContext, token: str) -> None:
    _submit(context, token, chosen("topics"))


def _retry(context: PageContext, snapshot: TurnSnapshot, token: str) -> None:
    """Ask again, for an answer of the model's own."""
    keep_discarded(context, snapshot)
    _submit(context, token, snapshot.question, follows=snapshot.follows, base=snapshot.knowledge_base, fresh=True)


def _submit(
    context: PageContext, token: str, question: str, *, follows: str = "", base: str = "", fresh: bool = False
) -> None:
    base = base or str(st.session_state.get("scope") or context.services.knowledge_base)
    if not question.strip() or not base:
        return
    think = _THINK[st.session_state.get("think") or "auto"]
    turns = context.services.turns
    try:
        turn_id = turns.submit(
            token, TurnRequest(question, base, think=think, follows=follows, fresh=fresh), tab=tab_name()
        )
    except (QuestionTooLong, QuestionsTooFast) as error:
        refuse(error)
        return
    _tell_of(context, turn_id)
    show_turn(turn_id)
    use_up_token()
    st.session_state["asked_turn"] = turn_id
    st.session_state["just_asked"] = True


def _follow(context: PageContext, snapshot: TurnSnapshot | None) -> None:
    """Let the browser hear what becomes of a running turn; the page runs again when it has ended."""
    if snapshot is None or snapshot.final:
        context.services.feeds.follow(feed_token(), None)
    else:
        _tell_of(context, snapshot.turn_id)
    with st.container(key="feed"):
        draw_socket(
            FEED_PATH,
            feed_token(),
            snapshot.turn_id if snapshot is not None else "",
            final=snapshot is not None and snapshot.final,
            found=snapshot is not None and bool(snapshot.evidence),
        )


def _tell_of(context: PageContext, turn_id: str) -> None:
    services = context.services
    services.feeds.follow(feed_token(), Followed(turn_id, context.language, services.turns))
