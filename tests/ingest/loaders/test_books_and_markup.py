"""EPUB, OpenDocument, RTF, XML, reStructuredText, Org and notebooks."""

import json
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from rag.schema import Document
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import load_all, load_one, reason, texts

CONTAINER = '<container xmlns="c"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="p"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>安装手册</dc:title>
<dc:creator>汐井</dc:creator><dc:language>zh-CN</dc:language><dc:date>2026-08-01</dc:date></metadata><manifest>
<item id="a" href="first%20part.xhtml"/><item id="b" href="b.xhtml"/><item id="gone" href="gone.xhtml"/></manifest>
<spine><itemref idref="b"/><itemref idref="a"/><itemref idref="gone"/></spine></package>"""
CHAPTER = '<?xml version="1.0" encoding="utf-8"?><html xmlns="h"><body><h1>{}</h1><p>{}</p></body></html>'
BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/first part.xhtml": CHAPTER.format("维护", "每年一次"),
    "OEBPS/b.xhtml": CHAPTER.format("安装", "先关水"),
}
SPACES = " ".join(
    f'xmlns:{name}="{name}"' for name in ("office", "style", "text", "table", "draw", "xlink", "dc", "presentation")
)


def odf(kind: str, content: str, *, meta: str = "", styles: str = "") -> bytes:
    styles = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    body = f"<office:document-content {SPACES}>{styles}<office:body>{content}</office:body></office:document-content>"
    return zip_bytes(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": body,
            "meta.xml": f"<office:document-meta {SPACES}><office:meta>{meta}</office:meta></office:document-meta>",
        }
    )


def test_a_book(tmp_path: Path) -> None:
    document = load_one(tmp_path, "book.epub", zip_bytes(BOOK))
    assert (document.title, document.language, str(document.updated_on)) == ("安装手册", "zh", "2026-08-01")
    assert document.metadata == {"author": "汐井", "format": "epub"}
    assert document.text == "# 安装\n\n先关水\n\n# 维护\n\n每年一次"


def test_a_book_that_is_locked_or_torn(tmp_path: Path) -> None:
    locked = {**BOOK, "META-INF/encryption.xml": "<e/>", "META-INF/rights.xml": "<r/>"}
    assert reason(tmp_path, "a.epub", zip_bytes(locked)) == "encrypted"
    assert reason(tmp_path, "b.epub", zip_bytes({"mimetype": "application/epub+zip"})) == "malformed"


def test_an_opendocument_text(tmp_path: Path) -> None:
    content = """<office:text><text:h text:outline-level="1">Returns</text:h><text:p>Within<text:s/>7
<text:a xlink:href="https://h.example/">days</text:a><text:note><text:note-citation>1</text:note-citation>
<text:note-body><text:p>working days</text:p></text:note-body></text:note>.</text:p><text:list><text:list-item>
<text:p>a</text:p><text:list>
<text:list-item><text:p>b</text:p></text:list-item></text:list></text:list-item></text:list><table:table>
<table:table-header-rows><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell>
<text:p>y</text:p></table:table-cell></table:table-row></table:table-header-rows><table:table-row>
<table:table-cell table:number-columns-repeated="2"><text:p>1</text:p></table:table-cell></table:table-row>
</table:table><text:tracked-changes><text:p>never</text:p></text:tracked-changes></office:text>"""
    document = load_one(tmp_path, "a.odt", odf("text", content, meta="<dc:date>2026-01-02T00:00:00</dc:date>"))
    assert (document.title, str(document.updated_on)) == ("Returns", "2026-01-02")
    assert document.text.split("\n\n") == [
        "# Returns",
        "Within 7 days (https://h.example/) [working days].",
        "- a\n  - b",
        "| x | y |\n| --- | --- |\n| 1 | 1 |",
    ]


HIDING_STYLES = """<style:style style:name="T1" style:family="text"><style:text-properties text:display="none"/>
</style:style><style:style style:name="ta1" style:family="table"><style:table-properties table:display="false"/>
</style:style>"""


def test_what_an_opendocument_hides_is_left_out(tmp_path: Path) -> None:
    words = """<text:p text:style-name="ta1">Free<text:span text:style-name="T1"> at our cost</text:span>.</text:p>
<text:section text:display="none"><text:p>never</text:p></text:section>"""
    content = odf("text", f"<office:text>{words}</office:text>", styles=HIDING_STYLES)
    assert load_one(tmp_path, "a.odt", content).text == "Free."
    cell = "<table:table-cell {}><text:p>{}</text:p></table:table-cell>".format
    covered = "<table:covered-table-cell/>"
    rows = [
        cell("", "Device") + cell("", "Cost") + cell("", "Part"),
        cell("table:number-rows-spanned='3'", "Kettle") + cell("", "3") + cell("", "Lid"),
        covered + cell("", "5") + cell("", "Heater"),
        covered + cell("", "6") + cell("", "Cord"),
        cell("", "Lamp") + cell("", "7") + cell("", "Bulb"),
    ]
    shown = ["visible", "visible", "filter", "visible", "visible"]
    sheet = "".join(
        f"<table:table-row table:visibility='{how}'>{row}</table:table-row>"
        for how, row in zip(shown, rows, strict=True)
    )
    columns = "<table:table-column/><table:table-column table:visibility='collapse'/><table:table-column/>"
    secret = f"<table:table table:name='Secret' table:style-name='ta1'><table:table-row>{rows[0]}</table:table-row>"
    tables = f"<table:table table:name='Fees'>{columns}{sheet}</table:table>{secret}</table:table>"
    content = odf("spreadsheet", f"<office:spreadsheet>{tables}</office:spreadsheet>", styles=HIDING_STYLES)
    assert load_one(tmp_path, "a.ods", content).text == (
        "## Fees\n\n| Device | Part |\n| --- | --- |\n| Kettle | Lid |\n| Kettle | Cord |\n| Lamp | Bulb |"
    )


def test_an_opendocument_sheet_and_slides(tmp_path: Path) -> None:
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>".format
    row = "<table:table-row>{}<table:table-cell table:number-columns-repeated='16000'/></table:table-row>".format
    endless = "<table:table-row table:number-rows-repeated='1000000'><table:table-cell/></table:table-row>"
    rows = row(cell("问题") + cell("答案")) + row(cell("能退吗？") + cell("能")) + endless
    sheet = f"<office:spreadsheet><table:table table:name='常见'>{rows}</table:table></office:spreadsheet>"
    assert texts(load_all(tmp_path, "a.ods", odf("spreadsheet", sheet))) == {"a.ods!/能退吗？": "能"}
    page = "<draw:page><draw:frame><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame></draw:page>".format
    slides = f"<office:presentation>{page('One')}{page('Two')}</office:presentation>"
    document = load_one(tmp_path, "a.odp", odf("presentation", slides))
    assert (document.text, document.metadata["page_starts"]) == ("One\n\nTwo", "0 5")


@pytest.mark.parametrize(("kind", "name"), [("spreadsheet", "a.ods"), ("text", "a.odt")])
def test_a_header_of_two_rows_in_opendocument_is_one(tmp_path: Path, kind: str, name: str) -> None:
    cell = "<table:table-cell {}><text:p>{}</text:p></table:table-cell>".format
    covered = "<table:covered-table-cell/>"
    wide = "table:number-columns-spanned='2'"
    rows = [
        cell("table:number-rows-spanned='2'", "Group") + cell(wide, "Low") + covered + cell(wide, "High") + covered,
        covered + "".join(cell("", words) for words in ("1-2 days", "3+ days", "1-2 days", "3+ days")),
        "".join(cell("", words) for words in ("A", "49", "42", "69", "58")),
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    content = f"<office:{kind}><table:table table:name='Fees'>{table}</table:table></office:{kind}>"
    assert load_one(tmp_path, name, odf(kind, content)).text.removeprefix("## Fees\n\n").split("\n") == [
        "| Group | Low 1-2 days | Low 3+ days | High 1-2 days | High 3+ days |",
        "| --- | --- | --- | --- | --- |",
        "| A | 49 | 42 | 69 | 58 |",
    ]


def test_rich_text(tmp_path: Path) -> None:
    chinese = "".join(f"\\'{byte:02x}" for byte in "退货期限".encode("gbk"))
    raw = (
        rb"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset134 SimSun;}}{\info{\title Returns}}\f0 "
        + chinese.encode()
        + rb"\par \u19971?\u22825?\par\par {\b Seven} days\par}"
    )
    document = load_one(tmp_path, "a.rtf", raw)
    assert (document.title, document.text) == ("Returns", "退货期限\n七天\n\nSeven days")
    assert load_one(tmp_path, "b.doc", raw).text == document.text
    assert reason(tmp_path, "c.rtf", "no rich text") == "malformed"


def test_feeds_and_other_xml(tmp_path: Path) -> None:
    feed = """<?xml version="1.0" encoding="gb2312"?><rss><channel><title>公告</title><item><title>停水</title>
<description>&lt;p&gt;周二&lt;b&gt;停水&lt;/b&gt;&lt;/p&gt;</description></item></channel></rss>"""
    document = load_one(tmp_path, "a.xml", feed.encode("gb18030"))
    assert (document.title, document.text) == ("公告", "## 停水\n\n周二停水")
    assert load_one(tmp_path, "b.xml", "<a><b>one</b><c>two <i>three</i></c></a>").text == "one\ntwo\nthree"
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>safe &y;</a>'
    assert load_one(tmp_path, "c.xml", bomb).text == "safe"


def test_restructured_text(tmp_path: Path) -> None:
    source = """=======
Returns
=======

See `the desk <https://h.example/>`_ or :ref:`fees <fees>`. **Now**.

.. a comment
   that goes on

Fees
----

.. code-block:: sh

   make run

.. note:: Nothing.
   At all.
"""
    document = load_one(tmp_path, "a.rst", source)
    assert document.title == "Returns"
    assert document.text.split("\n\n") == [
        "# Returns",
        "See the desk (https://h.example/) or fees. Now.",
        "## Fees",
        "```sh\nmake run\n```",
        "Nothing.\nAt all.",
    ]


def test_org(tmp_path: Path) -> None:
    source = """#+TITLE: 手册
* TODO 退货 :tag:
:PROPERTIES:
:ID: 7
:END:
见[[https://h.example/][官网]]。
#+BEGIN_SRC sh
* no heading
#+END_SRC
** 费用
"""
    document = load_one(tmp_path, "a.org", source)
    assert (document.title, document.text) == ("手册", "# 退货\n\n见官网。\n```sh\n* no heading\n```\n\n## 费用")


def test_a_notebook(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Fees\n", "\n", "See **below**."]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": "1"}]},
    ]
    notebook = {"cells": cells, "metadata": {"kernelspec": {"language": "python"}}}
    document = load_one(tmp_path, "a.ipynb", json.dumps(notebook))
    assert (document.title, document.text) == ("Fees", "# Fees\n\nSee below.\n\n```python\nprint(1)\n```")
    assert reason(tmp_path, "b.ipynb", "{}") == "malformed"


@pytest.mark.parametrize("name", ["a.epub", "a.odt"])
def test_packages_have_limits(tmp_path: Path, name: str) -> None:
    content = zip_bytes(BOOK) if name == "a.epub" else odf("text", "<office:text><text:p>x</text:p></office:text>")
    assert isinstance(load_all(tmp_path, name, content)[0], Document)
    assert reason(tmp_path, name, content, Limits(unpacked_bytes=100)) == "bomb"
    assert reason(tmp_path, name, content, Limits(parts=1)) == "too_many"
