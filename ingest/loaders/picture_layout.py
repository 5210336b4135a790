"""Pieces of text that stand at places of a picture, in the order in which people read them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

import numpy as np

from ingest.loaders.layout import Cell, Line

_CELL_GAP_EMS = 1.2
_GUTTERS = 41  # places that are tried for a white stripe down the page's middle
_MIDDLE = (0.35, 0.65)
_COLUMN_LINES = 5
_COLUMN_SHARE = 0.7  # of a column's width that most of its lines fill: cells of a table are shorter


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of a line, in pixels from the upper left corner."""

    text: str
    left: float
    right: float
    top: float
    bottom: float


def lines_of(boxes: Sequence[Box]) -> list[Line]:
    """Return the lines from top to bottom, without sizes; where a page has two columns, the left one first."""
    return [_line(row) for stretch in _stretches(boxes) for row in _rows(stretch)]


def _stretches(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Yield what is read one after the other: what spans the page, and between that, each column."""
    gutter = _gutter(boxes)
    if gutter is None:
        yield list(boxes)
        return
    from_top = sorted(boxes, key=lambda box: box.top)
    for spans, group in groupby(from_top, key=lambda box: box.left < gutter < box.right):
        stretch = list(group)
        if spans:
            yield stretch
        else:
            yield from ([box for box in stretch if (box.left < gutter) == is_left] for is_left in (True, False))


def _gutter(boxes: Sequence[Box]) -> float | None:
    """Return where the white stripe between two columns of running text is; None where there is none."""
    if not boxes:
        return None
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)
    places = [left + (right - left) * float(share) for share in np.linspace(*_MIDDLE, _GUTTERS)]
    place = min(places, key=lambda place: sum(box.left < place < box.right for box in boxes))
    columns = [
        ([box for box in boxes if box.right <= place], place - left),
        ([box for box in boxes if box.left >= place], right - place),
    ]
    are_text = all(
        len(column) >= _COLUMN_LINES and median(box.right - box.left for box in column) >= _COLUMN_SHARE * width
        for column, width in columns
    )
    return place if are_text else None


def _rows(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Yield the boxes that stand beside each other, from left to right."""
    row: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box.top + box.bottom) / 2):
        if row and not _beside(row[-1], box):
            yield sorted(row, key=lambda box: box.left)
            row = []
        row.append(box)
    if row:
        yield sorted(row, key=lambda box: box.left)


def _beside(box: Box, other: Box) -> bool:
    """Tell whether two boxes overlap by more than half of the lower one's height."""
    overlap = min(box.bottom, other.bottom) - max(box.top, other.top)
    return overlap > 0.5 * min(box.bottom - box.top, other.bottom - other.top)


def _line(row: Sequence[Box]) -> Line:
    cells = [Cell(row[0].text, row[0].left, row[0].right)]
    for before, box in pairwise(row):
        if box.left - before.right > _CELL_GAP_EMS * (box.bottom - box.top):
            cells.append(Cell(box.text, box.left, box.right))
        else:
            cells[-1] = Cell(f"{cells[-1].text} {box.text}", cells[-1].left, box.right)
    return Line(" ".join(cell.text for cell in cells), 0.0, tuple(cells))
