"""PDF: the text of the pages, with wrapped lines joined into paragraphs and the pages' places kept in the metadata."""

import re
import unicodedata
from collections.abc import Iterator

import pypdfium2

from ingest.loaders.encoding import clean
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.radicals import with_ideographs
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD, https://pdfium.googlesource.com/pdfium/+/main/public/fpdfview.h
_HYPHENS = ("\ufffe", "\x02", "\u00ad")  # what PDFium puts for a hyphen at a line's end
_FULL_LINE_SHARE = 0.8
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
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in pages:
        starts.append(length)
        if page:
            parts.append(page)
            length += len(page) + 2
    text = "\n\n".join(parts)
    fields = {
        "title": _title(with_ideographs(clean(properties.get("Title", ""))), text),
        "author": with_ideographs(clean(properties.get("Author", ""))).strip(),
        "updated": _date(properties.get("ModDate", "") or properties.get("CreationDate", "")),
        "pages": str(len(pages)),
        "page_starts": " ".join(str(min(start, len(text))) for start in starts),
    }
    yield make_document(source, text, {name: value for name, value in fields.items() if value}, kind="pdf")


def _read(source: SourceFile, raw: bytes) -> tuple[list[str], dict[str, str]]:
    try:
        with pypdfium2.PdfDocument(raw) as pdf:
            if len(pdf) == 0:
                raise source.unreadable("malformed")
            pages = [_page_text(page) for page in pdf]
            return pages, pdf.get_metadata_dict()
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == _PASSWORD_ERROR
        raise source.unreadable("encrypted" if locked else "malformed") from error


def _page_text(page: pypdfium2.PdfPage) -> str:
    textpage = page.get_textpage()
    try:
        return join_wrapped_lines(textpage.get_text_range())
    finally:
        textpage.close()
        page.close()


def join_wrapped_lines(page_text: str) -> str:
    """Return a page's lines with those joined that are one sentence wrapped at the margin.

    A line goes on in the next one when it nearly fills the page's width and neither ends a sentence nor stands
    before a list mark; short lines (titles, cells of a table) stay alone.
    """
    for hyphen in _HYPHENS:
        page_text = page_text.replace(hyphen + "\r\n", hyphen).replace(hyphen + "\n", hyphen).replace(hyphen, "")
    plain = with_ideographs(clean(page_text))
    lines = [" ".join(line.split()) for line in plain.split("\n")]
    widths = sorted(_width(line) for line in lines if line)
    if not widths:
        return ""
    full = max(widths[int(len(widths) * 0.9)] * _FULL_LINE_SHARE, _SHORTEST_FULL_LINE)
    joined: list[str] = []
    previous = ""
    for line in lines:
        if _wraps(previous, line, full):
            joined[-1] += line if _is_wide(previous[-1]) and _is_wide(line[0]) else f" {line}"
        else:
            joined.append(line)
        previous = line
    return "\n".join(line for line in joined if line)


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
    words = " ".join(declared.split())
    return first_line(text) if not words or _MEANINGLESS_TITLE.fullmatch(words) else words


def _date(written: str) -> str:
    """Read ``D:20260405...`` as ``2026-04-05``."""
    digits = written.removeprefix("D:")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else ""
