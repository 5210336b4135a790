"""What is in the knowledge base: counts, a list with filters, and one article cut into its passages."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast

import streamlit as st

from api.services.knowledge import WINDOW_DAYS, KnowledgeService, OpenedArticle, Source, Uses
from rag.schema import Chunk, Language
from rag.storage.store import DocumentRow
from rag.storage.turn_store import DocumentUse
from rag.translate import translate
from ui.components.content import (
    Card,
    Cell,
    Column,
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
from ui.formats import as_markdown, format_date
from ui.session import PageContext, choice_key

AgeBand = Literal["quarter", "year", "older", "undated", "expired"]
AGE_BANDS: tuple[AgeBand, ...] = ("quarter", "year", "older", "undated", "expired")

UseOrder = Literal["cited", "disliked", "unused"]
USE_ORDERS: tuple[UseOrder, ...] = ("cited", "disliked", "unused")

_NO_USE = DocumentUse()
_QUARTER_DAYS, _YEAR_DAYS = 92, 366
_ROWS_AT_A_TIME = 100
_OPEN_UP_TO = 12
_FILTER_WIDTH_PIXELS = 138


@dataclass(frozen=True, slots=True)
class Filter:
    """The articles to show; empty fields match all.  ``words`` must all be in title or name.

    ``use`` takes those that were cited or disliked, the most first, or those that no answer cites.
    """

    words: str = ""
    language: Language | Literal[""] = ""
    root: str = ""
    age: AgeBand | Literal[""] = ""
    use: UseOrder | Literal[""] = ""


def age_of(row: DocumentRow, today: date) -> AgeBand:
    """Return an article's freshness; one whose last day is past has expired, however young it is."""
    last_day = expiry(row.valid_until)
    if last_day is not None and last_day < today:
        return "expired"
    if row.updated_on is None:
        return "undated"
    days = (today - row.updated_on).days
    return "quarter" if days <= _QUARTER_DAYS else "year" if days <= _YEAR_DAYS else "older"


def expiry(valid_until: str) -> date | None:
    """Return the last day that an article's own words name; None where they name none."""
    try:
        return date.fromisoformat(valid_until.strip())
    except ValueError:
        return None


def filtered(rows: Iterable[DocumentRow], wanted: Filter, today: date, uses: Uses | None = None) -> list[DocumentRow]:
    """Return the articles that match a filter; uses that are not counted yet are ignored."""
    words = wanted.words.casefold().split()
    found = [
        row
        for row in rows
        if (not wanted.language or row.language == wanted.language)
        and (not wanted.root or row.root == wanted.root)
        and (not wanted.age or age_of(row, today) == wanted.age)
        and all(one in f"{row.title}\n{row.document_id}".casefold() for one in words)
    ]
    return _order_by_use(found, wanted.use, uses) if wanted.use and uses is not None else found


def _order_by_use(rows: list[DocumentRow], use: UseOrder, uses: Uses) -> list[DocumentRow]:
    if use == "unused":
        return [row for row in rows if row.document_id not in uses]
    counted = [(getattr(uses.get(row.document_id, _NO_USE), use), row) for row in rows]
    return [row for count, row in sorted(counted, key=lambda one: -one[0]) if count]


def counts(rows: Sequence[DocumentRow], today: date, language: Language) -> list[tuple[str, str]]:
    """Return the figures above the list, each with its tone ("" or "warning"): sizes, languages, ages."""
    ages = Counter(age_of(row, today) for row in rows)
    languages = Counter(row.language for row in rows)
    told = [
        (translate("ui.kb_count_articles", language, count=len(rows)), ""),
        (translate("ui.kb_count_passages", language, count=sum(row.chunk_count for row in rows)), ""),
    ]
    told += [
        (translate("ui.kb_count_language", language, count=count, name=translate(f"ui.language_{name}", language)), "")
        for name, count in languages.most_common()
    ]
    said = (
        ("kb_count_fresh", ages["quarter"], ""),
        ("kb_count_older", ages["older"], "warning"),
        ("kb_count_undated", ages["undated"], ""),
        ("kb_count_expired", ages["expired"], "warning"),
        ("kb_count_internal", sum(row.audience == "internal" for row in rows), ""),
    )
    return told + [(translate(f"ui.{key}", language, count=count), tone) for key, count, tone in said if count]


def columns(language: Language) -> list[Column]:
    """Return the list's columns."""
    return columns_of(
        language, ("kb_title", "wide"), "kb_language", "kb_source", "kb_updated", ("kb_passages", "figure"),
        ("kb_cited", "figure"), ("kb_disliked", "figure"),
    )  # fmt: skip


def table_rows(
    rows: Iterable[DocumentRow],
    today: date,
    language: Language,
    source_names: dict[str, str],
    uses: Uses | None = None,
) -> list[Row]:
    """Return the list's rows; ``uses`` None: they are not counted yet."""
    return [
        Row(
            row.document_id,
            (
                Cell(row.title or row.document_id, note=row.document_id, lang=lang_of(row.language), names=True),
                Cell(translate(f"ui.language_{row.language}", language)),
                Cell(source_names.get(row.root, Path(row.root).name), names=True),
                _age_cell(row, today, language),
                Cell(str(row.chunk_count)),
                *_use_cells(row, uses),
            ),
        )
        for row in rows
    ]


def _use_cells(row: DocumentRow, uses: Uses | None) -> tuple[Cell, Cell]:
    if uses is None:
        return Cell("–"), Cell("–")
    use = uses.get(row.document_id, _NO_USE)
    return Cell(str(use.cited)), Cell(str(use.disliked), tone="warning" if use.disliked else "")


def _age_cell(row: DocumentRow, today: date, language: Language) -> Cell:
    band = age_of(row, today)
    shown = format_date(row.updated_on, language) if row.updated_on is not None else "–"
    if band == "expired":
        return Cell(shown, note=translate("ui.kb_age_expired", language), tone="warning")
    note = translate("ui.kb_internal", language) if row.audience == "internal" else ""
    return Cell(shown, note=note, tone="warning" if band == "older" else "")


def draw_articles(context: PageContext, knowledge: KnowledgeService) -> None:
    """Draw the list at the left and the chosen article at the right."""
    left, right = two_panes(3, 2, chooses=("document", context.language))
    with left:
        _draw_list(context, knowledge)
    with right:
        _draw_article(context, knowledge)


def _draw_list(context: PageContext, knowledge: KnowledgeService) -> None:
    language, today = context.language, context.reading.now.date()
    rows = knowledge.articles()
    if not rows:
        st.info(translate("ui.kb_none_yet", language))
        return
    with st.container(key="kb_counts", horizontal=True):
        for text, tone in counts(rows, today, language):
            st.badge(as_markdown(text), color="orange" if tone else "gray")
    sources, uses = knowledge.sources(), knowledge.uses()
    found = filtered(rows, _filter(language, sources), today, uses)
    shown = translate("ui.kb_shown", language, shown=len(found), count=len(rows), days=WINDOW_DAYS)
    limit = _row_limit()
    draw_table(
        "kb_articles",
        columns(language),
        table_rows(found[:limit], today, language, source_names(sources, language), uses),
        words=(shown, translate("ui.kb_no_match", language)),
        chooses=("document", language),
    )
    if len(found) > limit:
        st.button(translate("ui.kb_more", language), key="kb_more", type="tertiary", on_click=_show_more)


def _filter(language: Language, sources: tuple[Source, ...]) -> Filter:
    """Draw the filter's fields and return their values, which stand in the address: a link shows the same articles."""
    roots = {source.name: source.root for source in reversed(sources)}
    names = source_names(sources, language)
    words = st.text_input(
        translate("ui.kb_find", language),
        key="kb_find",
        placeholder=translate("ui.kb_find_hint", language),
        type="search",
        live=True,
        bind="query-params",
    )

    def choice(key: str, options: Sequence[str], name_of: Callable[[str], str]) -> str:
        box, named = choice_key(key), st.query_params.get(key, "")
        st.session_state[box] = named if named in options else ""
        chosen = st.selectbox(
            translate(f"ui.{key}", language),
            ["", *options],
            format_func=lambda option: name_of(option) if option else translate("ui.kb_all", language),
            key=box,
            filter_mode=None,
            on_change=_put_into_address,
            args=(key, box),
            width=_FILTER_WIDTH_PIXELS,
        )
        return chosen or ""

    with st.container(key="kb_filter", horizontal=True, vertical_alignment="bottom"):
        return Filter(
            words or "",
            cast(
                "Language", choice("kb_language", ["zh", "en"], lambda name: translate(f"ui.language_{name}", language))
            ),
            roots.get(choice("kb_source", list(roots), lambda name: names[roots[name]]), ""),
            cast("AgeBand", choice("kb_age", AGE_BANDS, lambda band: translate(f"ui.kb_age_{band}", language))),
            cast("UseOrder", choice("kb_use", USE_ORDERS, lambda use: translate(f"ui.kb_use_{use}", language))),
        )


def _put_into_address(key: str, box: str) -> None:
    if chosen := st.session_state[box]:
        st.query_params[key] = chosen
    else:
        st.query_params.pop(key, None)


def source_names(sources: tuple[Source, ...], language: Language) -> dict[str, str]:
    """Return the folders' names by their paths, which are never shown."""
    return {source.root: translate("ui.kb_uploads", language) if source.uploads else source.name for source in sources}


def _draw_article(context: PageContext, knowledge: KnowledgeService) -> None:
    language = context.language
    document_id = chosen_row("document")
    article = knowledge.article(document_id) if document_id else None
    if article is None:
        empty = translate("ui.kb_article_gone" if document_id else "ui.kb_choose_article", language)
        draw_cards("kb_article", [], heading=translate("ui.kb_article", language), empty=empty)
        return
    draw_cards("kb_article", [_facts(context, article)], heading=translate("ui.kb_article", language))
    if knowledge.may("lead"):
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
    """Return the headings above a passage, without the title."""
    return " › ".join(heading for heading in passage.heading_path if heading != passage.title)


def _ask_why() -> None:
    st.query_params["view"] = "why"
    st.session_state["kb_why_expected"] = chosen_row("document")


def _row_limit() -> int:
    """Return how many rows the address asks for, at least a hundred."""
    asked = st.query_params.get("rows", "")
    return max(int(asked), _ROWS_AT_A_TIME) if re.fullmatch(r"[0-9]{1,6}", asked) else _ROWS_AT_A_TIME


def _show_more() -> None:
    st.query_params["rows"] = str(_row_limit() + _ROWS_AT_A_TIME)
