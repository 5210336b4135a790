"""Knowledge gaps (missing topics, the article each calls for, articles that mislead) and the outcomes of answers.

Outcomes are by topic and by team: never by person, and in no order of merit.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from api.services.jobs import Job
from api.services.quality import QualityService
from eval.core.svg import Bar, bar_chart
from eval.gaps.report import GapReport, Topic, draft_article, shortened
from rag.schema import Language
from rag.storage.turn_store import Grouping, OutcomeCounts
from rag.text.language import question_language
from rag.translate import translate
from ui.components.content import (
    Card,
    Cell,
    Note,
    Row,
    TextLine,
    chosen_row,
    columns_of,
    draw_cards,
    draw_heading,
    draw_plots,
    draw_table,
    lang_of,
    two_panes,
)
from ui.components.job_view import draw_button, draw_failure, draw_progress, draw_running, start_words
from ui.formats import as_markdown, format_date, markdown_word
from ui.session import PageContext

DAYS = (7, 30, 90)
_SHOWN_TOPICS = 100
_SHOWN_QUESTIONS = 30
_LONGEST_CHARACTERS = 300
_MOST_BARS = 20


def draw_gaps(context: PageContext, quality: QualityService) -> None:
    """Draw the topics at the left, and the chosen one at the right."""
    language, job = context.language, quality.gaps()
    left, right = two_panes(3, 2, chooses=("topic", language))
    report = job.result if job is not None and isinstance(job.result, GapReport) else None
    with left:
        with st.container(key="q_gaps_row", horizontal=True, vertical_alignment="bottom"):
            days = draw_days(language)
            draw_button(
                "q_find_gaps",
                language,
                partial(_find, quality, days),
                words="ui.q_find_gaps" if report is None else "ui.q_find_gaps_again",
                primary=report is None,
                disabled=job is not None and job.running,
            )
        if job is None:
            st.caption(translate("ui.q_gaps_why", language))
        elif job.running:
            draw_heading("ui.q_gaps_running", language)
            draw_running(context, job, quality.gaps, partial(_draw_progress, language))
        elif report is None:
            draw_failure(job, language, "ui.q_stopped")
        else:
            st.caption(as_markdown(start_words(job, context)))
            _draw_report(report, language)
    with right:
        if report is not None:
            _draw_topic(report, language)


def draw_days(language: Language) -> int:
    """Draw the choice of a time and return it in days."""
    days: int = st.segmented_control(
        translate("ui.q_days", language),
        list(DAYS),
        default=30,
        required=True,
        format_func=lambda count: markdown_word("ui.q_last_days", language, count=count),
        key="q_days",
    )
    return days


def _find(quality: QualityService, days: int) -> None:
    st.query_params.pop("topic", None)
    quality.find_gaps(days)


def _draw_progress(language: Language, job: Job) -> None:
    if not isinstance(job.progress, tuple) or not job.progress[1]:
        draw_progress(None, translate("ui.job_starting", language))
        return
    done, total = job.progress
    draw_progress(done / total, translate("ui.q_gaps_looked", language, done=done, total=total))


def _draw_report(report: GapReport, language: Language) -> None:
    counts = {"unmet": report.unmet, "asked": report.asked, "settled": report.settled}
    st.markdown(markdown_word("ui.q_gaps_summary", language, **counts))
    if report.failed_elsewhere:
        st.caption(markdown_word("ui.q_gaps_elsewhere", language, count=report.failed_elsewhere))
    draw_table(
        "q_topics",
        columns_of(language, ("q_topic", "wide"), ("q_asked_times", "figure"), ("q_how_it_went", "words")),
        [_row(topic, language) for topic in report.topics[:_SHOWN_TOPICS]],
        words=(translate("ui.q_topics", language), translate("ui.q_gaps_none", language)),
        chooses=("topic", language),
    )
    _draw_doubts(report, language)


def _row(topic: Topic, language: Language) -> Row:
    title, spoken = _title(topic, language)
    languages = " · ".join(
        translate(f"ui.q_in_{name}", language, count=count) for name, count in topic.languages.items()
    )
    how = " · ".join(translate(f"ui.q_trouble_{name}", language, count=count) for name, count in topic.troubles.items())
    cells = Cell(title, lang=lang_of(spoken)), Cell(str(topic.count)), Cell(how, note=languages)
    return Row(str(topic.number), cells)


def _title(topic: Topic, language: Language) -> tuple[str, Language]:
    spoken = language if language in topic.titles else next(iter(topic.titles))
    return shortened(topic.titles[spoken], _LONGEST_CHARACTERS), spoken


def _draw_doubts(report: GapReport, language: Language) -> None:
    if report.contradictions:
        cards = [
            Card(
                f"{one.title} / {one.other_title}",
                mark="≠",
                lang=lang_of(question_language(one.quote)),
                tone="warning",
                notes=(Note(translate("ui.q_answers_count", language, count=one.count), "warning"),),
                lines=(
                    TextLine(translate("ui.q_against", language, title=one.title, quote=one.quote), "+"),
                    TextLine(translate("ui.q_against", language, title=one.other_title, quote=one.other_quote), "-"),
                    *(_question_line(text) for text in one.questions),
                ),
            )
            for one in report.contradictions
        ]
        draw_cards("q_contradictions", cards, heading=translate("ui.q_contradictions", language))
    if report.expired:
        cards = [
            Card(
                one.title,
                mark="!",
                lang=lang_of(question_language(one.title)),
                tone="warning",
                notes=(
                    Note(translate("ui.q_expired_on", language, date=format_date(one.expired_on, language)), "warning"),
                    Note(translate("ui.q_answers_count", language, count=one.count)),
                ),
                lines=tuple(_question_line(text) for text in one.questions),
            )
            for one in report.expired
        ]
        draw_cards("q_expired", cards, heading=translate("ui.q_expired", language))


def _question_line(text: str) -> TextLine:
    return TextLine(shortened(text, _LONGEST_CHARACTERS), quiet=True, lang=lang_of(question_language(text)))


def _draw_topic(report: GapReport, language: Language) -> None:
    chosen = chosen_row("topic")
    topic = next((one for one in report.topics if str(one.number) == chosen), None)
    if topic is None:
        if report.topics:
            st.caption(translate("ui.q_choose_topic", language))
        return
    cards = [
        Card(
            shortened(one.text, _LONGEST_CHARACTERS),
            lang=lang_of(one.language),
            mark=f"×{one.count}",
            notes=tuple(
                Note(translate(f"ui.q_trouble_{name}", language, count=count)) for name, count in one.troubles.items()
            ),
        )
        for one in topic.questions[:_SHOWN_QUESTIONS]
    ]
    draw_cards("q_topic_questions", cards, heading=translate("ui.q_topic_questions", language))
    nearest = topic.nearest
    near = []
    if nearest is not None:
        path = Note(nearest.document_id, name=True)
        near = [Card(nearest.title or nearest.document_id, mark="≈", lang=lang_of(nearest.language), notes=(path,))]
    draw_cards(
        "q_nearest", near, heading=translate("ui.q_nearest", language), empty=translate("ui.q_nearest_none", language)
    )
    st.caption(markdown_word("ui.q_answered_now", language, count=topic.answered_now, tried=topic.tried))
    _draw_draft(topic, language)


def _draw_draft(topic: Topic, language: Language) -> None:
    draw_heading("ui.q_start_article", language)
    usual: Language = language if language in topic.titles else next(iter(topic.titles))
    written: Language = st.segmented_control(
        translate("ui.q_draft_in", language),
        ["zh", "en"],
        default=usual,
        required=True,
        format_func=lambda option: {"zh": "中文", "en": "English"}[option],
        key=f"q_draft_language_{topic.number}",
    )
    st.caption(translate("ui.q_draft", language))
    with st.container(key="q_draft"):
        st.code(draft_article(topic, written), language="markdown", wrap_lines=True, height=300)


def draw_outcomes(context: PageContext, quality: QualityService) -> None:
    """Draw topics, then teams, each as a table and a plot of the same numbers."""
    language = context.language
    with st.container(key="left"):
        days = draw_days(language)
        st.caption(translate("ui.q_outcomes_why", language))
        _draw_outcomes("topic", "q_by_topic", quality.outcomes("topic", days), language)
        _draw_outcomes("agent_group", "q_by_team", quality.outcomes("agent_group", days), language)


def _draw_outcomes(grouping: Grouping, heading: str, found: Sequence[OutcomeCounts], language: Language) -> None:
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
        [_outcome_row(one, unnamed) for one in found],
        words=(translate(f"ui.{heading}", language), translate("ui.q_outcomes_none", language)),
    )
    bars = [_outcome_bar(one, unnamed, language) for one in found if _outcome_count(one)]
    if bars:
        title = translate("ui.q_used_share", language)
        draw_plots(f"q_outcome_plot_{grouping}", bar_chart(title, bars[:_MOST_BARS], 1.0), label=title)


def _outcome_row(one: OutcomeCounts, unnamed: str) -> Row:
    share = f"{one.changed_share:.0%}" if one.changed_share is not None else "–"
    figures = (str(one.copied), str(one.edited), share, str(one.discarded), str(one.handed_over))
    name = Cell(one.name, names=True) if one.name else Cell(unnamed, tone="quiet")
    return Row("", (name, *map(Cell, figures), Cell(f"{one.useful} / {one.not_useful}")))


def _outcome_bar(one: OutcomeCounts, unnamed: str, language: Language) -> Bar:
    count = _outcome_count(one)
    share = (one.copied + one.edited) / count
    return Bar(one.name or unnamed, share, translate("ui.q_of", language, share=f"{share:.0%}", count=count))


def _outcome_count(one: OutcomeCounts) -> int:
    return one.copied + one.edited + one.discarded + one.handed_over
