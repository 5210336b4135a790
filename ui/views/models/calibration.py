"""Calibration: which quantization, how many slots and which context suit this team best on this machine.

Below it stands what tuning a model gained: the table of ``python -m eval train``, which the page only shows.
"""

from functools import partial

import streamlit as st

from api.services.jobs import Job
from api.services.models import CalibrationRun, ModelService
from eval.calibrate_model.background import CalibrationProgress
from eval.calibrate_model.report import TRIAL_HEADS, Findings, label, plots, trial_cells
from eval.calibrate_model.results import LEAST_AGREEMENT, ROUNDS, Trial
from eval.calibrate_model.results import Row as Figures
from eval.train.findings import HEADS, Arm, cells, remarks
from eval.train.findings import Findings as Tuned
from rag.schema import Language
from rag.translate import translate
from ui.components.content import (
    Cell,
    Column,
    Row,
    chosen_row,
    columns_of,
    draw_heading,
    draw_plots,
    draw_table,
    two_panes,
)
from ui.components.job_view import draw_button, draw_failure, draw_job_progress, draw_running
from ui.formats import as_markdown, format_gigabytes
from ui.session import PageContext, choice_key
from ui.views.models.jobs import draw_goes_before, failure_words

_SLOTS, _CONTEXTS = (1, 2, 4, 8), (2048, 4096, 8192)
_QUESTIONS, _MINUTES = (12, 24, 50), (15, 30, 60, 120, 240)
_USUAL_QUESTIONS, _USUAL_MINUTES = 24, 60
_MOST_SHOWN = 3


def draw_calibration(context: PageContext, models: ModelService) -> None:
    """Draw the form and the list at the left, and the running or chosen calibration at the right."""
    left, right = two_panes(2, 3, chooses=("run", context.language))
    job, runs = models.calibrating(), models.calibrations()
    with left:
        _draw_start(context, models, job)
        _draw_list(context, runs)
    with right:
        _draw_right(context, models, runs, job)


def _draw_start(context: PageContext, models: ModelService, job: Job | None) -> None:
    language = context.language
    draw_heading("ui.m_calibrate_heading", language)
    st.caption(translate("ui.m_calibrate_why", language))
    listing = models.listing()
    count, names = models.questions(), [row.name for row in listing.rows if row.template]
    if not listing.looked:
        st.caption(translate("ui.m_looking", language))
        return
    if not count or not names:
        st.info(translate("ui.m_no_questions" if names else "ui.m_none", language))
        return
    st.selectbox(translate("ui.m_model", language), names, key="m_subject")
    slots = st.pills(
        translate("ui.m_slots", language), _SLOTS, selection_mode="multi", default=_SLOTS[:2], key="m_try_slots"
    )
    contexts = st.pills(
        translate("ui.m_context", language),
        _CONTEXTS,
        selection_mode="multi",
        default=_CONTEXTS[1:2],
        format_func=lambda one: f"{one:,}",
        key="m_try_contexts",
    )
    with st.container(horizontal=True):
        st.selectbox(
            translate("ui.q_how_many", language),
            [some for some in _QUESTIONS if some < count] + [0],
            format_func=lambda some: translate(
                "ui.q_some_questions" if some else "ui.q_all_questions", language, count=some or count
            ),
            key=choice_key("m_limit", _USUAL_QUESTIONS if count > _USUAL_QUESTIONS else None),
        )
        st.selectbox(
            translate("ui.m_minutes", language), _MINUTES, index=_MINUTES.index(_USUAL_MINUTES), key="m_minutes"
        )
    is_ready = slots and contexts and not (job is not None and job.running)
    draw_button("m_calibrate", language, partial(_start, models), primary=True, disabled=not is_ready)


def _start(models: ModelService) -> None:
    """Begin with the boxes' present values, not those when the page was drawn."""
    st.query_params.pop("run", None)
    held = st.session_state
    models.calibrate(
        str(held["m_subject"]),
        tuple(held["m_try_slots"]),
        tuple(held["m_try_contexts"]),
        limit=int(held[choice_key("m_limit")]),
        minutes=float(held["m_minutes"]),
    )


def _draw_list(context: PageContext, runs: list[CalibrationRun]) -> None:
    language = context.language
    draw_table(
        "m_runs",
        columns_of(language, ("m_model", "wide"), "q_when", ("m_best_setting", "words")),
        [_run_row(run, context) for run in runs],
        words=(translate("ui.m_runs", language), translate("ui.q_runs_none", language)),
        chooses=("run", language),
    )


def _run_row(run: CalibrationRun, context: PageContext) -> Row:
    at = context.reading.clock(run.began_at)
    best = run.findings.best if run.findings is not None else None
    result = (
        Cell(label(best), names=True) if best else Cell(translate("ui.q_unfinished", context.language), tone="quiet")
    )
    return Row(run.name if run.findings else "", (Cell(run.model, names=True), Cell(at), result))


def _draw_right(context: PageContext, models: ModelService, runs: list[CalibrationRun], job: Job | None) -> None:
    language, named = context.language, chosen_row("run")
    if job is not None and job.running:
        draw_heading(f"ui.m_job_{job.kind}", language)
        draw_running(context, job, models.calibrating, partial(draw_job_progress, progress_words, language))
        st.button(translate("ui.stop", language), key="m_stop_calibrating", on_click=models.stop_calibrating)
    elif job is not None:
        _draw_ended(job, language)
        if not named and isinstance(job.result, str):
            named = job.result
    run = next((one for one in runs if one.name == named), None)
    if run is not None and run.findings is not None:
        _draw_findings(models, run, run.findings, language, busy=job is not None and job.running)
    elif job is None:
        st.caption(translate("ui.q_choose_run", language))


def _draw_ended(job: Job, language: Language) -> None:
    if job.state in ("stopped", "failed"):
        draw_failure(job, language, "ui.m_calibrate_stopped", failure_words)
    elif job.kind == "choose":
        st.success(translate("ui.m_done_choose", language))
        if isinstance(job.result, list) and job.result:
            draw_goes_before(tuple(job.result), language)


def progress_words(progress: object, language: Language) -> tuple[float | None, str]:
    """Return how much of all configurations was asked, in [0, 1], and the same in words; None before the first."""
    if not isinstance(progress, CalibrationProgress):
        return None, translate("ui.job_starting", language)
    share = (progress.number - 1 + progress.done / max(1, progress.total)) / max(1, progress.count)
    values = {"number": progress.number, "count": progress.count, "done": progress.done, "total": progress.total}
    return min(1.0, share), translate("ui.m_calibrating", language, slots=progress.slots, **values)


def _draw_findings(
    models: ModelService, run: CalibrationRun, found: Findings, language: Language, *, busy: bool
) -> None:
    draw_heading("ui.m_found", language)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(run.model)
        if found.stand_in:
            st.badge(translate("ui.stand_in", language), color="orange")
    titles = ("accuracy", "load_rate", "memory", "p99", "agents")
    draw_table(
        "m_figures",
        [
            Column(translate("ui.m_setting", language), "wide"),
            *(Column(translate(f"eval_calibration.{key}", language), "figure") for key in titles),
        ],
        [_figures(row, found, language) for row in found.rows],
        words=(translate("ui.m_figures", language), translate("eval_calibration.no_winner", language)),
    )
    target = found.target
    goal = translate(
        "eval_calibration.target", language, pause=target.pause_seconds, share=target.share, seconds=target.seconds
    )
    st.caption(as_markdown(goal))
    if not found.whole:
        st.caption(translate("ui.m_not_whole", language))
    if found.reconstructed_from:
        st.caption(as_markdown(translate("eval_calibration.reconstructed", language, kind=found.reconstructed_from)))
    if found.trials:
        _draw_trials(found, language)
    if found.best is not None:
        draw_button("m_choose_winner", language, partial(models.choose_winner, run.name), primary=True, disabled=busy)
    draw_plots("m_plots", "".join(plots(found, language)), label=translate("ui.m_figures", language))


def _draw_trials(found: Findings, language: Language) -> None:
    """Draw the tried knobs of the server and their results."""
    title = translate("eval_calibration.trials_title", language)
    first, *others = [translate(f"eval_calibration.{key}", language) for key in TRIAL_HEADS]
    draw_table(
        "m_trials",
        [Column(first, "wide"), *(Column(head, "figure") for head in others)],
        [_trial_row(trial, language) for trial in found.trials],
        words=(title, title),
    )
    words = translate("eval_calibration.trials", language, rounds=ROUNDS, agreement=LEAST_AGREEMENT)
    st.caption(as_markdown(words))


def _trial_row(trial: Trial, language: Language) -> Row:
    setting, *figures = trial_cells(trial, language)
    return Row("", (Cell(setting, names=True), *map(Cell, figures)))


def _figures(row: Figures, found: Findings, language: Language) -> Row:
    best = translate("ui.m_best", language) if row == found.best else ""
    accuracy = "–" if row.accuracy is None else f"{row.accuracy:.0%}"
    p99 = "–" if row.p99_ms is None else f"{row.p99_ms / 1000:.1f}"
    figures = (accuracy, f"{row.load_rate:.1f}", format_gigabytes(row.memory_bytes, language), p99, str(row.agents))
    return Row("", (Cell(label(row), note=best, names=not best), *map(Cell, figures)))


def draw_tunings(context: PageContext, models: ModelService) -> None:
    """Draw a card for each of the newest trainings; nothing where there is none."""
    for number, found in enumerate(models.tunings()[:_MOST_SHOWN]):
        with st.container(border=True, key=f"m_tuning_{number}"):
            _draw_tuning(number, found, context.language)


def _draw_tuning(number: int, found: Tuned, language: Language) -> None:
    draw_heading("ui.m_tuned", language)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(found.tuned)
        if found.stand_in:
            st.badge(translate("ui.stand_in", language), color="orange")
    first, *others = [translate(f"eval_train.{head}", language) for head in HEADS]
    draw_table(
        f"m_tuning_table_{number}",
        [Column(first, "wide"), *(Column(head, "figure") for head in others)],
        [_arm_row(arm, language) for arm in found.arms],
        words=(translate("ui.m_tuned", language), translate("ui.m_tuned", language)),
    )
    for remark in remarks(found, language):
        st.caption(as_markdown(remark))


def _arm_row(arm: Arm, language: Language) -> Row:
    name, *figures = cells(arm, language)
    return Row("", (Cell(name), *map(Cell, figures)))
