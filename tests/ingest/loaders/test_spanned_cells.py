"""Rows of Markdown tables below a cell that spans rows have it, too."""

import pytest

from ingest.loaders.markdown import markdown_text
from ingest.loaders.spanned_cells import completed_rows

SHARED = ["Shared", "4 GB", "dds.mongo.large", "500", "10-2000 GB"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["8 GB", "dds.mongo.2xlarge", "1,000"], ["Shared", "8 GB", "dds.mongo.2xlarge", "1,000", "10-2000 GB"]),
        (["16 GB", "dds.mongo.4x", "2000", "20-3000 GB"], ["Shared", "16 GB", "dds.mongo.4x", "2000", "20-3000 GB"]),
        (["Own", "4 GB", "dds.own.large", "900"], ["Own", "4 GB", "dds.own.large", "900"]),  # the row just ends
        (["Sharded clusters"], ["Sharded clusters"]),  # names a section
        (["a", "b", "c", "d", "e", "f"], ["a", "b", "c", "d", "e", "f"]),
    ],
)
def test_the_form_of_the_others_tells_which_cells_are_missing(row: list[str], expected: list[str]) -> None:
    assert completed_rows([SHARED, row], 5) == [SHARED, expected]


def test_each_row_has_the_span_of_the_nearest_whole_row_above() -> None:
    rows = [
        ["400", "BadName", "The name."],
        ["BadKey", "The key."],
        ["403", "Denied", "No right."],
        ["Locked", "Wait."],
    ]
    assert [row[0] for row in completed_rows(rows, 3)] == ["400", "400", "403", "403"]


def test_where_forms_tell_nothing_one_short_row_may_just_end_and_several_lack_their_first_cell() -> None:
    rows = [["Rust", "It is old.", "Clean it."], ["It was wet.", "Dry it."], ["It is bent.", "Replace it."]]
    assert completed_rows(rows, 3)[2] == ["Rust", "It is bent.", "Replace it."]
    assert completed_rows([["Rust", "Wash it.", "Dry it."], ["Dents", "Hammer."]], 3)[1] == ["Dents", "Hammer."]


def test_without_a_whole_row_above_nothing_is_completed() -> None:
    assert completed_rows([["a", "1"], ["b", "2"]], 3) == [["a", "1"], ["b", "2"]]


def test_a_page_is_read_with_the_completed_rows() -> None:
    page = "|Status|Code|Meaning|\n|:--|:--|:--|\n|400|BadName|The name.|\n|BadKey|The key.|\n|BadTag|The tag.|\n"
    assert markdown_text(page)[0].split("\n")[3:] == ["| 400 | BadKey | The key. |", "| 400 | BadTag | The tag. |"]
