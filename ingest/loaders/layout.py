"""Turns the lines of a page, of PDF or from recognition, into headings, tables and paragraphs.

A page has only words with a size and a place.  A line clearly larger than the document's body is a heading; tables are
found by ``page_tables.py``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.loaders.page_lines import HEADING_SCALE, HYPHENS, Line, is_wide, plain_line
from ingest.loaders.page_tables import Table, find_table
from ingest.loaders.plain_markup import heading, table

_HEADING_LIMIT_CHARACTERS = 100
_HEADING_LINES_SHARE = 0.4  # where more lines are large it is a slide or a form, and size says nothing
_DEEPEST_LEVEL = 4
_LETTER = re.compile(r"[^\W\d_]")
_FIGURE = re.compile(r"\d+")
_FULL_LINE_SHARE = 0.8
_ALIKE = 0.12
_SHORTEST_FULL_LINE = 30
_NEW_PARAGRAPH = re.compile(
    r"(?:[-*•·●○■◆▪–—]|\(?\d{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十\d]+[章节条]|[①-⑳]|[A-Za-z][.)]\s)"
)
_SENTENCE_END = re.compile(r"[.!?。！？:：;；][\"'”’」』）)]*$")


def heading_levels(lines: Iterable[Line]) -> dict[float, int]:
    """Return the heading level, from 1, of each font size, given all lines of a document."""
    lines = [line for line in lines if line.text.strip()]
    weights = Counter[float]()
    for line in lines:
        weights[line.size] += len(line.text)
    if not weights:
        return {}
    body = weights.most_common(1)[0][0]
    large = [line for line in lines if line.size >= HEADING_SCALE * body > 0]
    if len(large) > _HEADING_LINES_SHARE * len(lines):
        return {}
    sizes = sorted({line.size for line in large if is_heading_like(line)}, reverse=True)
    return {size: min(level, _DEEPEST_LEVEL) for level, size in enumerate(sizes, start=1)}


def is_heading_like(line: Line) -> bool:
    """Tell whether a line could be a heading, given the size of one."""
    return len(line.text) <= _HEADING_LIMIT_CHARACTERS and _LETTER.search(line.text) is not None


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
    own = [number for number, line in enumerate(lines) if block.table.may_hold(line)]
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
            closely = hyphenated or (is_wide(previous[-1]) and is_wide(line[0]))
            joined[-1] += line if closely else f" {line}"
        elif line:
            joined.append(line)
        previous = line
        hyphenated = written.rstrip().endswith(HYPHENS)
    return "\n".join(joined)


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
    return sum(2 if is_wide(character) else 1 for character in line)
