"""One browser tab: which language it reads, which turn it shows.  Only ids and choices are kept, never texts."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from rag.schema import Language
from rag.storage.access import LOCAL_USER, User
from ui.i18n import language_of_locale
from ui.services import DeskServices
from ui.turn_data import Reading

_LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class PageContext:
    """What a page is drawn with.  ``user`` is who is there now: read anew at each run."""

    services: DeskServices
    language: Language
    reading: Reading
    user: User = LOCAL_USER


def page_context(services: DeskServices) -> PageContext:
    """Read who looks at the page."""
    language = page_language()
    zone = _zone()
    address = (st.context.url or "").partition("?")[0].rstrip("/")
    return PageContext(services, language, Reading(language, datetime.now(zone), zone, address))


def page_language() -> Language:
    """Return the language that was chosen, else the one that the address names, else the browser's, else Chinese."""
    if st.session_state.get("language") not in _LANGUAGES:
        named = st.query_params.get("lang")
        st.session_state["language"] = named if named in _LANGUAGES else language_of_locale(st.context.locale)
    return cast(Language, st.session_state["language"])


def language_was_chosen() -> bool:
    """Tell whether the agent chose the language, in this tab or in the one that the address was copied from."""
    return st.query_params.get("lang") in _LANGUAGES


def keep_language() -> None:
    """Put the chosen language into the address, so that a reload keeps it."""
    st.query_params["lang"] = st.session_state["language"]


def current_turn() -> str:
    """Return the id of the turn that the address names, or an empty string."""
    return st.query_params.get("turn", "")


def show_turn(turn_id: str) -> None:
    """Show a turn from now on; an empty id shows none."""
    if turn_id:
        st.query_params["turn"] = turn_id
    else:
        st.query_params.pop("turn", None)


def ask_token() -> str:
    """Return the token of the question box as it is drawn now: what is sent twice from one box is one turn."""
    if "ask_token" not in st.session_state:
        st.session_state["ask_token"] = secrets.token_urlsafe(16)
    return cast(str, st.session_state["ask_token"])


def tab_owner() -> str:
    """Return who this browser tab is in the model's line: a number of its own, which is kept nowhere."""
    if "line_owner" not in st.session_state:
        st.session_state["line_owner"] = f"tab {secrets.token_hex(8)}"
    return cast(str, st.session_state["line_owner"])


def use_up_token() -> None:
    """Forget the token; the box is drawn with a new one."""
    st.session_state.pop("ask_token", None)


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
