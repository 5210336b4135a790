"""People: who may use the desk, what each may do and read, and who changed what."""

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from rag.people.administration import Administration
from rag.people.audit import Detail, Entry
from rag.people.directory import Person
from rag.people.passwords import SHORTEST
from rag.schema import Language
from rag.storage.access import ROLES
from rag.translate import translate
from ui.components.job_view import attempt_with_message, draw_message
from ui.formats import format_gigabytes, markdown_word, plain_rows
from ui.session import PageContext, choice_key
from ui.views.people.api_keys import draw_keys, right_in_words

_SHOWN_ENTRIES = 50


def render(context: PageContext) -> None:
    """Draw the page.  Raises ``NotPermitted`` through the services where somebody is no admin."""
    administration, language = context.services.administration, context.language
    st.header(translate("ui.people", language), anchor=False)
    if not context.sign_in_required:
        st.info(translate("ui.people_not_required", language))
    draw_message("people")
    everybody = administration.people()
    if everybody:
        st.table(plain_rows(_people_table(everybody, language)), hide_index=True, alt=translate("ui.people", language))
    else:
        st.caption(translate("ui.people_nobody", language))
    adding, changing = st.columns(2, gap="medium")
    with adding, st.container(border=True):
        _draw_adding(administration, everybody, language)
    with changing, st.container(border=True):
        _draw_changing(administration, everybody, language)
    draw_keys(context, administration, context.services.keys)
    _draw_record(context, administration)


def _people_table(everybody: tuple[Person, ...], language: Language) -> list[dict[str, str]]:
    return [
        {
            translate("ui.name", language): person.name,
            translate("ui.role", language): translate(f"ui.role_{person.role}", language),
            translate("ui.people_may_read", language): _scopes(person, language),
            translate("ui.people_state", language): _state(person, language),
        }
        for person in everybody
    ]


def _scopes(person: Person, language: Language) -> str:
    if person.scopes is None:
        return translate("ui.people_everything", language)
    return translate("ui.list_comma", language).join(sorted(person.scopes)) or "–"


def _state(person: Person, language: Language) -> str:
    if person.disabled:
        return translate("ui.people_disabled", language)
    return translate("ui.people_active" if person.has_password else "ui.people_elsewhere", language)


def _draw_adding(administration: Administration, everybody: tuple[Person, ...], language: Language) -> None:
    st.subheader(translate("ui.people_add", language), anchor=False)
    if not any(person.role == "admin" and person.scopes is None for person in everybody):
        st.caption(translate("ui.people_first_admin", language))
    with st.form("people_add", border=False, enter_to_submit=False):
        st.text_input(translate("ui.name", language), key="add_name", max_chars=64, autocomplete="off")
        _draw_role_and_scopes("add", administration, administration.scopes(), language)
        st.text_input(
            translate("ui.password_new", language, limit=SHORTEST),
            key="add_password",
            type="password",
            max_chars=200,
            autocomplete="new-password",
            placeholder=translate("ui.people_password_empty", language),
        )
        label = translate("ui.people_add_button", language)
        st.form_submit_button(label, type="primary", on_click=_add, args=(administration, language))


def _draw_role_and_scopes(
    prefix: str, administration: Administration, scopes: tuple[str, ...], language: Language
) -> None:
    st.selectbox(
        translate("ui.role", language),
        ROLES,
        key=choice_key(f"{prefix}_role"),
        format_func=lambda role: translate(f"ui.role_{role}", language),
    )
    st.multiselect(
        translate("ui.people_may_read", language),
        scopes,
        key=f"{prefix}_scopes",
        placeholder=translate("ui.people_choose_scopes", language),
    )
    if administration.has_limits():
        st.caption(translate("ui.people_own_scopes", language))
    else:
        st.checkbox(translate("ui.people_everything", language), key=f"{prefix}_everything")


def _draw_changing(administration: Administration, everybody: tuple[Person, ...], language: Language) -> None:
    st.subheader(translate("ui.people_change", language), anchor=False)
    if not everybody:
        st.caption(translate("ui.people_nobody", language))
        return
    people = {person.name: person for person in everybody}
    name = st.selectbox(translate("ui.name", language), list(people), key="change_name", on_change=_forget_choice)
    person = people[name]
    if person.scopes is None and administration.has_limits():
        st.caption(markdown_word("ui.people_out_of_reach", language, name=name))
        return
    known = administration.scopes(person)
    st.session_state.setdefault(choice_key("change_role"), person.role)
    st.session_state.setdefault("change_scopes", [scope for scope in known if scope in (person.scopes or ())])
    st.session_state.setdefault("change_everything", person.scopes is None)
    _draw_role_and_scopes("change", administration, known, language)
    act = partial(_act, language)
    with st.container(horizontal=True):
        _button("people_save", language, act, partial(_change, administration, person, known))
        disabling = partial(administration.set_disabled, name, disabled=not person.disabled)
        _button("people_enable" if person.disabled else "people_disable", language, act, disabling)
        _button("people_sign_out", language, act, partial(administration.sign_out_everywhere, name))
    st.text_input(
        translate("ui.password_new", language, limit=SHORTEST),
        key="change_password",
        type="password",
        max_chars=200,
        autocomplete="new-password",
    )
    _button("people_set_password", language, act, partial(_set_password, administration, name))


def _button(
    key: str, language: Language, act: Callable[[Callable[[], object]], None], what: Callable[[], object]
) -> None:
    st.button(translate(f"ui.{key}", language), key=key, on_click=act, args=(what,))


def _act(language: Language, what: Callable[[], object]) -> None:
    """Run it and keep its message for the next run."""
    if attempt_with_message("people", what, language):
        _forget_choice()


def _add(administration: Administration, language: Language) -> None:
    state, role = st.session_state, choice_key("add_role")
    scopes = None if state.get("add_everything") else frozenset(state["add_scopes"])
    password = state["add_password"] or None
    add = partial(administration.add, state["add_name"], state[role], scopes, password)
    if attempt_with_message("people", add, language):
        _forget_choice()
        # The next person gets nothing that was chosen for this one.
        state.update({"add_name": "", role: ROLES[0], "add_scopes": [], "add_everything": False})
    state["add_password"] = ""


def _change(administration: Administration, person: Person, known: tuple[str, ...]) -> None:
    """Write role and scopes, each only where it was changed on the page, whose choice of scopes was ``known``."""
    state = st.session_state
    role = state[choice_key("change_role")]
    if role != person.role:
        administration.set_role(person.name, role)
    scopes = None if state.get("change_everything") else frozenset(state["change_scopes"])
    shown = None if person.scopes is None else person.scopes & set(known)
    if scopes != shown:
        administration.set_scopes(person.name, scopes)


def _set_password(administration: Administration, name: str) -> None:
    password = st.session_state.get("change_password", "")
    st.session_state["change_password"] = ""
    administration.set_password(name, password)


def _forget_choice() -> None:
    """Take role and scopes from the directory again at the next run."""
    for key in (choice_key("change_role"), "change_scopes", "change_everything"):
        st.session_state.pop(key, None)


def _draw_record(context: PageContext, administration: Administration) -> None:
    language = context.language
    st.subheader(translate("ui.record", language), anchor=False)
    entries = administration.entries(_SHOWN_ENTRIES)
    if not entries:
        st.caption(translate("ui.record_empty", language))
        return
    st.caption(translate("ui.record_shown", language, count=len(entries)))
    columns = [
        translate(f"ui.{key}", language)
        for key in ("record_at", "record_who", "record_what", "record_about", "record_how")
    ]
    rows = [dict(zip(columns, _record_row(entry, context), strict=True)) for entry in entries]
    with st.container(height=300, border=False, key="record"):
        st.download_button(  # in there, so that the keyboard reaches what scrolls
            translate("ui.record_download", language),
            data="".join(administration.lines()),
            file_name="answerdesk-changes.jsonl",
            mime="application/jsonl",
        )
        st.table(plain_rows(rows), hide_index=True, alt=translate("ui.record", language))


def _record_row(entry: Entry, context: PageContext) -> tuple[str, ...]:
    language = context.language
    at = context.reading.clock(entry.at)
    return (
        at,
        entry.who,
        translate(f"ui.change_{entry.what}", language),
        entry.about,
        detail_words(entry.details, language),
    )


_COUNTED = (
    "generation", "added", "changed", "restored", "number", "slots", "context", "turns", "cached", "curated",
    "questions", "runs", "days",
)  # fmt: skip


def detail_words(details: Mapping[str, Detail], language: Language) -> str:
    """Return a recorded change in the reader's language."""
    return translate("ui.list_comma", language).join(_detail(key, value, language) for key, value in details.items())


def _detail(key: str, value: Detail, language: Language) -> str:
    named = {
        "role": f"role_{value}",
        "state": f"q_state_{value}",
        "action": f"m_action_{value}",
        "profile": f"m_profile_{value}",
        "audience": f"audience_{value}",
    }
    if key in named:
        return translate(f"ui.{named[key]}", language)
    if key == "rights" and isinstance(value, str):
        comma = translate("ui.list_comma", language)
        return comma.join(right_in_words(right, language) for right in value.split(", "))
    if key == "bytes" and isinstance(value, int):
        return format_gigabytes(value, language)
    if key in _COUNTED:
        return translate(f"ui.detail_{key}", language, n=value)
    return translate("ui.people_everything", language) if value == "*" else str(value)
