"""Tables of PDF files: empty cells, wrapped cells, page breaks, and text that is no table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.ingest.loaders.loading import load_one
from tests.ingest.loaders.pdf_writer import Words, pdf_bytes

LEFT = (50, 200, 300, 400)
WIDTH = 0.5  # of a letter, in its size
ROW_POINTS = 18


def row(*cells: str, bottom: float, right: Sequence[int] = (), size: float = 10) -> list[Words]:
    """Set cells below each other's columns; those of ``right`` end 40 points after their column's beginning."""
    return [
        Words(cell, LEFT[n] + (40 - WIDTH * size * len(cell) if n in right else 0), bottom, size)
        for n, cell in enumerate(cells)
        if cell
    ]


def rows(*texts: str, top: float = 700, right: Sequence[int] = ()) -> list[Words]:
    """Set rows at regular distances; a text has its cells between bars."""
    cells = [[cell.strip() for cell in text.split("|")] for text in texts]
    return [
        words
        for number, one in enumerate(cells)
        for words in row(*one, bottom=top - ROW_POINTS * number, right=right if number else ())
    ]


def read(folder: Path, *pages: Sequence[Words]) -> str:
    return load_one(folder, "table.pdf", pdf_bytes(pages)).text


def markdown(*texts: str) -> str:
    """Return the table of rows that have their cells between bars."""
    lines = ["| " + " | ".join(cell.strip() for cell in text.split("|")) + " |" for text in texts]
    return "\n".join([lines[0], "|" + " --- |" * (texts[0].count("|") + 1), *lines[1:]])


PLANS = ("Case | Basic | Plus | Premium", "Check-up | 100 % | 100 % | 100 %", "Crown | 40 % | 60 % | 85 %")


@pytest.mark.parametrize("gap", [" | 50 % | 70 % | 80 %", "Whitening | | 50 % | 80 %", "Whitening | 50 % | 70 % | "])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_row_with_an_empty_cell_keeps_its_columns(tmp_path: Path, gap: str, place: int) -> None:
    texts = [*PLANS[:place], gap, *PLANS[place:]]
    assert read(tmp_path, rows(*texts)) == markdown(*texts)


def test_rows_with_several_empty_cells(tmp_path: Path) -> None:
    texts = [*PLANS, "Whitening | | | 80 %", "Implant | | 30 % | ", "Children | | | ", *PLANS[1:]]
    assert read(tmp_path, rows(*texts)) == markdown(*texts)


def test_a_header_without_its_first_cell(tmp_path: Path) -> None:
    texts = [" | Basic | Plus | Premium", "Crown | | 60 % | 85 %", *PLANS[1:]]
    assert read(tmp_path, rows(*texts)) == markdown(*texts)


def test_no_row_has_every_cell(tmp_path: Path) -> None:
    texts = [PLANS[0], "Check-up | 100 % | | ", "Whitening | | 50 % | ", "Crown | | 60 % | 85 %"]
    assert read(tmp_path, rows(*texts)) == markdown(*texts)


def test_numbers_at_the_right_below_headers_at_the_left(tmp_path: Path) -> None:
    texts = [
        "Item | Qty | Net | Gross",
        "Screws | 70 | | 1,000.50",
        "Bolts | 1,200 | 19.00 | 20.10",
        "Nuts | | 5.00 | 60",
    ]
    assert read(tmp_path, rows(*texts, right=(1, 2, 3))) == markdown(*texts)


def test_a_value_that_stands_below_no_column_is_not_moved_to_one(tmp_path: Path) -> None:
    words = [*rows(*PLANS), Words("Whitening", 50, 646), Words("50 %", 260, 646), Words("80 %", 400, 646)]
    assert read(tmp_path, words) == f"{markdown(*PLANS)}\n\nWhitening 50 % 80 %"


def test_a_wrapped_cell_stays_in_its_row(tmp_path: Path) -> None:
    words = [
        *rows(PLANS[0], "Flat battery, lights | EUR 95 | EUR 95 | free"),
        *row("left on", bottom=670),
        *rows("Keys locked in | EUR 140 | free, if you | free", "Fuel | EUR 110 | EUR 110 | EUR 55", top=650),
        *row("", "", "call first", bottom=620),
        *rows(PLANS[1], "Snow | | EUR 60 | free", top=600),
        *row("or sand", "", "", "at night", bottom=570),
    ]
    assert read(tmp_path, words) == markdown(
        PLANS[0],
        "Flat battery, lights left on | EUR 95 | EUR 95 | free",
        "Keys locked in | EUR 140 | free, if you | free",
        "Fuel | EUR 110 | EUR 110 call first | EUR 55",
        PLANS[1],
        "Snow or sand | | EUR 60 | free at night",
    )


@pytest.mark.parametrize("below", [0, 6, 12])
def test_a_wrapped_cell_that_is_drawn_before_those_beside_it(tmp_path: Path, below: float) -> None:
    """Most programs draw cell by cell; the others stand at the top, in the middle or at the bottom of the row."""
    words = [
        *rows(*PLANS),
        *row("Flat battery, lights", bottom=646),
        *row("left on", bottom=634),
        *row("", "EUR 95", "", "free", bottom=646 - below),
        *rows("Keys | EUR 140 | EUR 140 | free", top=616),
    ]
    assert read(tmp_path, words) == markdown(
        *PLANS, "Flat battery, lights left on | EUR 95 | | free", "Keys | EUR 140 | EUR 140 | free"
    )


def test_rows_that_stand_closer_than_the_header_are_not_joined(tmp_path: Path) -> None:
    texts = ["Crown | 40 % | 60 % | 85 %", "Whitening | | 50 % | 80 %", "Implant | | 30 % | 75 %"]
    assert read(tmp_path, [*row("Case", "Basic", "Plus", "Premium", bottom=730), *rows(*texts)]) == markdown(
        PLANS[0], *texts
    )


def test_chinese_cells(tmp_path: Path) -> None:
    words = [
        *rows("项目 | 基本 | 舒适 | 高级", "道路救援 | 免费 | 免费 | 免费", "电瓶没电，车灯 | 95 元 | | 免费"),
        *row("忘记关", bottom=652),
        *rows("钥匙锁在车内 | | 140 元 | 免费", "燃油用尽 | 110 元 | 110 元 | 55 元", top=630),
    ]
    assert read(tmp_path, words) == markdown(
        "项目 | 基本 | 舒适 | 高级",
        "道路救援 | 免费 | 免费 | 免费",
        "电瓶没电，车灯忘记关 | 95 元 | | 免费",
        "钥匙锁在车内 | | 140 元 | 免费",
        "燃油用尽 | 110 元 | 110 元 | 55 元",
    )


AGES = ("Age | Smart | Plus | Premium", "11 to 17 | EUR 400 | EUR 900 | EUR 1,800")
OLDER = ("18 to 25 | EUR 100 | | EUR 700", "26 and over | EUR 0 | EUR 0 | EUR 300")


@pytest.mark.parametrize("following", [OLDER, OLDER[::-1], OLDER[:1], OLDER[1:]])
def test_a_table_goes_on_with_its_header_on_the_next_page(tmp_path: Path, following: Sequence[str]) -> None:
    text = read(tmp_path, rows(*AGES, top=80), [*rows(*following, top=780), Words("For each plan.", 50, 500)])
    assert text == f"{markdown(*AGES)}\n\n{markdown(AGES[0], *following)}\n\nFor each plan."


@pytest.mark.parametrize("following", [OLDER, OLDER[:1]])
def test_a_header_that_the_next_page_repeats_is_no_row(tmp_path: Path, following: Sequence[str]) -> None:
    text = read(tmp_path, rows(*AGES, top=80), rows(AGES[0], *following, top=780))
    assert text == f"{markdown(*AGES)}\n\n{markdown(AGES[0], *following)}"


def test_page_numbers_and_running_titles_do_not_end_a_table(tmp_path: Path) -> None:
    pages = [
        [Words("Dental plan", 50, 810), *rows(*AGES, top=80), Words("Page 9 of 10", 250, 30)],
        [Words("Dental plan", 50, 810), *rows(*OLDER, top=780), Words("Page 10 of 10", 250, 30)],
    ]
    assert read(tmp_path, *pages).split("\n\n") == [
        "Dental plan",
        markdown(*AGES),
        "Page 9 of 10",
        "Dental plan",
        markdown(AGES[0], *OLDER),
        "Page 10 of 10",
    ]


@pytest.mark.parametrize(
    ("above", "following"),
    [
        (AGES, ("Region | Smart | Plus | Premium", "North | EUR 1 | EUR 2 | EUR 3", "South | EUR 4 | EUR 5 | EUR 6")),
        (("Name: | Ming Wang", "Plan: | Smart"), ("Place: | Suzhou", "Street: | Haichao Road")),
        (("32 | bits | first", "32 | bits | second"), ("16 | bits | third", "16 | bits | fourth")),
    ],
)
def test_what_is_no_header_of_the_next_page_is_not_carried_over(
    tmp_path: Path, above: Sequence[str], following: Sequence[str]
) -> None:
    text = read(tmp_path, rows(*above, top=80), rows(*following, top=780))
    assert text == f"{markdown(*above)}\n\n{markdown(*following)}"


def test_text_between_the_tables_of_two_pages_separates_them(tmp_path: Path) -> None:
    text = read(
        tmp_path, [*rows(*AGES, top=120), Words("Of interest to adults:", 50, 60)], rows(*OLDER[1:] * 2, top=780)
    )
    assert text.split("\n\n")[2] == markdown(*OLDER[1:] * 2)


LINES = (
    "The committee met on Tuesday in",
    "the old hall, and considered the",
    "reports that had been sent by the",
    "members, of which 3 were accepted",
    "and 2 were sent back to them.",
)
LAYOUTS: Mapping[str, Sequence[Words]] = {
    "prose in two columns": [Words(line, left, 700 - 12 * n) for left in (50, 320) for n, line in enumerate(LINES)],
    "addresses": [Words(line, left, 700 - 12 * n) for left in (50, 320) for n, line in enumerate(("Tidewell", "Mill"))],
    "a form": rows("Name: | Ming | Date:", "Street:", "Place: | Suzhou", "Signature:"),
    "a list": [Words(text, 50, 700 - 14 * n) for n, text in enumerate(["1. Open it", "2. Close it", "on the left"])],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_text_in_columns_is_no_table(tmp_path: Path, layout: str) -> None:
    assert "|" not in read(tmp_path, LAYOUTS[layout])


def test_text_below_a_table_of_two_columns_is_no_row(tmp_path: Path) -> None:
    words = [*rows("Repair | Price", "Fan | EUR 58"), *rows("Locks", "Motor | EUR 64", "See also", top=664)]
    assert read(tmp_path, words) == f"{markdown('Repair | Price', 'Fan | EUR 58')}\n\nLocks\nMotor EUR 64\nSee also"
