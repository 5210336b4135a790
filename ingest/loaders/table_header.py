"""The header of a table: two or three rows of it become one, so that each column's name says all about its values.

A row is found and quoted alone, below the header.  Spreadsheets, Word, OpenDocument and presentations do not say how
many rows their header has, so the cells must tell: a name over several columns, which the row below tells apart.
A data row in the header would be lost, so in doubt the header is one row.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from ingest.loaders.plain_markup import repeated, table

_HIGHEST_HEADER = 3
_SAMPLE_ROWS = 10
_DIGIT = re.compile(r"\d")
_YEAR = re.compile(r"(?:19|20)\d\d\s*年?")
_AMOUNT = re.compile(r"\W{0,3}(?:[A-Z]{2,3}\W{1,3})?\d[\d.,'’\s]*+(?:[A-Z]{3}|万?元|\W{0,3})")


class Covered(str):
    """An empty cell that the cell to its left covers."""

    __slots__ = ()


Row = Sequence[str]


def table_with_title(rows: Sequence[Row], declared_height: int = 0) -> str:
    """Return a table; a cell over its whole width above the header is its title, and stands above it.

    ``declared_height`` is how many rows the document calls the header; 0 where it does not say.
    """
    filled = _filled(rows)
    width = max(map(len, filled), default=0)
    titles = []
    while len(filled) > 2 and _is_title(filled[0], width):
        titles.append(" ".join(filled.pop(0)[0].split()))
    return "\n\n".join([*titles, table(with_one_header(filled, declared_height - len(titles)))])


def with_one_header(rows: Sequence[Row], declared_height: int = 0) -> list[Row]:
    """Return the rows that have words, those of the header as one.

    >>> with_one_header([["Size", "Price", ""], ["", "net", "gross"], ["S", "EUR 5", "EUR 6"]])
    [['Size', 'Price net', 'Price gross'], ['S', 'EUR 5', 'EUR 6']]
    """
    filled = _filled(rows)
    if not filled:
        return []
    width = max(map(len, filled))
    top = [[*row, *[""] * (width - len(row))] for row in filled[: _HIGHEST_HEADER + _SAMPLE_ROWS]]
    height = _header_height(top, declared_height)
    return join_header([*_spread_header(top[:height], filled), *filled[height:]], height)


def join_header(rows: Sequence[Row], height: int) -> list[Row]:
    """Return the rows, the first ``height`` of them as one whose cells have the words of their column, each once."""
    header = [" ".join(filter(None, dict.fromkeys(column))) for column in zip(*rows[:height], strict=True)]
    return [header, *rows[height:]]


def _filled(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if any(cell.strip() for cell in row)]


def _is_title(row: Row, width: int) -> bool:
    covered = [cell for cell in row if isinstance(cell, Covered)]
    return bool(row[0].strip()) and len(covered) == width - 1 > 0


def _header_height(rows: Sequence[Row], declared: int) -> int:
    """Return how many rows are the header: one, where a cell of theirs goes over a row of values as well."""
    is_possible = 1 < declared < len(rows) and declared <= _HIGHEST_HEADER
    if is_possible and not any(_is_amount(cell) for row in rows[:declared] for cell in row):
        return declared
    height = 1
    while height < min(_HIGHEST_HEADER, len(rows) - 1) and _Pair(rows, height).is_header:
        height += 1
    pairs = zip(rows[height - 1], rows[height], strict=True) if height > 1 else ()
    return 1 if any(cell.strip() and cell == below for cell, below in pairs) else height


def _spread_header(header: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return a header in which a cell over several columns has its words in each below which there are some."""
    if any(map(_is_amount, header[0])) or _is_title(header[0], len(header[0])):
        return list(header)
    lines: list[Row] = []
    for number, row in enumerate(header, start=1):
        is_merged = number == len(header) or any(isinstance(cell, Covered) for cell in row)
        line: list[str] = []
        for column, cell in enumerate(row):
            is_part = column > 0 and (isinstance(cell, Covered) if is_merged else not cell.strip())
            line.append(repeated(line[-1]) if is_part and _has_words(islice(rows, number, None), column) else cell)
        lines.append(line)
    return lines


def _has_words(rows: Iterable[Row], column: int) -> bool:
    return any(row[column].strip() for row in rows if len(row) > column)


@dataclass(frozen=True, slots=True)
class _Group:
    """The columns from ``start`` to ``end``, excluded, below one name; ``is_merged`` if the document says so."""

    start: int
    end: int
    is_merged: bool


class _Pair:
    """A row of the header, and the row at ``height`` below it, which may belong to the header too."""

    def __init__(self, rows: Sequence[Row], height: int) -> None:
        self._upper, self._lower = _with_words_above(rows, height - 1), rows[height]
        self._body = rows[height + 1 : height + 1 + _SAMPLE_ROWS]
        self._groups = [group for group in _groups(self._upper) if self._is_divided(group)]

    @property
    def is_header(self) -> bool:
        """Whether the lower row only tells apart the columns below the names of the upper one."""
        if not self._groups or not self._body or any(map(_is_amount, [*self._upper, *self._lower])):
            return False
        if any(group.is_merged for group in self._groups):
            begins_below = not self._upper[0].strip() or self._groups[0].start == 0
            return self._goes_on(0) or (begins_below and (self._is_unlike_body() or self._repeats_names()))
        return self._is_header_without_merged_cells()

    def _is_header_without_merged_cells(self) -> bool:
        inside = {column for group in self._groups for column in range(group.start, group.end)}
        outside = [column for column in range(len(self._upper)) if column not in inside]
        is_even = len({group.end - group.start for group in self._groups}) == 1
        if not is_even or any(map(_has_digit, self._lower)):
            return False
        if outside and all(map(self._goes_on, outside)):
            are_rows_named = all(row[outside[0]].strip() for row in self._body)
            is_blank = not any(self._lower[column].strip() for column in outside)
            return self._is_unlike_body() or (is_blank and are_rows_named and len(self._groups) > 1)
        are_names = all(self._goes_on(column) or not self._upper[column].strip() for column in outside)
        return are_names and self._repeats_names()

    def _is_divided(self, group: _Group) -> bool:
        cells = self._lower[group.start : group.end]
        is_full = all(cell.strip() or isinstance(cell, Covered) for cell in cells)
        return is_full and sum(bool(cell.strip()) for cell in cells) > 1

    def _goes_on(self, column: int) -> bool:
        """Tell whether the upper row's cell goes over the lower row, or stands above an empty one."""
        upper, lower = self._upper[column], self._lower[column]
        return bool(upper.strip()) and (not lower.strip() or lower == upper)

    def _is_unlike_body(self) -> bool:
        """Tell whether most cells below the groups have numbers, and those of the lower row none."""
        columns = [column for group in self._groups for column in range(group.start, group.end)]
        cells = [row[column] for row in self._body for column in columns if row[column].strip()]
        are_words = not any(_has_digit(self._lower[column]) for column in columns)
        return are_words and 2 * sum(map(_has_digit, cells)) > len(cells)

    def _repeats_names(self) -> bool:
        """Tell whether the lower row has the same names in each group, unlike most rows below."""
        return self._is_repetition(self._lower) and 2 * sum(map(self._is_repetition, self._body)) < len(self._body)

    def _is_repetition(self, row: Row) -> bool:
        parts = {tuple(row[group.start : group.end]) for group in self._groups}
        return len(self._groups) > 1 and len(parts) == 1 and all(len(set(part)) == len(part) for part in parts)


def _with_words_above(rows: Sequence[Row], number: int) -> Row:
    if not number:
        return rows[0]
    pairs = zip(rows[number], rows[number - 1], strict=True)
    return [cell if cell.strip() or isinstance(cell, Covered) else above for cell, above in pairs]


def _groups(row: Row) -> list[_Group]:
    """Return the filled cells of a row that have empty ones to their right."""
    starts = [column for column, cell in enumerate(row) if cell.strip()]
    ends = [*starts[1:], len(row)] if starts else []
    found = []
    for start, end in zip(starts, ends, strict=True):
        merged = start + 1
        while merged < end and isinstance(row[merged], Covered):
            merged += 1
        is_merged = merged > start + 1
        if end > start + 1:
            found.append(_Group(start, merged if is_merged else end, is_merged))
    return found


def _has_digit(cell: str) -> bool:
    return _DIGIT.search(cell) is not None and _YEAR.fullmatch(cell.strip()) is None


def _is_amount(cell: str) -> bool:
    return _AMOUNT.fullmatch(cell.strip()) is not None and _YEAR.fullmatch(cell.strip()) is None
