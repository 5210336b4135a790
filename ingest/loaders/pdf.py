"""PDF: headings, tables and paragraphs from the pages' geometry; scanned pages by recognition."""

import ctypes
import hashlib
import math
import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby, islice, zip_longest
from statistics import median
from typing import TYPE_CHECKING, Self

import numpy as np
import pypdfium2
import pypdfium2.raw

from ingest.loaders.fields import first_line, is_written_by_a_person, make_document
from ingest.loaders.figures import SMALLEST_SIDE_PIXELS, FigureReader, Surroundings, is_caption
from ingest.loaders.layout import (
    Block,
    Continuation,
    continuation_of,
    heading_levels,
    placed_blocks,
)
from ingest.loaders.ocr import LONGEST_SIDE_PIXELS
from ingest.loaders.page_lines import CELL_GAP_EMS, Cell, Line, plain_line
from ingest.loaders.plain_markup import join_pages
from ingest.loaders.source import REPEATED, Found, KeptFigure, Limits, Part, PictureAhead, SourceFile, StillReading

if TYPE_CHECKING:
    from PIL.Image import Image

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD, https://pdfium.googlesource.com/pdfium/+/main/public/fpdfview.h
_SCAN_DOTS_PER_POINT = 200 / 72
_FEW_CHARACTERS = 200
_PICTURE_SHARE = 0.015  # of the page: smaller ones are logos and rules
_OUTLINES = 30  # a page of so many shapes and no text has its letters drawn
_OBJECTS_LOOKED_AT = 5000
_CATALOG = re.compile(rb"(\d{1,10})\s+(\d{1,5})\s+obj\b(?:(?!endobj).){0,2000}?/Type\s*/Catalog\b", re.DOTALL)
_LINE_ENDS = "\r\n"
_PICTURE = re.compile(rb"/Image\b")  # how each picture names its kind, in clear also in packed and locked files
_BACKGROUND_SHARE = 0.85  # of a page
_SCAN_SHARE = 0.6  # of a page that its pictures cover together: less are figures beside a text
_JOINT_POINTS = 2.0  # between the strips in which programs store one picture
_CAPTION_POINTS = 40.0
_LINES_NEAR = 8


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    size: float
    left: float
    right: float
    bottom: float
    top: float


def load_pdf(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the one document of a PDF file, and which pages could not be read.

    Metadata: ``pages`` is their number, ``page_starts`` the offsets into the text at which they begin, separated by
    blanks.  A file that is locked by a password that is not known, or damaged, raises ``DocumentUnreadable``.
    """
    pictures = FigureReader(limits)
    figures: dict[int, list[_PlacedBlock]] = {}
    with _open(source, raw, limits) as pdf:
        may_have_pictures = pictures.keeps and _PICTURE.search(raw) is not None
        pages = []
        for number in range(len(pdf)):
            page = yield from _read_page(pdf, number, pictures, may_have_pictures=may_have_pictures)
            if page.seen:
                yield StillReading()
            pages.append(page)
        if may_have_pictures:
            for number, regions in _regions(pages).items():
                figures[number] = yield from _read_regions(pdf, number, pages[number], regions, pictures)
        properties = pdf.get_metadata_dict()
    broken = [number for number, page in enumerate(pages, start=1) if page.lines is None]
    if len(broken) == len(pages):
        raise source.unreadable("malformed")
    levels = heading_levels(line for page in pages for line in page.lines or ())
    text, fields = join_pages(list(_texts(pages, levels, figures)))
    if not text and any(page.seen for page in pages):
        raise source.unreadable("picture")
    fields |= {
        "title": _title(plain_line(properties.get("Title", "")), text),
        "author": plain_line(properties.get("Author", "")),
        "updated": _date(properties.get("ModDate", "") or properties.get("CreationDate", "")),
        "ocr_pages": " ".join(str(number) for number, page in enumerate(pages, start=1) if page.seen and page.lines),
    }
    yield pictures.with_figures(make_document(source, text, fields, kind="pdf"))
    yield from (source.unreadable("malformed", f"page {number}") for number in broken)
    yield from pictures.failures(source)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture on a page, in points from its lower left corner.

    ``pixels`` counts those of its shorter side, of all its pieces together; ``key`` tells equal ones.
    """

    left: float
    bottom: float
    right: float
    top: float
    pixels: int = 0
    key: bytes = b""

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.top - self.bottom)

    def touches(self, other: Self) -> bool:
        """Tell whether two pictures are pieces of one."""
        return (
            self.left <= other.right + _JOINT_POINTS
            and other.left <= self.right + _JOINT_POINTS
            and self.bottom <= other.top + _JOINT_POINTS
            and other.bottom <= self.top + _JOINT_POINTS
        )

    def joined(self, other: Self) -> Self:
        return replace(
            self,
            left=min(self.left, other.left),
            bottom=min(self.bottom, other.bottom),
            right=max(self.right, other.right),
            top=max(self.top, other.top),
            pixels=self.pixels + other.pixels,
        )


@dataclass(frozen=True, slots=True)
class _Page:
    """``lines`` is None where the page is damaged; ``seen`` tells that the page was recognised as a picture."""

    lines: list[Line] | None
    seen: bool = False
    pictures: tuple[_Picture, ...] = ()
    """Those that may be figures."""


@dataclass(frozen=True, slots=True)
class _PlacedBlock:
    """The text that stands for a picture, and the number of the line it goes before."""

    line: int
    block: str


def _open(source: SourceFile, raw: bytes, limits: Limits) -> pypdfium2.PdfDocument:
    """Open the file without a password, else with the first one that fits."""
    for password in (None, *limits.passwords):
        try:
            pdf = pypdfium2.PdfDocument(raw, password=password)
            break
        except pypdfium2.PdfiumError as error:
            # PDFium reports the error of the file before for some broken ones, so the file is asked too
            if getattr(error, "err_code", None) != _PASSWORD_ERROR or b"/Encrypt" not in raw:
                pdf = _open_repaired(source, raw)
                break
    else:
        raise source.unreadable("encrypted")
    if len(pdf) == 0:
        pdf.close()
        raise source.unreadable("malformed")
    return pdf


def _open_repaired(source: SourceFile, raw: bytes) -> pypdfium2.PdfDocument:
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
    """Load a page with its form entries and annotations as part of its content."""
    page = pdf[number]
    if pypdfium2.raw.FPDFPage_GetAnnotCount(page) > 0:
        flattened = pypdfium2.raw.FPDFPage_Flatten(page, pypdfium2.raw.FLAT_NORMALDISPLAY)
        if flattened == pypdfium2.raw.FLATTEN_SUCCESS:
            page.close()
            page = pdf[number]
    return page


def _read_page(
    pdf: pypdfium2.PdfDocument, number: int, pictures: FigureReader, *, may_have_pictures: bool
) -> Generator[StillReading, None, _Page]:
    try:
        page = _page(pdf, number)
    except pypdfium2.PdfiumError:
        return _Page(None)
    try:
        textpage = page.get_textpage()
        lines = page_lines(textpage)
        textpage.close()
        shown = _pictures_on(page) if may_have_pictures else ()
        has_figures = bool(shown) and _length(lines) > 0 and not _is_mostly_pictures(page, shown)
        if has_figures or not _is_scan(page, lines):
            return _Page(lines, pictures=shown)
        yield PictureAhead()
        seen = pictures.lines(_render_page(page))
        if seen is None or _length(seen) <= _length(lines):
            return _Page(lines, seen=seen is not None)
        return _Page(seen, seen=True)
    except pypdfium2.PdfiumError:
        return _Page(None)
    finally:
        page.close()


def _pictures_on(page: pypdfium2.PdfPage) -> tuple[_Picture, ...]:
    """Return the pictures of a page, without its background."""
    found: list[_Picture] = []
    left, bottom, right, top = page.get_bbox()
    whole = _Picture(left, bottom, right, top)
    for thing in islice(page.get_objects(max_depth=8), _OBJECTS_LOOKED_AT):
        if not isinstance(thing, pypdfium2.PdfImage):
            continue
        bounds = thing.get_bounds()
        container = thing.container
        while container is not None:
            bounds = container.get_matrix().on_rect(*bounds)
            container = container.container
        shown = _Picture(max(left, bounds[0]), max(bottom, bounds[1]), min(right, bounds[2]), min(top, bounds[3]))
        if shown.left < shown.right and shown.bottom < shown.top and shown.area < _BACKGROUND_SHARE * whole.area:
            key = hashlib.sha256(thing.get_data()).digest()
            found.append(replace(shown, pixels=min(thing.get_px_size()), key=key))
    return tuple(found)


def _is_mostly_pictures(page: pypdfium2.PdfPage, shown: Sequence[_Picture]) -> bool:
    """Tell whether a page is a scan in pieces with a line of text added."""
    width, height = page.get_size()
    return sum(picture.area for picture in shown) >= _SCAN_SHARE * float(width * height)


def _regions(pages: Sequence[_Page]) -> dict[int, list[_Picture]]:
    """Return by page the places of figures: pictures on few pages, adjoining ones as one."""
    places = Counter(key for page in pages for key in {picture.key for picture in page.pictures})
    found: dict[int, list[_Picture]] = {}
    for number, page in enumerate(pages):
        regions: list[_Picture] = []
        for picture in page.pictures if not page.seen else ():
            if places[picture.key] >= REPEATED:
                continue
            pieces = [region for region in regions if region.touches(picture)]
            regions = [region for region in regions if region not in pieces]
            regions.append(reduce(_Picture.joined, pieces, picture))
        large = [region for region in regions if region.pixels >= SMALLEST_SIDE_PIXELS]
        if large:
            found[number] = sorted(large, key=lambda region: -region.top)
    return found


def _read_regions(
    pdf: pypdfium2.PdfDocument, number: int, page: _Page, regions: Sequence[_Picture], pictures: FigureReader
) -> Generator[KeptFigure | StillReading, None, list[_PlacedBlock]]:
    """Keep the figures of a page, with the words in them, and return the text that stands for each."""
    blocks: list[_PlacedBlock] = []
    lines = page.lines or []
    opened = _page(pdf, number)
    try:
        turned = opened.get_rotation()
        opened.set_rotation(0)
        for region in regions:
            if not pictures.keeps:
                break
            yield PictureAhead()
            around = Surroundings(
                caption=_caption(region, lines),
                page=number + 1,
                box=() if turned else _shares(region, opened),
                near=" ".join(line.text for line in lines[:_LINES_NEAR]),
            )
            for found in pictures.keep(_render_region(opened, region, turned), around):
                if isinstance(found, StillReading):
                    yield found
                else:
                    blocks.append(_PlacedBlock(_line_below(region, lines), found))
    except pypdfium2.PdfiumError:
        pass  # the words of the page are there all the same
    finally:
        opened.close()
    return blocks


def _render_region(page: pypdfium2.PdfPage, region: _Picture, turned: int) -> "Image":
    left, bottom, right, top = page.get_bbox()
    crop = region.left - left, region.bottom - bottom, right - region.right, top - region.top
    longest = max(region.right - region.left, region.top - region.bottom, 1.0)
    scale = min(_SCAN_DOTS_PER_POINT, LONGEST_SIDE_PIXELS / longest)
    bitmap = page.render(scale=scale, crop=crop, rev_byteorder=True, may_draw_forms=True)
    drawn: Image = bitmap.to_pil().convert("RGB")
    return drawn.rotate(-turned, expand=True) if turned else drawn


def _shares(region: _Picture, page: pypdfium2.PdfPage) -> tuple[float, ...]:
    left, bottom, right, top = page.get_bbox()
    width, height = right - left, top - bottom
    edges = (region.left - left) / width, (top - region.top) / height
    return tuple(round(edge, 4) for edge in (*edges, (region.right - left) / width, (top - region.bottom) / height))


def _caption(region: _Picture, lines: Sequence[Line]) -> str:
    """Return a picture's caption: a line closely below it, else above it."""
    captions = [line for line in lines if is_caption(plain_line(line.text)) and _is_beside(line, region)]
    below = [line for line in captions if 0 <= region.bottom - line.top + _JOINT_POINTS <= _CAPTION_POINTS]
    above = [line for line in captions if 0 <= line.bottom - region.top + _JOINT_POINTS <= _CAPTION_POINTS]
    nearest = [*sorted(below, key=lambda line: -line.top), *sorted(above, key=lambda line: line.bottom)]
    return plain_line(nearest[0].text) if nearest else ""


def _is_beside(line: Line, region: _Picture) -> bool:
    return any(cell.left < region.right and region.left < cell.right for cell in line.cells)


def _line_below(region: _Picture, lines: Sequence[Line]) -> int:
    """Return the number of the first line, in reading order, below a picture in its column."""
    below = [number for number, line in enumerate(lines) if line.cells and line.top <= region.bottom + _JOINT_POINTS]
    return next((number for number in below if _is_beside(lines[number], region)), below[0] if below else len(lines))


def _texts(
    pages: Sequence[_Page], levels: Mapping[float, int], figures: Mapping[int, Sequence[_PlacedBlock]]
) -> Iterator[str]:
    """Yield the text of each page; a table that goes on from the page before has its header on both."""
    continuation = None
    for number, (page, following) in enumerate(zip_longest(pages, pages[1:])):
        placed = figures.get(number, ())
        blocks = list(_blocks(page, levels, placed, continuation))
        yield "\n\n".join(block.text for block in blocks)
        tables = [block for block in blocks if block.table and all(figure.line < block.end for figure in placed)]
        continuation = _continuation(page, tables[-1], following) if tables and following else None


def _continuation(page: _Page, last: Block, following: _Page) -> Continuation | None:
    if page.seen or following.seen:
        return None  # their lines have no places
    return continuation_of(page.lines or (), last, following.lines or ())


def _blocks(
    page: _Page, levels: Mapping[float, int], figures: Sequence[_PlacedBlock], continuation: Continuation | None
) -> Iterator[Block]:
    lines = page.lines or []
    start = 0
    for placed in sorted(figures, key=lambda one: one.line):
        yield from placed_blocks(lines[start : placed.line], levels, continuation)
        yield Block(placed.block, placed.line)
        start, continuation = placed.line, None
    for block in placed_blocks(lines[start:], levels, continuation):
        yield replace(block, end=start + block.end)


def _is_scan(page: pypdfium2.PdfPage, lines: list[Line]) -> bool:
    """Tell whether a page with little text has pictures, or letters drawn as shapes."""
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


def _render_page(page: pypdfium2.PdfPage) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
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
    """Return the page's lines in PDFium's order."""
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
        yield _Character(text or " ", round(size, 1), left.value, right.value, bottom.value, top.value)


def _line(characters: Sequence[_Character]) -> Line:
    visible = [character for character in characters if not character.text.isspace()]
    sizes = Counter(character.size for character in visible)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    text = "".join(character.text for character in characters)
    top, bottom = (visible[0].top, visible[0].bottom) if visible else (0.0, 0.0)
    baseline = median(character.bottom for character in visible) if visible else 0.0
    return Line(text, size, tuple(_cells(characters, size)), top, bottom, baseline)


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
