"""A job of the Models page: its progress in bytes and seconds, and its outcome."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from api.services.jobs import Job
from api.services.models import Outcome, Step
from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure
from ui.components.content import draw_heading
from ui.components.job_view import draw_failure, draw_running
from ui.formats import as_markdown, format_gigabytes, markdown_word
from ui.session import PageContext
from ui.turn_data import failure_sentence

_DONE = "m_did"
_GIGABYTE = 1e9
_IN_THEIR_OWN_WORDS = ("ModelUnfit", "DownloadFailed")
"""Errors about what an admin has typed, which their sentences may name."""

_HERE = {
    "ModelMissing": "m_missing",
    "OllamaRefused": "m_refused",
    "SettingsError": "m_not_kept",
    "FileUnusable": "m_not_kept",
}


def draw_job(context: PageContext, now: Callable[[], Job | None], stop: Callable[[], None], *, key: str) -> None:
    """Follow a job, or show the last one's outcome; the page is redrawn when a job has ended."""
    job, language = now(), context.language
    if job is None:
        return
    if job.running:
        draw_heading(f"ui.m_job_{job.kind}", language)
        draw_running(context, job, now, partial(_draw_step, language))
        st.button(translate("ui.stop", language), key=key, on_click=stop)
    else:
        _draw_ended(job, language)


def _draw_step(language: Language, job: Job) -> None:
    step = job.progress
    if not isinstance(step, Step):
        st.markdown(translate("ui.job_starting", language))
        return
    if step.name == "waiting":
        st.markdown(markdown_word("ui.m_waiting", language, count=step.answers))
        return
    st.text(translate(f"ui.m_step_{step.name}", language, what=step.what))  # a model's name is no Markdown
    if step.total_bytes:
        done, total = (f"{count / _GIGABYTE:.2f}" for count in (step.done_bytes, step.total_bytes))
        words = translate("ui.m_bytes", language, done=done, total=total)
        st.progress(min(1.0, step.done_bytes / step.total_bytes), text=words)


def _draw_ended(job: Job, language: Language) -> None:
    if isinstance(job.result, Outcome):
        _draw_outcome(job.kind, job.result, language)
    else:
        draw_failure(job, language, "ui.m_stopped", failure_words)


def _draw_outcome(kind: str, outcome: Outcome, language: Language) -> None:
    size, name = format_gigabytes(outcome.size_bytes, language), as_markdown(outcome.name)
    st.success(
        translate(f"ui.m_done_{kind}", language, name=name, size=size, kind=as_markdown(outcome.quantization or "?"))
    )
    if not outcome.speaks:
        st.warning(translate("ui.m_speechless", language, name=name))
    if outcome.variables:
        draw_goes_before(outcome.variables, language)


def draw_goes_before(variables: tuple[str, ...], language: Language) -> None:
    """Say that the environment overrides the choice."""
    st.warning(translate("ui.m_goes_before", language, variables=as_markdown(", ".join(variables))))


def failure_words(failure: Failure, language: Language) -> str:
    """Return why a job or a button failed, as plain text."""
    if failure.kind in _IN_THEIR_OWN_WORDS:
        return failure.sentence(language)
    if failure.kind in _HERE:
        return translate(f"ui.{_HERE[failure.kind]}", language)
    return failure_sentence(failure, language)


def keep_notice(key: str, variables: list[str]) -> None:
    """Let the next run show the sentence ``ui.KEY``, and the environment's variables that override the choice."""
    st.session_state[_DONE] = (key, tuple(variables))


def show_notice(language: Language) -> None:
    """Show the last button's notice once."""
    key, variables = st.session_state.pop(_DONE, ("", ()))
    if key:
        st.success(translate(f"ui.{key}", language))
    if variables:
        draw_goes_before(variables, language)
