"""A passage as plain data that the browser draws: its headings, lists and tables in shape, its words untouched.

The loaders write every document's headings, lists and tables in Markdown's simplest forms, and the passage is a stretch
of that text.  Here those marks become structure, so that an agent reads a table of fees as a table.  Every run keeps
its place in the document, so that a quotation is marked wherever it stands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rag.schema import Evidence
from rag.text.markup import Line, read_lines, row_cells


@dataclass(frozen=True, slots=True)
class Mark:
    """``document.text[start:end]`` is what the answer's sentence number ``sentence`` rests on."""

    start: int
    end: int
    sentence: int


@dataclass(frozen=True, slots=True)
class PassageRun:
    """A stretch of a passage; ``sentences`` rest on it, and ``focus`` tells what the search had found."""

    text: str
    focus: bool
    sentences: tuple[int, ...] = ()


Cell = tuple[PassageRun, ...]


@dataclass(frozen=True, slots=True)
class PassageBlock:
    """``rows`` are a table's rows of cells, the first of them its head where ``has_head``; else one row of one cell.

    ``marker`` is what stands before a list's item.
    """

    kind: Literal["heading", "text", "item", "table"]
    rows: tuple[tuple[Cell, ...], ...]
    marker: str = ""
    has_head: bool = False

    @property
    def plain_text(self) -> str:
        """The block's words without the runs' borders, cells and rows put together."""
        return "".join(run.text for row in self.rows for cell in row for run in cell)


def passage_blocks(passage: Evidence, marks: Sequence[Mark]) -> tuple[PassageBlock, ...]:
    """Cut a passage into blocks."""
    blocks: list[PassageBlock] = []
    may_continue = False
    for line in read_lines(passage.text):
        previous = blocks[-1] if blocks and may_continue else None
        may_continue = line.start < line.end and line.kind != "blank"
        if line.kind == "rule":
            if previous is not None and previous.kind == "table":
                blocks[-1] = PassageBlock("table", previous.rows, has_head=len(previous.rows) == 1)
        elif may_continue:
            block = _block(passage, marks, line)
            if previous is not None and previous.kind == block.kind and block.kind in ("table", "text"):
                blocks[-1] = _joined(previous, block)
            else:
                blocks.append(block)
    return tuple(blocks)


def _block(passage: Evidence, marks: Sequence[Mark], line: Line) -> PassageBlock:
    """Return the block of one line."""

    def runs(start: int, end: int) -> Cell:
        return tuple(_runs(passage, marks, passage.start + start, passage.start + end))

    if line.kind == "row":
        cells = row_cells(passage.text[line.start : line.end])
        return PassageBlock("table", (tuple(runs(line.start + start, line.start + end) for start, end in cells),))
    if line.kind == "heading":
        return PassageBlock("heading", ((runs(line.content, line.end),),))
    if line.kind == "item":
        return PassageBlock("item", ((runs(line.content, line.end),),), marker="•" if line.is_bullet else line.mark)
    return PassageBlock("text", ((runs(line.start, line.end),),))


def _joined(block: PassageBlock, more: PassageBlock) -> PassageBlock:
    if block.kind == "table":
        return PassageBlock("table", (*block.rows, *more.rows), has_head=block.has_head)
    (lines,), (line,) = block.rows[0], more.rows[0]
    return PassageBlock("text", (((*lines, PassageRun("\n", lines[-1].focus), *line),),))


def _runs(passage: Evidence, marks: Sequence[Mark], start: int, end: int) -> Iterator[PassageRun]:
    """Cut a stretch of the document where the focus and the marks begin and end."""
    edges = {start, end, passage.focus_start, passage.focus_end}
    edges |= {edge for mark in marks for edge in (mark.start, mark.end)}
    for begin, stop in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        yield PassageRun(
            text=passage.text[begin - passage.start : stop - passage.start],
            focus=passage.focus_start <= begin and stop <= passage.focus_end,
            sentences=tuple(sorted({mark.sentence for mark in marks if mark.start <= begin and stop <= mark.end})),
        )
