"""HTML: the article without what surrounds it, in the same plain form as Markdown."""

from pathlib import Path

import pytest

from tests.ingest.loaders.loading import load_one, reason

PAGE = """<!doctype html><html lang="zh-CN"><head><title>上门安装 - 汐井</title>
<meta name="category" content="service"><meta name="audience" content="internal"><meta name="viewport" content="x">
<meta property="article:modified_time" content="2026-07-18T10:00:00Z">
<link rel="canonical" href="https://help.example/install"></head><body>
<nav>首页 | 帮助</nav><header>汐井</header>
<main><h1>上门安装</h1><p>费用如<a href="/fees">下</a>：</p>
<table><tr><th>项目</th><th>价格</th></tr><tr><td>门锁</td><td>79 元</td></tr></table>
<ul><li>先预约<ol><li>选日期</li></ol></li><li>再付款</li></ul>
<pre>L-35</pre><p hidden>秘密</p><script>alert(1)</script></main><footer>版权</footer></body></html>"""


def test_a_page(tmp_path: Path) -> None:
    document = load_one(tmp_path, "install.html", PAGE)
    assert (document.title, document.language, document.audience) == ("上门安装", "zh", "internal")
    assert document.source == "https://help.example/install"
    assert str(document.updated_on) == "2026-07-18"
    assert document.metadata == {"category": "service", "format": "html"}
    assert document.text.split("\n\n") == [
        "# 上门安装",
        "费用如下：",
        "| 项目 | 价格 |\n| --- | --- |\n| 门锁 | 79 元 |",
        "- 先预约\n  1. 选日期\n- 再付款",
        "```\nL-35\n```",
    ]


@pytest.mark.parametrize(
    ("declared", "encoding"), [("gb2312", "gb18030"), ("big5", "big5"), ("utf-8", "utf-8"), ("gb2312", "utf-8")]
)
def test_a_page_in_its_own_encoding_even_if_it_declares_another(tmp_path: Path, declared: str, encoding: str) -> None:
    words = "退貨期限和運費說明請聯繫客服" if encoding == "big5" else "退货期限和运费说明请联系客服"
    page = f'<meta charset="{declared}"><p>{words}</p>'.encode(encoding)
    assert load_one(tmp_path, "a.html", page).text == words


def test_a_tables_caption_stands_above_it(tmp_path: Path) -> None:
    rows = "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr>"
    page = f"<table><caption>Fees from <b>May</b></caption>{rows}</table>"
    assert load_one(tmp_path, "a.html", page).text == "Fees from May\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_layout_table_is_no_table(tmp_path: Path) -> None:
    page = "<table><tr><td><p>left</p></td></tr><tr><td><p>below</p></td></tr></table>"
    assert load_one(tmp_path, "a.html", page).text == "left\n\nbelow"


def test_a_page_of_scripts_only_is_empty(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.html", "<script>var a = 1</script>") == "empty"


@pytest.mark.slow
def test_a_page_nested_beyond_reason_is_read_or_refused(tmp_path: Path) -> None:
    page = "<div>" * 5000 + "deep" + "</div>" * 5000
    found = tmp_path / "a.html"
    found.write_text(page)
    assert reason(tmp_path, "a.html", page) == "nested"


def rows_of(tmp_path: Path, table: str) -> list[str]:
    lines = load_one(tmp_path, "a.html", f"<p>Fees</p><table>{table}</table>").text.split("\n")[2:]
    return [line for line in lines if "---" not in line]


DEVICES = (
    "<tr><th>Device</th><th>Part</th><th>Fee</th></tr><tr><td rowspan='{span}'>Kettle</td><td>Lid</td><td>EUR 12</td>"
    "</tr><tr><td>Heater</td><td>EUR 45</td></tr>"
)


@pytest.mark.parametrize("span", ["2", " 2", "100000", "0", "9" * 5000])
def test_a_cell_over_several_rows_stands_in_each(tmp_path: Path, span: str) -> None:
    assert rows_of(tmp_path, DEVICES.format(span=span)) == [
        "| Device | Part | Fee |",
        "| Kettle | Lid | EUR 12 |",
        "| Kettle | Heater | EUR 45 |",
    ]


def test_a_span_ends_with_its_group_of_rows(tmp_path: Path) -> None:
    table = f"<tbody>{DEVICES.format(span=9)}</tbody><tbody><tr><td>水壶</td><td>盖子</td><td>12 元</td></tr></tbody>"
    assert rows_of(tmp_path, table)[2:] == ["| Kettle | Heater | EUR 45 |", "| 水壶 | 盖子 | 12 元 |"]


def test_spans_in_the_middle_and_at_the_end_of_rows(tmp_path: Path) -> None:
    table = (
        "<tr><td>a</td><td>b</td><td>c</td></tr><tr><td>1</td><td rowspan=2>2</td><td rowspan=3>3</td></tr>"
        "<tr><td>4</td></tr><tr><td>5</td><td>6</td></tr>"
    )
    assert rows_of(tmp_path, table)[1:] == ["| 1 | 2 | 3 |", "| 4 | 2 | 3 |", "| 5 | 6 | 3 |"]


HEAD = (
    "<tr><th rowspan='2'>Device</th><th colspan='2'>Fee</th></tr><tr><th>Standard</th><th>Express</th></tr>{}"
    "<tr><td>Kettle</td><td>EUR 5</td><td>EUR 9</td></tr><tr><td>Lamp</td><td colspan='{}'>free</td></tr>"
)


@pytest.mark.parametrize("span", ["2", "100000"])
@pytest.mark.parametrize("group", ["", "</thead><tbody>"])
def test_a_header_of_two_rows_is_one(tmp_path: Path, group: str, span: str) -> None:
    table = ("<thead>" if group else "") + HEAD.format(group, span)
    assert rows_of(tmp_path, table) == [
        "| Device | Fee Standard | Fee Express |",
        "| Kettle | EUR 5 | EUR 9 |",
        "| Lamp | free |  |",
    ]


def test_a_header_over_two_columns_names_both(tmp_path: Path) -> None:
    table = "<tr><th>项目</th><th colspan=2>价格</th></tr><tr><td>门锁</td><td>79 元</td><td>99 元</td></tr>"
    assert rows_of(tmp_path, table) == ["| 项目 | 价格 | 价格 |", "| 门锁 | 79 元 | 99 元 |"]


def test_a_head_that_holds_the_whole_table_is_no_header(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>{name}</td><td>{name}</td></tr>" for name in "abcde")
    assert len(rows_of(tmp_path, f"<thead>{rows}</thead>")) == 5


def test_a_long_text_over_many_rows_is_written_once(tmp_path: Path) -> None:
    table = f"<tr><td>a</td><td>b</td></tr><tr><td rowspan=1000>{'long ' * 100}</td><td>1</td></tr><tr><td>2</td></tr>"
    assert rows_of(tmp_path, table)[2] == "|  | 2 |"


def blocks_of(tmp_path: Path, page: str) -> list[str]:
    return load_one(tmp_path, "a.html", page).text.split("\n\n")


FOLDED = "<details><summary>{}</summary><p>{}</p></details>".format


def test_what_folds_out_has_its_summary_as_heading(tmp_path: Path) -> None:
    inner = FOLDED("May a friend?", "Yes.")
    page = (
        f"<h1>Help</h1><section><h2>Car</h2>{FOLDED('Who may drive?', f'All.</p>{inner}<p>')}</section>"
        f"<section><h2>费用</h2>{FOLDED('押金多少？', '300 元。')}{FOLDED('发票', '三天内。')}</section>"
    )
    assert blocks_of(tmp_path, page) == [
        "# Help", "## Car", "### Who may drive?", "All.", "#### May a friend?", "Yes.",
        "## 费用", "### 押金多少？", "300 元。", "### 发票", "三天内。",
    ]  # fmt: skip


def test_a_heading_within_another_box_is_not_above_a_question(tmp_path: Path) -> None:
    page = (
        f"<h2>A</h2><div><h3>Box</h3><p>Words</p></div>{FOLDED('Why?', 'So.')}<div><h2>B</h2></div>{FOLDED('C?', 'D')}"
    )
    assert blocks_of(tmp_path, page) == ["## A", "### Box", "Words", "### Why?", "So.", "## B", "### C?", "D"]


def test_what_folds_out_above_other_words_is_an_item(tmp_path: Path) -> None:
    page = f"{FOLDED('Who may?', 'All.')}{FOLDED('谁可以？', '所有人。</p><p>孩子也可以。')}<p>For all.</p>"
    text = "- Who may?: All.\n\n- 谁可以：\n\n  所有人。\n\n  孩子也可以。\n\nFor all."
    assert load_one(tmp_path, "a.html", page).text == text


def test_what_folds_out_above_terms_is_an_item(tmp_path: Path) -> None:
    page = f"{FOLDED('Who may?', 'All.')}<dl><dt>Deposit</dt><dd>EUR 300</dd></dl>"
    assert load_one(tmp_path, "a.html", page).text == "- Who may?: All.\n\n- Deposit: EUR 300"


def test_what_folds_out_in_a_list_is_an_item(tmp_path: Path) -> None:
    page = f"<ul><li>One{FOLDED('More?', 'Words')}</li></ul>"
    assert load_one(tmp_path, "a.html", page).text == "- One\n  - More?: Words"


def test_a_summary_that_holds_a_heading_or_folds_nothing_out(tmp_path: Path) -> None:
    page = "<details><summary><h4>Fees</h4></summary><p>None.</p></details><details><summary>Empty</summary></details>"
    assert blocks_of(tmp_path, f"{FOLDED('Who?', 'All.')}{page}") == ["## Who?", "All.", "#### Fees", "None.", "Empty"]


def test_a_list_of_questions_has_headings(tmp_path: Path) -> None:
    page = (
        "<h2>Help</h2><dl><dt>Why twice?</dt><dd>Two entries.</dd></dl>"
        "<dl><div><dt>为什么？</dt><dd>因为。</dd></div></dl>"
    )
    assert blocks_of(tmp_path, page) == ["## Help", "### Why twice?", "Two entries.", "### 为什么？", "因为。"]


def test_a_list_of_terms_says_what_each_is(tmp_path: Path) -> None:
    page = (
        "<dl><dt>Deposit</dt><dd>EUR 300</dd><dt>押金</dt><dd>300 元</dd><dt>Key</dt><dt>Card</dt>"
        "<dd><p>One.</p><p>Two.</p></dd>loose<dt>Alone</dt></dl>"
    )
    assert load_one(tmp_path, "a.html", page).text == (
        "- Deposit: EUR 300\n- 押金：300 元\n- Key, Card:\n\n  One.\n\n  Two.\n\n  loose\nAlone"
    )


def test_bold_paragraphs_above_text_are_headings(tmp_path: Path) -> None:
    page = (
        "<h1>Prices</h1><p><b>Cancelling</b></p><p>One month before.</p><p><strong><em>退货</em></strong></p>"
        "<ul><li>七天内</li></ul><h2>B</h2><h4></h4><p><b>C</b>d</p><p>E.</p>"
        f"<div><p><b>Help</b></p>{FOLDED('Why?', 'So.')}</div>"
        "<p><b>Fees</b></p>All that you have to pay is named in the list of fees, which changes.<h3>G</h3>"
    )
    assert blocks_of(tmp_path, page) == [
        "# Prices", "## Cancelling", "One month before.", "## 退货", "- 七天内",
        "## B", "Cd", "E.", "### Help", "#### Why?", "So.",
        "### Fees", "All that you have to pay is named in the list of fees, which changes.", "### G",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        "<p><b>One</b></p><p><b>Two</b></p><p>Words of a sentence.</p>",
        "<p><b>Please note:</b></p><p>Words of a sentence.</p>",
        "<p><b>今天休息。</b></p><p>明天来。</p>",
        "<p><b>One</b><br><b>Two</b></p><p>Words of a sentence.</p>",
        "<p><a href='/'><b>Book now</b></a></p><p>Words of a sentence.</p>",
        "<p><b>Subtitle</b></p><h2>Heading</h2><p>Words of a sentence.</p>",
        "<ul><li><p><b>Item</b></p><p>Words of a sentence.</p></li></ul>",
        "<table><tr><td><p><b>Cell</b></p><p>Words of a sentence.</p></td><td>b</td></tr></table>",
        "<blockquote><p><b>Ann Ruiz</b></p><p>Words of a sentence.</p></blockquote>",
        "<p><b>Jane Smith</b></p><p>5 High Street</p>",
        "<p>Words</p><p><b>The end</b></p>",
    ],
)
def test_bold_words_where_no_heading_stands(tmp_path: Path, page: str) -> None:
    lines = load_one(tmp_path, "a.html", page).text.split("\n")
    assert [line for line in lines if line.startswith("#") and line != "## Heading"] == []


@pytest.mark.slow
def test_many_questions_take_no_longer_than_they_are(tmp_path: Path) -> None:
    page = FOLDED("Why?", "So.") * 10_000
    assert load_one(tmp_path, "a.html", page).text.count("## Why?") == 10_000


def test_what_stands_above_a_word_to_pronounce_it_is_not_glued_into_it(tmp_path: Path) -> None:
    page = "<p>滤除<ruby>颗<rp>(</rp><rt>kē</rt><rp>)</rp>粒<rt>lì</rt></ruby>物。</p>"
    assert load_one(tmp_path, "a.html", page).text == "滤除颗粒物。"
