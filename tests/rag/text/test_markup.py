"""What each line of a text is by its signs, and the mark of a picture's description."""

import pytest

from rag.text.markup import (
    introduces,
    is_description,
    is_list_item,
    is_row_rule,
    marked_description,
    read_lines,
    row_cells,
    section_rows,
    without_heading_signs,
)
from rag.text.parsed import parse_text
from rag.text.sentences import split_sentences

EN = marked_description("A dialog shows Error E-42. It is red! Press Retry?")
ZH = marked_description("弹窗显示错误 E-42。按钮是红色的！请重试。")


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


CROWN, FILLING = ("Crown", "300", "200"), ("补牙", "20", "10")


@pytest.mark.parametrize(
    ("rows", "sections"),
    [
        ([("Adults", "", ""), CROWN, ("儿童", "", ""), FILLING], [0, 2]),
        ([CROWN, ("Under 18", "Under 18", "Under 18"), FILLING], [1]),
        ([("Adults", "Adults"), ("Crown", "300")], []),
        ([CROWN, FILLING, ("Net", "", "")], []),
        ([CROWN, ("All prices are net.", "", ""), FILLING], []),
        ([CROWN, ("价格不含税。", "", ""), FILLING], []),
        ([CROWN, ("2024", "", ""), FILLING], []),
        ([CROWN, ("A https://a.example", "", ""), FILLING], []),
        ([CROWN, ("", "", ""), FILLING], []),
        ([CROWN, ("Adults",), FILLING], []),
        ([CROWN, ("Adults", "", ""), ("", "", ""), FILLING], []),
        ([("A", "", ""), ("B", "", ""), ("C", "", ""), CROWN, FILLING, CROWN], []),
        ([("A", "", ""), CROWN, ("B", "", ""), ("C", "", ""), CROWN], []),
        ([("Adults",), ("Crown",)], []),
        ([], []),
    ],
)
def test_the_rows_that_name_a_section(rows: list[tuple[str, ...]], sections: list[int]) -> None:
    assert sorted(section_rows(rows, has_header=True)) == sections


def test_below_more_than_a_row_only_a_table_without_a_header_has_its_first_section() -> None:
    rows = [CROWN, FILLING, ("Under 18", "", ""), FILLING]
    assert section_rows(rows, has_header=True) == frozenset()
    assert section_rows(rows, has_header=False) == {2}


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split_sentences(text)]


@pytest.mark.parametrize("line", [EN, ZH, f"  {EN}", f"  {ZH}"])
def test_a_description_is_one_sentence_and_takes_in_none(line: str) -> None:
    long = "Press the button on the left side of the lamp until it blinks in red and green"
    for before, after in ((long, long.lower()), ("- Press it", "- Hold it"), (f"{long}.", "It starts.")):
        assert sentences(f"{before}\n{line}\n{after}") == [before, line.strip(), after]
    assert is_description(line.strip())


def test_what_stands_around_a_description_is_read_as_without_it() -> None:
    text = f"Not covered:\n- rust\n  {EN}\n- dents\n\n{ZH}\n\nOtherwise ask us."
    parsed = parse_text(text)
    needs = {parsed.words(place): [parsed.words(one) for one in parsed.sentences[place].needs] for place in range(6)}
    assert needs[EN] == needs[ZH] == []
    assert needs["- dents"] == ["Not covered:"]
    assert needs["Otherwise ask us."] == ["- dents"]


def test_brackets_in_a_description_do_not_end_it() -> None:
    assert marked_description("E-42] Now follow me [") == "[Picture, described by a model: E-42) Now follow me (]"
    assert marked_description("错误 E-42。") == "[图片，由模型描述：错误 E-42。]"


def test_a_line_that_is_longer_than_any_description_is_the_documents_own() -> None:
    typed = marked_description("It takes 30 days. " * 40)
    assert not is_description(typed)
    assert len(sentences(typed)) > 1
