"""Evaluation runs: start one on the knowledge base's own questions, watch it, and look at its result."""

from datetime import timedelta
from functools import partial

import streamlit as st

from api.services.jobs import Job
from api.services.quality import QualityService, RunInfo
from eval.background import KINDS, EvaluationKind, EvaluationProgress
from rag.errors import SettingsError
from rag.schema import Language
from rag.storage.calibration import ExpectedRefusals
from rag.translate import translate
from ui.components.content import Cell, Row, chosen_row, columns_of, draw_heading, draw_plots, draw_table, two_panes
from ui.components.job_view import draw_button, draw_failure, draw_job_progress, draw_running, word_of_kind
from ui.formats import as_markdown, markdown_word
from ui.session import PageContext, choice_key

_FEW, _MANY = 20, 50
_SHOWN_RUNS = 100
_CLOCK_TICK = timedelta(seconds=1)
"""A file's time may be this much older than the clock's."""


def draw_runs(context: PageContext, quality: QualityService) -> None:
    """Draw the form and the list at the left, and the running or chosen evaluation at the right."""
    left, right = two_panes(2, 3, chooses=("run", context.language))
    job = quality.evaluation()  # once: it may end while the page is drawn, and both halves must tell the same
    runs = quality.runs()
    with left:
        _draw_start(context, quality, job)
        _draw_list(context, runs, job)
    with right:
        _draw_right(context, quality, runs, job)


def _draw_start(context: PageContext, quality: QualityService, job: Job | None) -> None:
    language = context.language
    draw_heading("ui.q_start_heading", language)
    kind: EvaluationKind = st.segmented_control(
        translate("ui.q_what", language),
        list(KINDS),
        default="retrieval",
        required=True,
        format_func=lambda name: translate(f"ui.q_kind_{name}", language),
        key="q_kind",
    )
    st.caption(translate(f"ui.q_why_{kind}", language))
    if kind == "refusal" and (expected := quality.expected_refusals()) is not None:
        st.caption(expected_words(expected, language))
    count = quality.questions(kind)
    if not count:
        st.info(translate("ui.q_no_questions", language))
        hand_in = f"python -m ingest --kb {context.services.knowledge_base} --questions questions.jsonl"
        st.code(hand_in, language=None, wrap_lines=True)
        return
    with st.container(key="q_start_row", horizontal=True, vertical_alignment="bottom"):
        limit = st.selectbox(
            translate("ui.q_how_many", language),
            [0, *(some for some in (_FEW, _MANY) if some < count)],
            format_func=lambda some: translate(
                "ui.q_some_questions" if some else "ui.q_all_questions", language, count=some or count
            ),
            key=choice_key("q_limit"),
        )
        busy = job is not None and job.running
        draw_button("q_start", language, partial(_start, quality, kind, limit), primary=True, disabled=busy)


def expected_words(expected: ExpectedRefusals, language: Language) -> str:
    """Return the expected refusals by the knowledge base's own calibration."""
    return translate(
        "ui.q_expected_refusals",
        language,
        threshold=f"{expected.threshold:.2f}",
        own=f"{expected.own[0]:.0%}",
        own_n=f"{expected.own[1]:d}",
        near=f"{expected.near[0]:.0%}",
        near_n=f"{expected.near[1]:d}",
        far=f"{expected.far[0]:.0%}",
        far_n=f"{expected.far[1]:d}",
    )


def _start(quality: QualityService, kind: EvaluationKind, limit: int) -> None:
    st.query_params.pop("run", None)
    quality.start(kind, limit)


def _draw_list(context: PageContext, runs: list[RunInfo], job: Job | None) -> None:
    language = context.language
    draw_table(
        "q_runs",
        columns_of(language, "q_kind", "q_when", ("q_count", "figure"), ("q_result", "words")),
        [_row(run, context, chooses=not _is_of_job(run, job, running=True)) for run in runs[:_SHOWN_RUNS]],
        words=(translate("ui.q_runs", language), translate("ui.q_runs_none", language)),
        chooses=("run", language),
    )


def _row(run: RunInfo, context: PageContext, *, chooses: bool) -> Row:
    language = context.language
    at = context.reading.clock(run.began_at)
    # the list is not drawn again while its run goes on
    result = figure_words(run, language) if chooses else translate("ui.q_unfinished", language)
    return Row(
        run.name if chooses else "",
        (
            Cell(word_of_kind(run.kind, language), note=run_name(run, context)),
            Cell(at),
            Cell(str(run.n or "–")),
            Cell(result, note=run.model, tone="" if run.finished else "quiet"),
        ),
    )


def run_name(run: RunInfo, context: PageContext) -> str:
    """Return a run's name, with the set of its questions where these are not the knowledge base's own."""
    own = run.question_set in ("", context.services.knowledge_base)
    return run.name if own else f"{run.name} · {run.question_set}"


def figure_words(run: RunInfo, language: Language) -> str:
    """Return a run's main figure in words."""
    if run.figure is None and run.n:
        return translate("ui.q_unfinished_at", language, done=f"{run.asked:d}", total=f"{run.n:d}")
    if run.figure is None:
        return translate("ui.q_unfinished", language)
    return translate(f"ui.q_figure_{run.kind}", language, value=f"{run.figure:.0%}")


def _draw_right(context: PageContext, quality: QualityService, runs: list[RunInfo], job: Job | None) -> None:
    language = context.language
    chosen = chosen_row("run")
    if job is not None and job.running:
        draw_heading("ui.q_running", language, kind=word_of_kind(job.kind, language))
        draw_running(context, job, quality.evaluation, partial(draw_job_progress, progress_words, language))
        st.button(translate("ui.stop", language), key="q_stop", on_click=quality.stop)
    elif job is not None and job.state != "done" and not chosen:
        draw_failure(job, language, "ui.q_stopped")
    elif not chosen and job is not None and isinstance(job.result, str):
        chosen = job.result
    stopped = next((one for one in runs if _is_of_job(one, job, running=False)), None)
    run = next((one for one in runs if one.name == chosen), stopped)
    if run is not None and not _is_of_job(run, job, running=True):
        (_draw_run if run.finished else _draw_unfinished)(context, quality, run)
    elif job is None or not job.running:
        st.caption(translate("ui.q_choose_run", language))


def _is_of_job(run: RunInfo, job: Job | None, *, running: bool) -> bool:
    """Tell whether this is the unfinished run of a job that is ``running``, or that ended before the run was done."""
    if job is None or job.state == "done" or job.running != running:
        return False
    return not run.finished and run.kind == job.kind and run.began_at >= job.began_at - _CLOCK_TICK


def _draw_unfinished(context: PageContext, quality: QualityService, run: RunInfo) -> None:
    """Draw what an unfinished run has, and the command that resumes it."""
    language = context.language
    _draw_facts(context, run)
    try:
        command = quality.resume_command(run.name)
    except SettingsError:
        st.error(translate("ui.q_run_damaged", language))
        return
    if command:
        st.markdown(translate("ui.q_resume", language))
        st.code(command, language=None, wrap_lines=True)
    elif run.kind == "citations":
        st.markdown(translate("ui.q_resume_citations", language))
    else:
        st.markdown(markdown_word("ui.q_resume_own", language, run=run.name))


def progress_words(progress: object, language: Language) -> tuple[float | None, str]:
    """Return the share of questions asked, in [0, 1], and the same in words; None until the questions are known."""
    if not isinstance(progress, EvaluationProgress):
        return None, translate("ui.job_starting", language)
    words = translate("ui.q_asked", language, done=progress.done, total=progress.total)
    return min(1.0, progress.done / max(1, progress.total)), words


def _draw_facts(context: PageContext, run: RunInfo) -> None:
    language = context.language
    st.header(f"{word_of_kind(run.kind, language)} · {figure_words(run, language)}", anchor=False)
    facts = [translate("ui.q_generation", language, generation=run.generation)] if run.generation else []
    facts += [run.model] if run.model else []
    st.caption(as_markdown(" · ".join([run_name(run, context), *facts])))
    if run.stand_in:
        st.badge(translate("ui.q_stand_in", language), color="orange")


def _draw_run(context: PageContext, quality: QualityService, run: RunInfo) -> None:
    language = context.language
    _draw_facts(context, run)
    try:
        draw_plots("q_plots", quality.plots(run, language), label=translate("ui.q_plots", language))
    except SettingsError:
        st.error(translate("ui.q_run_damaged", language))
