"""What surrounds every page: the style sheet, the head line, the user's menu, and the notice after a sign-out.

The head line also does what Streamlit does not do for a page in two languages: it sets the language of the document,
speaks to screen readers, offers the skip link, listens for the keys, tells when the connection is lost, and translates
Streamlit's own few English words.
"""

import json
from functools import cache
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from rag.schema import Language
from rag.translate import translate
from ui.browser import asset, component
from ui.formats import as_markdown, html_link, visible
from ui.session import PageContext, has_signed_out, page_path, sign_out, signed_in_with_password
from ui.sign_in import SIGN_IN_PATH
from ui.turn_data import Data

PAGE_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#0B5CAD"/>'
    '<path d="M5 7h14v8H11l-4 3v-3H5z" fill="#fff"/></svg>'
)
"""The tab's icon, drawn here: Streamlit's own symbols would be fetched from another machine."""

_KEYS = (
    ("Enter", "ask"),
    ("Alt+Q", "keys_focus"),
    ("Alt+N", "new_question"),
    ("Alt+S", "stop"),
    ("Alt+G", "retry"),
    ("Alt+V", "keys_passage"),
    ("Alt+W", "keys_reply"),
    ("Alt+P", "copy"),
    ("Alt+I", "copy_with_sources"),
    ("Alt+H", "handoff_copy"),
    ("Alt+T", "keys_tone"),
    ("Alt+J", "wish_shorter"),
    ("Alt+O", "wish_longer"),
    ("Alt+X", "keys_translate"),
    ("Alt+Z", "undo_rewriting"),
    ("Alt+U", "useful"),
    ("Alt+B", "not_useful"),
    ("Alt+K", "correct"),
    ("Alt+Y", "keys_language"),
    ("Alt+L", "keys_list"),
)


def apply_page_style() -> None:
    """Put the page's style sheet in place."""
    st.html(f"<style>{asset('tokens.css')}{asset('page.css')}</style>")


@cache
def streamlit_words() -> dict[str, str]:
    """Return Streamlit 1.67's own words that can show on these pages, with the Chinese ones in their place.

    ``#`` stands for any number.  What begins with a blank is the end of a text, after a kind of file; what ends with
    one is the beginning of a text, before the name of something.
    """
    words: dict[str, str] = json.loads(asset("streamlit_words.json"))
    return words


def draw_shell(
    language: Language, *, chosen: bool, facts: list[Data], stand_in: str, focus: str, person: str = ""
) -> None:
    """Draw the head line.  ``chosen`` tells that the agent chose the language, so that the browser remembers it.

    ``person`` is who is signed in: what somebody else left in this tab is forgotten.  ``facts`` are ``{"text", "tone",
    "title"}``; a ``focus`` that differs from the last one moves the cursor to the box.
    """
    data = {
        "lang": "zh-CN" if language == "zh" else "en",
        "chosen": chosen,
        "product": translate("ui.product", language),
        "skip": translate("ui.skip", language),
        "facts": facts,
        "stand_in": stand_in,
        "focus": focus,
        "person": person,
        "keys": translate("ui.keys", language),
        "key_list": [[key, translate(f"ui.{name}", language)] for key, name in _KEYS],
        "connection_lost": translate("ui.connection_lost", language),
        "streamlit_words": list(streamlit_words().items()),
    }
    component("page_shell")(key="page_shell", data=visible(data))


def draw_user(context: PageContext) -> None:
    """Draw the user's name with its menu; nothing where nobody has to sign in."""
    if not context.sign_in_required:
        return
    language, user = context.language, context.user
    with st.popover(as_markdown(user.name), key="user"):
        st.text(translate("ui.user_role", language, role=translate(f"ui.role_{user.role}", language)))
        names = context.services.knowledge_bases
        st.text(translate("ui.user_scopes", language, names=translate("ui.list_comma", language).join(names) or "–"))
        if signed_in_with_password():
            st.link_button(translate("ui.password_change", language), "/password", width="stretch")
        st.button(
            translate("ui.sign_out", language),
            key="sign_out",
            width="stretch",
            on_click=sign_out,
            args=(context.services,),
        )


def draw_signed_out(language: Language) -> None:
    """Say that the sign-in has ended, with the way back to this page.

    A link button would be a file to load, which nobody gets without a sign-in.
    """
    with st.container(key="signed_out"):  # beside which the style sheet hides the menu
        _draw_way_back(language)


def _draw_way_back(language: Language) -> None:
    if has_signed_out():  # the drafts of the person who signed out: a text for a customer is not the next person's
        component("forget_drafts")(key="forget_drafts", height=1)
        st.info(translate("ui.signed_out", language))
    else:
        st.warning(translate("ui.error_SignInNeeded", language))
    query = urlencode({"lang": language, "next": page_path()})
    st.html(html_link(f"{SIGN_IN_PATH}?{query}", translate("ui.sign_in", language), "to-sign-in"))
