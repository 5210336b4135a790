"""Spreadsheets: tables as people see them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from ingest.loaders.source import Limits
from rag.errors import DocumentUnreadable
from rag.schema import Document
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import load_all, load_one, reason, told
from tests.ingest.loaders.xls_writer import Cell, XlsSheet, xls_bytes

Sheets = Mapping[str, Sequence[Sequence[object]]]


def workbook(sheets: Sheets, links: Mapping[str, str] | None = None) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for cell, target in (links or {}).items():
            sheet[cell].hyperlink = target
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_sheets_tables_and_values(tmp_path: Path) -> None:
    prices = [
        ["2026 年价格"],
        ["项目", "价格", "起始", "有货"],
        ["门锁", 79.0, date(2026, 9, 1), True],
        ["水管", 99.5, datetime(2026, 9, 1, 14, 30), None],
        [],
        [None, "备注", None, None],
        [None, "不含税", None, None],
    ]
    content = workbook({"价格": prices, "空": [], "Contact": [["Name", "Site"], ["Desk", "here"]]})
    document = load_one(tmp_path, "prices.xlsx", content)
    assert document.text.split("\n\n") == [
        "## 价格",
        "2026 年价格",
        "| 项目 | 价格 | 起始 | 有货 |\n| --- | --- | --- | --- |\n"
        "| 门锁 | 79 | 2026-09-01 | TRUE |\n| 水管 | 99.5 | 2026-09-01 14:30 |  |",
        "备注\n不含税",
        "## Contact",
        "| Name | Site |\n| --- | --- |\n| Desk | here |",
    ]


def test_a_cells_link_is_kept(tmp_path: Path) -> None:
    content = workbook({"A": [["Name", "Site"], ["Desk", "here"]]}, {"B2": "https://help.example/"})
    assert "| Desk | here (https://help.example/) |" in load_one(tmp_path, "a.xlsx", content).text


def test_the_same_file_gives_the_same_document(tmp_path: Path) -> None:
    document = load_one(tmp_path, "a.xlsx", workbook({"A": [["a", "b"], [1, 2]]}))
    assert document.updated_on is not None  # the day on which the test wrote it
    assert replace(document, updated_on=None) == Document(
        "a.xlsx", str(tmp_path / "a.xlsx"), "a", "## A\n\n| a | b |\n| --- | --- |\n| 1 | 2 |", "en",
        metadata={"author": "openpyxl", "format": "xlsx"},
    )  # fmt: skip


def test_questions_with_answers_are_documents_of_their_own(tmp_path: Path) -> None:
    faq = [["问题", "答案", "分类"], ["能退吗？", "七天内可以。", "退货"], [None, None, None], ["没人答", "", "x"]]
    found = load_all(tmp_path, "faq.xlsx", workbook({"常见问题": faq, "Other": [["a", "b"], [1, 2]]}))
    first, rest = (item for item in found if isinstance(item, Document))
    assert (first.document_id, first.title, first.text) == ("faq.xlsx!/能退吗？", "能退吗？", "七天内可以。")
    assert first.metadata == {"分类": "退货", "format": "xlsx"}
    assert told(found) == [("empty", "常见问题, row 4")]
    assert (rest.document_id, rest.text.split("\n")[0]) == ("faq.xlsx", "## Other")


def test_limits_and_files_that_are_no_workbooks(tmp_path: Path) -> None:
    content = workbook({"A": [["question", "answer"], ["a", "b"], ["c", "d"]]})
    assert reason(tmp_path, "a.xlsx", content, Limits(unpacked_bytes=1000)) == "bomb"
    assert reason(tmp_path, "b.xlsx", content[:1500]) == "malformed"
    assert reason(tmp_path, "c.xlsx", workbook({"A": []})) == "empty"


@pytest.mark.slow
def test_what_web_sites_call_a_spreadsheet(tmp_path: Path) -> None:
    page = "<html><body><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>"
    expected = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert load_one(tmp_path, "a.xls", page).text == expected
    assert load_one(tmp_path, "b.xls", "a\tb\n1\t2\n").text == expected
    assert load_one(tmp_path, "c.xls", workbook({"S": [["a", "b"], [1, 2]]})).text == f"## S\n\n{expected}"


def saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def a_sheet(rows: Sequence[Sequence[object]]) -> tuple[Workbook, Worksheet]:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    return book, sheet


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_rows_and_columns_are_left_out(tmp_path: Path, state: str) -> None:
    book, sheet = a_sheet([["项目", "成本", "价格"], ["门锁", 30, 79], ["停产", 40, 89], ["水管", 50, 99]])
    sheet.column_dimensions["B"].hidden = True
    sheet.row_dimensions[3].hidden = True
    secret = book.create_sheet("Margins")
    secret.append(["a", "b"])
    secret.sheet_state = state
    text = load_one(tmp_path, "a.xlsx", saved(book)).text
    assert text == "## Sheet\n\n| 项目 | 价格 |\n| --- | --- |\n| 门锁 | 79 |\n| 水管 | 99 |"


def test_a_hidden_column_is_no_field_of_a_question(tmp_path: Path) -> None:
    book, sheet = a_sheet([["question", "note", "answer"], ["May I return it?", "never tell", "Within a week."]])
    sheet.column_dimensions["B"].hidden = True
    document = load_one(tmp_path, "a.xlsx", saved(book))
    assert (document.text, document.metadata) == ("Within a week.", {"format": "xlsx"})


def test_a_sheet_that_is_all_hidden_is_empty(tmp_path: Path) -> None:
    book, sheet = a_sheet([["a", "b"]])
    sheet.row_dimensions[1].hidden = True
    assert reason(tmp_path, "a.xlsx", saved(book)) == "empty"


def test_a_merged_cell_stands_in_each_row_that_it_covers(tmp_path: Path) -> None:
    rows = [["Device", "Part", "Fee"], ["Kettle", "Lid", 12], [None, "Heater", 45], [], [None, "Cord", 9], ["Lamp", 1]]
    book, sheet = a_sheet(rows)
    sheet.merge_cells("A2:A5")
    text = load_one(tmp_path, "a.xlsx", saved(book)).text
    assert [line for line in text.split("\n") if line.startswith("| Kettle")] == [
        "| Kettle | Lid | 12 |",
        "| Kettle | Heater | 45 |",
        "| Kettle | Cord | 9 |",
    ]


def test_a_merged_cell_whose_first_row_is_hidden_names_the_others(tmp_path: Path) -> None:
    book, sheet = a_sheet([["Device", "Part"], ["Kettle", "Old lid"], [None, "Lid"]])
    sheet.merge_cells("A2:A3")
    sheet.row_dimensions[2].hidden = True
    assert load_one(tmp_path, "a.xlsx", saved(book)).text.endswith("| --- | --- |\n| Kettle | Lid |")


def test_numbers_are_written_as_they_are_shown(tmp_path: Path) -> None:
    shown = [
        (0.035, "0.0%", "3.5%"),
        (49.9, '"EUR" 0.00', "EUR 49.90"),
        (42, "00000", "00042"),
        (26 / 24, "[h]:mm", "26:00"),
        (1234.5, "#,##0.00 [$€-407]", "1,234.50 €"),
        (79, '0.00"元"', "79.00元"),
        (0.5, "# ?/?", "0.5"),
        (1.5, "0." + "0" * 100, "1.5000000000"),
        (1.5, "0" * 300, "1.5"),
        (-1234.5, "#,##0.0_);[Red](#,##0.0)", "(1,234.5)"),
        (5551234, "000-0000", "555-1234"),
        (46266, "yyyy-mm-dd", "2026-09-01"),
        (49.9, "General", "49.9"),
    ]
    book, sheet = a_sheet([["Name", "Value"], *([f"n{row}", value] for row, (value, _, _) in enumerate(shown))])
    for row, (_, code, _) in enumerate(shown, start=2):
        sheet.cell(row, 2).number_format = code
    text = load_one(tmp_path, "a.xlsx", saved(book)).text
    assert text.split("\n")[4:] == [f"| n{row} | {words} |" for row, (_, _, words) in enumerate(shown)]


def test_an_old_workbook_is_read_as_it_is_shown(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["Device", "Cost", "Part", "Fee"],
        ["Kettle", (1, 0), "Lid", (49.9, 1)],
        ["Gone", (2, 0), "Rod", (5, 0)],
        [None, (3, 0), "Heater", (0.035, 2)],
        ["Lamp", (4, 0), "Bulb", (26 / 24, 3)],
        [],
        ["水壶", (5, 0), "盖子", (12.5, 0)],
    ]
    fees = XlsSheet("Fees", rows, hidden_rows=[2], hidden_columns=[1], merged=[(1, 3, 0)])
    secret = XlsSheet("Secret", [["a", "b"]], is_hidden=True)
    content = xls_bytes([fees, secret], ['"EUR" 0.00', "0.0%", "[h]:mm"])
    assert load_one(tmp_path, "a.xls", content).text == (
        "## Fees\n\n| Device | Part | Fee |\n| --- | --- | --- |\n| Kettle | Lid | EUR 49.90 |\n"
        "| Kettle | Heater | 3.5% |\n| Lamp | Bulb | 26:00 |\n\n| 水壶 | 盖子 | 12.5 |\n| --- | --- | --- |"
    )


def test_a_header_of_two_rows_is_one(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["2026 价格"],
        ["组别", "淡季", None, "旺季"],
        [None, "1-2天", "3天起", "1-2天", "3天起"],
        ["A", 49, 42, 69, 58],
    ]
    book, sheet = a_sheet(rows)
    for cells in ("A1:E1", "A2:A3", "B2:C2", "D2:E2"):
        sheet.merge_cells(cells)
    assert load_one(tmp_path, "a.xlsx", saved(book)).text.split("\n\n")[1:] == [
        "2026 价格",
        "| 组别 | 淡季 1-2天 | 淡季 3天起 | 旺季 1-2天 | 旺季 3天起 |\n| --- | --- | --- | --- | --- |\n"
        "| A | 49 | 42 | 69 | 58 |",
    ]


def test_a_header_of_two_rows_without_merged_cells_is_one(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [None, "Smart", None, "Plus", None],
        ["Age", "monthly", "yearly", "monthly", "yearly"],
        ["18", 9, 110, 14, 165],
    ]
    book, _ = a_sheet(rows)
    lines = load_one(tmp_path, "a.xlsx", saved(book)).text.split("\n")
    assert lines[2] == "| Age | Smart monthly | Smart yearly | Plus monthly | Plus yearly |"
    assert lines[4:] == ["| 18 | 9 | 110 | 14 | 165 |"]


def test_an_old_workbooks_header_of_two_rows_is_one(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [["Group", "Fee", None], [None, "net", "gross"], ["A", (5, 0), (6, 0)]]
    content = xls_bytes([XlsSheet("Fees", rows, merged=[(0, 1, 0)], merged_columns=[(0, 1, 2)])], ["0"])
    assert load_one(tmp_path, "a.xls", content).text.split("\n")[2:] == [
        "| Group | Fee net | Fee gross |",
        "| --- | --- | --- |",
        "| A | 5 | 6 |",
    ]


def test_formulas_without_a_stored_value_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    rows: list[list[object]] = [["项目", "价格"], ["门锁", 79], ["合计", "=SUM(B2:B2)"]]
    many = [["a", "b"], *([f"=A{row}", "x"] for row in range(2, 9))]
    found = load_all(tmp_path, "prices.xlsx", workbook({"价格": rows, "Other": many}))
    remarks = [one for one in found if isinstance(one, DocumentUnreadable)]
    assert [(one.details["reason"], one.details["where"]) for one in remarks] == [
        ("formula", "价格: B3"),
        ("formula", "Other: A2, A3, A4, A5, A6, …"),
    ]
    assert all("prices.xlsx was read, but it has formulas" in one.text("en") for one in remarks)
    [document] = [one for one in found if isinstance(one, Document)]
    assert "| 门锁 | 79 |" in document.text


def test_a_formula_whose_stored_result_is_empty_is_none_of_these(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(workbook({"A": [["a", "=A1"]]}))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b'<c r="B1">', b'<c r="B1" t="str">')
    assert load_one(tmp_path, "a.xlsx", zip_bytes(parts)).text.endswith("a")
