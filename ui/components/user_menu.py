"""Who is signed in, in the head line; and what a page shows where nobody is."""

from urllib.parse import urlencode

import streamlit as st

from rag.schema import Language
from ui.components.page_shell import forget_drafts
from ui.formats import as_markdown
from ui.i18n import word
from ui.session import PageContext, has_signed_out, page_path, sign_out
from ui.sign_in import SIGN_IN_PATH


def draw_user(context: PageContext) -> None:
    """Draw the name with what belongs to it; nothing where nobody has to sign in."""
    if not context.sign_in_required:
        return
    language, user = context.language, context.user
    with st.popover(as_markdown(user.name), key="user"):
        st.text(word("user_role", language, role=word(f"role_{user.role}", language)))
        names = context.services.knowledge_bases
        st.text(word("user_scopes", language, names=word("list_comma", language).join(names) or "–"))
        st.link_button(word("password_change", language), "/password", width="stretch")
        st.button(
            word("sign_out", language), key="sign_out", width="stretch", on_click=sign_out, args=(context.services,)
        )


def draw_signed_out(language: Language) -> None:
    """Say that the sign-in is over, with the way back to this very page."""
    if has_signed_out():
        forget_drafts()
    st.warning(word("error_SignInNeeded", language))
    query = urlencode({"lang": language, "next": page_path()})
    st.link_button(word("sign_in", language), f"{SIGN_IN_PATH}?{query}", type="primary")
