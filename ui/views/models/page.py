"""The Models page: which model answers, how small it is kept, how many answers are written at once."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import streamlit as st

from api.services.models import ModelListing, ModelService
from rag.errors import SettingsError
from rag.schema import Language
from rag.settings import PROFILES, ProfileName
from rag.translate import translate
from ui.components.content import Cell, Row, choose_view, columns_of, draw_heading, draw_table
from ui.components.job_view import draw_button, show_failure, show_refusal
from ui.session import PageContext
from ui.views.models.calibration import draw_calibration, draw_tunings
from ui.views.models.creation import draw_making
from ui.views.models.jobs import failure_words, keep_notice, show_notice
from ui.views.models.listing import draw_models

_LOOK_SECONDS = 2.0


def draw_profiles(context: PageContext, models: ModelService) -> None:
    """Draw the profiles with their numbers, and the choice for the next start."""
    language, chosen = context.language, models.profile()
    with st.container(key="left"):
        draw_heading("ui.m_profile_heading", language)
        st.caption(translate("ui.m_profile_why", language))
        draw_table(
            "m_profiles",
            columns_of(
                language,
                ("m_profile", "wide"),
                ("m_temperature", "figure"),
                ("m_top_p", "figure"),
                ("m_penalty", "figure"),
            ),
            [_row(name, chosen.now, language) for name in models.profiles()],
            words=(translate("ui.m_profiles", language), ""),
        )
        st.session_state.setdefault("m_profile_chosen", chosen.next_start)
        st.segmented_control(
            translate("ui.m_profile_next", language),
            list(models.profiles()),
            required=True,
            format_func=lambda name: translate(f"ui.m_profile_{name}", language),
            key="m_profile_chosen",
        )
        unchanged = st.session_state["m_profile_chosen"] == chosen.next_start
        draw_button("m_profile_save", language, partial(_save, models), primary=True, disabled=unchanged)


def _row(name: ProfileName, now: str, language: Language) -> Row:
    sampling = PROFILES[name]
    top_p = translate("ui.m_top_p_own", language) if sampling.top_p is None else f"{sampling.top_p:g}"
    note = translate("ui.m_profile_now", language) if name == now else ""
    penalty = (
        translate("ui.m_penalty_none", language) if sampling.repeat_penalty == 1 else f"{sampling.repeat_penalty:g}"
    )
    return Row(
        "",
        (
            Cell(translate(f"ui.m_profile_{name}", language), note),
            *map(Cell, (f"{sampling.temperature:g}", top_p, penalty)),
        ),
    )


def _save(models: ModelService) -> None:
    name: ProfileName = st.session_state["m_profile_chosen"]
    keep_notice("m_profile_saved", models.choose_profile(name))


def _draw_measured(context: PageContext, models: ModelService) -> None:
    """Draw the calibrations, and below them what tuning a model was worth."""
    draw_calibration(context, models)
    draw_tunings(context, models)


_VIEWS: Final[Mapping[str, Callable[[PageContext, ModelService], None]]] = {
    "installed": draw_models,
    "make": draw_making,
    "calibrate": _draw_measured,
    "profile": draw_profiles,
}


def render(context: PageContext) -> None:
    """Draw the part of the page that the address names."""
    models, language = context.services.models, context.language
    listing = models.listing()  # where somebody is no admin (any more), nothing is drawn
    with st.container(key="m_top"):
        view = choose_view("m", list(_VIEWS), language)
        st.fragment(_watch, run_every=_LOOK_SECONDS)(models, listing)
    with st.container(key="desk"):
        show_refusal(language, busy="ui.m_busy", sentence=failure_words)
        show_notice(language)
        try:
            _VIEWS[view](context, models)
        except SettingsError as error:
            show_failure(error, language, failure_words)


def _watch(models: ModelService, drawn: ModelListing) -> None:
    """Redraw the page when the server's models have changed."""
    if models.listing() != drawn:
        st.rerun()
