"""CSV and TSV with any separator, in any encoding."""

from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from tests.ingest.loaders.loading import load_all, load_one, reason, texts

TABLE = "| 型号 | 价格 |\n| --- | --- |\n| L-35 | 79,5 |\n| 说明 | 含税 两年 |"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", '型号,价格\nL-35,"79,5"\n说明,"含税\n两年"\n'),
        ("b.csv", "型号;价格\r\nL-35;79,5\r\n说明;含税 两年\r\n"),
        ("c.tsv", "型号\t价格\nL-35\t79,5\n说明\t含税 两年"),
        ("d.csv", "sep=|\n型号|价格\nL-35|79,5\n说明|含税 两年"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_a_table(tmp_path: Path, name: str, content: str, encoding: str) -> None:
    assert load_one(tmp_path, name, content.encode(encoding)).text == TABLE


def test_a_list_of_one_column(tmp_path: Path) -> None:
    assert (
        load_one(tmp_path, "a.csv", "first\nsecond, with a comma\nthird").text == "first\nsecond, with a comma\nthird"
    )


def test_questions_with_answers(tmp_path: Path) -> None:
    found = load_all(tmp_path, "faq.csv", 'Question,Answer\nCan I?,Yes.\nCan I?,"No, you can\'t."\n')
    assert texts(found) == {"faq.csv!/Can I?": "Yes.", "faq.csv!/Can I? #3": "No, you can't."}
    assert reason(tmp_path, "b.csv", "问,答\na,b\nc,d\n", Limits(parts=1)) == "too_many"


def test_a_path_keeps_its_backslashes(tmp_path: Path) -> None:
    assert load_one(tmp_path, "a.csv", "name,path\nlog,C:\\temp\\new\n").text.endswith("| log | C:\\temp\\new |")


def test_rows_of_a_very_wide_table_name_their_cells(tmp_path: Path) -> None:
    header = ",".join(f"the name of column {number}" for number in range(40))
    document = load_one(tmp_path, "a.csv", f"{header}\n{','.join(map(str, range(40)))}\nonly one{',' * 39}\n")
    first, second = document.text.split("\n\n")
    assert first.startswith("the name of column 0: 0; the name of column 1: 1; ")
    assert second == "the name of column 0: only one"


@pytest.mark.parametrize("name", ["更新日期", "更新时间", "最后更新", "修改日期", "最後更新", "Last updated"])
def test_the_day_of_a_rows_update(tmp_path: Path, name: str) -> None:
    document = load_one(tmp_path, "faq.csv", f"问题,答案,{name}\n能退吗？,七天内可以。,2026-08-01\n")
    assert str(document.updated_on) == "2026-08-01"
    assert document.metadata == {"format": "csv"}


def test_a_header_of_two_rows_is_one(tmp_path: Path) -> None:
    content = "组别,淡季,,旺季,\n,门店,网上,门店,网上\nA,49,42,69,58\n"
    lines = load_one(tmp_path, "a.csv", content).text.split("\n")
    assert (lines[0], lines[2:]) == (
        "| 组别 | 淡季 门店 | 淡季 网上 | 旺季 门店 | 旺季 网上 |",
        ["| A | 49 | 42 | 69 | 58 |"],
    )
