"""Writes small workbooks of Excel 97 (BIFF8), as a stream without its OLE container.  Source: [MS-XLS]."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | tuple[float, int] | None
"""Words, or a number and the place of its format in the workbook's list, from 1 on; 0 is none."""

_FIRST_OWN_FORMAT = 164
_GLOBALS, _SHEET = 5, 0x10


@dataclass(frozen=True, slots=True)
class XlsSheet:
    """A sheet; rows, columns and the ends of merged cells count from 0."""

    name: str
    rows: Sequence[Sequence[Cell]]
    is_hidden: bool = False
    hidden_rows: Sequence[int] = ()
    hidden_columns: Sequence[int] = ()
    merged: Sequence[tuple[int, int, int]] = ()
    """Each with its first row, last row and column."""
    merged_columns: Sequence[tuple[int, int, int]] = ()
    """Each with its row, first column and last column."""


def xls_bytes(sheets: Sequence[XlsSheet], formats: Sequence[str]) -> bytes:
    """Return a workbook."""
    head = _beginning(_GLOBALS) + _record(0x42, struct.pack("<H", 1200))  # the code page: UTF-16
    for number, code in enumerate(formats, start=_FIRST_OWN_FORMAT):
        head += _record(0x41E, struct.pack("<H", number) + _text(code))
    head += 5 * _record(0x31, struct.pack("<5H4B", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0) + _text("Arial", "<B"))
    for key in (0, *range(_FIRST_OWN_FORMAT, _FIRST_OWN_FORMAT + len(formats))):
        head += _record(0xE0, struct.pack("<3H4BIIH", 0, key, 0, 32, 0, 0, 0, 0, 0, 0x20C0))
    bodies = [_body(sheet) for sheet in sheets]
    start = len(head) + sum(len(_bound(sheet, 0)) for sheet in sheets) + len(_record(0x0A))
    for sheet, body in zip(sheets, bodies, strict=True):
        head += _bound(sheet, start)
        start += len(body)
    return head + _record(0x0A) + b"".join(bodies)


def _body(sheet: XlsSheet) -> bytes:
    body = _beginning(_SHEET)
    for column in sheet.hidden_columns:
        body += _record(0x7D, struct.pack("<6H", column, column, 2560, 0, 1, 0))
    for row in sheet.hidden_rows:
        body += _record(0x208, struct.pack("<6HI", row, 0, 4, 255, 0, 0, 0x120))
    for first, last, column in sheet.merged:
        body += _record(0xE5, struct.pack("<5H", 1, first, last, column, column))
    for row, first, last in sheet.merged_columns:
        body += _record(0xE5, struct.pack("<5H", 1, row, row, first, last))
    for row, cells in enumerate(sheet.rows):
        for column, value in enumerate(cells):
            if isinstance(value, str):
                body += _record(0x204, struct.pack("<3H", row, column, 0) + _text(value))
            elif value is not None:
                body += _record(0x203, struct.pack("<3Hd", row, column, value[1], value[0]))
    return body + _record(0x0A)


def _bound(sheet: XlsSheet, start: int) -> bytes:
    return _record(0x85, struct.pack("<IBB", start, sheet.is_hidden, 0) + _text(sheet.name, "<B"))


def _beginning(kind: int) -> bytes:
    return _record(0x809, struct.pack("<4HII", 0x600, kind, 0x0DBB, 1996, 0, 6))


def _record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _text(words: str, size: str = "<H") -> bytes:
    return struct.pack(size, len(words)) + b"\x01" + words.encode("utf-16-le")
