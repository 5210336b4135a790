"""A mail, a text or a picture that a customer sent, dropped into the question box: read in the background, then asked.

The file is read by a process of its own; when its words are there, the next run of the page asks them.  A mail is a
matter of its own; anything else goes on from the turn that is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from ingest.customer_files import CUSTOMER_ENDINGS, is_mail
from rag.errors import AnswerdeskError, OwnFilesWaiting
from rag.schema import Language
from rag.translate import translate
from ui.ask_refusal import refuse
from ui.services.attachment_reader import Attachments
from ui.services.jobs import Job
from ui.session import PageContext, current_turn, tab_name, use_up_token
from ui.turn_data import failure_sentence

LARGEST_MEGABYTES = 20
FILE_TYPES = [ending.removeprefix(".") for ending in CUSTOMER_ENDINGS]

_TICK_SECONDS = 0.4
_STATE = "attached"


@dataclass(frozen=True, slots=True)
class _Attached:
    """The file that is being read for this tab: its id, and the turn that its question goes on from."""

    file_id: str = ""
    follows: str = ""


def attach(context: PageContext, token: str, name: str, content: bytes, typed: str) -> None:
    """Begin to read a file that was dropped into the question box; one that is still being read gives way to it."""
    attachments = context.services.attachments
    if attachments is None or _attached().file_id == token:
        return
    _drop(attachments)
    try:
        attachments.start(token, name, content, typed, tab=tab_name())
    except OwnFilesWaiting as error:
        refuse(error)
        return
    st.session_state[_STATE] = _Attached(token, "" if is_mail(name) else current_turn())
    use_up_token()


def take_attached(context: PageContext, ask: Callable[[str, str, str], None]) -> None:
    """Ask the words of a file that was read by now: ``ask(token, question, follows)``."""
    attachments, attached = context.services.attachments, _attached()
    job = attachments.job(attached.file_id) if attachments is not None else None
    if attachments is None or job is None or job.state != "done":
        return
    _drop(attachments)
    ask(attached.file_id, str(job.result), attached.follows)


def draw_attachment(context: PageContext) -> None:
    """Say that a file is being read, with the way to stop that, or why it could not be."""
    attachments, language, file_id = context.services.attachments, context.language, _attached().file_id
    job = attachments.job(file_id) if attachments is not None else None
    if attachments is None or job is None:
        return
    if job.running:
        with st.container(key="attachment", horizontal=True, vertical_alignment="center"):
            label = translate("ui.stop", language)
            st.button(label, key="stop_reading", shortcut="alt+s", on_click=attachments.stop, args=(file_id,))
            st.caption(translate("ui.attachment_reading", language))
        st.fragment(_follow, run_every=_TICK_SECONDS)(attachments, file_id)
    elif job.state in ("failed", "stopped"):
        with st.container(key="attachment_failed"):
            st.text(_why(job, language))  # as text: the file's name is somebody's


def _attached() -> _Attached:
    found = st.session_state.get(_STATE)
    return found if isinstance(found, _Attached) else _Attached()


def _drop(attachments: Attachments) -> None:
    """Stop and forget the file that was attached before."""
    file_id = _attached().file_id
    attachments.stop(file_id)
    attachments.forget(file_id)
    st.session_state.pop(_STATE, None)


def _follow(attachments: Attachments, file_id: str) -> None:
    try:
        job = attachments.job(file_id)
    except AnswerdeskError:
        st.rerun()  # signed out meanwhile: the whole page says so
    if job is None or not job.running:
        st.rerun()


def _why(job: Job, language: Language) -> str:
    if job.state == "stopped":
        return translate("ui.attachment_stopped", language)
    if job.failure is None:
        return translate("ui.page_failed", language, number=job.number)
    if job.failure.kind == "DocumentUnreadable":
        return job.failure.zh if language == "zh" else job.failure.en
    return failure_sentence(job.failure, language)
