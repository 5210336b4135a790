"""The pages, and who may see them.  A page that is not in somebody's role says so, by link as well."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from rag.storage.access import Role
from rag.translate import translate
from ui.session import PageContext, take_requested_turn
from ui.views import performance
from ui.views.desk import page as desk
from ui.views.knowledge import page as knowledge
from ui.views.models import page as models
from ui.views.people import page as people
from ui.views.quality import page as quality


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page: its key is its name in ``locale/*/ui`` and its address; ``role`` is the least that sees it."""

    key: str
    icon: str
    role: Role
    render: Callable[[PageContext], None]


PAGES: tuple[PageEntry, ...] = (
    PageEntry("desk", ":material/support_agent:", "agent", desk.render),
    PageEntry("knowledge", ":material/menu_book:", "agent", knowledge.render),
    PageEntry("quality", ":material/fact_check:", "lead", quality.render),
    PageEntry("performance", ":material/speed:", "lead", performance.render),
    PageEntry("models", ":material/memory:", "admin", models.render),
    PageEntry("people", ":material/group:", "admin", people.render),
)
"""In the menu's order; the first is the one that the bare address opens."""


def navigate(context: PageContext, pages: Sequence[PageEntry] = PAGES) -> "st.Page":
    """Offer the pages of this role, and return the one that the address names; with a single one there is no menu."""
    made: list[st.Page] = []
    for entry in pages:
        permitted = context.user.is_at_least(entry.role)
        made.append(
            st.Page(
                partial(entry.render, context) if permitted else partial(_refuse, context, made),
                title=translate(f"ui.{entry.key}", context.language),
                icon=entry.icon,
                url_path=entry.key,
                default=not made,
                visibility="visible" if permitted else "hidden",
            )
        )
    shown = st.navigation(made)
    turn_id = take_requested_turn()
    if turn_id:
        st.switch_page(made[0], query_params={"turn": turn_id, "lang": context.language})
    return shown


def _refuse(context: PageContext, pages: Sequence["st.Page"]) -> None:
    """Show the refusal and the way to the first page: with a single page there is no menu."""
    st.warning(translate("ui.not_permitted", context.language))
    st.page_link(pages[0])
