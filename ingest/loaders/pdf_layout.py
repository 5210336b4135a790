"""What a PDF page's geometry tells: its lines, the size they are set in, and the gaps between the cells of a table.

A PDF has no headings and no tables, only characters with a size and a place.  A line set clearly larger than the
document's body is a heading; lines one below the other with gaps at the same places are rows.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pypdfium2
import pypdfium2.raw

_LINE_ENDS = "\r\n"
_CELL_GAP_EMS = 1.2  # wider than any space between words, also in justified text
_HEADING_SCALE = 1.15
_HEADING_LIMIT_CHARACTERS = 100
_HEADING_LINES_SHARE = 0.4  # where more lines are large it is a slide or a form, and size says nothing
_DEEPEST_LEVEL = 4
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of characters without a wide gap; ``left`` and ``right`` in points."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; ``size`` is that of most of its characters, in points, 0 where none has one."""

    text: str
    size: float
    cells: tuple[Cell, ...]


def page_lines(textpage: pypdfium2.PdfTextPage) -> list[Line]:
    """Return the page's lines in the order in which PDFium reads them."""
    characters = list(_characters(textpage))
    runs = groupby(characters, key=lambda character: character.text in _LINE_ENDS)
    return [_line(list(run)) for is_end, run in runs if not is_end]


def heading_levels(lines: Iterable[Line]) -> dict[float, int]:
    """Return the level, from 1, of each size in which headings are set, given all lines of a document."""
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
    """Tell whether a line could be a heading, if its size says so."""
    return len(line.text) <= _HEADING_LIMIT_CHARACTERS and _LETTER.search(line.text) is not None


def table_length(lines: Sequence[Line]) -> int:
    """Return how many of the first lines are rows of one table; 0 when they are none."""
    first = lines[0].cells
    length = 0
    for line in lines:
        if len(line.cells) != len(first) or not (_in_columns(line.cells, first) and _in_columns(first, line.cells)):
            break
        length += 1
    return length if length > 1 and len(first) > 1 else 0


def _in_columns(cells: Sequence[Cell], others: Sequence[Cell]) -> bool:
    """Tell whether every cell ends before the next column of the other row begins: a header may stand centred."""
    return all(cell.right < following.left for cell, following in zip(cells, others[1:], strict=False))


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    size: float
    left: float
    right: float


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
        yield _Character(text or " ", round(size, 1), left.value, right.value)


def _line(characters: Sequence[_Character]) -> Line:
    visible = [character for character in characters if not character.text.isspace()]
    sizes = Counter(character.size for character in visible)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    return Line("".join(character.text for character in characters), size, tuple(_cells(characters, size)))


def _cells(characters: Sequence[_Character], size: float) -> Iterator[Cell]:
    """Split a line at its wide gaps."""
    run: list[_Character] = []
    end = 0.0
    for character in characters:
        blank = character.text.isspace()
        if not blank and run and character.left - end > _CELL_GAP_EMS * size:
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
