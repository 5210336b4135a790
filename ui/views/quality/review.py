"""Review of colleagues' corrections: accept, edit or reject them; each action is recorded."""

from functools import partial
from typing import get_args

import streamlit as st

from api.services.quality import QualityService
from rag.schema import Language
from rag.storage.curated import CuratedAnswer, CuratedState
from rag.translate import translate
from ui.components.content import (
    Card,
    Cell,
    Note,
    Row,
    chosen_row,
    columns_of,
    draw_cards,
    draw_heading,
    draw_table,
    lang_of,
    two_panes,
)
from ui.components.job_view import draw_button
from ui.session import PageContext

_STATES: tuple[CuratedState, ...] = ("waiting", "serving", "expired", "retired")
_SHOWN = 100


def draw_review(context: PageContext, quality: QualityService) -> None:
    """Draw the list at the left and the chosen answer at the right."""
    language = context.language
    everything = quality.corrections()
    left, right = two_panes(2, 3, chooses=("correction", language))
    with left:
        counts = {state: sum(one.state == state for one in everything) for state in _STATES}
        state = st.segmented_control(
            translate("ui.q_state", language),
            list(_STATES),
            default="waiting" if counts["waiting"] or not everything else "serving",
            required=True,
            format_func=lambda name: f"{translate(f'ui.q_state_{name}', language)} {counts[name]:d}",
            key="q_state",
        )
        draw_table(
            "q_corrections",
            columns_of(language, ("q_question", "wide"), "q_author", "q_when"),
            [_row(one, context) for one in everything if one.state == state][:_SHOWN],
            words=(translate("ui.q_corrections", language), translate("ui.q_corrections_none", language)),
            chooses=("correction", language),
        )
    with right:
        chosen = chosen_row("correction")
        found = next((one for one in everything if str(one.number) == chosen), None)
        if found is None:
            st.caption(translate("ui.q_choose_correction", language))
        else:
            _draw_correction(context, quality, found)


def _row(one: CuratedAnswer, context: PageContext) -> Row:
    at = context.reading.clock(one.written_at)
    cells = (
        Cell(one.kept.question, lang=lang_of(one.kept.language)),
        Cell(one.kept.author or "–", names=True),
        Cell(at),
    )
    return Row(str(one.number), cells)


def _draw_correction(context: PageContext, quality: QualityService, found: CuratedAnswer) -> None:
    language, number, kept = context.language, found.number, found.kept
    draw_heading("ui.q_correction", language, number=number)
    st.badge(translate(f"ui.q_state_{found.state}", language), color="orange" if found.state == "waiting" else "gray")
    key = f"{number}"
    question = st.text_input(
        translate("ui.q_correction_question", language), kept.question, key=f"q_question_{key}", max_chars=2000
    )
    answer = st.text_area(
        translate("ui.q_correction_answer", language), kept.answer, key=f"q_answer_{key}", height=140, max_chars=20_000
    )
    doubtful = quality.doubtful_sentences(answer)
    if doubtful:
        cards = [Card(sentence, mark="!") for sentence in doubtful]
        draw_cards("q_doubtful", cards, heading=translate("ui.q_doubtful", language), empty="")
    spoken: Language = st.segmented_control(
        translate("ui.q_correction_language", language),
        list(get_args(Language)),
        default=kept.language,
        required=True,
        format_func=lambda option: {"zh": "中文", "en": "English"}[option],
        key=f"q_language_{key}",
    )
    draw_cards(
        "q_rests",
        [Card(name, mark="≡") for name in dict.fromkeys(source.document_id for source in kept.sources)],
        heading=translate("ui.q_correction_rests", language),
        empty=translate("ui.q_rests_on_nothing", language),
    )
    successor = quality.successor(number)
    if successor is not None:
        card = Card(successor.kept.answer, lang=lang_of(successor.kept.language), notes=_signature(successor))
        draw_cards("q_replaced", [card], heading=translate("ui.q_replaced", language, number=successor.number))
    changed = (question.strip(), answer.strip(), spoken) != (kept.question, kept.answer, kept.language)
    _draw_actions(quality, found, (question, answer, spoken) if changed else None, language)
    _draw_history(context, quality, number)


def _draw_actions(
    quality: QualityService, found: CuratedAnswer, changed: tuple[str, str, Language] | None, language: Language
) -> None:
    number, serving = found.number, found.state == "serving"
    reason = ""
    if found.state != "retired":
        reason = st.text_input(translate("ui.q_reason", language), key=f"q_reason_{number}", max_chars=200)
    with st.container(key="q_actions", horizontal=True):
        if changed is not None:
            draw_button(
                "q_save", language, partial(_edit, quality, number, *changed), words="ui.q_save_edited", primary=True
            )
        elif not serving:
            accept = "ui.q_accept" if found.state == "waiting" else "ui.q_accept_again"
            accept_it = partial(quality.accept, number, brings_back=found.state == "retired")
            draw_button("q_accept", language, accept_it, words=accept, primary=True)
        if found.state != "retired":
            reject = "ui.q_reject" if found.state == "waiting" else "ui.q_retire"
            draw_button("q_reject", language, partial(quality.reject, number, reason), words=reject)


def _signature(one: CuratedAnswer) -> tuple[Note, ...]:
    return (Note(one.kept.author, name=True),) if one.kept.author else ()


def _edit(quality: QualityService, number: int, question: str, answer: str, language: Language) -> None:
    st.query_params["correction"] = str(quality.edit(number, question, answer, language).number)


def _draw_history(context: PageContext, quality: QualityService, number: int) -> None:
    language = context.language
    rows = [
        Row(
            "",
            (
                Cell(context.reading.clock(event.at)),
                Cell(translate(f"ui.q_action_{event.what}", language)),
                Cell(event.person or "–", names=True),
                Cell(event.note, names=True),
            ),
        )
        for event in quality.history(number)
    ]
    draw_table(
        "q_events",
        columns_of(language, "q_when", "q_history", "q_author", ("q_reason", "words")),
        rows,
        words=(translate("ui.q_history", language), ""),
    )
