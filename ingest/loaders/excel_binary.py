"""Excel's old binary format."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingest.loaders.encoding import clean
from ingest.loaders.excel_values import in_words, number_in_words
from ingest.loaders.separated import load_csv
from ingest.loaders.sheet import sheet_documents
from ingest.loaders.source import Limits, SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.sheet import Cell

_TEXT_HAS_NO_ZEROS_BYTES = 512


def load_xls(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield a workbook like a new one; or the table of text that a web site named ``.xls``."""
    import xlrd
    import xlrd.biffh

    if b"\x00" not in raw[:_TEXT_HAS_NO_ZEROS_BYTES]:
        yield from load_csv(source, raw, limits)
        return
    try:
        book = xlrd.open_workbook(file_contents=raw, logfile=io.StringIO(), ragged_rows=True)
    except xlrd.biffh.XLRDError as error:
        raise source.unreadable("encrypted" if "encrypted" in str(error) else "malformed") from error
    sheets = [
        (sheet.name, [[_words(cell, book) for cell in sheet.row(number)] for number in range(sheet.nrows)])
        for sheet in book.sheets()
    ]
    yield from sheet_documents(source, sheets, {"author": book.user_name} if book.user_name else {}, limits, "xls")


def _words(cell: "Cell", book: "Book") -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return in_words(xlrd.xldate_as_datetime(float(cell.value), book.datemode))
        except (xlrd.xldate.XLDateError, ValueError, OverflowError):
            return number_in_words(str(cell.value))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(int(cell.value), ""))
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return number_in_words(str(cell.value))
    return clean(str(cell.value)).strip()
