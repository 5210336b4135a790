"""PDF: headings by size, tables by gaps, paragraphs by width, and ideographs that fonts mapped to radicals."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.loaders.layout import join_wrapped_lines
from ingest.loaders.page_lines import with_ideographs
from tests.ingest.loaders.loading import load_all, load_one, reason, texts, told
from tests.ingest.loaders.pdf_writer import Words, pdf_bytes

SENTENCE = "Prices hold from September and include parts, work and the way back to you,"


def page(*rows: Sequence[Words] | Words | str) -> list[Words]:
    """Set rows below each other, 20 points apart; the cells of one are given as a sequence."""
    words: list[Words] = []
    for number, row in enumerate(rows):
        for cell in [row] if isinstance(row, str | Words) else row:
            one = Words(cell) if isinstance(cell, str) else cell
            words.append(Words(one.text, one.left, 780 - 20 * number, one.size))
    return words


def test_headings_paragraphs_and_tables(tmp_path: Path) -> None:
    content = pdf_bytes(
        [
            page(
                Words("Repair price list", size=20),
                SENTENCE,
                "but not the examination.",
                Words("Robots", size=15),
                [Words("Repair", 80), Words("Price", 330)],
                [Words("Turret (E12)", 50), Words("GBP 72", 300)],
                [Words("Fan (E28)", 50), Words("GBP 58", 300)],
            ),
            page(Words("Payment", size=15), "Pay with the link in the email."),
        ],
        info={"Title": "Microsoft Word - list.docx", "ModDate": "D:20260405120000Z", "Author": "汐井"},
    )
    document = load_one(tmp_path, "list.pdf", content)
    assert document.text.split("\n\n") == [
        "# Repair price list",
        f"{SENTENCE} but not the examination.",
        "## Robots",
        "| Repair | Price |\n| --- | --- |\n| Turret (E12) | GBP 72 |\n| Fan (E28) | GBP 58 |",
        "## Payment",
        "Pay with the link in the email.",
    ]
    assert (document.title, str(document.updated_on)) == ("Repair price list", "2026-04-05")
    starts = [int(start) for start in document.metadata["page_starts"].split()]
    assert [document.text[start:].splitlines()[0] for start in starts] == ["# Repair price list", "## Payment"]
    assert (document.metadata["pages"], document.metadata["author"]) == ("2", "汐井")


def test_radicals_become_ideographs(tmp_path: Path) -> None:
    document = load_one(tmp_path, "a.pdf", pdf_bytes([page("⻛扇和⻔锁，⽤⼿打开")], info={"Title": "⻔锁⼿册"}))
    assert (document.text, document.title) == ("风扇和门锁，用手打开", "门锁手册")
    assert with_ideographs("⻰⻢⻋⻚ 豈") == "龙马车页 豈"


def test_a_page_whose_lines_are_all_large_has_no_headings(tmp_path: Path) -> None:
    content = pdf_bytes(
        [page(Words("Buy now", size=30), Words("Pay later", size=30), "terms and conditions apply here")]
    )
    assert "#" not in load_one(tmp_path, "slide.pdf", content).text


def test_a_declared_title_is_taken(tmp_path: Path) -> None:
    assert load_one(tmp_path, "a.pdf", pdf_bytes([page("text")], info={"Title": "Fees"})).title == "Fees"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (pdf_bytes([page("secret")], locked=True), "encrypted"),
        (pdf_bytes([[]]), "empty"),
        (pdf_bytes([]), "malformed"),
        (b"%PDF-1.4\nnothing", "malformed"),
        (b"../another/file.pdf", "malformed"),
        (b"", "empty"),
    ],
)
def test_files_without_text_to_take(tmp_path: Path, content: bytes, why: str) -> None:
    assert reason(tmp_path, "a.pdf", content) == why


def test_a_torn_file_is_mended_where_its_pages_are_whole(tmp_path: Path) -> None:
    content = pdf_bytes([page("First page"), page("Second page")])
    torn = content[: content.index(b"xref\n")]
    document = load_one(tmp_path, "a.pdf", torn + b"\x00 noise (never closed")
    assert (document.text, document.metadata["pages"]) == ("First page\n\nSecond page", "2")
    assert reason(tmp_path, "b.pdf", content[:200]) == "malformed"


def test_a_damaged_page_costs_itself_only(tmp_path: Path) -> None:
    content = pdf_bytes([page("First page"), page("Second page")])
    last = content.rindex(b"/Type /Page ")
    found = load_all(tmp_path, "a.pdf", content[:last] + b"/Type /Nope " + content[last + 12 :])
    assert texts(found) == {"a.pdf": "First page"}
    assert told(found) == [("malformed", "page 2")]


def test_what_was_filled_in_is_read(tmp_path: Path) -> None:
    form = (Path(__file__).parent.parent / "fixtures/pdf-normal/pypdf__form.pdf").read_bytes()
    assert "foo" in load_one(tmp_path, "a.pdf", form).text


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (
            ["The heater must not be opened, for rea\x02", "sons of safety."],
            "The heater must not be opened, for reasons of safety.",
        ),
        (["The heater must not be opened by anybody", "at all."], "The heater must not be opened by anybody at all."),
        (["加热元件出于安全原因不得由任何人自行拆开或更", "换。"], "加热元件出于安全原因不得由任何人自行拆开或更换。"),
        (["The heater must not be opened by anybody.", "Never."], "The heater must not be opened by anybody.\nNever."),
        (["The heater must not be opened by anybody", "- item"], "The heater must not be opened by anybody\n- item"),
        (["short", "shorter"], "short\nshorter"),
        (["", "a", "", "b"], "a\nb"),
        ([], ""),
    ],
)
def test_wrapped_lines(lines: list[str], joined: str) -> None:
    assert join_wrapped_lines(lines, 36) == joined
