"""Performance: whether the desk keeps its promise now, and if not, which stage is why."""

import streamlit as st

from rag.errors import AnswerdeskError
from rag.performance import WINDOWS, GpuState, MachineState, Objective, Performance, PersonalPerformance
from rag.schema import Language
from rag.storage.turn_times import EVIDENCE
from rag.tracing import Percentiles
from rag.translate import translate
from ui.components.content import Choice, draw_choices
from ui.components.job_view import show_failure
from ui.formats import as_markdown, format_duration, plain_rows
from ui.session import PageContext, choice_key, has_requested_turn, request_turn

_LIVE_SECONDS = 2.0
_PERCENTS = (50, 95, 99)
_COLOURS = {"light": ["#0B5CAD", "#8A5A00", "#B3261E"], "dark": ["#7AB8FF", "#FFD479", "#FF8A80"]}
_LONGEST_ROW = 110
_MADE_UP = "performance_made_up"
"""Where a tab keeps that it looks at the made-up day: until its button is clicked, or the tab is closed."""


def render(context: PageContext) -> None:
    """Draw the choices, then the figures, which a live page draws again every two seconds."""
    language = context.language
    performance = context.services.performance
    if st.session_state.get(_MADE_UP):
        _draw_example_day(context, performance)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(translate("ui.performance", language), anchor=False, width="stretch")
        st.segmented_control(
            translate("ui.performance_window", language),
            list(WINDOWS),
            default="1h",
            required=True,
            format_func=lambda key: translate(f"ui.window_{key}", language),
            key="performance_window",
            label_visibility="collapsed",
        )
        live = st.toggle(translate("ui.performance_live", language), key="performance_live")
        st.button(
            translate("ui.made_up_show", language), key="made_up_show", on_click=_choose_example_day, args=(True,)
        )
    looking = not live and _is_looking(performance)
    st.fragment(_draw, run_every=_LIVE_SECONDS if live or looking else None)(context, performance, looking)


def _is_looking(performance: PersonalPerformance) -> bool:
    """Tell whether the first look at the machine, which the page waits for, is running."""
    try:
        return performance.machine() is None
    except AnswerdeskError:  # said where the figures would stand
        return False


def _choose_example_day(shown: bool) -> None:
    st.session_state[_MADE_UP] = shown


def _draw_example_day(context: PageContext, performance: PersonalPerformance) -> None:
    """Draw the made-up day alone, without a window to choose and without anything of this machine."""
    language = context.language
    try:
        report = performance.example_day(context.reading.now)
    except AnswerdeskError as error:
        show_failure(error, language)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(translate("ui.made_up_title", language), anchor=False, width="stretch")
        st.button(
            translate("ui.made_up_end", language),
            key="made_up_end",
            type="primary",
            on_click=_choose_example_day,
            args=(False,),
        )
    st.warning(translate("ui.made_up_warning", language))
    _draw_figures(report, language)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _draw_chart(report, "24h", context)
    with right:
        _draw_stages(report, language)


def _draw(context: PageContext, performance: PersonalPerformance, looking: bool) -> None:
    if has_requested_turn():
        st.rerun()  # the whole page, which goes to the desk
    window = st.session_state.get("performance_window") or "1h"
    try:
        report = performance.report(WINDOWS[window])
        machine = performance.machine()
    except AnswerdeskError as error:
        show_failure(error, context.language)
        return
    if looking and machine is not None:
        st.rerun()  # the whole page, which from now on stands still
    language = context.language
    with st.container(key="about"):
        st.text(_scope_words(report, window, context))  # a model's name is no Markdown
    if report.asked:
        _draw_figures(report, language)
    else:
        st.info(translate("ui.performance_none", language))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if report.whole or report.stages:
            _draw_chart(report, window, context)
        _draw_slowest(report, context)
    with right:
        if report.stages:
            _draw_stages(report, language)
        st.subheader(translate("ui.machine_title", language), anchor=False)
        if machine is None:
            st.caption(translate("ui.machine_looking", language))
        else:
            st.table(
                plain_rows(machine_rows(machine, language)),
                hide_index=True,
                alt=translate("ui.machine_title", language),
            )


def _draw_stages(report: Performance, language: Language) -> None:
    st.subheader(translate("ui.stages_title", language), anchor=False)
    st.table(plain_rows(_stage_rows(report, language)), hide_index=True, alt=translate("ui.stages_alt", language))


def _scope_words(report: Performance, window: str, context: PageContext) -> str:
    """Return the scope of the page's figures: window, count, model, stand-in."""
    language = context.language
    window_words, clock = translate(f"ui.window_{window}", language), context.reading.clock(report.until)
    if not report.asked:
        return translate("ui.performance_of_none", language, window=window_words, time=clock)
    comma = translate("ui.list_comma", language)
    finished = {state: report.turns.get(state, 0) for state in ("done", "refused", "failed", "stopped")}
    counts = finished | {"running": report.asked - sum(finished.values())}
    states = comma.join(
        translate(f"ui.states_{state}", language, count=count) for state, count in counts.items() if count
    )
    models = comma.join(
        translate("ui.performance_stand_in", language, model=name) if stand_in else name
        for name, stand_in in report.models
    )
    return translate(
        "ui.performance_of",
        language,
        window=window_words,
        time=clock,
        count=report.asked,
        states=states,
        models=models or translate("ui.performance_no_model", language),
        measured=report.whole[EVIDENCE].n if EVIDENCE in report.whole else 0,
    )


def _draw_figures(report: Performance, language: Language) -> None:
    objective, evidence, tokens = report.objective, report.whole.get(EVIDENCE), report.tokens_per_second
    burn = "–" if objective.burn is None else f"{objective.burn:g}"
    explained = translate(
        "ui.figure_budget_help",
        language,
        limit=format_duration(objective.limit_ms, language),
        share=f"{100 * objective.share:g}",
        met=objective.met,
        count=objective.n,
        late=f"{(1 - objective.share) * objective.n:.1f}",
        were=objective.n - objective.met,
        burn=burn,
    )
    with st.container(key="figures"):
        columns = st.columns([1.2] * len(_PERCENTS) + [1] * 4, gap="small")
        for column, percent in zip(columns, _PERCENTS, strict=False):
            label = translate(
                "ui.figure_percentile", language, stage=translate("ui.evidence", language), percent=percent
            )
            line = _line(report, EVIDENCE, percent)
            column.metric(
                as_markdown(label), _time(evidence, percent, language), chart_data=line, border=True, height="stretch"
            )
        for column, key, value in (
            (columns[3], "figure_budget", _budget(objective, language)),
            (columns[4], "figure_burn", burn),
            (columns[5], "figure_rate", f"{report.asked_per_minute:.2g}"),
            (columns[6], "figure_tokens", "–" if tokens is None else f"{tokens:.3g}"),
        ):
            column.metric(translate(f"ui.{key}", language), as_markdown(value), border=True, height="stretch")
    st.caption(as_markdown(explained))


def _budget(objective: Objective, language: Language) -> str:
    """Return the remaining budget of late answers; under 0 % when it is overspent."""
    if objective.burn is None:
        return "–"
    return translate("ui.machine_percent", language, count=f"{100 - 100 * objective.burn:.0f}")


def _value(found: Percentiles | None, percent: int) -> float | None:
    return None if found is None else {50: found.p50, 95: found.p95, 99: found.p99}[percent]


def _time(found: Percentiles | None, percent: int, language: Language) -> str:
    value = _value(found, percent)
    return "–" if value is None else format_duration(value, language)


def _line(report: Performance, stage: str, percent: int) -> list[float]:
    values = [_value(bucket.stages.get(stage), percent) for bucket in report.buckets]
    return [value for value in values if value is not None]


def _draw_chart(report: Performance, window: str, context: PageContext) -> None:
    language = context.language
    stages = [*report.whole, *(stage for stage, _ in report.stages)]
    stage = st.selectbox(
        translate("ui.chart_stage", language),
        stages,
        format_func=lambda key: translate(f"ui.stage_time_{key}", language),
        key=choice_key("performance_stage"),
        placeholder=translate("ui.chart_stage", language),
    )
    name = translate(f"ui.stage_time_{stage}", language)
    rows = [
        {
            "at": bucket.at.astimezone(context.reading.zone).replace(tzinfo=None).isoformat(),
            "percentile": f"p{percent}",
            "seconds": value / 1000,
        }
        for bucket in report.buckets
        for percent in _PERCENTS
        if (value := _value(bucket.stages.get(str(stage)), percent)) is not None
    ]
    theme = "dark" if st.context.theme.type == "dark" else "light"
    axis = "%H:%M" if WINDOWS[window] <= WINDOWS["24h"] else "%m-%d"
    of_percentile = {"field": "percentile", "type": "nominal", "title": None}
    spec = {
        "mark": {"type": "line", "point": True},
        "height": 190,
        "encoding": {
            "x": {"field": "at", "type": "temporal", "title": None, "axis": {"format": axis}},
            "y": {"field": "seconds", "type": "quantitative", "title": None},
            "color": of_percentile | {"scale": {"range": _COLOURS[theme]}, "legend": {"orient": "top"}},
            "strokeDash": of_percentile,
        },
        "usermeta": {"embedOptions": {"actions": False}},
    }
    st.caption(translate("ui.chart_title", language, stage=name))
    described = translate("ui.chart_alt", language, stage=name, window=translate(f"ui.window_{window}", language))
    st.vega_lite_chart(rows, spec, width="stretch", alt=described)
    with st.expander(translate("ui.chart_numbers", language)):
        st.table(plain_rows(_bucket_rows(report, str(stage), context)), hide_index=True, alt=name)


def _bucket_rows(report: Performance, stage: str, context: PageContext) -> list[dict[str, str]]:
    language = context.language
    return [
        {
            translate("ui.chart_time", language): context.reading.clock(bucket.at),
            translate("ui.stages_count", language): str(bucket.stages[stage].n),
            **{f"p{percent}": _time(bucket.stages[stage], percent, language) for percent in _PERCENTS},
        }
        for bucket in report.buckets
        if stage in bucket.stages
    ]


def _stage_rows(report: Performance, language: Language) -> list[dict[str, str]]:
    return [
        {
            translate("ui.chart_stage", language): translate(f"ui.stage_time_{stage}", language),
            translate("ui.stages_count", language): str(found.n),
            **{f"p{percent}": _time(found, percent, language) for percent in _PERCENTS},
        }
        for stage, found in (*report.stages, *report.whole.items())
    ]


def _row_words(question: str) -> str:
    return question if len(question) <= _LONGEST_ROW else f"{question[: _LONGEST_ROW - 1].rstrip()}…"


def _draw_slowest(report: Performance, context: PageContext) -> None:
    language = context.language
    choices = [
        Choice(
            choice_id=turn.turn_id,
            text=_row_words(turn.question),
            language=turn.language,
            note=translate(
                "ui.slowest_note",
                language,
                total=format_duration(turn.total_ms, language),
                stage=translate(f"ui.stage_time_{turn.worst.name}", language),
                worst=format_duration(turn.worst.duration_ms, language),
            ),
        )
        for turn in report.slowest
    ]
    draw_choices(
        "slowest",
        choices,
        words=(translate("ui.slowest_title", language), translate("ui.slowest_none", language)),
        look="rows",
        on_choose=request_turn,
    )


def _neighbour_rows(machine: MachineState, language: Language) -> list[tuple[str, str]]:
    """Return the processor's other users and their effect on the model; no row without any."""
    neighbours = machine.neighbours
    if neighbours is None:
        return []
    key = "machine_neighbours_slow" if machine.threads else "machine_neighbours_outrun"
    said = {"busiest": neighbours.busiest, "cores": f"{neighbours.cores:g}", "threads": machine.threads}
    return [(translate("ui.machine_neighbours", language), translate(f"ui.{key}", language, **said))]


def machine_rows(machine: MachineState, language: Language) -> list[dict[str, str]]:
    """Return the table's rows: name and value."""
    occupancy = machine.occupancy
    average = occupancy.average_seconds
    rows = [
        (
            translate("ui.machine_slots", language),
            translate("ui.machine_slots_value", language, running=occupancy.running, slots=occupancy.slots),
        ),
        (translate("ui.figure_queue", language), str(occupancy.waiting)),
        (
            translate("ui.machine_average", language),
            "–" if average is None else format_duration(average * 1000, language),
        ),
        (
            translate("ui.machine_cpu", language, cores=machine.cores),
            translate("ui.machine_percent", language, count=f"{machine.cpu_percent:.0f}"),
        ),
        *_neighbour_rows(machine, language),
        (translate("ui.machine_memory", language), _usage_words(machine.used_bytes, machine.total_bytes, language)),
        (
            translate("ui.machine_desk", language),
            translate("ui.machine_gigabytes", language, count=_gigabytes(machine.desk_bytes)),
        ),
        *_model_rows(machine, language),
        *[_gpu_row(gpu, language) for gpu in machine.gpus],
    ]
    if not machine.gpus:
        rows.append((translate("ui.machine_no_gpu", language), "–"))
    names = (translate("ui.machine_what", language), translate("ui.machine_value", language))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _model_rows(machine: MachineState, language: Language) -> list[tuple[str, str]]:
    if not machine.models:
        return [(translate("ui.machine_no_server" if machine.models is None else "ui.machine_no_model", language), "–")]
    return [
        (
            translate("ui.machine_model", language, model=model.name),
            translate(
                "ui.machine_model_value", language, all=_gigabytes(model.memory_bytes), gpu=_gigabytes(model.gpu_bytes)
            ),
        )
        for model in machine.models
    ]


def _gpu_row(gpu: GpuState, language: Language) -> tuple[str, str]:
    used, total = _gigabytes(gpu.used_bytes), _gigabytes(gpu.total_bytes)
    value = translate("ui.machine_gpu_value", language, busy=gpu.busy_percent, used=used, total=total)
    return translate("ui.machine_gpu", language, name=gpu.name), value


def _usage_words(used: int, total: int, language: Language) -> str:
    return translate("ui.machine_of", language, used=_gigabytes(used), total=_gigabytes(total))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f}"
