import pytest

from rag.text.markup import (
    introduces,
    is_list_item,
    is_row_rule,
    read_lines,
    row_cells,
    without_heading_signs,
)


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("## Fees", "heading"),
        ("#hashtag", ""),
        ("| Zone | Fee |", "row"),
        ("|---|:--:|", "row rule"),
        ("| - | - |", "row rule"),
        ("| | |", "row"),
        ("---", ""),
        ("- dents", "item"),
        ("（1）三天内", "item"),
        ("3. Wait", "item"),
        ("100. Wait", "item"),
        ("1、退货", "item"),
        ("一、退货政策", "item"),
        ("（二）寄回", "item"),
        ("③ 等待", "item"),
        ("· 退款", "item"),
        ("– cash", "item"),
        ("b) by card", "item"),
        ("1．打开", "item"),
        ("2024. A year", ""),
        ("**Free**", ""),
        ("3.5 kg", ""),
        ("Not covered are:", "introduces"),
        ("以下情况除外：", "introduces"),
    ],
)
def test_kinds(line: str, kinds: str) -> None:
    (read,) = [one.kind for one in read_lines(line)]
    found = {
        "heading": read == "heading",
        "row": read in ("row", "rule"),
        "rule": is_row_rule(line),
        "item": is_list_item(line),
        "introduces": introduces(line),
    }
    assert {kind for kind, holds in found.items() if holds} == set(kinds.split())


def test_a_headings_words() -> None:
    assert without_heading_signs("### 退货") == "退货"
    assert without_heading_signs("No # heading") == "No # heading"


def test_every_line_of_a_text_has_a_kind_and_the_place_of_its_words() -> None:
    text = "## Fees\n  2) Pay:\n\n| A | B |\n|---|---|\n~~~ sh\n# no heading\n```\n~~~\n    indented\n#tag"
    lines = list(read_lines(text))
    assert [line.kind for line in lines] == [
        "heading", "item", "blank", "row", "rule", "fence", "code", "code", "fence", "text", "text",
    ]  # fmt: skip
    assert [text[line.content : line.end] for line in lines][:2] == ["Fees", "Pay:"]
    assert "\n".join(text[line.start : line.end] for line in lines) == text
    assert (lines[0].level, lines[1].level, lines[1].mark, lines[1].number, lines[5].language) == (2, 2, "2)", 2, "sh")
    assert not lines[1].is_bullet


def test_code_goes_on_to_the_end_of_the_text_where_nothing_closes_it() -> None:
    assert [line.kind for line in read_lines("- ```\n| no row |\n``")] == ["fence", "code", "code"]
    assert [line.kind for line in read_lines("```inline``` code\n# Heading")] == ["text", "heading"]


def test_the_cells_of_a_row_with_and_without_borders_at_its_ends() -> None:
    for row, cells in (
        ("| Zone | Fee |", ["Zone", "Fee"]),
        ("|Zone||", ["Zone", ""]),
        ("| Zone | Fee", ["Zone", "Fee"]),
        (r"| a \| b | c |", [r"a \| b", "c"]),
        ("words", ["words"]),
    ):
        assert [row[start:end] for start, end in row_cells(row)] == cells
