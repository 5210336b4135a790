"""Word: structure by style, whatever the document does beside it."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import docx
import pytest
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.table import Table

from ingest.loaders.source import Limits
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import load_one, reason

pytestmark = pytest.mark.slow


def saved(document: WordDocument) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def rewritten(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zip_bytes({name: change(name, archive.read(name)) for name in archive.namelist()})


def manual() -> WordDocument:
    document = docx.Document()
    document.core_properties.title = "退货手册"
    document.core_properties.author = "客服部"
    document.core_properties.modified = datetime(2026, 8, 1)
    document.add_heading("退货", level=1)
    document.add_paragraph("签收后七天内可以退货。")
    document.add_heading("费用", level=2)
    document.add_paragraph("先预约", style="List Number")
    document.add_paragraph("再付款", style="List Number")
    document.add_paragraph("发票", style="List Bullet")
    table = document.add_table(rows=3, cols=2)
    for row, words in zip(table.rows, [("项目", "价格"), ("门锁", "79 元"), ("水管", "99 元")], strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    document.paragraphs[-1].add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("第二页")
    return document


def test_a_manual(tmp_path: Path) -> None:
    document = load_one(tmp_path, "manual.docx", saved(manual()))
    assert (document.title, document.language, str(document.updated_on)) == ("退货手册", "zh", "2026-08-01")
    assert document.metadata["author"] == "客服部"
    assert document.text.split("\n\n") == [
        "# 退货",
        "签收后七天内可以退货。",
        "## 费用",
        "1. 先预约\n2. 再付款\n- 发票",
        "| 项目 | 价格 |\n| --- | --- |\n| 门锁 | 79 元 |\n| 水管 | 99 元 |",
        "第二页",
    ]
    starts = [int(start) for start in document.metadata["page_starts"].split()]
    assert next(document.text[start:][:4] for start in starts) == "# 退货"
    assert document.metadata["pages"] == "2"


def test_the_styles_of_deeper_lists_give_their_items_depth(tmp_path: Path) -> None:
    document = docx.Document()
    own = document.styles.add_style("Our items", WD_STYLE_TYPE.PARAGRAPH)
    own.base_style = document.styles["List Bullet 3"]
    items = [
        ("Basic covers:", "List Bullet"), ("theft", "List Bullet 2"), ("no cash", "List Bullet 3"), ("锁", "Our items"),
        ("先预约", "List Number"), ("选日期", "List Number 2"), ("选时间", "List Number 2"), ("再付款", "List Number"),
    ]  # fmt: skip
    for words, style in items:
        document.add_paragraph(words, style=style)
    assert load_one(tmp_path, "a.docx", saved(document)).text.split("\n") == [
        "- Basic covers:",
        "   - theft",
        "      - no cash",
        "      - 锁",
        "1. 先预约",
        "   1. 选日期",
        "   2. 选时间",
        "2. 再付款",
    ]


def bold(document: WordDocument, words: str, style: str | None = None) -> None:
    document.add_paragraph(style=style).add_run(words).bold = True


def headings_of(tmp_path: Path, document: WordDocument) -> list[str]:
    lines = load_one(tmp_path, "a.docx", saved(document)).text.split("\n")
    return [line for line in lines if line.startswith("#")]


def test_bold_paragraphs_above_text_are_headings(tmp_path: Path) -> None:
    document = docx.Document()
    bold(document, "Claims guide")
    bold(document, "Outpatient")
    document.add_paragraph("Send the invoice within 90 days.")
    style = document.styles.add_style("Our heading", WD_STYLE_TYPE.PARAGRAPH)
    style.font.bold = True
    document.add_paragraph("住院", style="Our heading")
    document.add_paragraph("三十天内寄来发票。")
    document.add_heading("Fees", level=2)
    bold(document, "What do I pay")
    document.add_paragraph("Nothing", style="List Bullet")
    bold(document, "价格")
    filled_table(document, [("项目", "价格"), ("门锁", "79 元")])
    found = load_one(tmp_path, "a.docx", saved(document))
    assert found.title == "Claims guide"
    assert headings_of(tmp_path, document) == [
        "# Claims guide", "## Outpatient", "## 住院", "## Fees", "### What do I pay", "### 价格",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "Please note:",
        "We are closed.",
        "注意：",
        "今天休息。",
        "Table 2 Fees",
        "Table: Fees",
        "图3 接线",
        "ann@x.example",
        "2026",
        "very " * 20 + "long",
    ],
)
def test_a_bold_paragraph_that_reads_otherwise_is_no_heading(tmp_path: Path, words: str) -> None:
    document = docx.Document()
    document.add_paragraph("Before.")
    bold(document, words)
    document.add_paragraph("The invoice has to reach us within 90 days.")
    assert headings_of(tmp_path, document) == []


def test_bold_words_where_no_heading_stands(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Before.")
    for words in ("One", "Two", "Three"):
        bold(document, words)
    document.add_paragraph("The invoice has to reach us.")
    bold(document, "An item", "List Bullet")
    document.add_paragraph("The invoice has to reach us.")
    document.add_paragraph().add_run("Half").bold = True
    document.paragraphs[-1].add_run(" bold")
    document.add_paragraph("The invoice has to reach us.")
    bold(document, "Jane Smith")
    document.add_paragraph("5 High Street")
    bold(document, "Name\tValue")
    document.add_paragraph("The invoice has to reach us.")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).paragraphs[0].add_run("Cell").bold = True
    table.cell(0, 0).add_paragraph("The invoice has to reach us.")
    table.cell(0, 1).text = "b"
    bold(document, "The end")
    assert headings_of(tmp_path, document) == []


def test_links_deletions_insertions_and_text_boxes(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Ask ")
    target = document.part.relate_to(
        "https://help.example/",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink",
        is_external=True,
    )
    space = nsdecls("w", "r")
    for element in (
        f'<w:hyperlink {space} r:id="{target}"><w:r><w:t>the desk</w:t></w:r></w:hyperlink>',
        f"<w:del {space}><w:r><w:delText>never</w:delText></w:r></w:del>",
        f'<w:ins {space}><w:r><w:t xml:space="preserve"> first</w:t></w:r></w:ins>',
        f"<w:r {space}><w:pict><w:txbxContent><w:p><w:r><w:t>A box</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>",
    ):
        paragraph._p.append(parse_xml(element))
    text = load_one(tmp_path, "a.docx", saved(document)).text
    assert text == "Ask the desk (https://help.example/) first\n\nA box"


def test_merged_cells_and_frames(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(0, 2).merge(table.cell(1, 2)).text = "tall"
    table.cell(1, 0).text = "a"
    frame = document.add_table(rows=1, cols=1)
    frame.cell(0, 0).text = "A notice in a frame"
    text = load_one(tmp_path, "a.docx", saved(document)).text
    assert text == "| wide |  | tall |\n| --- | --- | --- |\n| a |  | tall |\n\nA notice in a frame"


def test_a_cell_over_several_rows_stands_in_each(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=4, cols=3)
    rows = [("Device", "Part", "Fee"), ("Kettle", "Lid", "12"), ("", "Heater", "45"), ("", "Cord", "9")]
    for row, words in zip(table.rows, rows, strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    table.cell(1, 0).merge(table.cell(3, 0)).text = "Kettle"
    lines = load_one(tmp_path, "a.docx", saved(document)).text.split("\n")
    assert lines[2:] == ["| Kettle | Lid | 12 |", "| Kettle | Heater | 45 |", "| Kettle | Cord | 9 |"]


def filled_table(document: WordDocument, rows: Sequence[Sequence[str]]) -> Table:
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    for row, words in zip(table.rows, rows, strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    return table


def test_a_header_of_two_rows_is_one(tmp_path: Path) -> None:
    document = docx.Document()
    names = [("", "", "", "", ""), ("", "Basic", "Comfort", "Basic", "Comfort")]
    table = filled_table(document, [*names, ("A, B", "1,200", "500", "1,000", "400")])
    for first, last, words in (((0, 0), (1, 0), "Group"), ((0, 1), (0, 2), "Collision"), ((0, 3), (0, 4), "Theft")):
        table.cell(*first).merge(table.cell(*last)).text = words
    lines = load_one(tmp_path, "a.docx", saved(document)).text.split("\n")
    assert lines[0] == "| Group | Collision Basic | Collision Comfort | Theft Basic | Theft Comfort |"
    assert lines[2:] == ["| A, B | 1,200 | 500 | 1,000 | 400 |"]


def test_the_rows_that_are_repeated_on_each_page_are_the_header(tmp_path: Path) -> None:
    document = docx.Document()
    table = filled_table(document, [("项目", "价格"), ("编号", "元"), ("A1", "79"), ("A2", "99")])
    for row in table.rows[:2]:
        row._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    lines = load_one(tmp_path, "a.docx", saved(document)).text.split("\n")
    assert (lines[0], lines[2:]) == ("| 项目 编号 | 价格 元 |", ["| A1 | 79 |", "| A2 | 99 |"])


def test_a_tables_title_stands_above_it(tmp_path: Path) -> None:
    document = docx.Document()
    table = filled_table(document, [("", ""), ("Item", "Price"), ("Lock", "EUR 79")])
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Prices from May"
    text = load_one(tmp_path, "a.docx", saved(document)).text
    assert text == "Prices from May\n\n| Item | Price |\n| --- | --- |\n| Lock | EUR 79 |"


def test_a_long_text_over_several_rows_stands_once(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "long " * 100
    table.cell(1, 1).text = "b"
    assert load_one(tmp_path, "a.docx", saved(document)).text.endswith("\n|  | b |")


def test_hidden_words_and_rows_are_left_out(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("退货免费。")
    paragraph.add_run("成本 30 元。").font.hidden = True
    paragraph.add_run("七天内。").font.hidden = False
    for name, kind in (("Secret", WD_STYLE_TYPE.CHARACTER), ("Secret paragraph", WD_STYLE_TYPE.PARAGRAPH)):
        document.styles.add_style(name, kind).font.hidden = True
    paragraph.add_run("Never tell.", "Secret")
    document.add_paragraph("Nor this.", "Secret paragraph").add_run(" But this.").font.hidden = False
    table = document.add_table(rows=2, cols=2)
    for cell, word in zip(table.rows[0].cells, "ab", strict=True):
        cell.text = word
    table.cell(1, 0).text = "hidden"
    table.rows[1]._tr.get_or_add_trPr().append(parse_xml(f"<w:hidden {nsdecls('w')}/>"))
    text = load_one(tmp_path, "a.docx", saved(document)).text
    assert text == "退货免费。七天内。\n\nBut this.\n\n| a | b |\n| --- | --- |"


def test_a_letterhead_is_read_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Tidewell Ltd."
    assert load_one(tmp_path, "a.docx", saved(document)).text == "Tidewell Ltd."
    document.add_paragraph("Words")
    assert load_one(tmp_path, "b.docx", saved(document)).text == "Words"


def test_a_broken_reference_costs_nothing(tmp_path: Path) -> None:
    def break_references(name: str, content: bytes) -> bytes:
        return re.sub(rb'Target="[^"]*(?:styles|numbering)\.xml"', b'Target="../NULL"', content)

    assert "第二页" in load_one(tmp_path, "a.docx", rewritten(saved(manual()), break_references)).text


def test_the_strict_dialect_and_macros(tmp_path: Path) -> None:
    def make_strict(name: str, content: bytes) -> bytes:
        content = content.replace(
            b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
            b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        )
        return content.replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        )

    assert "## 费用" in load_one(tmp_path, "a.docm", rewritten(saved(manual()), make_strict)).text


def test_entities_stand_for_nothing(tmp_path: Path) -> None:
    bomb = (
        b'<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY f SYSTEM "/etc/hostname">]>'
    )

    def add_bomb(name: str, content: bytes) -> bytes:
        if name != "word/document.xml":
            return content
        return re.sub(rb"(<w:document)", bomb + rb"\1", content, count=1).replace("第二页".encode(), b"safe &b; &f;")

    text = load_one(tmp_path, "a.docx", rewritten(saved(manual()), add_bomb)).text
    assert "safe" in text
    assert "aaaa" not in text


def test_what_is_no_document(tmp_path: Path) -> None:
    content = saved(manual())
    assert reason(tmp_path, "a.docx", content[: len(content) // 2]) == "malformed"
    assert reason(tmp_path, "b.docx", zip_bytes({"[Content_Types].xml": "<a/>", "word/x": ""})) == "malformed"
    assert reason(tmp_path, "c.docx", saved(docx.Document())) == "empty"
    assert reason(tmp_path, "d.docx", content, Limits(unpacked_bytes=1000)) == "bomb"
    assert reason(tmp_path, "e.docx", "only text") == "malformed"


def with_notes(document: WordDocument, notes: dict[str, str]) -> bytes:
    """Save a document with footnotes, whose references stand as ``{label}`` in its words."""
    words = "".join(
        f'<w:footnote w:id="{label}"><w:p><w:r><w:t>{note}</w:t></w:r></w:p></w:footnote>'
        for label, note in notes.items()
    )
    separator = '<w:footnote w:id="0" w:type="separator"><w:p><w:r><w:t>----</w:t></w:r></w:p></w:footnote>'
    part = f"<w:footnotes {nsdecls('w')}>{separator}{words}</w:footnotes>".encode()
    relation = (
        b'<Relationship Id="rIdNotes" Target="footnotes.xml" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"/></Relationships>'
    )

    def changed(name: str, content: bytes) -> bytes:
        if name == "word/document.xml":
            reference = r'</w:t></w:r><w:r><w:footnoteReference w:id="\1"/></w:r><w:r><w:t xml:space="preserve">'
            return re.sub(r"\{(\d+)\}", reference, content.decode()).encode()
        if name == "word/_rels/document.xml.rels":
            return content.replace(b"</Relationships>", relation)
        return content

    saved_content = rewritten(saved(document), changed)
    with zipfile.ZipFile(io.BytesIO(saved_content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zip_bytes({**parts, "word/footnotes.xml": part})


def test_a_footnote_stands_below_what_refers_to_it_and_not_below_the_next_table(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("运费", level=1)
    document.add_paragraph("运费上限为二十五元。{2}超出部分自付。{3}")
    document.add_paragraph("先预约{4}", style="List Bullet")
    document.add_paragraph("再付款{2}", style="List Bullet")
    document.add_heading("价格", level=1)
    table = document.add_table(rows=2, cols=2)
    for row, words in zip(table.rows, [("项目", "价格"), ("门锁", "79 元{5}")], strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    notes = {"2": "偏远地区四十元。", "3": "会员除外。", "4": "至少提前一天。", "5": "含税。", "6": "没有人提到。"}
    assert load_one(tmp_path, "fees.docx", with_notes(document, notes)).text.split("\n\n") == [
        "# 运费",
        "运费上限为二十五元[^2]。超出部分自付[^3]。",
        "[^2] 偏远地区四十元。",
        "[^3] 会员除外。",
        "- 先预约[^4]\n- 再付款[^2]",
        "[^4] 至少提前一天。",
        "# 价格",
        "| 项目 | 价格 |\n| --- | --- |\n| 门锁 | 79 元[^5] |",
        "[^5] 含税。",
        "[^6] 没有人提到。",
    ]
