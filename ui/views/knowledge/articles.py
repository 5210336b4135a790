"""What is in the knowledge base: counts, a list with filters, and one article cut into its passages."""

from collections.abc import Callable, Sequence
from typing import cast

import streamlit as st

from api.services.document_usage import WINDOW_DAYS
from api.services.knowledge import KnowledgeService, OpenedArticle, Source
from rag.schema import Chunk, Language
from rag.translate import translate
from ui.components.page_views import two_panes
from ui.components.plain_table import chosen_row, draw_table, lang_of
from ui.components.text_cards import Card, Note, TextLine, draw_cards
from ui.formats import as_markdown, format_date
from ui.session import PageContext
from ui.views.knowledge.listing import (
    AGE_BANDS,
    USE_ORDERS,
    AgeBand,
    Filter,
    UseOrder,
    columns,
    counts,
    expiry,
    filtered,
    table_rows,
)

_ROWS_AT_A_TIME = 100
_OPEN_UP_TO = 12
_FILTER_WIDTH_PIXELS = 138


def draw_articles(context: PageContext, desk: KnowledgeService) -> None:
    """Draw the list at the left and the chosen article at the right."""
    left, right = two_panes(3, 2)
    with left:
        _draw_list(context, desk)
    with right:
        _draw_article(context, desk)


def _draw_list(context: PageContext, desk: KnowledgeService) -> None:
    language, today = context.language, context.reading.now.date()
    rows = desk.articles()
    if not rows:
        st.info(translate("ui.kb_none_yet", language))
        return
    with st.container(key="kb_counts", horizontal=True):
        for text, tone in counts(rows, today, language):
            st.badge(as_markdown(text), color="orange" if tone else "gray")
    sources, uses = desk.sources(), desk.uses()
    found = filtered(rows, _filter(language, sources), today, uses)
    shown = translate("ui.kb_shown", language, shown=len(found), count=len(rows), days=WINDOW_DAYS)
    limit = int(st.session_state.get("kb_limit", _ROWS_AT_A_TIME))
    draw_table(
        "kb_articles",
        columns(language),
        table_rows(found[:limit], today, language, source_names(sources, language), uses),
        words=(shown, translate("ui.kb_no_match", language)),
        chooses="document",
    )
    if len(found) > limit:
        st.button(translate("ui.kb_more", language), key="kb_more", type="tertiary", on_click=_show_more)


def _filter(language: Language, sources: tuple[Source, ...]) -> Filter:
    """Draw the filter's fields and return what they say."""
    roots = {source.root: source for source in sources}
    names = source_names(sources, language)
    words = st.text_input(
        translate("ui.kb_find", language),
        key="kb_find",
        placeholder=translate("ui.kb_find_hint", language),
        type="search",
        live=True,
    )

    def choice(key: str, options: Sequence[str], name_of: Callable[[str], str]) -> str:
        chosen = st.selectbox(
            translate(f"ui.{key}", language),
            ["", *options],
            format_func=lambda option: name_of(option) if option else translate("ui.kb_all", language),
            key=key,
            filter_mode=None,
            width=_FILTER_WIDTH_PIXELS,
        )
        return chosen or ""

    with st.container(key="kb_filter", horizontal=True, vertical_alignment="bottom"):
        return Filter(
            words or "",
            cast(
                "Language", choice("kb_language", ["zh", "en"], lambda name: translate(f"ui.language_{name}", language))
            ),
            choice("kb_source", list(roots), names.__getitem__),
            cast("AgeBand", choice("kb_age", AGE_BANDS, lambda band: translate(f"ui.kb_age_{band}", language))),
            cast("UseOrder", choice("kb_use", USE_ORDERS, lambda use: translate(f"ui.kb_use_{use}", language))),
        )


def source_names(sources: tuple[Source, ...], language: Language) -> dict[str, str]:
    """Return what people call the folders, by their paths, which are nobody's business."""
    return {source.root: translate("ui.kb_uploads", language) if source.uploads else source.name for source in sources}


def _draw_article(context: PageContext, desk: KnowledgeService) -> None:
    language = context.language
    document_id = chosen_row("document")
    article = desk.article(document_id) if document_id else None
    if article is None:
        empty = translate("ui.kb_article_gone" if document_id else "ui.kb_choose_article", language)
        draw_cards("kb_article", [], heading=translate("ui.kb_article", language), empty=empty)
        return
    draw_cards("kb_article", [_facts(context, article)], heading=translate("ui.kb_article", language))
    if desk.may("lead"):
        st.button(translate("ui.kb_why_this", language), key="kb_why_this", on_click=_ask_why)
    draw_cards("kb_passages", _passages(article, language), heading=translate("ui.kb_passages", language))


def _facts(context: PageContext, article: OpenedArticle) -> Card:
    language, document = context.language, article.document
    until = expiry(document.metadata.get("valid_until", ""))
    expired = until is not None and until < context.reading.now.date()
    facts = [
        (
            translate("ui.kb_updated", language),
            format_date(document.updated_on, language) if document.updated_on else "",
        ),
        (translate("ui.kb_valid_until", language), format_date(until, language) if until else ""),
        (translate("ui.kb_length", language), translate("ui.kb_characters", language, count=len(document.text))),
        (translate("ui.kb_link", language), document.source),
    ]
    notes = [Note(translate("ui.internal", language), "bad")] if document.audience == "internal" else []
    if expired:
        notes.append(Note(translate("ui.kb_age_expired", language), "warning"))
    return Card(
        title=document.title or document.document_id,
        lang=lang_of(document.language),
        mark=translate(f"ui.language_{document.language}", language),
        notes=(
            *notes,
            Note(document.document_id, name=True),
            *(
                Note(translate("ui.kb_refused_file", language, name=name, reason=value))
                for name, value in facts
                if value
            ),
        ),
    )


def _passages(article: OpenedArticle, language: Language) -> list[Card]:
    cards = []
    for passage in article.passages:
        tokens = translate("ui.kb_tokens_unknown", language)
        if article.tokens is not None:
            tokens = translate("ui.kb_tokens", language, count=article.tokens[passage.ordinal])
        cards.append(
            Card(
                title=_headings(passage) or article.document.title,
                lang=lang_of(passage.language),
                mark=str(passage.ordinal + 1),
                notes=(
                    Note(translate("ui.kb_offsets", language, start=passage.start, end=passage.end)),
                    Note(tokens),
                ),
                lines=(TextLine(passage.text),),
                open=len(article.passages) <= _OPEN_UP_TO,
            )
        )
    return cards


def _headings(passage: Chunk) -> str:
    """Return where in its article a passage stands; the title says nothing new."""
    return " › ".join(heading for heading in passage.heading_path if heading != passage.title)


def _ask_why() -> None:
    st.query_params["view"] = "why"
    st.session_state["kb_why_expected"] = chosen_row("document")


def _show_more() -> None:
    st.session_state["kb_limit"] = int(st.session_state.get("kb_limit", _ROWS_AT_A_TIME)) + _ROWS_AT_A_TIME
