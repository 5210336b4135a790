"""The list's pure half: ages, counts and filters."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.storage.store import DocumentRow
from rag.storage.turn_store import DocumentUse
from rag.translate import translate
from ui.views.knowledge.articles import AGE_BANDS, Filter, age_of, columns, counts, filtered, table_rows

TODAY = date(2026, 11, 25)
ROW = DocumentRow("en/fees.md", "/kb/en/fees.md", "Delivery fees", "en", "", TODAY, "public", 100, 2, "/kb", "")
ROWS = [
    ROW,
    replace(ROW, document_id="zh/运费.md", title="运费", language="zh", updated_on=date(2025, 1, 1), root="/other"),
    replace(ROW, document_id="old.md", title="Old fees", valid_until="2026-01-31"),
    replace(ROW, document_id="staff.md", title="Goodwill", audience="internal", updated_on=None),
]


@pytest.mark.parametrize(
    ("updated_on", "valid_until", "band"),
    [
        (TODAY, "", "quarter"),
        (TODAY - timedelta(days=92), "", "quarter"),
        (TODAY - timedelta(days=93), "", "year"),
        (TODAY - timedelta(days=367), "", "older"),
        (None, "", "undated"),
        (None, "2026-11-25", "undated"),
        (TODAY, "2026-11-24", "expired"),
        (TODAY, "until further notice", "quarter"),
    ],
)
def test_age(updated_on: date | None, valid_until: str, band: str) -> None:
    assert age_of(replace(ROW, updated_on=updated_on, valid_until=valid_until), TODAY) == band


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), ["en/fees.md", "zh/运费.md", "old.md", "staff.md"]),
        (Filter(words="FEES"), ["en/fees.md", "old.md"]),
        (Filter(words="fees delivery"), ["en/fees.md"]),
        (Filter(words="运"), ["zh/运费.md"]),
        (Filter(language="zh"), ["zh/运费.md"]),
        (Filter(root="/kb", age="expired"), ["old.md"]),
        (Filter(age="undated"), ["staff.md"]),
        (Filter(words="nothing"), []),
    ],
)
def test_filters(wanted: Filter, names: list[str]) -> None:
    assert [row.document_id for row in filtered(ROWS, wanted, TODAY)] == names


USES = {"old.md": DocumentUse(5, 0), "en/fees.md": DocumentUse(7, 2), "gone.md": DocumentUse(9, 9)}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(use="cited"), ["en/fees.md", "old.md"]),
        (Filter(use="disliked"), ["en/fees.md"]),
        (Filter(use="unused"), ["zh/运费.md", "staff.md"]),
        (Filter(use="cited", age="expired"), ["old.md"]),
    ],
)
def test_uses_choose_and_order(wanted: Filter, names: list[str]) -> None:
    assert [row.document_id for row in filtered(ROWS, wanted, TODAY, USES)] == names
    assert filtered(ROWS, Filter(use=wanted.use), TODAY, None) == ROWS


def test_uses_are_shown_as_figures_and_not_as_none_before_they_are_counted() -> None:
    rows = table_rows(ROWS, TODAY, "en", {}, USES)
    assert [tuple(cell.text for cell in row.cells[-2:]) for row in rows] == [
        ("7", "2"), ("0", "0"), ("5", "0"), ("0", "0"),
    ]  # fmt: skip
    assert [row.cells[-1].tone for row in rows] == ["warning", "", "", ""]
    assert {cell.text for row in table_rows(ROWS, TODAY, "en", {}) for cell in row.cells[-2:]} == {"–"}


def test_counts_say_only_what_there_is() -> None:
    told = counts(ROWS, TODAY, "en")
    assert told[:2] == [("4 articles", ""), ("8 passages", "")]
    assert ("1 expired", "warning") in told
    assert ("1 older than a year", "warning") in told
    assert ("1 internal", "") in told
    assert counts([replace(ROWS[0], chunk_count=1)], TODAY, "en")[:2] == [("1 article", ""), ("1 passage", "")]
    assert counts(ROWS[:1], TODAY, "zh") == [
        ("1 篇文章", ""), ("2 个段落", ""), ("英文 1 篇", ""), ("近 3 个月 1 篇", ""),
    ]  # fmt: skip


def test_rows_have_a_cell_a_column_and_no_path() -> None:
    rows = table_rows(ROWS, TODAY, "zh", {"/kb": "kb"})
    assert all(len(row.cells) == len(columns("zh")) for row in rows)
    assert not any("/kb" in cell.text or "/kb" in cell.note for row in rows for cell in row.cells)
    assert rows[2].cells[3].note == translate("ui.kb_age_expired", "zh")


@pytest.mark.slow
@given(st.sampled_from(ROWS), st.one_of(st.none(), st.dates()), st.text(max_size=12))
def test_every_article_has_one_age(row: DocumentRow, updated_on: date | None, valid_until: str) -> None:
    made = replace(row, updated_on=updated_on, valid_until=valid_until)
    found = [band for band in AGE_BANDS if filtered([made], Filter(age=band), TODAY)]
    assert found == [age_of(made, TODAY)]
