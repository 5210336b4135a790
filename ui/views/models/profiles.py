"""What the desk is used for: how its model draws its words."""

import streamlit as st

from api.services.models import ModelService
from rag.schema import Language
from rag.settings import PROFILES, ProfileName
from rag.translate import translate
from ui.components.job_view import attempt
from ui.components.page_views import draw_heading
from ui.components.plain_table import Cell, Row, columns_of, draw_table
from ui.session import PageContext
from ui.views.models.jobs import keep_done


def draw_profiles(context: PageContext, desk: ModelService) -> None:
    """Draw the profiles with their numbers, and the choice for the next start."""
    language, chosen = context.language, desk.profile()
    with st.container(key="left"):
        draw_heading("ui.m_profile_heading", language)
        st.caption(translate("ui.m_profile_why", language))
        draw_table(
            "m_profiles",
            columns_of(
                language,
                ("m_profile", "wide"),
                ("m_temperature", "figure"),
                ("m_top_p", "figure"),
                ("m_penalty", "figure"),
            ),
            [_row(name, chosen.now, language) for name in desk.profiles()],
            words=(translate("ui.m_profiles", language), ""),
        )
        st.session_state.setdefault("m_profile_chosen", chosen.next_start)
        st.segmented_control(
            translate("ui.m_profile_next", language),
            list(desk.profiles()),
            required=True,
            format_func=lambda name: translate(f"ui.m_profile_{name}", language),
            key="m_profile_chosen",
        )
        unchanged = st.session_state["m_profile_chosen"] == chosen.next_start
        st.button(
            translate("ui.m_profile_save", language),
            key="m_profile_save",
            type="primary",
            disabled=unchanged,
            on_click=_save,
            args=(desk,),
        )


def _row(name: ProfileName, now: str, language: Language) -> Row:
    sampling = PROFILES[name]
    top_p = translate("ui.m_top_p_own", language) if sampling.top_p is None else f"{sampling.top_p:g}"
    note = translate("ui.m_profile_now", language) if name == now else ""
    penalty = (
        translate("ui.m_penalty_none", language) if sampling.repeat_penalty == 1 else f"{sampling.repeat_penalty:g}"
    )
    return Row(
        "",
        (
            Cell(translate(f"ui.m_profile_{name}", language), note),
            *map(Cell, (f"{sampling.temperature:g}", top_p, penalty)),
        ),
    )


def _save(desk: ModelService) -> None:
    name: ProfileName = st.session_state["m_profile_chosen"]
    attempt(lambda: keep_done("m_profile_saved", desk.choose_profile(name)))
