"""Who is signed in, in the head line; and what a page shows where nobody is."""

from urllib.parse import urlencode

import streamlit as st

from rag.schema import Language
from rag.translate import translate
from ui.components.page_shell import forget_drafts
from ui.formats import as_markdown
from ui.session import PageContext, has_signed_out, page_path, sign_out
from ui.sign_in import SIGN_IN_PATH


def draw_user(context: PageContext) -> None:
    """Draw the name with what belongs to it; nothing where nobody has to sign in."""
    if not context.sign_in_required:
        return
    language, user = context.language, context.user
    with st.popover(as_markdown(user.name), key="user"):
        st.text(translate("ui.user_role", language, role=translate(f"ui.role_{user.role}", language)))
        names = context.services.knowledge_bases
        st.text(translate("ui.user_scopes", language, names=translate("ui.list_comma", language).join(names) or "–"))
        st.link_button(translate("ui.password_change", language), "/password", width="stretch")
        st.button(
            translate("ui.sign_out", language),
            key="sign_out",
            width="stretch",
            on_click=sign_out,
            args=(context.services,),
        )


def draw_signed_out(language: Language) -> None:
    """Say that the sign-in is over, with the way back to this very page."""
    if has_signed_out():
        forget_drafts()
    st.warning(translate("ui.error_SignInNeeded", language))
    query = urlencode({"lang": language, "next": page_path()})
    st.link_button(translate("ui.sign_in", language), f"{SIGN_IN_PATH}?{query}", type="primary")
