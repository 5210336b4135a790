"""Spreadsheets: tables as people see them."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingest.loaders.source import Limits
from rag.schema import Document
from tests.ingest.loaders.loading import load_all, load_one, reason, told

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
    content = workbook({"A": [["a", "b"], [1, 2]]})
    assert load_one(tmp_path, "a.xlsx", content) == load_one(tmp_path, "a.xlsx", content)


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
