"""The question box: what is typed, or a mail, a text or a picture that a customer sent, becomes a turn.

A file is read by a process of its own; when its words are there, the next run of the page asks them.  A mail starts
afresh; anything else follows the turn that is shown.  Why something was not asked is said beneath the box until the
next question.

The words in a picture are asked at once.  Then a model is shown it, and its description, a machine's words, stands in a
box, where the agent corrects it, searches with it, or leaves it out.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from api.services.attachments import Attachments, ReadFile
from api.services.jobs import Job
from api.services.turn_feeds import FollowedTurn
from ingest.reader import CUSTOMER_ENDINGS, is_mail
from rag.errors import (
    AccessDenied,
    AnswerdeskError,
    DatabaseUnavailable,
    OwnFilesWaiting,
    QuestionsTooFast,
    QuestionTooLong,
    SignInNeeded,
    StorageFull,
)
from rag.generation.picture_description import PictureDescription
from rag.pictures import Picture
from rag.schema import Language
from rag.text.language import text_language
from rag.text.markup import LONGEST_DESCRIPTION_CHARACTERS, marked_description
from rag.translate import translate
from rag.turns import Failure, TurnRequest, TurnSnapshot
from ui.components.job_view import follow, show_failure
from ui.formats import markdown_word
from ui.session import PageContext, ask_token, current_turn, feed_token, forget_ask_token, show_turn, tab_name
from ui.turn_data import failure_sentence
from ui.views.desk.feedback import record_discarded

Ask = Callable[[str, "ShownPicture", str], None]
"""Asks a question, with the token of the question box, that goes on from a picture's own."""

_SHOWN = "shown_picture"
_TICK_SECONDS = 0.4
LARGEST_MEGABYTES = 20
FILE_TYPES = [ending.removeprefix(".") for ending in CUSTOMER_ENDINGS]
_THINK = {"auto": None, "on": True, "off": False}
_REFUSED, _RETURNED, _ATTACHED, _DRAWN = "ask_refused", "ask_returned", "attached", "question_drawn"


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture that was dropped: the ``question`` that was asked of it, and what a further one goes on from.

    ``picture`` is None once the model is shown it; ``refused`` says why it could not be.
    """

    picture_id: str
    question: str
    follows: str
    base: str
    picture: Picture | None
    refused: Failure | None = None


def show_picture(shown: ShownPicture) -> None:
    """Let the model describe a picture once the page is drawn: the question's own answer comes first."""
    st.session_state[_SHOWN] = shown


def drop_picture(context: PageContext) -> None:
    """Stop and forget the picture that was shown before."""
    shown, descriptions = _shown_picture(), context.services.descriptions
    if shown is not None and descriptions is not None:
        descriptions.stop(shown.picture_id)
        descriptions.forget(shown.picture_id)
    st.session_state.pop(_SHOWN, None)


def draw_picture(context: PageContext, ask: Ask) -> None:
    """Draw the description's progress, its editor, or why there is none.

    A picture that was dropped is shown to the model now: its question is asked by then, and has its evidence.
    """
    _begin(context)
    shown, descriptions, language = _shown_picture(), context.services.descriptions, context.language
    if shown is None or descriptions is None:
        return
    job = descriptions.job(shown.picture_id)
    if shown.refused is not None:
        show_failure(shown.refused, language)
    elif job is None:
        return
    elif job.running:
        with st.container(key="picture", horizontal=True, vertical_alignment="center"):
            label = translate("ui.stop", language)
            st.button(label, key="stop_picture", on_click=descriptions.stop, args=(shown.picture_id,))
            st.caption(translate("ui.picture_describing", language))
        follow(job, partial(descriptions.job, shown.picture_id), every_seconds=_TICK_SECONDS)
    elif isinstance(job.result, PictureDescription):
        _draw_description(context, shown, job.result, ask)
    else:
        with st.container(key="picture_failed"):
            st.text(_picture_failure(context, job))


def _begin(context: PageContext) -> None:
    """Show the model the picture, where one was dropped and it has not been shown it."""
    shown, descriptions = _shown_picture(), context.services.descriptions
    if shown is None or shown.picture is None:
        return
    if descriptions is None:
        drop_picture(context)
        return
    language = text_language(shown.question) if shown.question else context.language
    refused = None
    try:
        descriptions.start(shown.picture_id, shown.picture, language, tab=tab_name())
    except AnswerdeskError as error:
        refused = Failure.of(error)
    st.session_state[_SHOWN] = replace(shown, picture=None, refused=refused)


def _draw_description(context: PageContext, shown: ShownPicture, found: PictureDescription, ask: Ask) -> None:
    language, key = context.language, f"described_{shown.picture_id}"
    with st.container(key="picture_described"):
        st.caption(markdown_word("ui.picture_described", language, model=found.model))
        st.text_area(
            translate("ui.picture_words", language),
            found.text,
            key=key,
            max_chars=LONGEST_DESCRIPTION_CHARACTERS,
            height=80,
        )
        with st.container(key="picture_buttons", horizontal=True):
            label = translate("ui.picture_search", language)
            st.button(label, key="picture_search", on_click=_search, args=(context, shown, key, ask_token(), ask))
            label = translate("ui.picture_leave", language)
            st.button(label, key="picture_leave", on_click=drop_picture, args=(context,))


def _search(context: PageContext, shown: ShownPicture, key: str, token: str, ask: Ask) -> None:
    """Ask the picture's question again, with the description in the box."""
    words = str(st.session_state.get(key) or "").strip()
    if not words:
        return
    drop_picture(context)
    ask(token, shown, "\n\n".join(filter(None, (shown.question, marked_description(words)))))


def _shown_picture() -> ShownPicture | None:
    found = st.session_state.get(_SHOWN)
    return found if isinstance(found, ShownPicture) else None


def _picture_failure(context: PageContext, job: Job) -> str:
    if job.state == "stopped":
        return translate("ui.picture_stopped", context.language)
    if job.failure is None:
        return translate("ui.page_failed", context.language, number=job.number)
    return translate("ui.picture_failed", context.language, why=failure_sentence(job.failure, context.language))


def draw_question(context: PageContext, snapshot: TurnSnapshot | None) -> DeltaGenerator:
    """Draw the box, and return the place for what a model says of a picture.

    A question goes on from ``snapshot``, the turn that is shown.
    """
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
        token = ask_token()
        if returned := st.session_state.pop(_RETURNED, ""):
            st.session_state["question"] = returned  # into the box, where it can be sent again
        asked = st.chat_input(
            translate("ui.ask_placeholder" if snapshot is None else "ui.ask_on_placeholder", language),
            key="question",
            max_chars=20_000,
            accept_file=True,
            file_type=FILE_TYPES,
            max_upload_size=LARGEST_MEGABYTES,
            on_submit=_ask,
            args=(context, token),
        )
        if asked is not None and not st.session_state.get(_DRAWN):  # its session died, and this one knows no callback
            _ask(context, token)
            st.rerun()
        st.session_state[_DRAWN] = True
        _draw_attachment(context)
        picture_slot = st.empty()
        refused = st.session_state.get(_REFUSED)
        if isinstance(refused, Failure):
            with st.container(key="ask_refused"):
                show_failure(refused, language)
    return picture_slot


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
        st.button(label, key="stop", shortcut="alt+s", on_click=_stop, args=(context, snapshot.turn_id))


def _stop(context: PageContext, turn_id: str) -> None:
    """Stop a turn.  To whom may not see it any more the page says so when it runs, without what it showed before."""
    with suppress(AccessDenied, SignInNeeded):
        context.services.turns.cancel(turn_id)


def _ask(context: PageContext, token: str) -> None:
    """Ask what was typed, a question that goes on from the turn that is shown, or read the file that came with it."""
    st.session_state.pop(_REFUSED, None)
    asked = st.session_state["question"]
    if asked is not None:
        drop_picture(context)
    if asked is not None and asked.files:
        file = asked.files[0]
        _attach(context, token, file.name, file.getvalue(), asked.text)
    elif asked is not None:
        _submit(context, token, asked.text, follows=current_turn())
        if _REFUSED in st.session_state:
            st.session_state[_RETURNED] = asked.text


def ask_topic(context: PageContext, token: str, title: str) -> None:
    """Ask an article's title."""
    _submit(context, token, title)


def _retry(context: PageContext, snapshot: TurnSnapshot, token: str) -> None:
    """Ask again, for an answer of the model's own."""
    record_discarded(context, snapshot)
    _submit(context, token, snapshot.question, follows=snapshot.follows, base=snapshot.knowledge_base, fresh=True)


def _submit(
    context: PageContext, token: str, question: str, *, follows: str = "", base: str = "", fresh: bool = False
) -> None:
    base = base or str(st.session_state.get("scope") or context.services.knowledge_base)
    if not question.strip() or not base:
        return
    think = _THINK[st.session_state.get("think") or "auto"]
    request = TurnRequest(question, base, think=think, follows=follows, fresh=fresh, language=context.language)
    try:
        turn_id = context.services.turns.submit(token, request, tab=tab_name())
    except (DatabaseUnavailable, QuestionTooLong, QuestionsTooFast, StorageFull) as error:
        st.session_state[_REFUSED] = Failure.of(error)
        return
    feed_turn(context, turn_id)
    show_turn(turn_id)
    forget_ask_token()
    st.session_state["asked_turn"] = turn_id
    st.session_state["just_asked"] = True


def feed_turn(context: PageContext, turn_id: str | None) -> None:
    """Let this tab's socket follow a turn; None: none."""
    services = context.services
    followed = FollowedTurn(turn_id, context.language, services.turns) if turn_id is not None else None
    services.feeds.follow(feed_token(), context.user.name, followed)


@dataclass(frozen=True, slots=True)
class _Attachment:
    """The file that is being read for this tab: its id, and the turn that its question goes on from."""

    file_id: str = ""
    follows: str = ""


def _attach(context: PageContext, token: str, name: str, content: bytes, typed: str) -> None:
    """Begin to read a file that was dropped into the question box; one that is still being read gives way to it."""
    attachments = context.services.attachments
    if _attachment().file_id == token:
        return
    _drop(attachments)
    try:
        attachments.start(token, name, content, typed, tab=tab_name())
    except OwnFilesWaiting as error:
        st.session_state[_REFUSED] = Failure.of(error)
        return
    st.session_state[_ATTACHED] = _Attachment(token, "" if is_mail(name) else current_turn())
    forget_ask_token()


def ask_attached(context: PageContext) -> None:
    """Ask the words of a file once it is read."""
    attachments, attached = context.services.attachments, _attachment()
    job = attachments.job(attached.file_id)
    if job is None or job.state != "done":
        return
    _drop(attachments)
    if not isinstance(job.result, ReadFile):
        raise TypeError(f"a file was read as {type(job.result).__name__}")
    read = job.result
    base = str(st.session_state.get("scope") or context.services.knowledge_base)
    if read.picture is not None:
        show_picture(ShownPicture(attached.file_id, read.question, attached.follows, base, read.picture))
    _submit(context, attached.file_id, read.question, follows=attached.follows, base=base)


def ask_with_picture(context: PageContext, token: str, shown: ShownPicture, question: str) -> None:
    """Ask a picture's question with what the agent left of its description."""
    _submit(context, token, question, follows=shown.follows, base=shown.base)


def _draw_attachment(context: PageContext) -> None:
    """Say that a file is being read, with the way to stop that, or why it could not be."""
    attachments, language, file_id = context.services.attachments, context.language, _attachment().file_id
    job = attachments.job(file_id)
    if job is None:
        return
    if job.running:
        with st.container(key="attachment", horizontal=True, vertical_alignment="center"):
            label = translate("ui.stop", language)
            st.button(label, key="stop_reading", shortcut="alt+s", on_click=attachments.stop, args=(file_id,))
            st.caption(translate("ui.attachment_reading", language))
        follow(job, partial(attachments.job, file_id), every_seconds=_TICK_SECONDS)
    elif job.state in ("failed", "stopped"):
        with st.container(key="attachment_failed"):
            st.text(_file_failure(job, language))  # as text: the file's name is somebody's


def _attachment() -> _Attachment:
    found = st.session_state.get(_ATTACHED)
    return found if isinstance(found, _Attachment) else _Attachment()


def _drop(attachments: Attachments) -> None:
    """Stop and forget the file that was attached before."""
    file_id = _attachment().file_id
    attachments.stop(file_id)
    attachments.forget(file_id)
    st.session_state.pop(_ATTACHED, None)


def _file_failure(job: Job, language: Language) -> str:
    if job.state == "stopped":
        return translate("ui.attachment_stopped", language)
    if job.failure is None:
        return translate("ui.page_failed", language, number=job.number)
    if job.failure.kind == "DocumentUnreadable":
        return job.failure.sentence(language)
    return failure_sentence(job.failure, language)
