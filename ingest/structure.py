"""A document's text as a row of units that a chunk keeps whole: headings, sentences, table rows, blocks of code.

Structure is read from the plain form that the loaders write (``ingest/loaders/plain_markup.py``).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from rag.text.markup import Line, LineKind, is_description, is_row_rule, read_lines, row_cells
from rag.text.sentences import split_sentences

UnitKind = Literal["heading", "sentence", "header_row", "row", "code"]

_HEADING_LIMIT_CHARACTERS = 120
_HEADER_LIMIT_CHARACTERS = 400

_CLAUSE_END = re.compile(r"[；;，,：:、）)](?=\s|[^\x00-\x7f]|$)\s*")
_STRETCH_END = re.compile(r"\n\s*\n|[。！？]\s*|[.!?]\s+(?=[A-Z])")
_LONGEST_STRETCH_CHARACTERS = 20_000
_BLANK = re.compile(r"\s+")
_LINE_END = re.compile(r"\n+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch ``text[start:end]`` of a document, without white space at its ends.

    ``heading_path`` are the headings above it, its own included if it is one; ``header`` is the header row of the
    table that a row belongs to.
    """

    start: int
    end: int
    kind: UnitKind
    heading_path: tuple[str, ...] = ()
    header: str = ""


def units(text: str, *, structured: bool) -> Iterator[Unit]:
    """Yield the units in their order; together they hold every character that is not white space.

    ``structured`` False is for formats without marks, where ``#`` and ``|`` mean nothing.
    """
    headings: list[tuple[int, str]] = []
    for block in _blocks(text) if structured else [_Block("text", 0, len(text))]:
        if block.kind == "heading":
            words = text[block.content : block.end].strip()[:_HEADING_LIMIT_CHARACTERS]
            headings = [*(above for above in headings if above[0] < block.level), (block.level, words)]
        path = tuple(words for _, words in headings)
        for unit in _units_of_block(text, block):
            yield Unit(unit.start, unit.end, unit.kind, path, unit.header)  # replace() takes three times as long


def pieces(text: str, unit: Unit, count_tokens: Callable[[str], int], limit: float) -> list[Unit]:
    """Cut a unit of more than ``limit`` tokens in halves until no piece has more.

    A cut is made near the middle, at a line's end, else after a clause, else at a blank, else anywhere.  A picture's
    description by a model, which is short, stays whole: its second half would look like the document's own words.
    """
    words = text[unit.start : unit.end]
    if len(words) < 2 or count_tokens(words) <= limit or is_description(words):
        return [unit]
    cut = _cut(text, unit)
    left, right = _trimmed(text, unit, unit.start, cut), _trimmed(text, unit, cut, unit.end)
    return [piece for half in (left, right) if half is not None for piece in pieces(text, half, count_tokens, limit)]


_BlockKind = Literal["heading", "text", "table", "code"]
_BLOCK_KINDS: dict[LineKind, _BlockKind] = {
    "heading": "heading",
    "row": "table",
    "rule": "table",
    "fence": "code",
    "code": "code",
}


@dataclass(frozen=True, slots=True)
class _Block:
    """``level`` and ``content``, where its words begin, are a heading's."""

    kind: _BlockKind
    start: int
    end: int
    level: int = 0
    content: int = 0


def _blocks(text: str) -> Iterator[_Block]:
    """Yield headings, tables, fenced code and what lies between them; together they cover the text."""
    first: Line | None = None
    kind: _BlockKind = "text"
    is_closed = False
    for line in read_lines(text):
        following = _BLOCK_KINDS.get(line.kind, "text")
        opens_code = line.kind == "fence" and line.mark != ""
        if first is not None and (is_closed or opens_code or following != kind):
            yield _Block(kind, first.start, line.start, first.level, first.content)
            first = None
        first = first or line
        kind = following
        is_closed = kind == "heading" or (line.kind == "fence" and not opens_code)
    if first is not None and first.start < len(text):
        yield _Block(kind, first.start, len(text), first.level, first.content)


def _units_of_block(text: str, block: _Block) -> Iterator[Unit]:
    if block.kind == "text":
        for start, end in _stretches(text, block):
            for span in split_sentences(text[start:end]):
                yield Unit(start + span.start, start + span.end, "sentence")
    elif block.kind == "table":
        yield from _rows(text, block)
    else:
        whole = Unit(block.start, block.end, "heading" if block.kind == "heading" else "code")
        trimmed = _trimmed(text, whole, block.start, block.end)
        if trimmed is not None:
            yield trimmed


def _stretches(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    """Split what is longer than any real paragraph, so that splitting sentences takes time in proportion."""
    start = block.start
    while block.end - start > _LONGEST_STRETCH_CHARACTERS:
        limit = start + _LONGEST_STRETCH_CHARACTERS
        ends = [match.end() for match in _STRETCH_END.finditer(text, limit - _LONGEST_STRETCH_CHARACTERS // 4, limit)]
        end = ends[-1] if ends else limit
        line_start = text.rfind("\n", start, end) + 1
        if line_start > start and is_description(text[line_start:end].lstrip()):
            end = line_start
        yield start, end
        start = end
    yield start, block.end


def _rows(text: str, block: _Block) -> Iterator[Unit]:
    """Yield a table's rows, the header with the rule below it as one."""
    lines = text[block.start : block.end].splitlines(keepends=True)
    has_header = len(lines) > 1 and is_row_rule(lines[1])
    header = ""
    position = block.start
    if has_header:
        header = " | ".join(lines[0][start:end] for start, end in row_cells(lines[0]))
        header = header[:_HEADER_LIMIT_CHARACTERS]  # it stands in front of every passage, and must leave it room
        lines = [lines[0] + lines[1], *lines[2:]]
    for number, line in enumerate(lines):
        is_header = has_header and number == 0
        row = Unit(position, position, "header_row" if is_header else "row", header="" if is_header else header)
        trimmed = _trimmed(text, row, position, position + len(line))
        position += len(line)
        if trimmed is not None:
            yield trimmed


def _trimmed(text: str, unit: Unit, start: int, end: int) -> Unit | None:
    """Return the unit with the bounds ``[start, end)`` less the white space at both; None where nothing is left."""
    piece = text[start:end]
    body = piece.strip()
    if not body:
        return None
    start += len(piece) - len(piece.lstrip())
    return replace(unit, start=start, end=start + len(body))


def _cut(text: str, unit: Unit) -> int:
    middle = (unit.start + unit.end) // 2
    third = (unit.end - unit.start) // 3
    for boundary in (_LINE_END, _CLAUSE_END, _BLANK):
        places = [match.end() for match in boundary.finditer(text, middle - third // 2, middle + third)]
        inner = [place for place in places if unit.start < place < unit.end]
        if inner:
            return min(inner, key=lambda place: abs(place - middle))
    return middle
