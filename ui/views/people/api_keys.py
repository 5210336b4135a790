"""API keys on the page People: the list, a form that makes one, and its end."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import get_args

import streamlit as st

from rag.errors import ApiKeyUnusable
from rag.people.administration import Administration, KeyAdministration
from rag.people.keys import LONGEST_NAME, PUBLIC_RIGHTS, RIGHTS, ApiKey, in_order
from rag.schema import Audience, Language
from rag.text.characters import one_line
from rag.translate import translate
from ui.components.job_view import attempt_with_message, draw_message
from ui.formats import format_date, markdown_word, plain_rows
from ui.session import PageContext, choice_key

_DAYS = (30, 90, 365, 0)
"""When a new key can expire; 0: never."""

_USUAL_DAYS = 90
_SECRET_SHOWN_SECONDS = 600.0
_SECRET = "keys_secret"


def draw_keys(context: PageContext, administration: Administration, keys: KeyAdministration) -> None:
    """Draw the section.  Raises ``NotPermitted`` through the services where somebody is no admin."""
    language = context.language
    st.subheader(translate("ui.api_keys", language), anchor=False)
    st.caption(translate("ui.keys_why", language))
    draw_message("keys")
    with st.container():  # the table keeps its place when the secret goes, or Streamlit shows it twice for a moment
        _draw_secret(language)
    found = keys.list()
    if found:
        st.table(plain_rows(_rows(found, context)), hide_index=True, alt=translate("ui.api_keys", language))
    else:
        st.caption(translate("ui.keys_none", language))
    making, changing = st.columns(2, gap="medium")
    with making, st.container(border=True):
        _draw_making(administration, keys, language)
    if found:
        with changing, st.container(border=True):
            _draw_changing(keys, found, language)


def _draw_secret(language: Language) -> None:
    """Show a secret until its reader has stored it, and ten minutes at the longest."""
    name, secret, until = st.session_state.get(_SECRET, ("", "", 0.0))
    if time.monotonic() >= until:
        st.session_state.pop(_SECRET, None)
        return
    with st.container(border=True, key="key_secret"):
        st.warning(markdown_word("ui.keys_secret", language, name=name))
        st.code(secret, language=None, wrap_lines=True)
        label = translate("ui.keys_secret_stored", language)
        st.button(label, key="key_secret_stored", on_click=lambda: st.session_state.pop(_SECRET, None))


def _keep_secret(name: str, secret: str) -> None:
    st.session_state[_SECRET] = (name, secret, time.monotonic() + _SECRET_SHOWN_SECONDS)


def _rows(found: tuple[ApiKey, ...], context: PageContext) -> list[dict[str, str]]:
    language = context.language
    comma = translate("ui.list_comma", language)
    everything = translate("ui.people_everything", language)
    return [
        {
            translate("ui.keys_key", language): _key_label(key),
            translate("ui.keys_rights", language): comma.join(
                right_in_words(right, language) for right in in_order(key.rights)
            ),
            translate("ui.people_may_read", language): everything
            if key.scopes is None
            else comma.join(sorted(key.scopes)),
            translate("ui.keys_audience", language): translate(f"ui.keys_for_{key.audience}", language),
            translate("ui.keys_owner", language): key.owner or "–",
            translate("ui.keys_made", language): _time_words(key.created_at, context),
            translate("ui.keys_used", language): _time_words(last_use(key), context),
            translate("ui.keys_expires", language): _end(key, context),
        }
        for key in found
    ]


def _key_label(key: ApiKey) -> str:
    return f"{key.name} ({key.key_id})"


def right_in_words(right: str, language: Language) -> str:
    """Describe a right."""
    return translate(f"ui.key_right_{right.replace(':', '_')}", language)


def with_rights_in_words(error: ApiKeyUnusable, language: Language) -> ApiKeyUnusable:
    """Return the error with the rights that it lists as the form calls them, and not as programs do."""
    reason = str(error.details["reason"])
    known = {"rights": RIGHTS, "public": PUBLIC_RIGHTS}.get(reason)
    if known is None:
        return error
    words = translate("ui.list_comma", language).join(right_in_words(right, language) for right in known)
    return ApiKeyUnusable(reason=reason, known=words)


def last_use(key: ApiKey) -> datetime | None:
    """Return when a key was used last; its hour alone is kept, which may have begun before the key was made."""
    return None if key.used_at is None else max(key.used_at, key.created_at)


def _time_words(value: datetime | None, context: PageContext) -> str:
    if value is None:
        return translate("ui.keys_never", context.language)
    return context.reading.clock(value)


def _end(key: ApiKey, context: PageContext) -> str:
    if key.expires_at is None:
        return translate("ui.keys_never", context.language)
    if key.has_expired(datetime.now(UTC)):
        return translate("ui.keys_expired", context.language)
    return format_date(key.expires_at.astimezone(context.reading.zone).date(), context.language)


def _draw_making(administration: Administration, keys: KeyAdministration, language: Language) -> None:
    st.subheader(translate("ui.keys_make", language), anchor=False)
    with st.form("key_make", border=False, enter_to_submit=False):
        label = translate("ui.keys_name", language)
        st.text_input(label, key="key_name", max_chars=LONGEST_NAME, autocomplete="off")
        st.multiselect(
            translate("ui.keys_rights", language),
            RIGHTS,
            key=choice_key("key_rights"),
            format_func=lambda right: right_in_words(right, language),
            placeholder=translate("ui.keys_choose_rights", language),
        )
        _draw_reach(administration, language)
        _draw_limits(language)
        label = translate("ui.keys_make_button", language)
        st.form_submit_button(label, type="primary", on_click=_make, args=(keys, language))


def _draw_reach(administration: Administration, language: Language) -> None:
    st.multiselect(
        translate("ui.people_may_read", language),
        administration.scopes(),
        key="key_scopes",
        placeholder=translate("ui.people_choose_scopes", language),
    )
    if administration.has_limits():
        st.caption(translate("ui.people_own_scopes", language))
    else:
        st.checkbox(translate("ui.people_everything", language), key="key_everything")
    st.selectbox(
        translate("ui.keys_audience", language),
        get_args(Audience),
        key=choice_key("key_audience"),
        format_func=lambda audience: translate(f"ui.keys_for_{audience}", language),
    )


def _draw_limits(language: Language) -> None:
    st.selectbox(
        translate("ui.keys_expires", language),
        _DAYS,
        key=choice_key("key_days", _USUAL_DAYS),
        format_func=lambda days: (
            translate("ui.keys_days", language, n=days) if days else translate("ui.keys_never", language)
        ),
    )
    st.number_input(translate("ui.keys_pace", language), min_value=1, value=None, step=1, key="key_pace")


def _make(keys: KeyAdministration, language: Language) -> None:
    state = st.session_state
    scopes = None if state.get("key_everything") else frozenset(state["key_scopes"])
    days = state[choice_key("key_days")]

    def make() -> None:
        try:
            secret, key = keys.add(
                state["key_name"],
                state[choice_key("key_rights")],
                scopes,
                audience=state[choice_key("key_audience")],
                expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
                questions_a_minute=state["key_pace"],
            )
        except ApiKeyUnusable as error:
            raise with_rights_in_words(error, language) from error
        _keep_secret(key.name, secret)

    if attempt_with_message("keys", make, language, done=""):
        state["key_name"] = ""


def _draw_changing(keys: KeyAdministration, found: tuple[ApiKey, ...], language: Language) -> None:
    st.subheader(translate("ui.keys_change", language), anchor=False)
    by_id = {key.key_id: key for key in found}
    chosen = st.selectbox(
        translate("ui.keys_key", language),
        list(by_id),
        key="key_chosen",
        format_func=lambda key_id: one_line(_key_label(by_id[key_id])),
        on_change=_forget_consent,
    )
    key = by_id[chosen]
    st.checkbox(translate("ui.keys_sure", language), key="key_sure")
    sure = bool(st.session_state.get("key_sure"))
    with st.container(horizontal=True):
        _button("keys_roll", sure, language, partial(_roll, keys, key, language))
        _button("keys_revoke", sure, language, partial(_revoke, keys, key, language))


def _button(name: str, sure: bool, language: Language, act: Callable[[], None]) -> None:
    st.button(translate(f"ui.{name}", language), key=name, disabled=not sure, on_click=act)


def _roll(keys: KeyAdministration, key: ApiKey, language: Language) -> None:
    attempt_with_message("keys", lambda: _keep_secret(key.name, keys.roll(key.key_id)), language, done="")
    _forget_consent()


def _revoke(keys: KeyAdministration, key: ApiKey, language: Language) -> None:
    attempt_with_message("keys", partial(keys.revoke, key.key_id), language, done="ui.keys_done_revoke")
    _forget_consent()


def _forget_consent() -> None:
    """Ask again for the next key, and for the next change."""
    st.session_state["key_sure"] = False
