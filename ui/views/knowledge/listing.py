"""The list of articles as plain values: how fresh each is, what is counted, and what a filter leaves.  Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from api.services.document_usage import Uses
from rag.schema import Language
from rag.storage.store import DocumentRow
from rag.storage.turn_store import DocumentUse
from rag.translate import translate
from ui.components.plain_table import Cell, Column, Row, columns_of, lang_of
from ui.formats import format_date

AgeBand = Literal["quarter", "year", "older", "undated", "expired"]
AGE_BANDS: tuple[AgeBand, ...] = ("quarter", "year", "older", "undated", "expired")

UseOrder = Literal["cited", "disliked", "unused"]
USE_ORDERS: tuple[UseOrder, ...] = ("cited", "disliked", "unused")

_NO_USE = DocumentUse()
_QUARTER_DAYS, _YEAR_DAYS = 92, 366


@dataclass(frozen=True, slots=True)
class Filter:
    """What articles are looked for; what is empty asks nothing.  ``words`` must all be in title or name.

    ``use`` takes those that were cited or disliked, the most first, or those that no answer cites.
    """

    words: str = ""
    language: Language | Literal[""] = ""
    root: str = ""
    age: AgeBand | Literal[""] = ""
    use: UseOrder | Literal[""] = ""


def age_of(row: DocumentRow, today: date) -> AgeBand:
    """Say how fresh an article is; one whose last day is past has expired, however young it is."""
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
    """Return the articles that a filter lets pass; while the uses are not counted, nothing is asked of them."""
    words = wanted.words.casefold().split()
    found = [
        row
        for row in rows
        if (not wanted.language or row.language == wanted.language)
        and (not wanted.root or row.root == wanted.root)
        and (not wanted.age or age_of(row, today) == wanted.age)
        and all(one in f"{row.title}\n{row.document_id}".casefold() for one in words)
    ]
    return _by_use(found, wanted.use, uses) if wanted.use and uses is not None else found


def _by_use(rows: list[DocumentRow], use: UseOrder, uses: Uses) -> list[DocumentRow]:
    if use == "unused":
        return [row for row in rows if row.document_id not in uses]
    counted = [(getattr(uses.get(row.document_id, _NO_USE), use), row) for row in rows]
    return [row for count, row in sorted(counted, key=lambda one: -one[0]) if count]


def counts(rows: Sequence[DocumentRow], today: date, language: Language) -> list[tuple[str, str]]:
    """Return what is told above the list, each with its tone ("" or "warning"): sizes, languages, ages."""
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
