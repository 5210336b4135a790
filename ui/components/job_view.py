"""A job of this page while it runs, and why it ended otherwise than well."""

from collections.abc import Callable

import streamlit as st

from rag.errors import IngestRunning
from rag.schema import Language
from rag.translate import translate
from ui.components.notices import attempt, draw_heading
from ui.formats import as_markdown, format_clock, markdown_word
from ui.services.jobs import Job
from ui.session import PageContext
from ui.turn_data import failure_sentence

_TICK_SECONDS = 0.7
_BUSY = "q_was_busy"


def draw_running(
    context: PageContext,
    job: Job,
    now: Callable[[], Job | None],
    said: Callable[[object], tuple[float | None, str]],
    heading: str,
) -> None:
    """Follow a job; the page is drawn anew when it has ended.  ``said`` puts its progress into a share and words."""
    draw_heading(f"ui.{heading}", context.language, kind=word_of_kind(job.kind, context.language))
    st.caption(as_markdown(begun_words(job, context)))
    st.fragment(_follow, run_every=_TICK_SECONDS)(job.job_id, now, said)


def begun_words(job: Job, context: PageContext) -> str:
    """Return when a job was begun, and by whom where it was somebody else."""
    at = format_clock(job.began_at.astimezone(context.reading.zone), context.reading.now, context.language)
    if job.who == context.user.name:
        return translate("ui.q_begun_here", context.language, time=at)
    return translate("ui.q_begun", context.language, time=at, who=job.who)


def begin(call: Callable[[], object]) -> None:
    """Begin a job; the next run says where another one is in its way."""

    def tried() -> None:
        try:
            call()
        except IngestRunning:
            st.session_state[_BUSY] = True

    attempt(tried)


def say_busy(language: Language) -> None:
    """Say once that another job was in the way."""
    if st.session_state.pop(_BUSY, False):
        st.warning(translate("ui.q_busy", language))


def _follow(job_id: int, now: Callable[[], Job | None], said: Callable[[object], tuple[float | None, str]]) -> None:
    job = now()
    if job is None or not job.running or job.job_id != job_id:
        st.rerun()
    share, words = said(job.progress)
    if share is None:
        st.markdown(as_markdown(words))
    else:
        st.progress(share, text=as_markdown(words))


def draw_failure(job: Job, language: Language) -> None:
    """Say why a job did not end well."""
    if job.state == "stopped":
        st.warning(translate("ui.q_stopped", language))
    elif job.failure is not None:
        st.error(as_markdown(failure_sentence(job.failure, language)))
    else:
        st.error(markdown_word("ui.page_failed", language, number=job.number))


def word_of_kind(kind: str, language: Language) -> str:
    """Return what an evaluation of this kind is called; nothing for another job."""
    return translate(f"ui.q_kind_{kind}", language) if kind in ("answers", "retrieval", "refusal", "citations") else ""
