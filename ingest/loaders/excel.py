"""Excel: a heading a sheet, its tables below, and the words of its text boxes; the old binary format as well.

Numbers are written as people read them: percents, prices, codes and dates are numbers with a format.  What the sheet
hides is left out.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Self

from lxml import etree

from ingest.loaders.encoding import clean
from ingest.loaders.number_format import shown_number
from ingest.loaders.office_xml import Element, OfficePackage, attribute, child, descendants, local_name
from ingest.loaders.plain_markup import link, repeated
from ingest.loaders.sheet import Row, load_csv, sheet_documents
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.table_header import Covered
from rag.errors import DocumentUnreadable
from rag.schema import Document

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.sheet import Cell, Sheet

_ACCOUNTING = {44: '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)'}  # openpyxl lacks its semicolons


@dataclass(frozen=True, slots=True)
class NumberFormats:
    """The format codes of a workbook's styles, those that show dates, and the epoch of the dates."""

    codes: tuple[str, ...]
    dates: frozenset[int]
    from_1904: bool

    @classmethod
    def of(cls, styles: Element | None, workbook: Element | None) -> Self:
        """Read the cells' formats, even from otherwise broken styles."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

        codes = {number: str(code) for number, code in BUILTIN_FORMATS.items()} | _ACCOUNTING
        for entry in _entries(styles, "numFmts"):
            if attribute(entry, "numFmtId").isdecimal():
                codes[int(attribute(entry, "numFmtId"))] = attribute(entry, "formatCode")
        formats = [attribute(entry, "numFmtId") for entry in _entries(styles, "cellXfs")]
        used = tuple(codes.get(int(number), "") if number.isdecimal() else "" for number in formats)
        dates = frozenset(style for style, code in enumerate(used) if is_date_format(code))
        return cls(used, dates, attribute(workbook, "date1904") in _YES)

    def words(self, written: str, style: str) -> str:
        """Return a number as its style shows it; as itself where the style is none that can be shown."""
        try:
            number = float(written)
        except ValueError:
            return clean(written)
        place = int(style) if style.isdecimal() else len(self.codes)
        shown = shown_number(number, self.codes[place]) if place < len(self.codes) else None
        if shown is not None:
            return shown
        return (self._date_words(number) if place in self.dates else "") or number_words(written)

    def _date_words(self, number: float) -> str:
        from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

        try:
            return date_words(from_excel(number, CALENDAR_MAC_1904 if self.from_1904 else CALENDAR_WINDOWS_1900))
        except (ValueError, OverflowError):
            return ""


def date_words(moment: datetime | date | time | timedelta | None) -> str:
    """Return a date without its midnight."""
    if isinstance(moment, datetime):
        is_day = moment.time() == time()
        return moment.date().isoformat() if is_day else moment.isoformat(" ", "minutes")
    return str(moment) if moment is not None else ""


def number_words(written: str) -> str:
    """Return a number without rounding errors.

    >>> number_words("79.0"), number_words("0.30000000000000004"), number_words("n/a")
    ('79', '0.3', 'n/a')
    """
    try:
        number = float(written)
    except ValueError:
        return written
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.10g}"


def _entries(styles: Element | None, name: str) -> Iterator[Element]:
    parent = child(styles, name)
    yield from (entry for entry in parent if local_name(entry)) if parent is not None else ()


_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_YES = ("1", "true")
_MOST_MERGED_ROWS = 1000
_MOST_MERGED_COLUMNS = 100
_CELLS_NAMED = 5
_LARGEST_COLUMN = 1000  # a row that is coloured to its end has 16,384 cells
_HIDDEN_STATES = ("hidden", "veryHidden")
_SHEETS = ("worksheet", "dialogsheet", "macrosheet")


def load_xlsx(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the workbook as one document; a document a row where a sheet's header names question and answer."""
    package = OfficePackage(source, raw, limits)
    main, workbook = package.document()
    relationships = package.relationships(main)
    book = _Workbook(
        package,
        list(_shared_strings(package, package.related_part(main, "sharedStrings"))),
        NumberFormats.of(package.tree(package.related_part(main, "styles")), child(workbook, "workbookPr")),
    )
    sheets = []
    for entry in descendants(workbook, "sheet"):
        found = relationships.get(_relationship_id(entry))
        if found is not None and found.kind in _SHEETS and entry.get("state") not in _HIDDEN_STATES:
            name = str(entry.get("name") or "")
            sheets.append((name, book.rows(found.target)))
            yield from book.remarks(source, name)
    yield from sheet_documents(source, sheets, package.properties(), limits, "xlsx")


def _relationship_id(entry: Element) -> str:
    """Return the id of the reference to a sheet's part: ``r:id``, not the sheet's own ``id``."""
    return next((str(value) for key, value in entry.attrib.items() if str(key).endswith("}id")), "")


def _shared_strings(package: OfficePackage, name: str) -> Iterator[str]:
    for item in _elements(package.content(name), "si"):
        yield _words(item)


def _elements(content: bytes, *names: str) -> Iterator[Element]:
    """Yield the elements of these names while parsing, each freed before the next."""
    if not content.strip():
        return
    tags = [f"{{*}}{name}" for name in names]
    for _, element in etree.iterparse(io.BytesIO(content), tag=tags, resolve_entities=False, recover=True):
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _words(item: Element) -> str:
    """Return a string with all its formatted runs, without the phonetic guides of East Asian names."""
    aids = {found for aid in descendants(item, "rPh") for found in descendants(aid, "t")}
    return clean("".join(found.text or "" for found in descendants(item, "t") if found not in aids)).strip()


@dataclass(frozen=True, slots=True)
class _Workbook:
    """A workbook that is being read.  ``unvalued`` are the cells so far whose formulas have no stored value."""

    package: OfficePackage
    strings: list[str]
    numbers: NumberFormats
    unvalued: list[str] = field(default_factory=list)

    def remarks(self, source: SourceFile, sheet: str) -> Iterator[DocumentUnreadable]:
        """Yield a remark about the formulas without a value since the last call, which a ``sheet`` has; or nothing."""
        if self.unvalued:
            more = ", …" if len(self.unvalued) > _CELLS_NAMED else ""
            yield source.unreadable("formula", f"{sheet}: {', '.join(self.unvalued[:_CELLS_NAMED])}{more}")
            self.unvalued.clear()

    def rows(self, name: str) -> list[Row]:
        """Return a sheet's visible rows as text, with runs of blank rows as one, and its text boxes below."""
        content = self.package.content(name)
        links = self._links(name, content)
        merged = _merged_ends(content)
        standing: dict[int, tuple[int, str]] = {}
        hidden: set[int] = set()
        rows: list[Row] = []
        last = 0
        is_apart = False
        for element in _elements(content, "col", "row"):
            if local_name(element) == "col":
                hidden |= _hidden_columns(element)
                continue
            written = element.get("r")
            place = int(written) if written is not None and written.isdigit() else last + 1
            cells = self._row(element, place, links)
            row = _with_merged(cells, place, merged, standing)
            is_apart = is_apart or place > last + 1
            last = place
            if element.get("hidden") in _YES:
                continue
            row = ["" if column in hidden else words for column, words in enumerate(row, start=1)]
            if not any(row):
                is_apart = True
                continue
            if rows and is_apart:
                rows.append([])
            rows.append(row)
            is_apart = False
        boxes = list(self._boxes(name))
        return [*rows, [], *([box] for box in boxes)] if boxes else rows

    def _row(self, element: Element, row: int, links: Mapping[tuple[int, int], str]) -> list[str]:
        cells: list[str] = []
        column = 0
        for cell in element:
            place = _cell_position(str(cell.get("r") or ""))
            column = place[1] if place is not None else column + 1
            if local_name(cell) != "c" or column > _LARGEST_COLUMN:
                continue
            words = self._cell(cell)
            if words:
                cells += [""] * (column - 1 - len(cells))
                cells[column - 1 :] = [link(words, links.get((row, column), ""))]
        return cells

    def _cell(self, cell: Element) -> str:
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            return _words(cell)
        value = child(cell, "v")
        written = (value.text or "").strip() if value is not None else ""
        if not written and kind != "str" and child(cell, "f") is not None:  # the result of "str" may be empty
            self.unvalued.append(str(cell.get("r") or "?"))
        if kind == "s":
            return self.strings[int(written)] if written.isdigit() and int(written) < len(self.strings) else ""
        if kind == "b" and written:
            return "TRUE" if written == "1" else "FALSE"
        if kind == "n" and written:
            return self.numbers.words(written, str(cell.get("s") or "0"))
        return clean(written)

    def _links(self, name: str, content: bytes) -> dict[tuple[int, int], str]:
        targets = {key: found.target for key, found in self.package.relationships(name).items() if found.external}
        links: dict[tuple[int, int], str] = {}
        for found in _elements(content, "hyperlink") if targets else ():
            place = _cell_position(str(found.get("ref") or ""))
            target = targets.get(_relationship_id(found))
            if place is not None and target:
                links[place] = target
        return links

    def _boxes(self, name: str) -> Iterator[str]:
        drawing = self.package.tree(self.package.related_part(name, "drawing"))
        for body in descendants(drawing, "txBody") if drawing is not None else ():
            lines = ("".join(found.text or "" for found in descendants(line, "t")) for line in descendants(body, "p"))
            words = " ".join(filter(None, (clean(line).strip() for line in lines)))
            if words:
                yield words


def _hidden_columns(element: Element) -> set[int]:
    first, last = str(element.get("min") or ""), str(element.get("max") or "")
    if element.get("hidden") not in _YES or not first.isdecimal() or not last.isdecimal():
        return set()
    return set(range(int(first), min(int(last), _LARGEST_COLUMN) + 1))


def _merged_ends(content: bytes) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the last rows and columns of merged cells, by their first row and column."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for element in _elements(content, "row", "mergeCell") if b"mergeCell" in content else ():
        first, _, last = str(element.get("ref") or "").partition(":")
        start, end = _cell_position(first), _cell_position(last)
        if start is not None and end is not None:
            found[start] = (min(end[0], start[0] + _MOST_MERGED_ROWS), min(end[1], start[1] + _MOST_MERGED_COLUMNS))
    return found


def _with_merged(
    cells: list[str],
    row: int,
    merged: Mapping[tuple[int, int], tuple[int, int]],
    standing: dict[int, tuple[int, str]],
) -> list[str]:
    """Return a row with the words of the cells above that cover it too, unless it has no words of its own.

    ``standing`` keeps the last row and the words of such cells by column, for the rows below.
    """
    filled = list(cells)
    for column, (last, words) in list(standing.items()):
        if row > last:
            del standing[column]
        elif cells and not (cells[column - 1 : column] and cells[column - 1]):
            filled += [""] * (column - len(filled))
            filled[column - 1] = words
    for column, words in enumerate(cells, start=1):
        if words and (row, column) in merged:
            last, last_column = merged[row, column]
            if last > row:
                standing[column] = (last, repeated(words))
            filled += [""] * (last_column - len(filled))
            filled[column:last_column] = [below or Covered() for below in filled[column:last_column]]
    return filled


def _cell_position(reference: str) -> tuple[int, int] | None:
    """Return row and column from 1 on of ``C5``."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]), column


_TEXT_HAS_NO_ZEROS_BYTES = 512


def load_xls(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield a workbook like a new one; or the table of text that a web site named ``.xls``."""
    import xlrd
    import xlrd.biffh

    if b"\x00" not in raw[:_TEXT_HAS_NO_ZEROS_BYTES]:
        yield from load_csv(source, raw, limits)
        return
    try:
        book = _open_xls(raw)
    except xlrd.biffh.XLRDError as error:
        raise source.unreadable("encrypted" if "encrypted" in str(error) else "malformed") from error
    sheets = [(sheet.name, list(_xls_rows(sheet, book))) for sheet in book.sheets() if not sheet.visibility]
    yield from sheet_documents(source, sheets, {"author": book.user_name} if book.user_name else {}, limits, "xls")


def _open_xls(raw: bytes) -> "Book":
    """Open a workbook with its formats, which say what is hidden; without them where they are broken."""
    import xlrd

    try:
        return xlrd.open_workbook(file_contents=raw, logfile=io.StringIO(), ragged_rows=True, formatting_info=True)
    except Exception:  # noqa: BLE001 - xlrd raises whatever a broken record leads to
        return xlrd.open_workbook(file_contents=raw, logfile=io.StringIO(), ragged_rows=True)


def _xls_rows(sheet: "Sheet", book: "Book") -> Iterator[Row]:
    """Yield the visible rows and columns; a cell over several rows has its words in each."""
    merged = {
        (first + 1, left + 1): (min(end, first + _MOST_MERGED_ROWS), min(right, left + _MOST_MERGED_COLUMNS))
        for first, end, left, right in sheet.merged_cells
    }
    hidden = {column for column, info in sheet.colinfo_map.items() if info.hidden}
    standing: dict[int, tuple[int, str]] = {}
    for number in range(sheet.nrows):
        cells = [_cell_words(cell, book) for cell in sheet.row(number)]
        row = _with_merged(cells if any(cells) else [], number + 1, merged, standing)
        info = sheet.rowinfo_map.get(number)
        if info is None or not info.hidden:
            yield ["" if column in hidden else words for column, words in enumerate(row)]


def _cell_words(cell: "Cell", book: "Book") -> str:
    import xlrd

    if cell.ctype in (xlrd.XL_CELL_DATE, xlrd.XL_CELL_NUMBER):
        shown = shown_number(float(cell.value), _xls_format(cell, book))
        if shown is not None:
            return shown
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return date_words(xlrd.xldate_as_datetime(float(cell.value), book.datemode))
        except (xlrd.xldate.XLDateError, ValueError, OverflowError):
            return number_words(str(cell.value))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(int(cell.value), ""))
    if cell.ctype == xlrd.XL_CELL_NUMBER:
        return number_words(str(cell.value))
    return clean(str(cell.value)).strip()


def _xls_format(cell: "Cell", book: "Book") -> str:
    """Return the cell's format code; empty where the workbook was opened without its formats or lacks this one."""
    place = cell.xf_index
    if place is None or place >= len(book.xf_list):
        return ""
    found = book.format_map.get(book.xf_list[place].format_key)
    return str(found.format_str) if found is not None else ""
