"""Tables by geometry: consecutive lines with gaps at the same places are rows of a table.

So are lines between and below them that stand in its columns: rows with empty cells, and the further lines of wrapped
cells.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise, takewhile

from ingest.loaders.page_lines import HEADING_SCALE, HYPHENS, Cell, Line, is_wide, plain_line

_FEW_COLUMNS = 3  # a table of two has no rows with gaps: they would be lines of text
_LEAST_ROWS = 2  # below a header, where no row has a cell in each column
_MOST_SHORT_ROWS = 2  # above the first row with a cell in each column: a header, and a row with a gap
_MOST_LINES_BETWEEN = 60  # from one row with a cell in each column to the next
_LINES_MEASURED = 100
_WRAPPED_PITCH = 0.85  # of the least distance of two rows: lines of one cell stand closer
_SAME_PITCH = 1.15
_FARTHEST_PITCHES = 1.8
_LEVEL_POINTS = 2.0
_MODELS = 8
_ALIGNED_POINTS = 3.0
_FIGURE = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Span:
    """What the cells of a column take of a line, in points."""

    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Table:
    """The table that begins with a line.

    ``rows`` have a text for each column, the header first; ``length`` counts the lines that they take.
    """

    rows: tuple[tuple[str, ...], ...]
    length: int
    grid: "_Grid"

    def may_hold(self, line: Line) -> bool:
        """Tell whether a line has at least two cells, each in a column of the table."""
        return len(_spots(line, self.grid)) > 1


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table; ``lines`` holds by column the lines of its cell and the baseline of each."""

    lines: tuple[tuple[tuple[Cell, float], ...], ...]
    length: int = 1

    @property
    def cells(self) -> tuple[str, ...]:
        return tuple(_joined_text([cell.text for cell, _ in lines]) for lines in self.lines)

    @property
    def filled(self) -> int:
        return sum(bool(lines) for lines in self.lines)

    @property
    def highest(self) -> float:
        return max(baseline for lines in self.lines for _, baseline in lines)

    @property
    def lowest(self) -> float:
        return min(baseline for lines in self.lines for _, baseline in lines)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table's columns, and the least distance of its rows in points, 0 if unknown.

    ``models`` are rows with a cell in each column, the first of all and the last few.  ``is_measured`` tells that the
    distance was seen more than once; the next row may stand as far off as ``reach``.
    """

    models: tuple[Line, ...]
    columns: tuple[Span, ...]
    pitch: float = 0.0
    is_measured: bool = False
    reach: float = 0.0

    def with_full_row(self, line: Line) -> "_Grid":
        columns = tuple(
            Span(min(span.left, cell.left), max(span.right, cell.right))
            for span, cell in zip(self.columns, line.cells, strict=True)
        )
        models = (self.models[0], *self.models[1:][1 - _MODELS :], line)
        return replace(self, columns=columns, models=models)


def _grid(lines: Sequence[Line], model: Line) -> _Grid:
    """Return the columns of the model, and the distances of the rows below it that have a cell in each column."""
    columns = tuple(Span(cell.left, cell.right) for cell in model.cells)
    distances = list(_distances(lines[:_LINES_MEASURED], model))
    adjoining = [distance for distance, is_adjoining in distances[1:] if is_adjoining]
    others = adjoining or [distance for distance, _ in distances[1:]]  # perhaps from another line of the same row
    least = min([*others, *(distance for distance, _ in distances[:1])], default=0.0)
    is_known = bool(others) and least > 0  # the distance of a header, or from its second line, may be another one
    return _Grid((model,), columns, least if is_known else 0.0, len(others) > 1, _FARTHEST_PITCHES * least)


def _distances(lines: Sequence[Line], model: Line) -> Iterator[tuple[float, bool]]:
    """Yield how far below the lines above each full row stands, and whether a full row is next above it."""
    lowest = math.inf
    for above, line in pairwise(lines):
        is_adjoining = _is_full(above, model)
        lowest = above.baseline if is_adjoining else min(lowest, above.baseline)
        if _is_full(line, model):
            yield lowest - line.baseline, is_adjoining


def find_table(lines: Sequence[Line], above: Table | None = None) -> Table | None:
    """Return the table that begins with the first of some lines.

    Rows have gaps where the columns of the fullest rows have them.  A table needs two adjoining full rows; with three
    columns it may also have rows with gaps between them, or above them, or below its header alone.  ``above`` is the
    table with which the page before ends: rows in its columns go on with it, and have its header.
    """
    if above is not None:
        continued = _continued(lines, above)
        if continued is not None:
            return continued
    for start in range(min(_MOST_SHORT_ROWS, len(lines) - 1), 0, -1):
        found = _below_short_rows(lines, start)
        if found is not None:
            return found
    return _from_full_row(lines)


def _from_full_row(lines: Sequence[Line]) -> Table | None:
    width = len(lines[0].cells)
    if width < 2 or len(lines) < 2 or (width < _FEW_COLUMNS and not _is_full(lines[1], lines[0])):
        return None
    found = _extended(lines, _grid(lines, lines[0]), _row(lines[0], range(width), width))
    full = [line for line in lines[1 : found.length] if _is_full(line, lines[0])]
    if full and (full[0] is lines[1] or _is_set_alike(full[0].cells[0], lines[0].cells[0])):
        return found
    return _below_header(lines)


def _below_header(lines: Sequence[Line]) -> Table | None:
    """Return a table all of whose rows have gaps: each cell must be set as the header above it is."""
    header = lines[0]
    if (
        len(header.cells) < _FEW_COLUMNS
        or len(lines) <= _LEAST_ROWS
        or header.size >= HEADING_SCALE * lines[1].size > 0
    ):
        return None
    grid = _grid([], header)
    reach = _FARTHEST_PITCHES * (header.baseline - lines[1].baseline)
    rows = [_row(header, range(len(header.cells)), len(header.cells))]
    for line in lines[1:]:
        spots = _spots(line, grid)
        if len(spots) < 2 or line.size != lines[1].size or not _has_edges_of(line, spots, header):
            break
        if header.baseline and not 0 < rows[-1].lowest - line.baseline <= reach:
            break
        rows.append(_row(line, spots, len(header.cells)))
    return _table(rows, grid) if len(rows) > _LEAST_ROWS and _is_spaced(header) else None


def _below_short_rows(lines: Sequence[Line], start: int) -> Table | None:
    """Return a table whose first rows, up to ``start``, have fewer cells than the one below them."""
    width = len(lines[start].cells)
    short = lines[:start]
    if width < _FEW_COLUMNS or any(not 2 <= len(line.cells) < width <= 2 * len(line.cells) for line in short):
        return None
    below = _from_full_row(lines[start:])
    if below is None or not any(_is_full(line, lines[start]) for line in lines[start + 1 : start + below.length]):
        return None
    rows = []
    for line, following in pairwise(lines[: start + 1]):
        spots = _spots(line, below.grid)
        is_near = not line.baseline or 0 < line.baseline - following.baseline <= below.grid.reach
        if not spots or line.size != lines[start].size or not is_near:
            return None
        rows.append(_row(line, spots, width))
    return replace(below, rows=(*_table(rows, below.grid).rows, *below.rows), length=start + below.length)


def _continued(lines: Sequence[Line], above: Table) -> Table | None:
    """Return the rows with which a page goes on with the table of the page before, below its header."""
    header = above.rows[0]
    first = lines[0]
    measured = _grid(lines, above.grid.models[0])
    pitch = min(filter(None, (measured.pitch, above.grid.pitch)), default=0.0)
    grid = replace(above.grid, pitch=pitch, reach=max(measured.reach, above.grid.reach))
    spots = _spots(first, grid)
    if len(spots) < 2 or len(header) > 2 * len(spots) or not _has_header(above):
        return None
    found = _extended(lines, grid, _row(first, spots, len(header)))
    row, *others = found.rows
    if row == header:
        return found if others else None
    return None if _is_header(row, above, others) else replace(found, rows=(header, *found.rows))


def _has_header(found: Table) -> bool:
    """Tell whether a table's first row is its header: not data, no label of a form, and nothing that a row repeats."""
    header, *rows = found.rows
    if all(map(_FIGURE.search, header)) or any(cell.endswith((":", "：")) for cell in header):
        return False
    return not any(cell and cell == other for row in rows for cell, other in zip(header, row, strict=True))


def _is_header(row: Sequence[str], above: Table, others: Sequence[Sequence[str]]) -> bool:
    """Tell whether a row is rather a header: without figures, in the columns that have only figures above and below."""
    header, *rows = above.rows
    if all(cell.startswith(part) for cell, part in zip(header, row, strict=True)):
        return True
    columns = enumerate(zip(*rows, *others[:1], strict=True))
    figures = [n for n, column in columns if any(column) and all(map(_FIGURE.search, filter(None, column)))]
    return bool(others and figures) and not any(_FIGURE.search(row[number]) for number in figures)


def _extended(lines: Sequence[Line], grid: _Grid, first: _Row) -> Table:
    """Return a table with those of the lines below its first row that are rows of it, or further lines of its cells."""
    width = len(grid.columns)
    rows = [first]
    start = 1
    while (end := _next_full_row(lines, start, grid.models[0])) is not None:
        wider = grid.with_full_row(lines[end])
        between = _short_rows(lines[start:end], wider, rows, lines[end].size)
        if between is None:
            break
        full = _row(lines[end], range(width), width)
        if len(between) > 1 and _goes_on(full, between, wider):
            full = _joined(between.pop(), full)
        if not _may_stand_between([*between, full], wider):
            break
        grid = wider
        rows[-1:] = [*between, full]
        start = end + 1
    rows[-1:] = _rows_below(lines[start : start + _MOST_LINES_BETWEEN], grid, rows, lines[start - 1].size)
    return _table(rows, grid)


def _table(rows: Sequence[_Row], grid: _Grid) -> Table:
    return Table(tuple(row.cells for row in rows), sum(row.length for row in rows), grid)


def _next_full_row(lines: Sequence[Line], start: int, model: Line) -> int | None:
    """Return the number of the next line with a cell in each column; None if another line ends the table before."""
    for number, line in enumerate(lines[start : start + _MOST_LINES_BETWEEN + 1], start):
        if _is_full(line, model):
            return number
        if not 0 < len(line.cells) < len(model.cells):
            return None
    return None


def _is_full(line: Line, model: Line) -> bool:
    if len(line.cells) != len(model.cells):
        return False
    return _fits_columns(line.cells, model.cells) and _fits_columns(model.cells, line.cells)


def _fits_columns(cells: Sequence[Cell], others: Sequence[Cell]) -> bool:
    """Tell whether every cell ends before the other row's next column begins: a header may be centred."""
    return all(cell.right < following.left for cell, following in zip(cells, others[1:], strict=False))


def _short_rows(lines: Sequence[Line], grid: _Grid, above: Sequence[_Row], size: float) -> list[_Row] | None:
    """Return the last row above and those of the lines; None if one of them does not stand in the columns."""
    rows = [above[-1]]
    for line in lines:
        spots = _spots(line, grid)
        if not spots or line.size != size:
            return None
        row = _row(line, spots, len(grid.columns))
        is_below_header = len(above) == len(rows) == 1
        rows = _with_cell_gathered(rows, row)
        if (grid.is_measured or not is_below_header) and _goes_on(row, rows, grid):
            rows[-1] = _joined(rows[-1], row)
        elif line.baseline and not 0 < rows[-1].lowest - line.baseline <= grid.reach:
            return None
        else:
            rows.append(row)
    return rows


def _rows_below(lines: Sequence[Line], grid: _Grid, above: Sequence[_Row], size: float) -> list[_Row]:
    """Return the last row above and as many rows of the lines below it as are certain."""
    in_columns = list(takewhile(lambda line: line.size == size and _spots(line, grid), lines))
    for length in range(len(in_columns), 0, -1):
        rows = _short_rows(in_columns[:length], grid, above, size)
        if rows is not None:
            return [rows[0], *takewhile(lambda row: row.filled > 1, rows[1:])]
    return [above[-1]]


def _may_stand_between(rows: Sequence[_Row], grid: _Grid) -> bool:
    """Tell whether a table has the rows between its first and last: one cell only in line with them."""
    if len(rows) == 2:
        return True
    distances = [above.lowest - row.highest for above, row in pairwise(rows)]
    if len(grid.columns) < _FEW_COLUMNS or (rows[0].lowest and distances[-1] > grid.reach):
        return False
    return all(
        row.filled > 1 or 0 < max(near) <= _SAME_PITCH * grid.pitch
        for row, near in zip(rows[1:-1], pairwise(distances), strict=True)
    )


def _spots(line: Line, grid: _Grid) -> tuple[int, ...]:
    """Return the column of each of a line's cells; none if one of them is not clearly in a single column."""
    spots: list[int] = []
    for cell in line.cells:
        over = [n for n, span in enumerate(grid.columns) if cell.left < span.right and span.left < cell.right]
        if len(over) != 1 or (spots and over[0] <= spots[-1]):
            return ()
        if not any(_is_set_alike(cell, model.cells[over[0]]) for model in grid.models):
            return ()
        spots.append(over[0])
    return tuple(spots) if _is_spaced(line) else ()


def _is_spaced(line: Line) -> bool:
    """Tell whether a line's cells are more than its words: the size of some fonts says nothing."""
    height = line.top - line.bottom
    return all(after.left - before.right >= height for before, after in pairwise(line.cells))


def _is_set_alike(cell: Cell, other: Cell) -> bool:
    """Tell whether two cells begin or end at the same place, or are centred at it."""
    edges = cell.left - other.left, cell.right - other.right, (cell.left + cell.right - other.left - other.right) / 2
    return min(map(abs, edges)) <= _ALIGNED_POINTS


def _has_edges_of(line: Line, spots: Sequence[int], model: Line) -> bool:
    """Tell whether every cell begins or ends where the model's in its column does."""
    pairs = [(cell, model.cells[spot]) for cell, spot in zip(line.cells, spots, strict=True)]
    return all(
        min(abs(cell.left - other.left), abs(cell.right - other.right)) <= _ALIGNED_POINTS for cell, other in pairs
    )


def _row(line: Line, spots: Sequence[int], width: int) -> _Row:
    lines = {spot: ((cell, line.baseline),) for spot, cell in zip(spots, line.cells, strict=True)}
    return _Row(tuple(lines.get(number, ()) for number in range(width)))


def _with_cell_gathered(rows: list[_Row], row: _Row) -> list[_Row]:
    """Return the rows, the last ones as one where a cell beside them comes next: they are the lines of one cell."""
    end = len(rows)
    while end > 2 and rows[end - 1].filled == 1 and rows[end - 1].highest < row.lowest - _LEVEL_POINTS:
        if not _is_below(rows[end - 1], rows[end - 2]):
            break
        end -= 1
    return [*rows[: end - 1], reduce(_joined, rows[end - 1 :])]


def _is_below(row: _Row, above: _Row) -> bool:
    """Tell whether two rows have a single cell each, in the same column."""
    pairs = [(lines[0], others[-1]) for lines, others in zip(row.lines, above.lines, strict=True) if lines and others]
    return above.filled == 1 and len(pairs) == 1 and _is_set_alike(pairs[0][0][0], pairs[0][1][0])


def _goes_on(row: _Row, rows: Sequence[_Row], grid: _Grid) -> bool:
    """Tell whether a line goes on with the last row: its wrapped cells, or cells beside wrapped ones."""
    above = rows[-1]
    if not grid.pitch or not row.lowest:
        return False
    shared = [(lines[0], others[-1]) for lines, others in zip(row.lines, above.lines, strict=True) if lines and others]
    wrapped_pitch = _WRAPPED_PITCH * grid.pitch
    if row.lowest > above.lowest - _LEVEL_POINTS:  # drawn after the cells to the left of it
        is_below_others = len(rows) > 1 and row.highest <= rows[-2].lowest - wrapped_pitch
        return is_below_others and all(other[1] > line[1] for line, other in shared)
    if above.lowest - row.lowest > wrapped_pitch or not shared:
        return False
    if not all(_is_set_alike(line[0], other[0]) for line, other in shared):
        return False
    return row.filled == 1 or not any(
        _FIGURE.search(line[0].text) and _FIGURE.search(other[0].text) for line, other in shared
    )


def _joined(above: _Row, row: _Row) -> _Row:
    lines = tuple(one + other for one, other in zip(above.lines, row.lines, strict=True))
    return _Row(lines, above.length + row.length)


def _joined_text(lines: Sequence[str]) -> str:
    joined = ""
    for line in lines:
        closely = joined.endswith(HYPHENS) or (joined and line and is_wide(joined[-1]) and is_wide(line[0]))
        joined += line if closely or not joined else f" {line}"
    return plain_line(joined)
