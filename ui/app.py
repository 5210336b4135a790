"""The script that Streamlit runs for every browser: it navigates, draws the head line, and turns errors into words.

python -m ui                 the desk as it is meant to be served (ui/server.py)
streamlit run ui/app.py      the same page without the net for unforeseen errors
"""

import time
from collections.abc import Callable

import streamlit as st

from api.services.shared import KnowledgeState, ModelState, SharedServices
from rag.errors import AnswerdeskError, DatabaseUnavailable, SignInNeeded
from rag.translate import translate
from ui.components.job_view import show_failure
from ui.components.page_shell import PAGE_ICON, apply_page_style, draw_shell, draw_signed_out, draw_user
from ui.formats import format_age
from ui.navigation import navigate
from ui.session import (
    PageContext,
    current_turn,
    keep_language,
    language_was_chosen,
    page_context,
    page_language,
    shared_services,
)
from ui.turn_data import Data
from ui.views.desk.page import draw_history

_SIDEBAR_PIXELS = 230
_SEARCHES_GO_FIRST_SECONDS = 0.2
_RETRY_SECONDS = 5.0


def run(services: Callable[[], SharedServices] = shared_services) -> None:
    """Draw the page that the address names.  Tests pass their own services."""
    language = page_language()
    st.set_page_config(
        page_title=translate("ui.page_title", language),
        page_icon=PAGE_ICON,
        layout="wide",
        initial_sidebar_state=_SIDEBAR_PIXELS,
    )
    apply_page_style()
    try:
        shared = services()
        shared.turns.searches.wait_until_idle(_SEARCHES_GO_FIRST_SECONDS)
        context = page_context(shared)
        page = navigate(context)
        with st.container(key="page"):
            _draw_head(context)
            page.run()
        if page.url_path == "":  # the default page, which is the desk
            shared.turns.searches.wait_until_idle(_SEARCHES_GO_FIRST_SECONDS)
            with st.sidebar:
                draw_history(context)
    except SignInNeeded:
        draw_signed_out(language)
    except AnswerdeskError as error:
        show_failure(error, language)
        if isinstance(error, DatabaseUnavailable):
            _draw_again_later()


def _draw_again_later() -> None:
    """Rerun the page after some seconds: the browser is not told when an outage ends."""
    drawn_at = time.monotonic()

    @st.fragment(run_every=_RETRY_SECONDS)
    def draw_again() -> None:
        if time.monotonic() - drawn_at > _RETRY_SECONDS / 2:  # not at once, with the page itself
            st.rerun()

    draw_again()


def _draw_head(context: PageContext) -> None:
    language = context.language
    model = context.services.model()
    facts = [_knowledge_fact(context, context.services.knowledge_state()), _model_fact(context, model)]
    with st.container(key="head", horizontal=True, vertical_alignment="center"):
        with st.container(key="shell", width="stretch"):
            draw_shell(
                language,
                chosen=language_was_chosen(),
                facts=facts,
                stand_in=translate("ui.stand_in", language) if model.stand_in else "",
                focus=current_turn() or "none",
                person=context.user.name if context.sign_in_required else "",
            )
        draw_user(context)
        st.segmented_control(
            translate("ui.language", language),
            ["zh", "en"],
            required=True,
            format_func=lambda option: {"zh": "中文", "en": "English"}[option],
            key="language",
            on_change=keep_language,
            label_visibility="collapsed",
        )


def _knowledge_fact(context: PageContext, state: KnowledgeState) -> Data:
    language = context.language
    if state.published_at is None:
        return {"text": translate("ui.knowledge_base_none", language), "tone": "bad", "title": ""}
    age = format_age(state.published_at, context.reading.now, language)
    size = translate("ui.knowledge_base_size", language, documents=state.documents, passages=state.passages)
    if state.problem is not None:
        size = f"{size} {translate('ui.knowledge_base_behind', language)} {state.problem.text(language)}"
    return {
        "text": translate("ui.knowledge_base", language, generation=state.generation, age=age),
        "tone": "" if state.problem is None else "warning",
        "title": size,
    }


def _model_fact(context: PageContext, model: ModelState) -> Data:
    tone = {"ready": "good", "starting": "warning"}.get(model.kind, "bad")
    words = translate(f"ui.model_{model.kind}", context.language, model=model.name)
    return {"text": words, "tone": tone, "title": ""}


if __name__ == "__main__":
    run()
