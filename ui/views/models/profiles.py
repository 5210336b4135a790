"""What the desk is used for: how its model draws its words."""

import streamlit as st

from rag.profiles import PROFILES, ProfileName
from rag.schema import Language
from rag.translate import translate
from ui.components.notices import draw_heading
from ui.components.plain_table import Cell, Column, Row, draw_table
from ui.services.models import ModelService
from ui.session import PageContext
from ui.views.models.notices import attempt, keep_done


def draw_profiles(context: PageContext, desk: ModelService) -> None:
    """Draw the profiles with their numbers, and the choice for the next start."""
    language, chosen = context.language, desk.profile()
    with st.container(key="left"):
        draw_heading("ui.m_profile_heading", language)
        st.caption(translate("ui.m_profile_why", language))
        titles = ("m_profile", "m_temperature", "m_top_p", "m_penalty")
        draw_table(
            "m_profiles",
            [
                Column(translate(f"ui.{titles[0]}", language), "wide"),
                *(Column(translate(f"ui.{key}", language), "figure") for key in titles[1:]),
            ],
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
