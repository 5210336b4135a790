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
    assert reason(tmp_path, "a.html", page) == "malformed"
