"""PDF: headings, tables and paragraphs from the pages' geometry; scanned pages by looking at them."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pypdfium2
import pypdfium2.raw

from ingest.loaders.fields import first_line, is_written_by_a_person, make_document
from ingest.loaders.layout import CELL_GAP_EMS, Cell, Line, heading_levels, page_blocks, plain_line
from ingest.loaders.ocr import LONGEST_SIDE_PIXELS, PictureReader
from ingest.loaders.pages import join_pages
from ingest.loaders.source import Found, Limits, Part, PictureAhead, SourceFile, StillReading

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD, https://pdfium.googlesource.com/pdfium/+/main/public/fpdfview.h
_SCAN_DOTS_PER_POINT = 200 / 72
_FEW_CHARACTERS = 200
_PICTURE_SHARE = 0.015  # of the page: smaller ones are logos and rules
_OUTLINES = 30  # a page of so many shapes and no text has its letters drawn
_OBJECTS_LOOKED_AT = 5000
_CATALOG = re.compile(rb"(\d{1,10})\s+(\d{1,5})\s+obj\b(?:(?!endobj).){0,2000}?/Type\s*/Catalog\b", re.DOTALL)
_LINE_ENDS = "\r\n"


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    size: float
    left: float
    right: float


def load_pdf(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the one document of a PDF file, and which pages could not be read.

    Metadata: ``pages`` is their number, ``page_starts`` the offsets into the text at which they begin, separated by
    blanks.  A file that is locked by a password that is not known, or damaged, raises ``DocumentUnreadable``.
    """
    pictures = PictureReader(limits)
    with _opened(source, raw, limits) as pdf:
        pages = []
        for number in range(len(pdf)):
            page = yield from _read_page(pdf, number, pictures)
            if page.seen:
                yield StillReading()
            pages.append(page)
        properties = pdf.get_metadata_dict()
    broken = [number for number, page in enumerate(pages, start=1) if page.lines is None]
    if len(broken) == len(pages):
        raise source.unreadable("malformed")
    levels = heading_levels(line for page in pages for line in page.lines or ())
    text, fields = join_pages(["\n\n".join(page_blocks(page.lines or [], levels)) for page in pages])
    if not text and any(page.seen for page in pages):
        raise source.unreadable("picture")
    described = {
        "title": _title(plain_line(properties.get("Title", "")), text),
        "author": plain_line(properties.get("Author", "")),
        "updated": _date(properties.get("ModDate", "") or properties.get("CreationDate", "")),
        "ocr_pages": " ".join(str(number) for number, page in enumerate(pages, start=1) if page.seen and page.lines),
    }
    fields |= {name: value for name, value in described.items() if value}
    yield make_document(source, text, fields, kind="pdf")
    yield from (source.unreadable("malformed", f"page {number}") for number in broken)
    yield from pictures.failures(source)


@dataclass(frozen=True, slots=True)
class _Page:
    """``lines`` is None where the page is damaged; ``seen`` that it was looked at as a picture."""

    lines: list[Line] | None
    seen: bool = False


def _opened(source: SourceFile, raw: bytes, limits: Limits) -> pypdfium2.PdfDocument:
    """Open the file without a password, else with the first one that fits."""
    for password in (None, *limits.passwords):
        try:
            pdf = pypdfium2.PdfDocument(raw, password=password)
            break
        except pypdfium2.PdfiumError as error:
            # PDFium reports the error of the file before for some broken ones, so the file is asked too
            if getattr(error, "err_code", None) != _PASSWORD_ERROR or b"/Encrypt" not in raw:
                pdf = _repaired(source, raw)
                break
    else:
        raise source.unreadable("encrypted")
    if len(pdf) == 0:
        pdf.close()
        raise source.unreadable("malformed")
    return pdf


def _repaired(source: SourceFile, raw: bytes) -> pypdfium2.PdfDocument:
    """Open a file whose end is missing or damaged: PDFium finds every object by itself, but not where to begin."""
    catalogs = list(_CATALOG.finditer(raw))
    if not catalogs:
        raise source.unreadable("malformed")
    body = raw[: raw.rfind(b"endobj") + len(b"endobj")]
    root = b" ".join(catalogs[-1].groups())
    try:
        return pypdfium2.PdfDocument(body + b"\ntrailer\n<< /Root %s R >>\nstartxref\n0\n%%%%EOF\n" % root)
    except pypdfium2.PdfiumError as error:
        raise source.unreadable("malformed") from error


def _page(pdf: pypdfium2.PdfDocument, number: int) -> pypdfium2.PdfPage:
    """Load a page with what was filled in and noted on it as part of its content."""
    page = pdf[number]
    if pypdfium2.raw.FPDFPage_GetAnnotCount(page) > 0:
        flattened = pypdfium2.raw.FPDFPage_Flatten(page, pypdfium2.raw.FLAT_NORMALDISPLAY)
        if flattened == pypdfium2.raw.FLATTEN_SUCCESS:
            page.close()
            page = pdf[number]
    return page


def _read_page(
    pdf: pypdfium2.PdfDocument, number: int, pictures: PictureReader
) -> Generator[StillReading, None, _Page]:
    try:
        page = _page(pdf, number)
    except pypdfium2.PdfiumError:
        return _Page(None)
    try:
        textpage = page.get_textpage()
        lines = page_lines(textpage)
        textpage.close()
        if not _looks_scanned(page, lines):
            return _Page(lines)
        yield PictureAhead()
        seen = pictures.lines(_drawn(page))
        if seen is None or _length(seen) <= _length(lines):
            return _Page(lines, seen=seen is not None)
        return _Page(seen, seen=True)
    except pypdfium2.PdfiumError:
        return _Page(None)
    finally:
        page.close()


def _looks_scanned(page: pypdfium2.PdfPage, lines: list[Line]) -> bool:
    """Tell whether a page with little text has pictures, or letters that are drawn."""
    length = _length(lines)
    if length >= _FEW_CHARACTERS:
        return False
    width, height = page.get_size()
    shapes = 0
    for count, thing in enumerate(page.get_objects(max_depth=8)):
        if count > _OBJECTS_LOOKED_AT:
            return True
        if thing.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = thing.get_bounds()
            if abs((right - left) * (top - bottom)) >= _PICTURE_SHARE * width * height:
                return True
        shapes += thing.type == pypdfium2.raw.FPDF_PAGEOBJ_PATH
    return length == 0 and shapes >= _OUTLINES


def _drawn(page: pypdfium2.PdfPage) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    longest = max(*page.get_size(), 1.0)
    scale = min(_SCAN_DOTS_PER_POINT, LONGEST_SIDE_PIXELS / longest)
    scale = max(scale, 1 / min(*page.get_size(), math.inf)) if min(page.get_size()) > 0 else 1.0
    drawn = page.render(scale=scale, rev_byteorder=True, may_draw_forms=True).to_numpy()
    return np.ascontiguousarray(drawn[..., :3])


def _length(lines: list[Line]) -> int:
    return sum(len(line.text.strip()) for line in lines)


def _title(declared: str, text: str) -> str:
    """Return the declared title, if a person wrote it, else the first line that is no row of a table."""
    if is_written_by_a_person(declared):
        return declared
    return first_line(text)


def _date(written: str) -> str:
    """Read ``D:20260405...`` as ``2026-04-05``."""
    digits = written.removeprefix("D:")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""


def page_lines(textpage: pypdfium2.PdfTextPage) -> list[Line]:
    """Return the page's lines in the order in which PDFium reads them."""
    characters = list(_characters(textpage))
    runs = groupby(characters, key=lambda character: character.text in _LINE_ENDS)
    return [_line(list(run)) for is_end, run in runs if not is_end]


def _characters(textpage: pypdfium2.PdfTextPage) -> Iterator[_Character]:
    edges = [ctypes.c_double() for _ in range(4)]
    left, right, bottom, top = edges
    for index in range(pypdfium2.raw.FPDFText_CountChars(textpage)):
        code = pypdfium2.raw.FPDFText_GetUnicode(textpage, index)
        size = pypdfium2.raw.FPDFText_GetFontSize(textpage, index)
        for edge in edges:
            edge.value = 0.0
        pypdfium2.raw.FPDFText_GetCharBox(textpage, index, left, right, bottom, top)
        text = chr(code) if 0 < code <= 0x10FFFF else ""
        yield _Character(text or " ", round(size, 1), left.value, right.value)


def _line(characters: Sequence[_Character]) -> Line:
    visible = [character for character in characters if not character.text.isspace()]
    sizes = Counter(character.size for character in visible)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    return Line("".join(character.text for character in characters), size, tuple(_cells(characters, size)))


def _cells(characters: Sequence[_Character], size: float) -> Iterator[Cell]:
    """Split a line at its wide gaps."""
    run: list[_Character] = []
    end = 0.0
    for character in characters:
        blank = character.text.isspace()
        if not blank and run and character.left - end > CELL_GAP_EMS * size:
            yield _cell(run)
            run = []
        if not blank:
            end = character.right
        if run or not blank:
            run.append(character)
    if run:
        yield _cell(run)


def _cell(run: Sequence[_Character]) -> Cell:
    visible = [character for character in run if not character.text.isspace()]
    text = "".join(character.text for character in run).strip()
    return Cell(text, min(seen.left for seen in visible), max(seen.right for seen in visible))
