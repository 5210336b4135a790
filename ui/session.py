"""One browser tab: which language it reads, which turn it shows.  Only ids and choices are kept, never texts."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import cast
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from api.callers import is_direct
from api.services.shared import DeskServices, PeopleServices, SharedServices
from api.services.start import open_services
from rag.errors import OpenWithoutSignIn, ProxyWithoutSignIn
from rag.private_files import keep_files_private
from rag.schema import Language
from rag.settings import LOOPBACKS, load_settings
from rag.storage.access import LOCAL_USER, User
from ui.formats import language_of_locale
from ui.sign_in import sign_in_of_provider, token_in
from ui.turn_data import Reading

_ADDRESS_LAGS_SECONDS = 3.0

_LANGUAGES = ("zh", "en")

_SWITCHES = "language_switches"


@st.cache_resource(show_spinner=False)
def shared_services() -> SharedServices:
    """Return the program's one set of services."""
    keep_files_private()  # once more: the page may be served by another program than ``python -m ui``
    return open_services(load_settings())


@dataclass(frozen=True, slots=True)
class PageContext:
    """What a page is drawn with.

    ``user`` is who is there now, read again at each run: to draw by, not to guard by, which the services do themselves.
    """

    services: DeskServices
    language: Language
    reading: Reading
    user: User = LOCAL_USER
    sign_in_required: bool = False


def page_context(shared: SharedServices) -> PageContext:
    """Read the page's context.  Raises ``SignInNeeded``, or ``OpenWithoutSignIn``."""
    keep_shown_turn()
    language = page_language()
    who = _user_getter(shared.people)
    user = who()
    services = shared.of(who, str(st.session_state.get("scope") or ""))
    zone = _zone()
    address = (st.context.url or "").partition("?")[0].rstrip("/")
    required = shared.people.required()
    return PageContext(services, language, Reading(language, datetime.now(zone), zone, address), user, required)


def _user_getter(people: PeopleServices) -> Callable[[], User]:
    """Return a function that returns this browser's user, at any time and from any thread."""
    address = str(st.get_option("server.address") or "")
    direct = is_direct(st.context.headers.to_dict(), "127.0.0.1")  # else the address is none of this machine's own
    return partial(_user, people, address, direct, _token(), st.user.to_dict())


def _user(people: PeopleServices, address: str, direct: bool, token: str, claims: Mapping[str, object]) -> User:
    """Return the user: by the cookie of ``ui/sign_in.py``, or by another provider's claims."""
    if not people.required():
        if address not in LOOPBACKS:
            raise OpenWithoutSignIn(address=address or "0.0.0.0")
        if not direct:
            raise ProxyWithoutSignIn
        return LOCAL_USER
    return people.sign_ins.user(token) if token else sign_in_of_provider(people, claims).user


def _token() -> str:
    """Return the token of this browser's sign-in; its socket's origin, which was checked, says how it is served."""
    return token_in(st.context.cookies, secure=(st.context.headers.get("Origin") or "").startswith("https://"))


def signed_in_with_password() -> bool:
    """Tell whether this browser signed in with a password, and not with another provider's account."""
    return bool(_token())


def sign_out(services: DeskServices) -> None:
    """End this browser's sign-in; the next run finds nobody."""
    services.sign_out(_token())
    st.session_state["signed_out"] = True
    if st.user.to_dict().get("is_logged_in"):
        st.logout()


def has_signed_out() -> bool:
    """Tell whether somebody signed out in this tab; where the time was over, drafts are worth keeping."""
    return bool(st.session_state.get("signed_out"))


def page_path() -> str:
    """Return the address of the page without its host, as the browser shows it."""
    query = urlencode([(name, value) for name, value in st.query_params.items()])
    path = urlsplit(st.context.url or "/").path or "/"
    return f"{path}?{query}" if query else path


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
    """Put the chosen language into the address, so that a reload keeps it, and give each choice a new box."""
    st.query_params["lang"] = st.session_state["language"]
    st.session_state[_SWITCHES] = st.session_state.get(_SWITCHES, 0) + 1


def choice_key(name: str, usual: object = None) -> str:
    """Return the key of a box whose options are words in the page's language; ``usual`` is chosen in a new one.

    A browser sends the words of the option that it shows.  In a form it goes on sending them after the language was
    switched, when no option has these words any more.  So the box is another one after each switch, and takes over
    what was chosen in the one before.
    """
    switches = st.session_state.get(_SWITCHES, 0)
    key, before = (f"{name} {count}" if count else name for count in (switches, switches - 1))
    if switches and key not in st.session_state and before in st.session_state:
        st.session_state[key] = st.session_state[before]
    elif usual is not None:
        st.session_state.setdefault(key, usual)
    return key


def current_turn() -> str:
    """Return the id of the turn that the address names, or an empty string."""
    return st.query_params.get("turn", "")


def keep_shown_turn() -> None:
    """Keep the turn that was just asked if a run still has the former address.

    What the browser sent before it heard of the new address would else lead back, and the question be lost to sight.
    """
    before, shown, at = st.session_state.get("address_moved", ("", "", -_ADDRESS_LAGS_SECONDS))
    if current_turn() == before != shown and time.monotonic() - at < _ADDRESS_LAGS_SECONDS:
        _put_into_address(shown)


def show_turn(turn_id: str) -> None:
    """Show a turn from now on; an empty id shows none."""
    st.session_state["address_moved"] = (current_turn(), turn_id, time.monotonic())
    _put_into_address(turn_id)


def _put_into_address(turn_id: str) -> None:
    if turn_id:
        st.query_params["turn"] = turn_id
    else:
        st.query_params.pop("turn", None)


def request_turn(turn_id: str) -> None:
    """Open a turn on the desk at the next run, from whichever page this is."""
    st.session_state["wanted_turn"] = turn_id


def has_requested_turn() -> bool:
    """Tell whether the next run will open a turn."""
    return bool(st.session_state.get("wanted_turn"))


def take_requested_turn() -> str:
    """Return the turn to open now, or an empty string; it is asked for once."""
    return str(st.session_state.pop("wanted_turn", ""))


def ask_token() -> str:
    """Return the token of the question box as it is drawn now: what is sent twice from one box is one turn."""
    return str(st.session_state.setdefault("ask_token", secrets.token_urlsafe(16)))


def feed_token() -> str:
    """Return the secret of this tab's socket, known to the tab's own page alone."""
    return str(st.session_state.setdefault("feed_token", secrets.token_urlsafe(24)))


def tab_name() -> str:
    """Return this browser tab's name: a random one, stored nowhere."""
    return str(st.session_state.setdefault("tab_name", f"tab {secrets.token_hex(8)}"))


def forget_ask_token() -> None:
    """Forget the token; the box is drawn with a new one."""
    st.session_state.pop("ask_token", None)


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
