"""Pictures in documents: which are kept, what stands for them in the text, and where that is."""

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from docx import Document as WordDocument
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pptx.util import Inches

from ingest.loaders.figures import is_caption
from ingest.loaders.registry import load
from ingest.loaders.source import KeptFigure, Limits
from rag.schema import Document
from rag.storage.figures import LARGEST_FIGURE_BYTES
from tests.ingest.loaders.pdf_pictures import Shown, pdf_with_pictures
from tests.ingest.loaders.pdf_writer import Words

pytestmark = pytest.mark.slow

LIMITS = Limits(ocr_pages=0, figures=10)
OCR = Limits(ocr_pages=10, figures=10)


def picture(*lines: str, size: tuple[int, int] = (600, 240), kind: str = "PNG") -> bytes:
    """Return a picture of a window with these lines in it."""
    drawn = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((2, 2, size[0] - 3, size[1] - 3), outline="black", width=2)
    for number, line in enumerate(lines):
        pen.text((30, 30 + 50 * number), line, "black", ImageFont.load_default(30))
    buffer = io.BytesIO()
    drawn.save(buffer, kind)
    return buffer.getvalue()


def read(folder: Path, name: str, content: bytes, limits: Limits = LIMITS) -> tuple[Document, list[bytes]]:
    """Return a file's only document and the pictures that were kept of it; their places are checked."""
    path = folder / name
    path.write_bytes(content)
    found = list(load(path, folder, limits))
    (document,) = [one for one in found if isinstance(one, Document)]
    kept = [one.content for one in found if isinstance(one, KeptFigure)]
    assert {figure.digest for figure in document.figures} <= {sha256(content).hexdigest() for content in kept}
    return document, kept


def marks(document: Document) -> list[str]:
    """Return what stands for each figure."""
    return [document.text[figure.start : figure.end] for figure in document.figures]


def word(*content: str | bytes, styles: Sequence[str] = ()) -> bytes:
    """Return a Word document of paragraphs and pictures; the last paragraphs have the ``styles``."""
    document = WordDocument()
    for one in content:
        if isinstance(one, bytes):
            document.add_picture(io.BytesIO(one))
        else:
            document.add_paragraph(one)
    for paragraph, style in zip(document.paragraphs[-len(styles) :] if styles else (), styles, strict=True):
        paragraph.style = style
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_a_picture_in_a_word_document_stands_in_its_text_with_its_caption(tmp_path: Path) -> None:
    content = word("Press and hold.", picture("x"), "Figure 3: The reset button", "Then wait.")
    document, (kept,) = read(tmp_path, "a.docx", content)
    assert document.text == (
        "Press and hold.\n\n[Figure: Figure 3: The reset button]\n\nFigure 3: The reset button\n\nThen wait."
    )
    (figure,) = document.figures
    assert (figure.caption, figure.words, figure.width, figure.height) == ("Figure 3: The reset button", "", 600, 240)
    assert marks(document) == ["[Figure: Figure 3: The reset button]"]
    assert kept[:4] + kept[8:12] == b"RIFFWEBP"


def test_a_caption_is_known_by_its_style(tmp_path: Path) -> None:
    document, _ = read(tmp_path, "a.docx", word("长按复位键。", picture("x"), "复位键的位置", styles=["Caption"]))
    assert marks(document) == ["[图：复位键的位置]"]


def test_without_figures_a_document_is_what_it_was(tmp_path: Path) -> None:
    content = word("Press and hold.", picture("x"), "Figure 3: The reset button")
    document, kept = read(tmp_path, "a.docx", content, Limits(ocr_pages=0))
    assert (document.text, document.figures, kept) == (
        "Press and hold.\n\nFigure 3: The reset button",
        (),
        [],
    )


def test_icons_rules_empty_and_repeated_pictures_are_left_out(tmp_path: Path) -> None:
    logo = picture("logo", size=(200, 100))
    content = word(
        "One.",
        picture(size=(63, 200)),
        picture(size=(900, 100)),
        _plain((300, 300)),
        *[logo] * 5,
        picture("shown", size=(64, 64)),
    )
    document, kept = read(tmp_path, "a.docx", content)
    assert (document.text, len(kept)) == ("One.\n\n[Figure]", 1)
    assert [(figure.width, figure.height) for figure in document.figures] == [(64, 64)]
    four, kept = read(tmp_path, "b.docx", word("One.", *[logo] * 4))
    assert (four.text, len(kept)) == ("One.\n\n[Figure]", 1)


def _plain(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, "PNG")
    return buffer.getvalue()


def test_no_more_pictures_are_kept_than_allowed(tmp_path: Path) -> None:
    content = word("One.", *(picture(str(number), size=(200, 100)) for number in range(3)))
    document, kept = read(tmp_path, "a.docx", content, Limits(ocr_pages=0, figures=2))
    assert (document.text, len(kept), len(document.figures)) == ("One.\n\n[Figure]\n\n[Figure]", 2, 2)
    assert document.figures[0].end < document.figures[1].start


def test_what_is_kept_is_small_and_has_no_metadata(tmp_path: Path) -> None:
    noise = Image.effect_noise((2600, 1800), 90).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", exif=exif, quality=95)
    document, (kept,) = read(tmp_path, "a.docx", word("One.", buffer.getvalue()))
    assert len(kept) <= LARGEST_FIGURE_BYTES
    assert b"taken at home" not in kept
    with Image.open(io.BytesIO(kept)) as opened:
        assert (opened.format, max(opened.size) <= 1280, opened.height > opened.width) == ("WEBP", True, True)
        assert (dict(opened.getexif()), opened.size) == (
            {},
            (document.figures[0].width, document.figures[0].height),
        )


def test_a_slide_tells_where_its_picture_stands(tmp_path: Path) -> None:
    show = Presentation()
    show.slide_width, show.slide_height = Inches(10), Inches(5)
    for number in (1, 2):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = f"Page {number}"
    image = slide.shapes.add_picture(io.BytesIO(picture("x")), Inches(1), Inches(2), Inches(4), Inches(2))
    image._element.nvPicPr.cNvPr.set("descr", "The LED next to the plug")
    buffer = io.BytesIO()
    show.save(buffer)
    document, _ = read(tmp_path, "a.pptx", buffer.getvalue())
    (figure,) = document.figures
    assert (figure.page, figure.box, figure.alt) == (2, (0.1, 0.4, 0.5, 0.8), "The LED next to the plug")
    assert document.text == "## Page 1\n\n## Page 2\n\n[Figure: The LED next to the plug]"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Fig. 2: the status page", True),
        ("Figure A. Wiring", True),
        ("图3 接线示意", True),
        ("图 2：指示灯", True),
        ("Figure out what you need", False),
        ("图书馆在二楼", False),
        ("The figure shows 3 lamps", False),
    ],
)
def test_captions(line: str, expected: bool) -> None:
    assert is_caption(line) is expected


def data_address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def test_pictures_in_a_web_page(tmp_path: Path) -> None:
    page = (
        "<html lang=en><title>Lamp</title><body><nav><img src='{logo}'></nav><main><h1>Lamp</h1><p>Look at the lamp: "
        "<img src='{one}' alt='A red lamp'> it blinks.</p><figure><img src='{two}'><figcaption>The back</figcaption>"
        "</figure><ul><li>Unplug it <img src='https://example.invalid/a.png'></li></ul><p>"
        "<img src='data:image/svg+xml;base64,PHN2Zz4='></p></main></body></html>"
    ).format(logo=data_address(picture("l")), one=data_address(picture("1")), two=data_address(picture("2")))
    document, kept = read(tmp_path, "a.html", page.encode())
    assert marks(document) == ["[Figure: A red lamp]", "[Figure: The back]"]
    assert document.text == (
        "# Lamp\n\nLook at the lamp:\n\n[Figure: A red lamp]\n\nit blinks.\n\n[Figure: The back]\n\nThe back\n\n"
        "- Unplug it"
    )
    assert len(kept) == 2


def test_pictures_in_a_book(tmp_path: Path) -> None:
    chapters = [
        f"<html xmlns='http://www.w3.org/1999/xhtml'><body><p>第{number}章，复位键在背面。</p>"
        f"<p><img src='../img/ornament.png'/></p>{more}</body></html>"
        for number, more in enumerate(["<p><img src='../img/back.png' alt='背面'/></p>", "", "", "", ""])
    ]
    content = book(chapters, {"img/ornament.png": picture("o"), "img/back.png": picture("b")})
    document, _ = read(tmp_path, "a.epub", content)
    assert marks(document) == ["[图：背面]"]
    assert document.text.startswith("第0章，复位键在背面。\n\n[图：背面]\n\n第1章")


def book(chapters: Sequence[str], more: Mapping[str, bytes]) -> bytes:
    """Return an EPUB of these chapters, with ``more`` files."""
    items = "".join(f"<item id='c{n}' href='text/c{n}.xhtml'/>" for n in range(len(chapters)))
    spine = "".join(f"<itemref idref='c{n}'/>" for n in range(len(chapters)))
    files = {
        "META-INF/container.xml": b"<container><rootfiles><rootfile full-path='book.opf'/></rootfiles></container>",
        "book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>".encode(),
        **{f"text/c{n}.xhtml": chapter.encode() for n, chapter in enumerate(chapters)},
        **more,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


LONG = "This page explains what the lamp next to the plug means when it blinks in red. " * 2


def test_a_picture_on_a_page_stands_between_the_lines_around_it(tmp_path: Path) -> None:
    lines = [
        Words(LONG[:79], 50, 740),
        Words(LONG[:79], 50, 725),
        Shown(picture("x"), 100, 500, 300, 200),
        Words("Figure 7: The lamp", 100, 485),
        Words("Unplug it and wait.", 50, 400),
    ]
    document, _ = read(tmp_path, "a.pdf", pdf_with_pictures([[Words(LONG, 50, 740)], lines]))
    (figure,) = document.figures
    assert marks(document) == ["[Figure: Figure 7: The lamp]"]
    assert (figure.page, figure.caption) == (2, "Figure 7: The lamp")
    assert figure.box == pytest.approx((1 / 6, 0.125, 2 / 3, 0.375), abs=0.003)
    before, after = document.text[: figure.start], document.text[figure.end :]
    assert before.count("This page explains") == 4
    assert after == "\n\nFigure 7: The lamp\nUnplug it and wait."


def test_strips_are_one_picture_and_a_background_or_a_logo_is_none(tmp_path: Path) -> None:
    strips = [Shown(picture(str(number), size=(600, 60)), 100, 400 + 20 * number, 300, 20) for number in range(6)]
    logo = Shown(picture("logo", size=(200, 100)), 450, 730, 100, 50)
    background = Shown(picture("y", size=(300, 400)), 0, 0, 600, 800)
    pages = [[background, logo, Words(LONG, 20, 700), Words(LONG, 20, 300), *strips]]
    pages += [[logo, Words(LONG, 20, 700), Words(LONG, 20, 600)] for _ in range(4)]
    document, kept = read(tmp_path, "a.pdf", pdf_with_pictures(pages))
    (figure,) = document.figures
    assert (len(kept), figure.page) == (1, 1)
    assert figure.box == pytest.approx((1 / 6, 0.35, 2 / 3, 0.5), abs=0.003)


def test_a_pdf_without_pictures_is_read_as_before(tmp_path: Path) -> None:
    content = pdf_with_pictures([[Words(LONG, 50, 700)]])
    with_figures, _ = read(tmp_path, "a.pdf", content)
    without, _ = read(tmp_path, "a.pdf", content, Limits(ocr_pages=0))
    assert with_figures == without
