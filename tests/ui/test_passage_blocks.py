"""Passages keep every word, show tables as tables, and mark quotations wherever they stand."""

from hypothesis import given
from hypothesis import strategies as st

from rag.schema import Evidence
from ui.passage_blocks import Mark, PassageBlock, PassageRun, passage_blocks

TABLE = "| Where | Fee |\n| --- | --- |\n| UK | free |\n| EU | EUR 4.95 |"
TEXT = f"## Fees\n\n{TABLE}\n\nTwo lines\nof one.\n- first\n2. second"


def passage(text: str, start: int = 100, focus: tuple[int, int] | None = None) -> Evidence:
    focus_start, focus_end = focus or (start, start + len(text))
    return Evidence(
        number=1,
        document_id="fees.md",
        document_path="fees.md",
        title="Fees",
        heading_path=("Fees",),
        text=text,
        start=start,
        end=start + len(text),
        focus_start=focus_start,
        focus_end=focus_end,
        language="en",
    )


def words(block: PassageBlock) -> list[list[str]]:
    return [["".join(run.text for run in cell) for cell in row] for row in block.rows]


def test_headings_tables_paragraphs_and_items() -> None:
    heading, table, text, first, second = passage_blocks(passage(TEXT), ())
    assert (heading.kind, words(heading)) == ("heading", [["Fees"]])
    assert (table.kind, table.has_head) == ("table", True)
    assert words(table) == [["Where", "Fee"], ["UK", "free"], ["EU", "EUR 4.95"]]
    assert (text.kind, words(text)) == ("text", [["Two lines\nof one."]])
    assert [(item.kind, item.marker, words(item)) for item in (first, second)] == [
        ("item", "•", [["first"]]),
        ("item", "2.", [["second"]]),
    ]


def test_a_passage_that_begins_inside_a_table_has_no_head() -> None:
    (table,) = passage_blocks(passage("| UK | free |\n| EU | EUR 4.95 |"), ())
    assert (table.has_head, words(table)) == (False, [["UK", "free"], ["EU", "EUR 4.95"]])


def test_a_quotation_over_a_row_marks_its_cells() -> None:
    row = "| EU | EUR 4.95 |"
    start = 100 + TEXT.index(row)
    table = passage_blocks(passage(TEXT), [Mark(start, start + len(row), 4)])[1]
    assert [[run.sentences for cell in line for run in cell] for line in table.rows] == [
        [(), ()],
        [(), ()],
        [(4,), (4,)],
    ]


def test_marks_and_focus_cut_the_text() -> None:
    text = "One two three."
    (block,) = passage_blocks(passage(text, focus=(104, 114)), [Mark(104, 107, 0), Mark(104, 114, 2)])
    assert block.rows[0][0] == (
        PassageRun("One ", False),
        PassageRun("two", True, (0, 2)),
        PassageRun(" three.", True, (2,)),
    )


def test_an_empty_cell_is_kept() -> None:
    (table,) = passage_blocks(passage("| a |  | c |"), ())
    assert words(table) == [["a", "", "c"]]


@given(st.text(alphabet="ab|-# \n1.•", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_no_letter_is_lost_or_marked_wrongly(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    blocks = passage_blocks(passage(text), [Mark(100 + start, 100 + end, 0)])
    runs = [run for block in blocks for row in block.rows for cell in row for run in cell]
    assert [letter for run in runs for letter in run.text if letter in "ab"] == [c for c in text if c in "ab"]
    marked = [letter for run in runs if run.sentences for letter in run.text if letter in "ab"]
    assert marked == [letter for letter in text[start:end] if letter in "ab"]


def test_list_marks_are_those_of_the_prompt_and_code_has_no_headings() -> None:
    blocks = passage_blocks(passage("1、退货\n一、政策\n· 换货\n100. 等待\n```\n# install\n- x\n```"), ())
    assert [(block.kind, block.marker) for block in blocks] == [
        ("item", "1、"),
        ("item", "一、"),
        ("item", "•"),
        ("item", "100."),
        ("text", ""),
    ]
    assert blocks[-1].plain_text == "```\n# install\n- x\n```"


def test_a_row_without_its_last_bar_is_a_row() -> None:
    (table,) = passage_blocks(passage("| Where | Fee |\n|---|---|\n| UK | free"), ())
    assert words(table) == [["Where", "Fee"], ["UK", "free"]]
