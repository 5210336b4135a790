"""Rows of Markdown tables whose cells go over several lines are one line each."""

import pytest

from ingest.loaders.markdown import markdown_text
from ingest.loaders.wrapped_rows import with_whole_rows

HEAD = "|Billing|By|\n|:--|:--|\n"


def rows(table: str) -> list[str]:
    return markdown_text(table)[0].split("\n")[2:]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("|Storage| -   hour\n-   month\n\n |\n|Traffic|GB|", ["| Storage | hour; month |", "| Traffic | GB |"]),
        ("|存储量| -   按量付费\n-   包年包月\n\n |\n|流量|GB|", ["| 存储量 | 按量付费；包年包月 |", "| 流量 | GB |"]),
        ("|Storage|By the hour.\n\nSee below.\n\n|", ["| Storage | By the hour. See below. |"]),
        ("|-   Storage\n-   Traffic\n\n |GB|", ["| Storage; Traffic | GB |"]),
        ("|Storage|Run:\n```\nls | wc\n```\n|\n|Traffic|GB|", ["| Storage | Run: `ls ｜ wc` |", "| Traffic | GB |"]),
    ],
)
def test_a_row_over_several_lines_is_one(table: str, expected: list[str]) -> None:
    assert rows(HEAD + table) == expected


@pytest.mark.parametrize(
    "page",
    [
        HEAD + "|Storage|hour\n|Traffic|GB|",  # the first row only lacks its last bar
        HEAD + "|Storage|hour\n\n## Traffic\n\n| a |",
        "|Billing|By\n|--|--\n|Storage|hour\n|Traffic|GB",  # all rows lack it
        "```\n" + HEAD + "|Storage|hour\n-   month\n|\n```",
        "A | B\n\n- one | two",
        HEAD + "|Storage|hour\n" + "and so on\n" * 80 + "|",
    ],
)
def test_what_is_no_such_row_is_left_as_it_is(page: str) -> None:
    assert with_whole_rows(page) == page


STEPS = "The system performs its preparations, which interrupt neither the instance nor its connections."


def test_a_long_row_is_a_list() -> None:
    row = f"|**Storage.**| -   {STEPS} -   Then it waits.\n-   Then it works.\n\n |"
    page = f"{HEAD}|Traffic|GB|\n{row}\n|Requests|10,000|\n"
    assert markdown_text(page)[0] == (
        "| Billing | By |\n| --- | --- |\n| Traffic | GB |\n\n"
        f"- Storage.:\n  - {STEPS}\n  - Then it waits.\n  - Then it works.\n\n"
        "| Billing | By |\n| --- | --- |\n| Requests | 10,000 |"
    )


def test_a_long_row_of_several_columns_has_their_names() -> None:
    page = f"|类型|状态|影响|\n|--|--|--|\n|**立即切换**|锁定|-   {STEPS}\n-   闪断\n|\n"
    assert markdown_text(page)[0] == f"- 立即切换：\n  - 状态：锁定\n  - 影响：\n    - {STEPS}\n    - 闪断"


def test_a_table_of_a_list_item_stays_in_it() -> None:
    rows = f"    |Size|{STEPS}\n-   50 GB of fast storage or more\n|\n    |Name|**Any** name.|\n"
    page = f"1.  Choose:\n\n    |Field|Meaning|\n    |--|--|\n{rows}\n2.  Go on.\n"
    assert markdown_text(page)[0].split("\n") == [
        "1. Choose:", "", "   - Size:", f"     - {STEPS}", "     - 50 GB of fast storage or more", "",
        "   | Field | Meaning |", "   | --- | --- |", "   | Name | Any name. |", "2. Go on.",
    ]  # fmt: skip


def test_a_long_row_with_a_cell_missing_names_no_columns() -> None:
    """A cell that spans rows stands in the first of them only: whose column a later row's cell is, nobody says."""
    words = "Some words that fill a line of a cell. " * 5
    head = "|Kind|Size|Connections|\n|--|--|--|\n"
    assert markdown_text(f"{head}|large|{words}\n-   500\n|\n")[0].split("\n") == [
        "- large:", f"  - {words.strip()}", "  - 500",
    ]  # fmt: skip
