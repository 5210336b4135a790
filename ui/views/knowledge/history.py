"""Every published generation, what each changed, and the rollback."""

from functools import partial

import streamlit as st

from api.services.jobs import Job
from api.services.knowledge import History, KnowledgeService
from rag.schema import Language
from rag.storage.store import GenerationInfo
from rag.translate import translate
from ui.components.content import Cell, Row, chosen_row, columns_of, draw_cards, draw_heading, draw_table, two_panes
from ui.components.job_view import draw_button, show_refusal
from ui.formats import markdown_word
from ui.session import PageContext
from ui.views.knowledge.outcome import (
    change_cards,
    change_counts,
    draw_change_counts,
    draw_close,
    draw_ended,
    draw_restored,
    draw_work,
    has_been_replaced,
)


def draw_history_of_knowledge(context: PageContext, knowledge: KnowledgeService) -> None:
    """Draw the list at the left, and the chosen state at the right."""
    job = knowledge.job()  # before the list: a rollback that ends between the two must not leave its row out
    history = knowledge.history()
    left, right = two_panes(3, 2, chooses=("generation", context.language))
    with left:
        draw_table(
            "kb_generations",
            columns_of(
                context.language,
                "kb_generation",
                "kb_at",
                ("kb_articles", "figure"),
                ("kb_passages", "figure"),
                ("kb_what", "wide"),
            ),
            [_row(info, history, context) for info in history.generations],
            words=(translate("ui.kb_history_heading", context.language), translate("ui.kb_none_yet", context.language)),
            chooses=("generation", context.language),
            on_choose=_forget_question,
        )
    with right:
        show_refusal(context.language)
        _draw_job(context, knowledge, job)
        _draw_chosen(context, knowledge, history)


def _row(info: GenerationInfo, history: History, context: PageContext) -> Row:
    language, change = context.language, info.change
    is_current = info is history.generations[0]
    number = (
        translate("ui.kb_generation_current", language, generation=info.generation)
        if is_current
        else str(info.generation)
    )
    what = " · ".join(change_counts(change, language)) or "–"
    note = translate("ui.kb_restored", language, generation=change.restored) if change.restored else ""
    if change.lost:
        note = translate("ui.kb_lost", language, count=change.lost)
        if change.forced:
            note = " · ".join([note, translate("ui.kb_forced", language)])
    kept = info.generation >= history.oldest_restorable
    return Row(
        str(info.generation),
        (
            Cell(number, tone="good" if is_current else "" if kept else "quiet"),
            Cell(context.reading.clock(info.published_at)),
            Cell(str(info.document_count)),
            Cell(str(info.chunk_count)),
            Cell(what, note=note),
        ),
    )


def _draw_job(context: PageContext, knowledge: KnowledgeService, job: Job | None) -> None:
    """Show a rollback job; others are shown where they were begun."""
    if job is None or job.kind != "rollback" or has_been_replaced(knowledge, job):
        return
    if job.running:
        draw_work(context, knowledge, job)
        return
    if isinstance(job.result, GenerationInfo):
        draw_restored(job.result, context.language)
    else:
        draw_ended(job, context.language)
    draw_close(knowledge, context.language)


def _draw_chosen(context: PageContext, knowledge: KnowledgeService, history: History) -> None:
    language = context.language
    info = next((one for one in history.generations if str(one.generation) == chosen_row("generation")), None)
    if info is None:
        st.caption(translate("ui.kb_choose_generation", language))
        return
    draw_heading("ui.kb_generation_heading", language, generation=info.generation)
    if info.generation < history.oldest_restorable:
        st.caption(translate("ui.kb_not_kept", language))
        return
    if info is not history.generations[0]:
        _offer_to_go_back(knowledge, info, language)
    if info.generation > 1 and info.generation - 1 < history.oldest_restorable:
        st.caption(translate("ui.kb_not_kept", language))
        return
    changes = knowledge.changes(info.generation)
    if changes.is_empty:
        st.caption(translate("ui.kb_nothing_changes", language))
        return
    draw_change_counts(changes, language)
    draw_cards("kb_changes", change_cards(changes, language))


def _offer_to_go_back(knowledge: KnowledgeService, info: GenerationInfo, language: Language) -> None:
    if not knowledge.may("admin"):
        st.caption(translate("ui.kb_admins_only", language))
        return
    job = knowledge.job()
    busy = job is not None and job.running
    generation = info.generation
    if st.session_state.get("kb_sure") != generation:
        st.button(
            markdown_word("ui.kb_go_back", language, generation=generation),
            key="kb_go_back",
            disabled=busy,
            on_click=_request_consent,
            args=(generation,),
        )
        return
    st.warning(markdown_word("ui.kb_go_back_sure", language, generation=generation, documents=info.document_count))
    with st.container(key="kb_sure_row", horizontal=True):
        draw_button("kb_go_back_yes", language, partial(_go_back, knowledge, generation), primary=True, disabled=busy)
        st.button(translate("ui.kb_cancel", language), key="kb_cancel", on_click=_request_consent, args=(0,))


def _forget_question() -> None:
    st.session_state.pop("kb_sure", None)


def _request_consent(generation: int) -> None:
    st.session_state["kb_sure"] = generation


def _go_back(knowledge: KnowledgeService, generation: int) -> None:
    _forget_question()
    knowledge.go_back(generation)
