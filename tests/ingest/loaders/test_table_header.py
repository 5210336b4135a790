"""A header of several rows becomes one row; a row of data never becomes a part of it."""

import pytest

from ingest.loaders.table_header import Covered, table_with_title, with_one_header

_ = Covered()
BODY = [["A", "49", "42", "69", "58"], ["B", "56", "48", "79", "67"]]


@pytest.mark.parametrize(
    ("header", "joined"),
    [
        (
            [["Group", "Collision", _, "Theft", _], ["Group", "Basic", "Comfort", "Basic", "Comfort"]],
            ["Group", "Collision Basic", "Collision Comfort", "Theft Basic", "Theft Comfort"],
        ),
        (
            [["组别", "淡季", _, "旺季", _], ["", "1-2天", "3-6天", "1-2天", "3-6天"]],
            ["组别", "淡季 1-2天", "淡季 3-6天", "旺季 1-2天", "旺季 3-6天"],
        ),
        (
            [["Region", "Sales", _, _, _], ["", "2025", _, "2026", _], ["", "Q1", "Q2", "Q1", "Q2"]],
            ["Region", "Sales 2025 Q1", "Sales 2025 Q2", "Sales 2026 Q1", "Sales 2026 Q2"],
        ),
        (
            [["", "Low season", _, "High season", _], ["Group", "1-2 days", "3-6 days", "1-2 days", "3-6 days"]],
            ["Group", "Low season 1-2 days", "Low season 3-6 days", "High season 1-2 days", "High season 3-6 days"],
        ),
        (
            [["", "Smart", "", "Plus", ""], ["Age", "monthly", "yearly", "monthly", "yearly"]],
            ["Age", "Smart monthly", "Smart yearly", "Plus monthly", "Plus yearly"],
        ),
        (
            [["组别", "淡季", "", "旺季", ""], ["", "门店", "网上", "门店", "网上"]],
            ["组别", "淡季 门店", "淡季 网上", "旺季 门店", "旺季 网上"],
        ),
    ],
    ids=["merged", "merged, the first column blank", "three rows", "merged, no corner", "loose", "loose, in Chinese"],
)
def test_a_header_of_several_rows_is_one(header: list[list[str]], joined: list[str]) -> None:
    assert with_one_header([*header, *BODY]) == [joined, *BODY]


def test_a_header_without_numbers_below() -> None:
    header = [["Package", "Collision", "", "Theft", ""], ["", "Glass", "Other", "Glass", "Other"]]
    body = [["Basic", "no", "yes", "no", "yes"], ["Comfort", "yes", "yes", "no", "yes"]]
    joined = ["Package", "Collision Glass", "Collision Other", "Theft Glass", "Theft Other"]
    assert with_one_header([*header, *body]) == [joined, *body]


@pytest.mark.parametrize(
    "rows",
    [
        [["Item", "Price", _], ["Lock", "79", "EUR"], ["Key", "5", "EUR"]],
        [["项目", "价格", _], ["门锁", "79 元", "含税"], ["钥匙", "5 元", "含税"]],
        [["Name", "Contact", _], ["Ann", "by phone", "by mail"], ["Bob", "by phone", "never"]],
        [["", "Basic", "", "Comfort", ""], ["Glass", "no", "free", "yes", "free"], ["Theft", "no", "", "yes", ""]],
        [["Kettle", "Lid", ""], ["Kettle", "Heater", "45"], ["Lamp", "Bulb", "3"]],
        [["Kettle", "no parts", _], ["Kettle", "Lid", "boils dry"], ["Kettle", "Cord", "cut"]],
        [["a", "b", _], ["a", "c", "d"], ["e", "f", "d"]],
        [["Kettle", "Lid", ""], ["", "Heater", "boils dry"], ["Lamp", "Bulb", ""]],
        [["Fee", "12", _], ["", "net", "gross"], ["Lock", "5", "6"]],
        [["Name", "Phone", "Mail"], ["Ann", "", ""], ["Bob", "555", "bob@x.example"]],
        [["Group", "Collision", _], ["", "Basic", "Comfort"]],
    ],
    ids=[
        "a price", "a price in Chinese", "words", "no corner", "a part", "a name over all rows", "a value over two",
        "a blank name", "an amount", "no group", "nothing below",
    ],
)  # fmt: skip
def test_a_row_of_data_stays_one(rows: list[list[str]]) -> None:
    assert with_one_header(rows)[1:] == rows[1:]


def test_a_name_over_several_columns_names_those_that_have_words() -> None:
    rows = [["项目", "价格", _, "备注", _], ["门锁", "79 元", "99 元", "含税", ""]]
    assert with_one_header(rows)[0] == ["项目", "价格", "价格", "备注", _]


def test_a_declared_header_is_believed_unless_it_holds_amounts() -> None:
    rows = [["Item", "Price"], ["code", "EUR"], ["A1", "79"], ["A2", "99"]]
    assert with_one_header(rows, 2)[0] == ["Item code", "Price EUR"]
    assert with_one_header(rows, 3) == with_one_header(rows, 4) == rows


def test_a_cell_over_the_whole_table_is_its_title() -> None:
    rows = [["2026 年价格", _, _], ["项目", "价格", _], ["门锁", "79 元", "99 元"]]
    assert table_with_title(rows) == (
        "2026 年价格\n\n| 项目 | 价格 | 价格 |\n| --- | --- | --- |\n| 门锁 | 79 元 | 99 元 |"
    )
    assert table_with_title(rows[:2]) == "| 2026 年价格 |  |  |\n| --- | --- | --- |\n| 项目 | 价格 |  |"


def test_a_table_without_words_is_none() -> None:
    assert table_with_title([["", _], []]) == ""
