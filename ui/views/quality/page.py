"""The Quality page: whether it is getting better, and what should be written next."""

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from api.services.quality import QualityService
from rag.translate import translate
from ui.components.content import choose_view
from ui.components.job_view import show_refusal
from ui.session import PageContext
from ui.views.quality.compare import draw_compare
from ui.views.quality.gaps import draw_gaps, draw_outcomes
from ui.views.quality.review import draw_review
from ui.views.quality.runs import draw_runs

_VIEWS: Final[Mapping[str, Callable[[PageContext, QualityService], None]]] = {
    "runs": draw_runs,
    "compare": draw_compare,
    "review": draw_review,
    "gaps": draw_gaps,
    "outcomes": draw_outcomes,
}


def render(context: PageContext) -> None:
    """Draw the part of the page that the address names."""
    language = context.language
    if not context.services.knowledge_base or context.services.knowledge_state().published_at is None:
        st.warning(translate("ui.knowledge_base_none", language))
        return
    quality = context.services.quality
    with st.container(key="q_top"):
        view = choose_view("q", list(_VIEWS), language)
    with st.container(key="desk"):
        show_refusal(language, busy="ui.q_busy")
        _VIEWS[view](context, quality)
