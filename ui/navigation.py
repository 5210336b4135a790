"""The pages, and who may see them.  A page that is not in somebody's role says so, by link as well."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from rag.storage.access import Role
from ui.app_pages import desk, knowledge, people, performance
from ui.i18n import word
from ui.session import PageContext, take_wanted_turn


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page: its key is its word in ``ui/i18n.py`` and its address; ``role`` is the least that sees it."""

    key: str
    icon: str
    role: Role
    render: Callable[[PageContext], None]


PAGES: tuple[PageEntry, ...] = (
    PageEntry("desk", ":material/support_agent:", "agent", desk.render),
    PageEntry("knowledge", ":material/menu_book:", "agent", knowledge.render),
    PageEntry("performance", ":material/speed:", "lead", performance.render),
    PageEntry("people", ":material/group:", "admin", people.render),
)
"""In the menu's order; the first is the one that the bare address opens."""


def navigate(context: PageContext, pages: Sequence[PageEntry] = PAGES) -> "st.Page":
    """Offer the pages of this role, and return the one that the address names; with a single one there is no menu."""
    made = [_page(entry, context, is_first=entry is pages[0]) for entry in pages]
    shown = st.navigation(made)
    turn_id = take_wanted_turn()
    if turn_id:
        st.switch_page(made[0], query_params={"turn": turn_id, "lang": context.language})
    return shown


def _page(entry: PageEntry, context: PageContext, *, is_first: bool) -> "st.Page":
    permitted = context.user.is_at_least(entry.role)
    return st.Page(
        partial(entry.render if permitted else _refuse, context),
        title=word(entry.key, context.language),
        icon=entry.icon,
        url_path=entry.key,
        default=is_first,
        visibility="visible" if permitted else "hidden",
    )


def _refuse(context: PageContext) -> None:
    st.warning(word("not_permitted", context.language))
