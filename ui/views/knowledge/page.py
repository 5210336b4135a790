"""The Knowledge page: what the desk knows, how fresh it is, and how to change it safely."""

from collections.abc import Callable, Mapping
from typing import Final

import streamlit as st

from api.services.knowledge import KnowledgeService
from rag.storage.access import Role
from ui.components.content import choose_view
from ui.session import PageContext
from ui.views.knowledge.articles import draw_articles
from ui.views.knowledge.history import draw_history_of_knowledge
from ui.views.knowledge.update import draw_update


def _draw_why(context: PageContext, knowledge: KnowledgeService) -> None:
    from ui.views.knowledge.search_trace import (
        draw_why,  # brings the indexes' libraries, which the first page does without
    )

    draw_why(context, knowledge)


_VIEWS: Final[Mapping[str, tuple[Role, Callable[[PageContext, KnowledgeService], None]]]] = {
    "articles": ("agent", draw_articles),
    "update": ("agent", draw_update),
    "history": ("agent", draw_history_of_knowledge),
    "why": ("lead", _draw_why),
}


def render(context: PageContext) -> None:
    """Draw the part of the page that the address names."""
    knowledge = context.services.knowledge
    views = [name for name, (role, _) in _VIEWS.items() if knowledge.may(role)]
    with st.container(key="kb_top"):
        view = choose_view("kb", views, context.language)
    with st.container(key="desk"):
        _VIEWS[view][1](context, knowledge)
