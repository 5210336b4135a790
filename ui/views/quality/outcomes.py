"""What became of answers, by topic and by team: never by person, and in no order of merit."""

from collections.abc import Sequence

import streamlit as st

from api.services.quality import QualityService
from eval.core.svg import Bar, bar_chart
from rag.schema import Language
from rag.storage.turn_store import Grouping, OutcomeCounts
from rag.translate import translate
from ui.components.plain_table import Cell, Row, columns_of, draw_table
from ui.components.run_plots import draw_plots
from ui.session import PageContext
from ui.views.quality.gaps import draw_days

_MOST_BARS = 20


def draw_outcomes(context: PageContext, desk: QualityService) -> None:
    """Draw topics, then teams, each as a table and a plot of the same numbers."""
    language = context.language
    with st.container(key="left"):
        days = draw_days(language)
        st.caption(translate("ui.q_outcomes_why", language))
        _draw("topic", "q_by_topic", desk.outcomes("topic", days), language)
        _draw("agent_group", "q_by_team", desk.outcomes("agent_group", days), language)


def _draw(grouping: Grouping, heading: str, found: Sequence[OutcomeCounts], language: Language) -> None:
    name = "q_team" if grouping == "agent_group" else "q_topic"
    unnamed = translate("ui.q_everybody" if grouping == "agent_group" else "ui.q_no_topic", language)
    draw_table(
        f"q_outcomes_{grouping}",
        columns_of(
            language,
            (name, "wide"),
            ("q_copied", "figure"),
            ("q_edited", "figure"),
            ("q_changed_share", "figure"),
            ("q_discarded", "figure"),
            ("q_handed_over", "figure"),
            ("q_useful", "figure"),
        ),
        [_row(one, unnamed) for one in found],
        words=(translate(f"ui.{heading}", language), translate("ui.q_outcomes_none", language)),
    )
    bars = [_bar(one, unnamed, language) for one in found if _count(one)]
    if bars:
        title = translate("ui.q_used_share", language)
        draw_plots(f"q_outcome_plot_{grouping}", bar_chart(title, bars[:_MOST_BARS], 1.0), label=title)


def _row(one: OutcomeCounts, unnamed: str) -> Row:
    share = f"{one.changed_share:.0%}" if one.changed_share is not None else "–"
    figures = (str(one.copied), str(one.edited), share, str(one.discarded), str(one.handed_over))
    name = Cell(one.name, names=True) if one.name else Cell(unnamed, tone="quiet")
    return Row("", (name, *map(Cell, figures), Cell(f"{one.useful} / {one.not_useful}")))


def _bar(one: OutcomeCounts, unnamed: str, language: Language) -> Bar:
    count = _count(one)
    share = (one.copied + one.edited) / count
    return Bar(one.name or unnamed, share, translate("ui.q_of", language, share=f"{share:.0%}", count=count))


def _count(one: OutcomeCounts) -> int:
    return one.copied + one.edited + one.discarded + one.handed_over
