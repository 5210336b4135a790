"""Turns the lines of a page, of PDF or from recognition, into headings, tables and paragraphs.

A page has only words with a size and a place.  A line clearly larger than the document's body is a heading;
consecutive lines with gaps at the same places are rows of a table, and so are lines between and below them that stand
in its columns: rows with empty cells, and the further lines of wrapped ones.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise, takewhile

from ingest.loaders.encoding import clean
from ingest.loaders.plain_markup import heading, table

_HEADING_SCALE = 1.15
_HEADING_LIMIT_CHARACTERS = 100
_HEADING_LINES_SHARE = 0.4  # where more lines are large it is a slide or a form, and size says nothing
_DEEPEST_LEVEL = 4
_LETTER = re.compile(r"[^\W\d_]")
_HYPHENS = ("\ufffe", "\x02", "\u00ad")  # what PDFium puts for a hyphen at a line's end
CELL_GAP_EMS = 1.2  # between the cells of a table; wider than any space between words, also in justified text
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
_FULL_LINE_SHARE = 0.8
_ALIKE = 0.12
_SHORTEST_FULL_LINE = 30
_NEW_PARAGRAPH = re.compile(
    r"(?:[-*•·●○■◆▪–—]|\(?\d{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十\d]+[章节条]|[①-⑳]|[A-Za-z][.)]\s)"
)
_SENTENCE_END = re.compile(r"[.!?。！？:：;；][\"'”’」』）)]*$")
# PDF fonts that hold one glyph for the radical ⻛ and the ideograph 风 often map it to the radical, and no search finds
# the word.  NFKC mends the Kangxi radicals and the compatibility ideographs; it leaves the simplified forms of the
# supplement alone, so they are listed here (Unicode's property Equivalent_Unified_Ideograph, UAX #38).
_SUPPLEMENT = (
    "⺁厂⺂乛⺃乚⺄乙⺅亻⺆冂⺇𠘨⺈刀⺉刂⺊卜⺋㔾⺌小⺍小⺎兀⺏尣⺐尢⺑𡯂⺒巳⺓幺⺔彑⺕彐⺖忄⺗心⺘扌⺙攵⺛旡⺜日⺝月⺞歺⺠民⺡氵"
    "⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺪𤴔⺫目⺬示⺭礻⺮𥫗⺯糹⺰纟⺱罓⺲罒⺳㓁⺴冗⺵𦉫⺶羊⺷𦍌⺸𦍋⺹耂⺺肀⺻聿⺼肉⺽𦥑⺾艹⺿艹"
    "⻀艹⻁虎⻂衤⻃覀⻄西⻅见⻆角⻇𧢲⻈讠⻉贝⻊𧾷⻋车⻌辶⻍辶⻎辶⻏邑⻐钅⻑長⻒镸⻓长⻔门⻕𨸏⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食"
    "⻞𩙿⻟飠⻠饣⻡𩠐⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀"
)
_IDEOGRAPHS = dict(zip(_SUPPLEMENT[::2], _SUPPLEMENT[1::2], strict=True))
_LOOK_ALIKE = re.compile("[\u2e80-\u2fdf\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of characters without a wide gap; ``left`` and ``right`` in points."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; ``size`` is that of most of its characters, in points, 0 if unknown.

    ``top`` and ``bottom`` are its first character's, in points from the page's lower edge, ``baseline`` is where most
    of its characters stand; 0 where they are not known.
    """

    text: str
    size: float
    cells: tuple[Cell, ...]
    top: float = 0.0
    bottom: float = 0.0
    baseline: float = 0.0


def heading_levels(lines: Iterable[Line]) -> dict[float, int]:
    """Return the heading level, from 1, of each font size, given all lines of a document."""
    lines = [line for line in lines if line.text.strip()]
    weights = Counter[float]()
    for line in lines:
        weights[line.size] += len(line.text)
    if not weights:
        return {}
    body = weights.most_common(1)[0][0]
    large = [line for line in lines if line.size >= _HEADING_SCALE * body > 0]
    if len(large) > _HEADING_LINES_SHARE * len(lines):
        return {}
    sizes = sorted({line.size for line in large if is_heading_like(line)}, reverse=True)
    return {size: min(level, _DEEPEST_LEVEL) for level, size in enumerate(sizes, start=1)}


def is_heading_like(line: Line) -> bool:
    """Tell whether a line could be a heading, given the size of one."""
    return len(line.text) <= _HEADING_LIMIT_CHARACTERS and _LETTER.search(line.text) is not None


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
        or header.size >= _HEADING_SCALE * lines[1].size > 0
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
        closely = joined.endswith(_HYPHENS) or (joined and line and _is_wide(joined[-1]) and _is_wide(line[0]))
        joined += line if closely or not joined else f" {line}"
    return plain_line(joined)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a table or a stretch of text; ``end`` is the number of the first line below it."""

    text: str
    end: int
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """The table with which the page before ends, and the number of the line at which it may go on."""

    table: Table
    line: int = 0


def page_blocks(lines: Sequence[Line], levels: Mapping[float, int]) -> Iterator[str]:
    """Yield a page's headings, tables and stretches of text."""
    return (block.text for block in placed_blocks(lines, levels))


def placed_blocks(
    lines: Sequence[Line], levels: Mapping[float, int], continuation: Continuation | None = None
) -> Iterator[Block]:
    """Yield a page's blocks with their places; a table may go on from the page before."""
    full = _column_width(plain_line(line.text) for line in lines)
    texts: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        above = continuation.table if continuation and continuation.line == position else None
        rows = find_table(lines[position:], above)
        is_heading = line.size in levels and is_heading_like(line)
        if rows or is_heading:
            yield from _text_blocks(texts, full, position)
            texts = []
        if rows:
            position += rows.length
            yield Block(table(rows.rows), position, rows)
            continue
        position += 1
        if is_heading:
            yield Block(heading(levels[line.size], plain_line(line.text)), position)
        else:
            texts.append(line.text)
    yield from _text_blocks(texts, full, position)


def page_text(lines: Sequence[Line]) -> str:
    """Return the text of a page without headings, as a picture's is."""
    return "\n\n".join(page_blocks(lines, {}))


def continuation_of(before: Sequence[Line], block: Block, lines: Sequence[Line]) -> Continuation | None:
    """Return where a page may go on with a table of the page before; None if text stands between them.

    Lines that both pages have at the same place, such as their numbers, do not count.
    """
    if block.table is None or _own_lines(before, block.end, lines):
        return None
    own = [number for number, line in enumerate(lines) if len(_spots(line, block.table.grid)) > 1]
    first = min([*own[:1], *_own_lines(lines, 0, before)[:1]], default=None)
    return None if first is None else Continuation(block.table, first)


def _own_lines(lines: Sequence[Line], start: int, others: Sequence[Line]) -> list[int]:
    """Return the numbers of a page's lines that another page does not have at the same place, figures apart."""
    running = {(_FIGURE.sub("0", line.text.strip()), round(line.baseline)) for line in others}
    return [
        number
        for number, line in enumerate(lines[start:], start)
        if line.cells and (_FIGURE.sub("0", line.text.strip()), round(line.baseline)) not in running
    ]


def _text_blocks(lines: Sequence[str], full_width: float, end: int) -> Iterator[Block]:
    joined = join_wrapped_lines(lines, full_width)
    if joined:
        yield Block(joined, end)


def join_wrapped_lines(lines: Iterable[str], full_width: float) -> str:
    """Return the lines, wrapped ones joined.

    A line is joined with the next when it nearly fills the page's width and neither ends a sentence nor precedes a list
    mark; short lines (titles, cells of a table) stay alone.
    """
    joined: list[str] = []
    previous = ""
    hyphenated = False
    for written in lines:
        line = plain_line(written)
        if previous and line and (hyphenated or _wraps(previous, line, full_width)):
            closely = hyphenated or (_is_wide(previous[-1]) and _is_wide(line[0]))
            joined[-1] += line if closely else f" {line}"
        elif line:
            joined.append(line)
        previous = line
        hyphenated = written.rstrip().endswith(_HYPHENS)
    return "\n".join(joined)


def plain_line(text: str) -> str:
    """Return a line with single blanks, without its end's hyphen, and with ideographs for their look-alikes."""
    for hyphen in _HYPHENS:
        text = text.replace(hyphen, "")
    return " ".join(with_ideographs(clean(text)).split())


def _column_width(lines: Iterable[str]) -> float:
    """Return the least width of a line that fills its column, in half-width characters.

    Where most lines have about the same width, that is the column's; else it is that of the page's widest lines.
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


def with_ideographs(text: str) -> str:
    """Return the text with ideographs in place of look-alike radicals.

    >>> with_ideographs("⻛扇的⻔，⽤⼿打开")
    '风扇的门，用手打开'
    """
    return _LOOK_ALIKE.sub(lambda found: _ideograph(found[0]), text)


def _ideograph(radical: str) -> str:
    return _IDEOGRAPHS.get(radical) or unicodedata.normalize("NFKC", radical)
