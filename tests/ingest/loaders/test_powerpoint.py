"""Presentations: a page a slide."""

import io
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tests.ingest.loaders.loading import load_one, reason

pytestmark = pytest.mark.slow


def slides() -> bytes:
    presentation = Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "售后流程"
    first.placeholders[1].text = "先登记\n再寄回"
    first.notes_slide.notes_text_frame.text = "讲解时强调时限"
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Fees"
    table = second.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for row, words in enumerate([("Item", "Price"), ("Lock", "79")]):
        for column, word in enumerate(words):
            table.cell(row, column).text = word
    group = second.shapes.add_group_shape()
    run = group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "More", "https://help.example/fees"
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("Sales", (1, 2))
    second.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(1), Inches(1), data)
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def test_slides(tmp_path: Path) -> None:
    document = load_one(tmp_path, "process.pptx", slides())
    assert (document.title, document.metadata["pages"]) == ("售后流程", "2")
    first, second = (int(start) for start in document.metadata["page_starts"].split())
    assert document.text[first:second].split("\n\n") == ["## 售后流程", "先登记\n再寄回", "讲解时强调时限", ""]
    assert document.text[second:].split("\n\n") == [
        "## Fees",
        "| Item | Price |\n| --- | --- |\n| Lock | 79 |",
        "More (https://help.example/fees)",
        "Sales\nNorth\nSouth",
    ]


def test_a_hidden_slide_is_an_empty_page(tmp_path: Path) -> None:
    presentation = Presentation(io.BytesIO(slides()))
    presentation.slides[0]._element.set("show", "0")
    buffer = io.BytesIO()
    presentation.save(buffer)
    document = load_one(tmp_path, "process.pptx", buffer.getvalue())
    assert (document.title, document.metadata["pages"]) == ("Fees", "2")
    assert "售后流程" not in document.text
    assert "讲解时强调时限" not in document.text


def test_what_is_no_presentation(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.pptx", slides()[:2000]) == "malformed"
    assert reason(tmp_path, "a.ppt", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)) == "malformed"


def test_a_header_of_two_rows_is_one(tmp_path: Path) -> None:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(4), Inches(1)).table
    rows = [("项目", "价格", ""), ("", "门店", "网上"), ("门锁", "79 元", "69 元")]
    for row, words in enumerate(rows):
        for column, word in enumerate(words):
            table.cell(row, column).text = word
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 1).merge(table.cell(0, 2))
    buffer = io.BytesIO()
    presentation.save(buffer)
    text = load_one(tmp_path, "a.pptx", buffer.getvalue()).text
    assert text == "| 项目 | 价格 门店 | 价格 网上 |\n| --- | --- | --- |\n| 门锁 | 79 元 | 69 元 |"
