"""A job of the Models page: while it runs, with bytes and seconds, and what became of it."""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure
from ui.components.job_view import begun_words
from ui.components.notices import draw_heading
from ui.formats import as_markdown, markdown_word
from ui.services.jobs import Job
from ui.services.models import Outcome, Step
from ui.session import PageContext
from ui.turn_data import failure_sentence

_TICK_SECONDS = 0.7
_GIGABYTE = 1e9
_IN_THEIR_OWN_WORDS = ("ModelUnfit", "DownloadFailed")
"""Errors about what an admin has typed, which their sentences may name."""
_HERE = {"ModelMissing": "m_missing", "OllamaRefused": "m_refused", "SettingsError": "m_not_kept"}


def draw_job(
    context: PageContext, now: Callable[[], Job | None], stop: Callable[[], None], *, key: str, quiet: bool = False
) -> None:
    """Follow a job, or say what became of the last one; ``quiet`` leaves the latter out.

    The page is drawn anew when a job has ended.
    """
    job, language = now(), context.language
    if job is None:
        return
    if job.running:
        draw_heading(f"ui.m_job_{job.kind}", language)
        st.caption(as_markdown(begun_words(job, context)))
        st.fragment(_follow, run_every=_TICK_SECONDS)(job.job_id, now, language)
        st.button(translate("ui.m_stop", language), key=key, on_click=stop)
    elif not quiet:
        _draw_ended(job, language)


def gigabytes(count: int, language: Language) -> str:
    """Write a number of bytes as gigabytes, with two digits behind the point."""
    return translate("ui.machine_gigabytes", language, count=f"{count / _GIGABYTE:.2f}")


def _follow(job_id: int, now: Callable[[], Job | None], language: Language) -> None:
    job = now()
    if job is None or not job.running or job.job_id != job_id:
        st.rerun()
    seconds = int((datetime.now(UTC) - job.began_at).total_seconds())
    step = job.progress
    if not isinstance(step, Step):
        st.markdown(translate("ui.m_seconds", language, seconds=seconds))
        return
    if step.name == "waiting":
        st.markdown(markdown_word("ui.m_waiting", language, count=step.answers, seconds=seconds))
        return
    st.text(translate(f"ui.m_step_{step.name}", language, what=step.what))  # a model's name is no Markdown
    if step.total_bytes:
        done, total = (f"{count / _GIGABYTE:.2f}" for count in (step.done_bytes, step.total_bytes))
        words = translate("ui.m_bytes", language, done=done, total=total, seconds=seconds)
        st.progress(min(1.0, step.done_bytes / step.total_bytes), text=words)
    else:
        st.markdown(translate("ui.m_seconds", language, seconds=seconds))


def _draw_ended(job: Job, language: Language) -> None:
    if job.state == "stopped":
        st.warning(translate("ui.m_stopped", language))
    elif job.failure is not None:
        st.error(failure_words(job.failure, language))
    elif not isinstance(job.result, Outcome):
        st.error(markdown_word("ui.page_failed", language, number=job.number))
    else:
        _draw_outcome(job.kind, job.result, language)


def _draw_outcome(kind: str, outcome: Outcome, language: Language) -> None:
    size, name = gigabytes(outcome.size_bytes, language), as_markdown(outcome.name)
    st.success(
        translate(f"ui.m_done_{kind}", language, name=name, size=size, kind=as_markdown(outcome.quantization or "?"))
    )
    if not outcome.speaks:
        st.warning(translate("ui.m_speechless", language, name=name))
    if outcome.variables:
        draw_goes_before(outcome.variables, language)


def draw_goes_before(variables: tuple[str, ...], language: Language) -> None:
    """Say that the environment has the last word."""
    st.warning(translate("ui.m_goes_before", language, variables=as_markdown(", ".join(variables))))


def failure_words(failure: Failure, language: Language) -> str:
    """Return why a job or a button did nothing."""
    if failure.kind in _IN_THEIR_OWN_WORDS:
        return as_markdown(failure.zh if language == "zh" else failure.en)
    if failure.kind in _HERE:
        return translate(f"ui.{_HERE[failure.kind]}", language)
    return as_markdown(failure_sentence(failure, language))
