"""Buttons and the jobs they begin: a job's progress, and why a button was refused or a job failed.

A refusal is kept for the run that follows the click, which says it.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from api.services.jobs import Job
from rag.errors import AnswerdeskError, PeopleError
from rag.schema import Language
from rag.translate import translate
from rag.turns import Failure
from ui.formats import as_markdown, format_elapsed, markdown_word
from ui.session import PageContext
from ui.turn_data import failure_sentence

Sentence = Callable[[Failure, Language], str]
"""Says why something failed, as plain text."""

ProgressWords = Callable[[object, Language], tuple[float | None, str]]
"""Returns from a job's progress the share that is done, in [0, 1], None if unknown, and the same in words."""

_TICK_SECONDS = 0.7
_REFUSED = "refused"


def attempt(call: Callable[[], object]) -> None:
    """Run a button's action."""
    try:
        call()
    except AnswerdeskError as error:
        st.session_state[_REFUSED] = Failure.of(error)


def attempt_with_message(
    part: str, what: Callable[[], object], language: Language, done: str = "ui.people_done"
) -> bool:
    """Run it, keep ``done`` or the error's words for this part's ``draw_message``, and return whether it succeeded."""
    try:
        what()
    except AnswerdeskError as error:
        own = isinstance(error, PeopleError)  # its sentence names nothing that an admin may not see
        sentence = error.text(language) if own else failure_sentence(Failure.of(error), language)
        st.session_state[f"{part}_told"] = (sentence, "")
        return False
    st.session_state[f"{part}_told"] = ("", translate(done, language) if done else "")
    return True


def draw_message(part: str) -> None:
    """Show a part's kept message once, in a place of its own: what follows keeps its place when it goes."""
    wrong, done = st.session_state.pop(f"{part}_told", ("", ""))
    with st.container():
        if wrong:
            st.error(as_markdown(wrong))
        if done:
            st.success(as_markdown(done))


def draw_button(
    key: str,
    language: Language,
    call: Callable[[], object],
    *,
    words: str = "",
    primary: bool = False,
    disabled: bool = False,
) -> None:
    """Draw a button for ``call``, labelled with the sentence ``ui.KEY`` or, where that differs, ``words``."""
    st.button(
        translate(words or f"ui.{key}", language),
        key=key,
        type="primary" if primary else "secondary",
        disabled=disabled,
        on_click=attempt,
        args=(call,),
    )


def show_refusal(language: Language, *, busy: str = "", sentence: Sentence = failure_sentence) -> None:
    """Show once why the last button was refused; ``busy`` is the page's own key for a conflicting job."""
    failure = st.session_state.pop(_REFUSED, None)
    if not isinstance(failure, Failure):
        return
    if busy and failure.kind == "IngestRunning":
        st.warning(translate(busy, language))
    else:
        show_failure(failure, language, sentence)


def show_failure(failure: Failure | AnswerdeskError, language: Language, sentence: Sentence = failure_sentence) -> None:
    """Show why something failed."""
    known = failure if isinstance(failure, Failure) else Failure.of(failure)
    st.error(as_markdown(sentence(known, language)))


def draw_running(context: PageContext, job: Job, now: Callable[[], Job | None], draw: Callable[[Job], None]) -> None:
    """Draw a job that runs, below its heading; ``draw`` draws its progress, again and again.

    A job gives way to other programs, so beside a busy one it takes longer: then the program is named.
    """
    st.caption(as_markdown(start_words(job, context)))

    def draw_with_neighbours(job: Job) -> None:
        draw(job)
        elapsed = format_elapsed(datetime.now(UTC) - job.began_at)
        st.caption(translate("ui.job_running_for", context.language, time=elapsed))
        neighbours = context.services.neighbours()
        if neighbours is not None:
            said = {"busiest": neighbours.busiest, "cores": f"{neighbours.cores:g}"}
            st.caption(markdown_word("ui.job_gives_way", context.language, **said))

    follow(job, now, draw_with_neighbours)


def follow(
    job: Job,
    now: Callable[[], Job | None],
    draw: Callable[[Job], None] = lambda job: None,
    every_seconds: float = _TICK_SECONDS,
) -> None:
    """Poll a job; the page is redrawn when it has ended.  ``now`` returns its present state."""
    st.fragment(_follow, run_every=every_seconds)(job.job_id, now, draw)


def start_words(job: Job, context: PageContext) -> str:
    """Return when a job began, and who began it if somebody else."""
    at = context.reading.clock(job.began_at)
    if job.who in ("", context.user.name):
        return translate("ui.job_begun_here", context.language, time=at)
    return translate("ui.job_begun", context.language, time=at, who=job.who)


def draw_progress(share: float | None, words: str) -> None:
    """Draw the share of a job that is done, in [0, 1]; None: unknown."""
    if share is None:
        st.markdown(as_markdown(words))
    else:
        st.progress(share, text=as_markdown(words))


def draw_job_progress(progress_words: ProgressWords, language: Language, job: Job) -> None:
    """Draw how much of a job is done, and the same in words."""
    draw_progress(*progress_words(job.progress, language))


def draw_failure(job: Job, language: Language, stopped: str, sentence: Sentence = failure_sentence) -> None:
    """Show why a job failed; ``stopped`` is the key for one that somebody stopped."""
    if job.state == "stopped":
        st.warning(translate(stopped, language))
    elif job.failure is not None:
        show_failure(job.failure, language, sentence)
    else:
        st.error(markdown_word("ui.page_failed", language, number=job.number))


def word_of_kind(kind: str, language: Language) -> str:
    """Return the name of this kind of evaluation; empty for another job."""
    return translate(f"ui.q_kind_{kind}", language) if kind in ("answers", "retrieval", "refusal", "citations") else ""


def _follow(job_id: int, now: Callable[[], Job | None], draw: Callable[[Job], None]) -> None:
    try:
        job = now()
    except AnswerdeskError:
        st.rerun()  # signed out, or no longer permitted: the whole page says so
    if job is None or not job.running or job.job_id != job_id:
        st.rerun()
    draw(job)
