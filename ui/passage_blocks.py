"""A passage as plain data that the browser draws: its headings, lists and tables in shape, its words untouched.

The loaders write every document's headings, lists and tables in Markdown's simplest forms, and the passage is a stretch
of that text.  Here those marks become structure, so that an agent reads a table of fees as a table.  Every run keeps
its place in the document, so that a quotation is marked wherever it stands.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rag.schema import Evidence

_HEADING = re.compile(r"#{1,6}[ \t]+(?=\S)")
_LIST_ITEM = re.compile(r"(?P<indent>[ \t]*)(?P<marker>[-*•]|\d{1,3}[.)])[ \t]+(?=\S)")
_TABLE_RULE = re.compile(r"[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*")
_TABLE_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*")
_CELL = re.compile(r"(?<!\\)\|[ \t]*+((?:[ \t]*+(?:\\\||[^| \t]))*+)[ \t]*+(?=\|)")


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
    for start, end in _lines(passage):
        line = passage.text[start - passage.start : end - passage.start]
        previous = blocks[-1] if blocks and may_continue else None
        may_continue = bool(line.strip())
        if not may_continue:
            continue
        if _TABLE_RULE.fullmatch(line):
            if previous is not None and previous.kind == "table":
                blocks[-1] = PassageBlock("table", previous.rows, has_head=len(previous.rows) == 1)
            continue
        block = _block(passage, marks, line, start)
        if previous is not None and previous.kind == block.kind and block.kind in ("table", "text"):
            blocks[-1] = _joined(previous, block)
        else:
            blocks.append(block)
    return tuple(blocks)


def _lines(passage: Evidence) -> Iterator[tuple[int, int]]:
    start = passage.start
    for line in passage.text.split("\n"):
        yield start, start + len(line)
        start += len(line) + 1


def _block(passage: Evidence, marks: Sequence[Mark], line: str, start: int) -> PassageBlock:
    """Return the block of one line, which begins at ``start`` in the document."""

    def runs(begin: int, end: int) -> Cell:
        return tuple(_runs(passage, marks, start + begin, start + end))

    if _TABLE_ROW.fullmatch(line):
        return PassageBlock("table", (tuple(runs(*cell.span(1)) for cell in _CELL.finditer(line)),))
    heading = _HEADING.match(line)
    if heading is not None:
        return PassageBlock("heading", ((runs(heading.end(), len(line)),),))
    item = _LIST_ITEM.match(line)
    if item is not None:
        marker = item["marker"] if item["marker"][0].isdigit() else "•"
        return PassageBlock("item", ((runs(item.end(), len(line)),),), marker=marker)
    return PassageBlock("text", ((runs(0, len(line)),),))


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
