"""What tuning a model was worth: the table of ``python -m eval train``, which the page only shows."""

import streamlit as st

from api.services.models import ModelService
from eval.train.findings import HEADS, Arm, Findings, cells, remarks
from rag.schema import Language
from rag.translate import translate
from ui.components.page_views import draw_heading
from ui.components.plain_table import Cell, Column, Row, draw_table
from ui.formats import as_markdown
from ui.session import PageContext

_MOST_SHOWN = 3


def draw_tunings(context: PageContext, desk: ModelService) -> None:
    """Draw a card for each of the newest trainings; nothing where there is none."""
    for number, found in enumerate(desk.tunings()[:_MOST_SHOWN]):
        with st.container(border=True, key=f"m_tuning_{number}"):
            _draw_findings(number, found, context.language)


def _draw_findings(number: int, found: Findings, language: Language) -> None:
    draw_heading("ui.m_tuned", language)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(found.tuned)
        if found.stand_in:
            st.badge(translate("ui.stand_in", language), color="orange")
    first, *others = [translate(f"eval_train.{head}", language) for head in HEADS]
    draw_table(
        f"m_tuning_table_{number}",
        [Column(first, "wide"), *(Column(head, "figure") for head in others)],
        [_row(arm, language) for arm in found.arms],
        words=(translate("ui.m_tuned", language), translate("ui.m_tuned", language)),
    )
    for remark in remarks(found, language):
        st.caption(as_markdown(remark))


def _row(arm: Arm, language: Language) -> Row:
    name, *figures = cells(arm, language)
    return Row("", (Cell(name), *map(Cell, figures)))
