"""Gets and makes models: from the registry, from files on the server, by quantizing."""

from functools import partial

import streamlit as st

from api.services.models import ModelService
from rag.ollama.model_creation import KINDS, OWN_KINDS
from rag.ollama.templates import FORMATS
from rag.schema import Language
from rag.translate import translate
from ui.components.content import draw_heading, two_panes
from ui.components.job_view import draw_button
from ui.session import PageContext, choice_key
from ui.views.models.jobs import draw_job

_LONGEST_NAME, _LONGEST_PATH = 120, 1000


def draw_making(context: PageContext, models: ModelService) -> None:
    """Draw the three ways at the left, and the running job at the right."""
    language = context.language
    job = models.making()
    busy = job is not None and job.running
    left, right = two_panes(3, 2)
    with left:
        with st.container(border=True):
            _draw_pull(models, language, busy=busy)
        with st.container(border=True):
            _draw_import(models, language, busy=busy)
        with st.container(border=True):
            _draw_quantize(models, language, busy=busy)
    with right:
        draw_job(context, models.making, models.stop_making, key="m_stop_making")
        if job is None:
            st.caption(translate("ui.m_made_here", language))


def _draw_pull(models: ModelService, language: Language, *, busy: bool) -> None:
    draw_heading("ui.m_pull_heading", language)
    name = st.text_input(
        translate("ui.m_pull_name", language),
        key="m_pull_name",
        max_chars=_LONGEST_NAME,
        placeholder="deepseek-r1:7b",
        autocomplete="off",
        live=True,
    )
    draw_button("m_pull", language, partial(_pull, models), primary=True, disabled=busy or not (name or "").strip())


def _draw_import(models: ModelService, language: Language, *, busy: bool) -> None:
    draw_heading("ui.m_import_heading", language)
    path = st.text_input(
        translate("ui.m_path", language), key="m_path", max_chars=_LONGEST_PATH, autocomplete="off", live=True
    )
    name = st.text_input(
        translate("ui.m_new_name", language),
        key="m_import_name",
        max_chars=_LONGEST_NAME,
        autocomplete="off",
        live=True,
    )
    with st.container(horizontal=True):
        st.selectbox(
            translate("ui.m_format", language),
            ["", *FORMATS],
            format_func=lambda key: key or translate("ui.m_format_told", language),
            key=choice_key("m_format"),
        )
        _draw_kind("m_import_kind", language, unchanged=True)
    is_named = bool((path or "").strip() and (name or "").strip())
    draw_button("m_import", language, partial(_import, models), primary=True, disabled=busy or not is_named)


def _draw_quantize(models: ModelService, language: Language, *, busy: bool) -> None:
    draw_heading("ui.m_quantize_heading", language)
    st.caption(translate("ui.m_quantize_why", language))
    names = [row.name for row in models.listing().rows]
    if not names:
        st.caption(translate("ui.m_none", language))
        return
    with st.container(horizontal=True):
        st.selectbox(translate("ui.m_source", language), names, key="m_source")
        _draw_kind("m_quantize_kind", language, unchanged=False)
    st.text_input(
        translate("ui.m_new_name_optional", language),
        key="m_quantize_name",
        max_chars=_LONGEST_NAME,
        autocomplete="off",
        live=True,
    )
    draw_button("m_quantize", language, partial(_quantize, models), primary=True, disabled=busy)


def _draw_kind(key: str, language: Language, *, unchanged: bool) -> None:
    """Draw the kinds of quantization; another one can be typed, and is refused with the reason."""
    st.selectbox(
        translate("ui.m_kind", language),
        ["", *KINDS] if unchanged else [*KINDS, *OWN_KINDS],
        format_func=lambda kind: kind or translate("ui.m_kind_unchanged", language),
        accept_new_options=True,
        placeholder=translate("ui.m_kind_choose", language),
        key=choice_key(key),
    )


# what the buttons do: with what the boxes hold by then, which is more than when the page was drawn


def _pull(models: ModelService) -> None:
    models.pull(_field_text("m_pull_name"))


def _import(models: ModelService) -> None:
    models.import_files(
        _field_text("m_path"),
        _field_text("m_import_name"),
        _field_text(choice_key("m_import_kind")),
        _field_text(choice_key("m_format")),
    )


def _quantize(models: ModelService) -> None:
    models.quantize(_field_text("m_source"), _field_text(choice_key("m_quantize_kind")), _field_text("m_quantize_name"))


def _field_text(key: str) -> str:
    return str(st.session_state.get(key) or "")
