"""PDF: headings, tables and paragraphs from the pages' geometry; the pages' places are kept in the metadata."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pypdfium2

from ingest.loaders.encoding import clean
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.pdf_layout import Line, heading_levels, is_heading_like, page_lines, table_length
from ingest.loaders.plain_markup import heading, table
from ingest.loaders.radicals import with_ideographs
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD, https://pdfium.googlesource.com/pdfium/+/main/public/fpdfview.h
_HYPHENS = ("\ufffe", "\x02", "\u00ad")  # what PDFium puts for a hyphen at a line's end
_FULL_LINE_SHARE = 0.8
_ALIKE = 0.12
_SHORTEST_FULL_LINE = 30
_NEW_PARAGRAPH = re.compile(
    r"(?:[-*•·●○■◆▪–—]|\(?\d{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十\d]+[章节条]|[①-⑳]|[A-Za-z][.)]\s)"
)
_SENTENCE_END = re.compile(r"[.!?。！？:：;；][\"'”’」』）)]*$")
_MEANINGLESS_TITLE = re.compile(
    r"(?:untitled.*|无标题.*|文档\d*|document\d*|microsoft word.*|powerpoint presentation|\(?anonymous\)?|\W*\d*\W*"
    r"|\S*\.\w{2,8}|.*\.(?:docx?|pdf|pptx?|xlsx?))",
    re.IGNORECASE,
)  # what programs write when their user has given none


def load_pdf(source: SourceFile, raw: bytes) -> Iterator[Document | DocumentUnreadable]:
    """Yield the one document of a PDF file.

    Metadata: ``pages`` is their number, ``page_starts`` the offsets into the text at which they begin, separated by
    blanks.  A file that is locked by a password, damaged, or made of pictures only raises ``DocumentUnreadable``.
    """
    pages, properties = _read(source, raw)
    levels = heading_levels(line for page in pages for line in page)
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in pages:
        starts.append(length)
        text_of_page = "\n\n".join(_blocks(page, levels))
        if text_of_page:
            parts.append(text_of_page)
            length += len(text_of_page) + 2
    text = "\n\n".join(parts)
    fields = {
        "title": _title(_plain(properties.get("Title", "")), text),
        "author": _plain(properties.get("Author", "")),
        "updated": _date(properties.get("ModDate", "") or properties.get("CreationDate", "")),
        "pages": str(len(pages)),
        "page_starts": " ".join(str(min(start, len(text))) for start in starts),
    }
    yield make_document(source, text, {name: value for name, value in fields.items() if value}, kind="pdf")


def _read(source: SourceFile, raw: bytes) -> tuple[list[list[Line]], dict[str, str]]:
    try:
        with pypdfium2.PdfDocument(raw) as pdf:
            if len(pdf) == 0:
                raise source.unreadable("malformed")
            pages = [_page_lines(page) for page in pdf]
            return pages, pdf.get_metadata_dict()
    except pypdfium2.PdfiumError as error:
        # PDFium reports the error of the file before for some broken ones, so the file is asked too
        locked = getattr(error, "err_code", None) == _PASSWORD_ERROR and b"/Encrypt" in raw
        raise source.unreadable("encrypted" if locked else "malformed") from error


def _page_lines(page: pypdfium2.PdfPage) -> list[Line]:
    textpage = page.get_textpage()
    try:
        return page_lines(textpage)
    finally:
        textpage.close()
        page.close()


def _blocks(lines: Sequence[Line], levels: Mapping[float, int]) -> Iterator[str]:
    """Yield a page's headings, tables and stretches of text."""
    full = _full_width(_plain(line.text) for line in lines)
    texts: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        rows = table_length(lines[position:])
        is_heading = line.size in levels and is_heading_like(line)
        if rows or is_heading:
            yield from _stretch(texts, full)
            texts = []
            cells = [[_plain(cell.text) for cell in row.cells] for row in lines[position : position + rows]]
            yield table(cells) if rows else heading(levels[line.size], _plain(line.text))
        else:
            texts.append(line.text)
        position += rows or 1
    yield from _stretch(texts, full)


def _stretch(lines: Sequence[str], full_width: float) -> Iterator[str]:
    joined = join_wrapped_lines(lines, full_width)
    if joined:
        yield joined


def join_wrapped_lines(lines: Iterable[str], full_width: float) -> str:
    """Return the lines with those joined that are one sentence wrapped at the margin.

    A line goes on in the next one when it nearly fills the page's width and neither ends a sentence nor stands
    before a list mark; short lines (titles, cells of a table) stay alone.
    """
    joined: list[str] = []
    previous = ""
    hyphenated = False
    for written in lines:
        line = _plain(written)
        if previous and line and (hyphenated or _wraps(previous, line, full_width)):
            closely = hyphenated or (_is_wide(previous[-1]) and _is_wide(line[0]))
            joined[-1] += line if closely else f" {line}"
        elif line:
            joined.append(line)
        previous = line
        hyphenated = written.rstrip().endswith(_HYPHENS)
    return "\n".join(joined)


def _plain(text: str) -> str:
    """Return the words with single blanks, without hyphens at a line's end, with ideographs for their look-alikes."""
    for hyphen in _HYPHENS:
        text = text.replace(hyphen, "")
    return " ".join(with_ideographs(clean(text)).split())


def _full_width(lines: Iterable[str]) -> float:
    """Return how wide a line must be to count as one that fills its column, in columns of characters.

    Where most lines are about as wide as each other, that is the column; else the page's widest lines are.
    """
    widths = sorted(_width(line) for line in lines if line)
    if not widths:
        return 0.0
    middle = widths[len(widths) // 2]
    alike = sum(abs(width - middle) <= _ALIKE * middle for width in widths)
    column = middle if alike * 2 > len(widths) else widths[int(len(widths) * 0.9)]
    return max(column * _FULL_LINE_SHARE, _SHORTEST_FULL_LINE)


def _wraps(line: str, following: str, full_width: float) -> bool:
    if not following or _width(line) < full_width:
        return False
    return not _SENTENCE_END.search(line) and not _NEW_PARAGRAPH.match(following)


def _width(line: str) -> int:
    """Count columns: ideographs take two."""
    return sum(2 if _is_wide(character) else 1 for character in line)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _title(declared: str, text: str) -> str:
    """Return the declared title, if a person wrote it, else the first line that is no row of a table."""
    if declared and not _MEANINGLESS_TITLE.fullmatch(declared):
        return declared
    return "" if text.startswith("|") else first_line(text).lstrip("# ")


def _date(written: str) -> str:
    """Read ``D:20260405...`` as ``2026-04-05``."""
    digits = written.removeprefix("D:")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
