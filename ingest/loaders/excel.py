"""Spreadsheets: a heading a sheet, its tables below."""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.office_xml import OfficePackage
from ingest.loaders.package import open_package
from ingest.loaders.plain_markup import heading, link
from ingest.loaders.records import record_documents
from ingest.loaders.sheet import Row, question_records, sheet_text
from ingest.loaders.source import Limits, SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.sheet import Cell

_LARGEST_COLUMNS = 1000
_HYPERLINK = re.compile(rb"<(?:\w+:)?hyperlink\s[^>]*>")
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*["']([^"']*)["']""")


def load_xlsx(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the workbook as one document; a document a row where a sheet's header names question and answer."""
    from openpyxl import load_workbook

    package = OfficePackage(open_package(source, raw, limits))  # its size unpacked is checked before anything is
    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    sheets = []
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # what the file says of its size is often wrong
        links = _links(package, str(getattr(sheet, "_worksheet_path", "")))
        sheets.append((sheet.title, list(_rows(sheet.iter_rows(max_col=_LARGEST_COLUMNS, values_only=True), links))))
    yield from sheet_documents(source, sheets, package.properties(), limits, "xlsx")


def _links(package: OfficePackage, name: str) -> dict[tuple[int, int], str]:
    """Return where cells lead to, by row and column from 1: the library leaves that out when it reads row by row."""
    from openpyxl.utils.cell import coordinate_to_tuple

    targets = {key: found.target for key, found in package.relationships(name).items() if found.external}
    if not targets:
        return {}
    links: dict[tuple[int, int], str] = {}
    for found in _HYPERLINK.finditer(package.content(name)):
        attributes = dict(_ATTRIBUTE.findall(found[0].decode("utf-8", "replace")))
        target = targets.get(attributes.get("id", ""))
        if target:
            links[coordinate_to_tuple(attributes.get("ref", "A1").split(":")[0])] = target
    return links


def load_xls(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield a workbook in Excel's old binary format, like a new one."""
    import xlrd
    import xlrd.biffh

    if b"\x00" not in raw[:512]:  # a table of text that a web site named .xls
        from ingest.loaders.separated import load_csv

        yield from load_csv(source, raw, limits)
        return
    try:
        book = xlrd.open_workbook(file_contents=raw, logfile=io.StringIO(), ragged_rows=True)
    except xlrd.biffh.XLRDError as error:
        raise source.unreadable("encrypted" if "encrypted" in str(error) else "malformed") from error
    sheets = [
        (sheet.name, [[_old_words(cell, book) for cell in sheet.row(number)] for number in range(sheet.nrows)])
        for sheet in book.sheets()
    ]
    yield from sheet_documents(source, sheets, {"author": book.user_name} if book.user_name else {}, limits, "xls")


def sheet_documents(
    source: SourceFile, sheets: Sequence[tuple[str, Sequence[Row]]], fields: dict[str, str], limits: Limits, kind: str
) -> Iterator[Document | DocumentUnreadable]:
    """Yield the questions of every sheet that holds some, and the other sheets together as one document."""
    texts = []
    asked = 0
    for name, rows in sheets:
        records = question_records(rows)
        asked += len(records)
        if asked > limits.parts:
            raise source.unreadable("too_many")
        yield from record_documents(source, records, kind=kind, where=f"{name}, row")
        text = "" if records else sheet_text(rows)
        if text:
            texts.append(f"{heading(2, name)}\n\n{text}")
    if texts or not asked:
        yield make_document(source, "\n\n".join(texts), fields, kind=kind)


def _rows(rows: Iterable[Sequence[object]], links: Mapping[tuple[int, int], str]) -> Iterator[list[str]]:
    """Yield the rows in words, without endless blank ones."""
    blank = 0
    for number, row in enumerate(rows, start=1):
        words = [_words(value) for value in row]
        if links:
            words = [link(cell, links.get((number, column), "")) for column, cell in enumerate(words, start=1)]
        while words and not words[-1]:
            words.pop()
        blank = 0 if words else blank + 1
        if blank <= 1:
            yield words


def _words(value: object) -> str:
    """Return a cell as a person reads it: whole numbers without a point, dates without a midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.10g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return clean(str(value)).strip()


def _old_words(cell: "Cell", book: "Book") -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _words(xlrd.xldate_as_datetime(float(cell.value), book.datemode))
        except (xlrd.xldate.XLDateError, ValueError, OverflowError):
            return _words(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _words(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(int(cell.value), ""))
    return _words(cell.value)
