"""The Models page: which model answers, how small it is kept, how many answers are written at once."""

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from api.services.model_registry import ModelListing
from api.services.models import ModelService
from rag.errors import SettingsError
from rag.translate import translate
from ui.components.job_view import say_failure, say_refusal
from ui.components.page_views import choose_view
from ui.session import PageContext
from ui.views.models.calibration import draw_calibration
from ui.views.models.creation import draw_making
from ui.views.models.jobs import failure_words, say_done
from ui.views.models.listing import draw_models
from ui.views.models.profiles import draw_profiles
from ui.views.models.tuning import draw_tunings


def _draw_measured(context: PageContext, desk: ModelService) -> None:
    """Draw the calibrations, and below them what tuning a model was worth."""
    draw_calibration(context, desk)
    draw_tunings(context, desk)


_VIEWS: Final[Mapping[str, Callable[[PageContext, ModelService], None]]] = {
    "installed": draw_models,
    "make": draw_making,
    "calibrate": _draw_measured,
    "profile": draw_profiles,
}

_LOOK_SECONDS = 2.0


def render(context: PageContext) -> None:
    """Draw the part of the page that the address names."""
    desk, language = context.services.models, context.language
    if desk is None:
        st.info(translate("ui.m_none_kept", language))
        return
    listing = desk.listing()  # where somebody is no admin (any more), nothing is drawn
    with st.container(key="m_top"):
        view = choose_view("m", list(_VIEWS), language)
        st.fragment(_watch, run_every=_LOOK_SECONDS)(desk, listing)
    with st.container(key="desk"):
        say_refusal(language, busy="ui.m_busy", sentence=failure_words)
        say_done(language)
        try:
            _VIEWS[view](context, desk)
        except SettingsError as error:
            say_failure(error, language, failure_words)


def _watch(desk: ModelService, drawn: ModelListing) -> None:
    """Draw the page anew where the server holds something else than it did."""
    if desk.listing() != drawn:
        st.rerun()
