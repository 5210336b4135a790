"""Two runs side by side: which measures differ, whether that may be chance, and each question on both sides."""

import streamlit as st

from api.services.quality import QualityService, RunInfo
from eval.compare.pairs import Compared, Comparison, Outcome, Result
from eval.core.tables import signed_interval
from rag.errors import SettingsError
from rag.schema import Language
from rag.text.language import question_language
from rag.translate import is_known, translate
from ui.components.content import (
    Card,
    Cell,
    Note,
    Row,
    TextLine,
    chosen_row,
    columns_of,
    draw_cards,
    draw_table,
    lang_of,
    two_panes,
)
from ui.components.job_view import word_of_kind
from ui.formats import markdown_word
from ui.session import PageContext, choice_key
from ui.views.quality.runs import figure_words, run_name

_COMPARABLE = ("answers", "retrieval", "refusal")
_OUTCOMES: tuple[Outcome, ...] = ("loss", "win", "tie")
_TONES = {"loss": "bad", "win": "good", "tie": "quiet"}
_SHOWN_QUESTIONS = 100
_SHOWN_DOCUMENTS = 5


def draw_compare(context: PageContext, quality: QualityService) -> None:
    """Draw the choice, measures and questions at the left, and one question's two sides at the right."""
    language = context.language
    left, right = two_panes(3, 2, chooses=("question", language))
    runs = {run.name: run for run in quality.runs() if run.finished and run.kind in _COMPARABLE}
    kinds = [run.kind for run in runs.values()]
    after_these = [name for name, run in runs.items() if kinds.count(run.kind) > 1]
    after_these.sort(key=lambda name: not _alike(name, runs)[1])
    with left:
        if not after_these:
            st.info(translate("ui.q_two_runs", language))
            return
        first, second = _draw_choice(context, runs, after_these)
        try:
            measures, questions = quality.compare(first, second), quality.side_by_side(first, second)
        except SettingsError:
            st.info(translate("ui.q_nothing_shared", language))
            return
        _draw_measures(measures, language)
        _draw_questions(questions, language)
    with right:
        _draw_sides(questions, language)


def _draw_choice(context: PageContext, runs: dict[str, RunInfo], after_these: list[str]) -> tuple[str, str]:
    def run_label(name: str) -> str:
        run = runs[name]
        at = context.reading.clock(run.began_at)
        kind, figure = word_of_kind(run.kind, context.language), figure_words(run, context.language)
        return " · ".join(filter(None, (run_name(run, context), kind, run.model, at, figure)))

    with st.container(key="q_pair", horizontal=True):
        after_column, before_column = st.columns(2)
        with before_column:
            second = st.selectbox(
                translate("ui.q_after", context.language),
                after_these,
                format_func=run_label,
                key=choice_key("q_second"),
            )
        alike, _ = _alike(second, runs)
        with after_column:
            first = st.selectbox(
                translate("ui.q_before", context.language), alike, format_func=run_label, key=choice_key("q_first")
            )
    return first, second


def _alike(name: str, runs: dict[str, RunInfo]) -> tuple[list[str], int]:
    """Return the other runs of this one's kind, those with questions of the same set first, and how many these are."""
    others = [one for one in runs.values() if one.kind == runs[name].kind and one.name != name]
    of_set = [one.name for one in others if one.question_set == runs[name].question_set]
    return [*of_set, *(one.name for one in others if one.name not in of_set)], len(of_set)


def _draw_measures(measures: list[Comparison], language: Language) -> None:
    main = measures[0]
    p = f"{main.p_value:.3f}"
    if main.is_significant:
        (st.success if main.difference > 0 else st.error)(translate("ui.q_differs", language, p=p))
    else:
        st.info(markdown_word("ui.q_chance", language, p=p, wins=main.wins, losses=main.losses))
    draw_table(
        "q_measures",
        columns_of(
            language,
            "q_measure",
            ("q_before", "figure"),
            ("q_after", "figure"),
            ("q_difference", "figure"),
            ("q_wins", "figure"),
            ("q_p", "figure"),
        ),
        [_measure_row(one, main.n, language) for one in measures],
        words=(translate("ui.q_measures", language, n=main.n), ""),
    )


def _measure_row(one: Comparison, n: int, language: Language) -> Row:
    """Return a measure's row, which says where it rests on fewer questions than the main one's ``n``."""
    name, *figures = _measure(one, language)
    note = "" if one.n == n else translate("ui.q_measure_n", language, n=one.n)
    return Row("", (Cell(name, note=note), *map(Cell, figures)))


def _measure(one: Comparison, language: Language) -> tuple[str, ...]:
    return (
        translate(f"ui.q_measure_{one.measure}", language),
        f"{one.first:.3f}",
        f"{one.second:.3f}",
        f"{one.difference:+.3f} ({signed_interval(one.interval)})",
        f"{one.wins} / {one.ties} / {one.losses}",
        f"{one.p_value:.3f}",
    )


def _draw_questions(questions: tuple[Compared, ...], language: Language) -> None:
    counts = {outcome: sum(one.outcome == outcome for one in questions) for outcome in _OUTCOMES}
    kept = st.pills(
        translate("ui.q_outcome", language),
        list(_OUTCOMES),
        selection_mode="multi",
        format_func=lambda outcome: f"{translate(f'ui.q_outcome_{outcome}', language)} {counts[outcome]:d}",
        key="q_outcomes",
    )
    shown = [one for one in questions if not kept or one.outcome in kept]
    draw_table(
        "q_questions",
        columns_of(language, ("q_question", "wide"), "q_outcome"),
        [
            Row(
                one.question.question_id,
                (
                    Cell(one.question.question, lang=lang_of(question_language(one.question.question))),
                    Cell(translate(f"ui.q_outcome_{one.outcome}", language), tone=_TONES[one.outcome]),
                ),
            )
            for one in shown[:_SHOWN_QUESTIONS]
        ],
        words=(translate("ui.q_questions", language), translate("ui.q_none_such", language)),
        chooses=("question", language),
    )


def _draw_sides(questions: tuple[Compared, ...], language: Language) -> None:
    chosen = chosen_row("question")
    found = next((one for one in questions if one.question.question_id == chosen), None)
    if found is None:
        st.caption(translate("ui.q_choose_question", language))
        return
    asked = Card(
        found.question.question,
        mark=translate("ui.q_question", language),
        lang=lang_of(question_language(found.question.question)),
    )
    wanted = Card(found.wanted, mark=translate("ui.q_wanted", language), lang=lang_of(found.question.language))
    sides = [
        _side(translate("ui.q_before", language), found.first, found, language),
        _side(translate("ui.q_after", language), found.second, found, language),
    ]
    draw_cards("q_sides", [asked, *([wanted] if found.wanted else []), *sides])


def _side(name: str, result: Result, compared: Compared, language: Language) -> Card:
    state = "q_failed" if result.error else "q_right" if result.right else "q_wrong"
    notes = []
    if result.error and is_known(f"ui.error_{result.error}"):
        notes.append(Note(translate(f"ui.error_{result.error}", language)))
    if result.refused:
        notes.append(Note(translate("ui.q_refused", language)))
    if result.probability is not None:
        notes.append(Note(translate("ui.q_probability", language, value=f"{result.probability:.0%}")))
    lines = [TextLine(result.reply, lang=lang_of(question_language(result.reply)))] if result.reply else []
    relevant = compared.question.relevant
    lines += [
        TextLine(
            f"{place}. {document}{' ✓' if document in relevant else ''}", quiet=document not in relevant, name=True
        )
        for place, document in enumerate(result.documents[:_SHOWN_DOCUMENTS], start=1)
    ]
    return Card(
        translate(f"ui.{state}", language),
        mark=name,
        tone="good" if result.right else "bad",
        lang=lang_of(language),
        notes=tuple(notes),
        lines=tuple(lines),
        open=True,
    )
