"""Pictures and scans, read with the real models; where pieces of text stand, without them."""

import io
from pathlib import Path

import pytest
from docx import Document as WordDocument
from PIL import Image, ImageDraw, ImageFont

from ingest.loaders.layout import page_blocks
from ingest.loaders.ocr import Box, lines_of
from ingest.loaders.source import Limits
from rag.schema import Document
from tests.ingest.loaders.loading import load_all, load_one, reason, told

OCR = Limits(ocr_pages=3, picture_pixels=4_000_000)


def drawn(*lines: str, kind: str = "PNG", more: tuple[str, ...] = ()) -> bytes:
    """Return a picture of the lines; ``more`` are further pages with a line each."""
    pictures = []
    for page in (lines, *((line,) for line in more)):
        picture = Image.new("RGB", (900, 80 + 60 * len(page)), "white")
        for number, line in enumerate(page):
            ImageDraw.Draw(picture).text((40, 40 + 60 * number), line, "black", ImageFont.load_default(32))
        pictures.append(picture)
    buffer = io.BytesIO()
    extra = {"save_all": True, "append_images": pictures[1:]} if more else {}
    pictures[0].save(buffer, kind, **extra)
    return buffer.getvalue()


def boxes(*rows: tuple[float, str, float, float]) -> list[Box]:
    return [Box(text, left, right, top, top + 10) for top, text, left, right in rows]


def test_pieces_beside_each_other_are_a_line_and_wide_gaps_make_cells() -> None:
    pieces = boxes((100, "79", 300, 330), (102, "Lock", 10, 60), (120, "Pipe", 10, 50), (121, "99", 300, 330))
    assert list(page_blocks(lines_of(pieces), {})) == ["| Lock | 79 |\n| --- | --- |\n| Pipe | 99 |"]
    assert [line.text for line in lines_of(boxes((0, "one", 0, 30), (1, "line", 34, 70)))] == ["one line"]
    assert lines_of([]) == []


def test_two_columns_are_read_one_after_the_other() -> None:
    title = [(0.0, "A title over both columns", 50.0, 350.0)]
    columns = [
        (20.0 + 12 * row + skew, f"{side}{row}", left, left + 180)
        for row in range(6)
        for side, left, skew in (("left", 0.0, 0.0), ("right", 210.0, 1.0))
    ]
    texts = [line.text for line in lines_of(boxes(*title, *columns))]
    assert texts == [title[0][1], *(f"left{row}" for row in range(6)), *(f"right{row}" for row in range(6))]


@pytest.mark.slow
def test_files_that_are_no_pictures_or_too_large(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.png", drawn("x")[:200], OCR) == "malformed"
    assert reason(tmp_path, "b.png", b"\x89PNG\r\n\x1a\n" + bytes(100), OCR) == "malformed"
    assert reason(tmp_path, "c.png", drawn("x"), Limits(ocr_pages=0)) == "unsupported"
    buffer = io.BytesIO()
    Image.new("1", (3_000, 3_000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 10_000
    assert reason(tmp_path, "d.png", buffer.getvalue(), OCR) == "too_many_pixels"


@pytest.mark.real
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF"])
def test_words_in_a_picture(tmp_path: Path, kind: str) -> None:
    content = drawn("Return within 7 days", "Keep the receipt", kind=kind)
    document = load_one(tmp_path, f"a.{kind.lower()}", content, OCR)
    assert (document.title, document.text) == ("Return within 7 days", "Return within 7 days\nKeep the receipt")
    assert document.metadata == {"format": "picture"}


@pytest.mark.real
def test_a_fax_of_many_pages_ends_at_the_limit(tmp_path: Path) -> None:
    content = drawn("Page one", kind="TIFF", more=("Page two", "Page three", "Page four"))
    found = load_all(tmp_path, "fax.tiff", content, OCR)
    assert isinstance(found[0], Document)
    assert found[0].text == "Page one\n\nPage two\n\nPage three"
    assert found[0].metadata["pages"] == "4"
    assert told(found) == [("too_many_pages", "3 + 1")]


@pytest.mark.real
def test_a_picture_without_words(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.png", drawn(""), OCR) == "picture"


@pytest.mark.real
def test_a_screenshot_in_a_document_is_read_once(tmp_path: Path) -> None:
    document = WordDocument()
    document.add_paragraph("See the screen:")
    for _ in range(2):
        document.add_picture(io.BytesIO(drawn("Error code L-35")))
    buffer = io.BytesIO()
    document.save(buffer)
    assert load_one(tmp_path, "a.docx", buffer.getvalue(), OCR).text == "See the screen:\n\nError code L-35"


@pytest.mark.real
def test_a_scanned_page_between_written_ones(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(drawn("A scanned letter", "of the customer"))) as scan:
        scan.save(buffer, "PDF", resolution=100)
    document = load_one(tmp_path, "a.pdf", buffer.getvalue(), OCR)
    assert document.text == "A scanned letter\nof the customer"
    assert (document.metadata["pages"], document.metadata["ocr_pages"]) == ("1", "1")
