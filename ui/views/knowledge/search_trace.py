"""Why a document was found or not: one question, from both searches to what the model would read."""

import streamlit as st

from api.services.jobs import Job
from api.services.knowledge import KnowledgeService
from rag.explanation import ExplainedChunk, Explanation
from rag.retrieval.inspection import TermUse
from rag.retrieval.ranking import KEPT_CHUNKS
from rag.schema import Language
from rag.translate import translate
from ui.components.content import (
    Card,
    Cell,
    Column,
    Note,
    Row,
    TextLine,
    columns_of,
    draw_cards,
    draw_table,
    lang_of,
    two_panes,
)
from ui.components.job_view import attempt, follow, show_refusal
from ui.formats import markdown_word
from ui.session import PageContext, tab_name
from ui.views.knowledge.outcome import draw_ended

_WAIT_SECONDS = 0.3
_TICK_SECONDS = 0.3
_ROWS = 40
_TERMS = 10
_TONES = {"sent": "good", "shown": "", "no_room": "warning", "repeats": "warning"}


def draw_why(context: PageContext, knowledge: KnowledgeService) -> None:
    """Draw the question and the ranking at the left, and the prompt at the right."""
    language = context.language
    job = _job(knowledge)
    left, right = two_panes(3, 2)
    with left:
        _draw_question(knowledge, language)
        show_refusal(language)
        if job is not None and job.running:
            st.caption(translate("ui.kb_why_running", language))
            follow(job, lambda: knowledge.explanation(tab_name()), every_seconds=_TICK_SECONDS)
        elif job is not None and job.state != "done":
            draw_ended(job, language)
        elif job is not None and isinstance(job.result, Explanation):
            _draw_ranking(job.result, language, chosen=bool(st.session_state.get("kb_why_asked_about")))
    with right:
        if job is not None and isinstance(job.result, Explanation):
            _draw_use(job.result, language)
        else:
            st.caption(translate("ui.kb_why_empty", language))


def _job(knowledge: KnowledgeService) -> Job | None:
    """Return this tab's explanation; a new one is waited for briefly."""
    if st.session_state.pop("kb_why_just_asked", False):
        return knowledge.wait_for_explanation(tab_name(), _WAIT_SECONDS)
    return knowledge.explanation(tab_name())


def _draw_question(knowledge: KnowledgeService, language: Language) -> None:
    titles = {row.document_id: row.title or row.document_id for row in knowledge.articles()}
    if st.session_state.get("kb_why_expected") not in titles:
        st.session_state["kb_why_expected"] = None
    with st.form("kb_why", border=False):
        st.text_input(
            translate("ui.kb_why_question", language),
            key="kb_why_question",
            placeholder=translate("ui.kb_why_hint", language),
        )
        with st.container(key="kb_why_row", horizontal=True, vertical_alignment="bottom"):
            st.selectbox(
                translate("ui.kb_why_expected", language),
                list(titles),
                format_func=lambda name: f"{titles[name]} · {name}",
                index=None,
                key="kb_why_expected",
                placeholder=translate("ui.kb_all", language),
                width="stretch",
            )
            st.form_submit_button(
                translate("ui.kb_why_run", language), type="primary", on_click=_ask, args=(knowledge,)
            )


def _ask(knowledge: KnowledgeService) -> None:
    question = str(st.session_state.get("kb_why_question") or "")
    expected = str(st.session_state.get("kb_why_expected") or "")
    st.session_state["kb_why_asked_about"] = expected
    st.session_state["kb_why_just_asked"] = True
    attempt(lambda: knowledge.explain(tab_name(), question, expected))


def _draw_ranking(trace: Explanation, language: Language, *, chosen: bool) -> None:
    figures = {"probability": round(100 * trace.probability), "threshold": round(100 * trace.threshold)}
    if trace.answerable:
        st.success(markdown_word("ui.kb_why_answered", language, **figures))
    else:
        st.warning(markdown_word("ui.kb_why_refused", language, **figures))
    if chosen:
        draw_table(
            "kb_why_chosen",
            _columns(language),
            [_row(one, trace, language) for one in trace.chosen],
            words=(translate("ui.kb_why_chosen", language), translate("ui.kb_why_chosen_none", language)),
        )
    draw_table(
        "kb_why_ranking",
        _columns(language),
        [_row(one, trace, language) for one in trace.chunks[:_ROWS]],
        words=(translate("ui.kb_why_ranking", language), translate("ui.none_found", language)),
    )
    st.caption(translate("ui.kb_why_columns", language))


def _columns(language: Language) -> list[Column]:
    return columns_of(
        language, ("kb_column_place", "figure"), ("kb_column_passage", "wide"), ("kb_column_meaning", "figure"),
        ("kb_column_words", "figure"), ("kb_column_fused", "figure"), ("kb_column_late", "figure"),
        ("kb_column_score", "figure"), ("kb_column_fate", "words"),
    )  # fmt: skip


def _row(one: ExplainedChunk, trace: Explanation, language: Language) -> Row:
    """Return a chunk's row: its final place, then each leg's rank over its score."""
    seen, chunk = one.seen, one.seen.chunk
    return Row(
        "",
        (
            Cell(str(one.place) if one.place is not None else "–"),
            Cell(
                chunk.title or chunk.document_id,
                note=f"{chunk.document_id} · {chunk.ordinal + 1}",
                lang=lang_of(chunk.language),
                names=True,
            ),
            Cell(_rank(seen.meaning_rank), note=_figure(seen.cosine, 3)),
            Cell(_rank(seen.words_rank), note=_figure(seen.bm25, 1)),
            Cell(_rank(seen.fused_rank)),
            Cell(_figure(seen.late, 3) or "–"),
            Cell(_figure(seen.score, 2) or "–"),
            Cell(_status(one, trace, language), tone=_TONES.get(one.status, "quiet")),
        ),
    )


def _rank(rank: int | None) -> str:
    return str(rank) if rank is not None else "–"


def _figure(value: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" if value is not None else ""


def _status(one: ExplainedChunk, trace: Explanation, language: Language) -> str:
    counts = {"beyond": trace.packed_chunks, "not_kept": KEPT_CHUNKS, "not_found": trace.candidates}
    return translate(
        f"ui.kb_fate_{one.status}",
        language,
        tokens=one.sent_tokens if one.status == "sent" else one.tokens,
        title=(one.repeats.title or one.repeats.document_id) if one.repeats is not None else "",
        count=counts.get(one.status, 0),
    )


def _draw_use(trace: Explanation, language: Language) -> None:
    st.caption(
        markdown_word(
            "ui.kb_why_budget",
            language,
            shown=trace.shown.used,
            shown_limit=trace.shown.limit,
            sent=trace.sent.used,
            sent_limit=trace.sent.limit,
        )
    )
    notes = [Note(translate("ui.kb_why_searched", language, text=trace.searched))]
    if trace.parts:
        comma = "；" if language == "zh" else "; "
        notes.append(Note(translate("ui.kb_why_parts", language, parts=comma.join(trace.parts))))
    draw_cards("kb_why_asked", [Card(trace.question, lang=lang_of(trace.language), mark="?", notes=tuple(notes))])
    draw_table(
        "kb_why_terms",
        columns_of(language, ("kb_term", "wide"), ("kb_term_weight", "figure"), ("kb_passages", "figure")),
        [_term_row(term, trace, language) for term in sorted(trace.terms, key=lambda term: -term.weight)[:_TERMS]],
        words=(translate("ui.kb_why_terms", language), translate("ui.none_found", language)),
    )
    draw_cards("kb_why_message", _messages(trace, language), heading=translate("ui.kb_why_message", language))


def _term_row(term: TermUse, trace: Explanation, language: Language) -> Row:
    missing = term.chunks == 0
    return Row(
        "",
        (
            Cell(term.term, lang=lang_of(trace.language)),
            Cell(f"{term.weight:.1f}"),
            Cell(
                translate("ui.kb_term_nowhere", language) if missing else str(term.chunks),
                tone="warning" if missing else "",
            ),
        ),
    )


def _messages(trace: Explanation, language: Language) -> list[Card]:
    """Return the messages, the one with the passages first and open."""
    cards = []
    for place, message in enumerate(trace.messages):
        is_last = place == len(trace.messages) - 1
        notes = (
            (Note(translate("ui.kb_why_not_sent", language), "warning"),) if is_last and not trace.answerable else ()
        )
        role = message.role if message.role == "system" or is_last else "assistant"
        cards.append(
            Card(
                translate(f"ui.kb_role_{role}", language),
                mark=str(place + 1),
                lang=lang_of(language),
                notes=notes,
                lines=(TextLine(message.content),),
                open=is_last,
            )
        )
    return cards[-1:] + cards[:-1]
