"""Plain markup: each sign is defined once here, and ``read_lines`` classifies the lines of a text.

    from rag.text.markup import read_lines

The loaders write every document's headings, lists, tables and code in these forms (``ingest/loaders/plain_markup.py``),
and models write their answers in them.  Chunking, sentences and the page all use this module.

One kind of line has a mark of its own: a model's description of a picture, in a question or a document.  No document
says it, so it supports no answer (``rag/grounding/claims.py``), but search finds it, and the model reads it with
its mark.  The line is one sentence and is never cut, since a part of it would lose the mark.  The same mark typed into
a document makes that line count for less, not for more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import Literal, get_args

from rag.schema import Language
from rag.text.characters import one_line
from rag.text.language import text_language
from rag.translate import translate

LineKind = Literal["blank", "text", "heading", "item", "row", "rule", "fence", "code"]

_BULLET = r"[-*+•·–—](?=\s)"
_NUMERAL = "[一二三四五六七八九十]"
_NUMBER = rf"[（(]?\d{{1,3}}[.．)）、](?!\d)|[（(]{_NUMERAL}{{1,3}}[)）]|{_NUMERAL}{{1,3}}、|[①-⑳]|[A-Za-z][.)](?=\s)"
LIST_MARK = rf"(?:{_BULLET}|{_NUMBER})"
"""A regular expression for the mark of a list item: ``-``, ``2.``, ``（3）``, ``一、``, ``④`` or ``b)``."""

_LIST_ITEM = re.compile(rf"[ \t]*+(?P<mark>{LIST_MARK})[ \t]*+(?=\S)")
_HEADING = re.compile(r" {0,3}(?P<signs>#{1,6})[ \t]++(?=\S)")
_ROW = re.compile(r"\s*+\|")
_ROW_RULE = re.compile(r"\s*+\|[ \t]*+:?[-–]++:?[ \t]*+(?:\|[ \t]*+:?[-–]++:?[ \t]*+)*+\|?+\s*+\Z")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(
    rf"[ \t]*+(?:{LIST_MARK}[ \t]++)?(?P<fence>`{{3,}}+|~{{3,}}+)[ \t]*+(?P<language>[\w+#.-]*+)[^`\n]*+\Z"
)
_SIGN = re.compile(r"\s*+[^\w\s\"'“‘]|\s*+(?:[\d一二三四五六七八九十①-⑳]|[A-Za-z][.)])")
"""The first characters of all signs, so that the lines of a paragraph, which are most, are matched once."""

BULLETS = "-*+•·–—"
INTRODUCES = (":", "：")
"""The endings of a sentence that introduces a list, a table or code."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, ``text[start:end]`` without its line end; its words begin at ``content``, after its sign.

    ``level`` is a heading's level, 1 to 6, or the indentation of a list item or text in characters; ``mark`` is an
    item's mark; ``language`` is the word after an opening code fence.
    """

    start: int
    end: int
    kind: LineKind
    content: int
    level: int = 0
    mark: str = ""
    language: str = ""

    @property
    def is_bullet(self) -> bool:
        """Whether this is a list item without a number."""
        return self.mark in BULLETS and bool(self.mark)

    @property
    def number(self) -> int | None:
        """A list item's number if it is written as ``3.``, ``3)`` or ``3、``."""
        digits = self.mark[:-1]
        return int(digits) if digits.isdecimal() else None


def read_lines(text: str) -> Iterator[Line]:
    r"""Classify each line of a text; code ends with its own fence, or with the text.

    >>> [line.kind for line in read_lines("# Fees\n| A | B |\n|---|---|\n\n1. Pay:\n```sh\n# no heading\n```")]
    ['heading', 'row', 'rule', 'blank', 'item', 'fence', 'code', 'fence']
    """
    fence = ""
    start = 0
    for line_text in text.split("\n"):
        end = start + len(line_text)
        if fence:
            closes = _is_closing_fence(line_text, fence)
            yield Line(start, end, "fence" if closes else "code", start)
            fence = "" if closes else fence
        else:
            line = _read_line(line_text, start, end)
            if line.kind == "fence":
                fence = line.mark
            yield line
        start = end + 1


def _read_line(line: str, start: int, end: int) -> Line:
    """Return a line outside of code; the ``mark`` of an opening fence are its signs."""
    if _SIGN.match(line) is not None:
        if _ROW.match(line) is not None:
            return Line(start, end, "rule" if _ROW_RULE.match(line) else "row", start)
        heading = _HEADING.match(line)
        if heading is not None:
            return Line(start, end, "heading", start + heading.end(), len(heading["signs"]))
        fence = _FENCE.match(line)
        if fence is not None:
            return Line(start, end, "fence", end, mark=fence["fence"], language=fence["language"])
        item = _LIST_ITEM.match(line)
        if item is not None:
            return Line(start, end, "item", start + item.end(), item.start("mark"), item["mark"])
    words = line.lstrip()
    indent = len(line) - len(words)
    return Line(start, end, "text" if words else "blank", start + indent, indent)


def _is_closing_fence(line: str, fence: str) -> bool:
    """Tell whether a line closes code opened by ``fence``: only the same signs, as many or more."""
    signs = line.strip()
    return signs.startswith(fence) and not signs.strip(fence[0])


def without_heading_signs(line: str) -> str:
    """Return a heading's words; any other line unchanged."""
    signs = _HEADING.match(line)
    return line if signs is None else line[signs.end() :]


def is_row_rule(line: str) -> bool:
    """Tell whether a line is the rule between a table's header and its rows: ``|---|---|``."""
    return _ROW_RULE.match(line) is not None


def row_cells(row: str) -> list[tuple[int, int]]:
    r"""Return the bounds of a row's cells inside it, without the blanks around their words; ``\|`` parts no cells.

    >>> row = "| Zone | Fee |"
    >>> [row[start:end] for start, end in row_cells(row)]
    ['Zone', 'Fee']
    """
    borders = [match.start() for match in _CELL_BORDER.finditer(row)]
    if not borders or row[: borders[0]].strip():
        borders.insert(0, -1)
    if row[borders[-1] + 1 :].strip():
        borders.append(len(row))
    return [_trimmed_bounds(row, left + 1, right) for left, right in pairwise(borders)]


def row_words(row: str) -> list[str]:
    """Return the words of each cell of a row; a row without any, such as a lone bar, is one empty cell.

    >>> row_words("| Zone | Fee |"), row_words("|")
    (['Zone', 'Fee'], [''])
    """
    return [row[start:end] for start, end in row_cells(row)] or [""]


def _trimmed_bounds(text: str, start: int, end: int) -> tuple[int, int]:
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    return (start, start + len(words.strip()))


_LONGEST_SECTION_CHARACTERS = 120
_MOST_SECTION_LEVELS = 2
_ROWS_BEFORE_SECTIONS = 1
"""Of a table with a header: its second line.  Below more rows, a row with its first cell only lacks values."""
_ENDS_A_SENTENCE = (".", "!", "。", "！")


def section_rows(rows: Sequence[Sequence[str]], *, has_header: bool) -> frozenset[int]:
    """Return the numbers of the rows that say what the rows below them are about; ``rows`` are those below the header.

    Such a row has words in its first cell only, or the same words in all its cells, as merged ones have.  Below it, or
    below two of them, a row has more.  A table has none if most of its rows look so: their other cells lack a value.

    >>> rows = [("Adults", ""), ("Crown", "300"), ("Under 18", ""), ("Crown", "50"), ("Net", "")]
    >>> sorted(section_rows(rows, has_header=True))
    [0, 2]
    """
    names = [_names_section(row) for row in rows]
    last = next(reversed(names), False)  # a note below the table
    first_rows = names[: _ROWS_BEFORE_SECTIONS + 1]
    if 2 * (sum(names) - last) > len(rows) - last or (has_header and not any(first_rows)):
        return frozenset()
    sections: set[int] = set()
    for is_name, group in groupby(range(len(rows)), key=names.__getitem__):
        run = list(group)
        below = rows[run[-1] + 1] if run[-1] + 1 < len(rows) else ()
        if is_name and len(run) <= _MOST_SECTION_LEVELS and any(below[1:]):
            sections.update(run)
    return frozenset(sections)


def _names_section(row: Sequence[str]) -> bool:
    if len(row) < 2:
        return False
    first, *others = row
    is_merged = len(others) > 1 and all(cell == first for cell in others)  # two alike may be a word and its translation
    is_title = len(first) <= _LONGEST_SECTION_CHARACTERS and not first.endswith(_ENDS_A_SENTENCE)
    return (is_merged or not any(others)) and is_title and "://" not in first and any(map(str.isalpha, first))


def is_list_item(line: str) -> bool:
    """Tell whether a line is an item of a list, with a bullet or a number."""
    return _LIST_ITEM.match(line) is not None


def without_list_mark(line: str) -> str:
    """Return an item without its mark; any other line unchanged.

    >>> without_list_mark("- Until 10 January."), without_list_mark("2) 寄回商品"), without_list_mark("7.5 kg")
    ('Until 10 January.', '寄回商品', '7.5 kg')
    """
    mark = _LIST_ITEM.match(line)
    return line if mark is None else line[mark.end() :]


def introduces(line: str) -> bool:
    """Tell whether a sentence introduces the following list, table or code."""
    return line.endswith(INTRODUCES)


QUESTION_ENDS = ("?", "？")
_LONGEST_QUESTION_CHARACTERS = 150


def is_short_question(sentence: str) -> bool:
    """Tell whether a sentence is a question, emphasized or not, that may stand above its answer as a heading does."""
    return len(sentence) <= _LONGEST_QUESTION_CHARACTERS and sentence.rstrip("*_ ").endswith(QUESTION_ENDS)


_BRACKETS = str.maketrans("[]", "()")
_DESCRIPTION_END = "]"
LONGEST_DESCRIPTION_CHARACTERS = 400
"""Without the mark."""
_LONGEST_DESCRIPTION_LINE = LONGEST_DESCRIPTION_CHARACTERS + 100
"""With its mark.  A longer line must have been typed into a document and is treated as text: it could never be cut
otherwise."""


def marked_description(text: str) -> str:
    """Return a description with its mark, as one line.

    >>> marked_description("Error E-42.")
    '[Picture, described by a model: Error E-42.]'
    """
    return translate("ask.picture_described", text_language(text), text=one_line(without_brackets(text)))


def is_description(sentence: str) -> bool:
    """Tell whether a sentence begins with the mark of a description, in either language, and is short enough.

    >>> is_description(marked_description("Error E-42.")), is_description("[Figure: Error E-42]")
    (True, False)
    """
    return len(sentence) <= _LONGEST_DESCRIPTION_LINE and sentence.startswith(_description_marks())


def without_descriptions(text: str) -> str:
    r"""Return a text without the lines that are descriptions.

    >>> without_descriptions("Press it.\n\n[Picture, described by a model: A red button.]\nIt starts.")
    'Press it.\n\nIt starts.'
    """
    return "\n".join(line for line in text.split("\n") if not is_description(line.lstrip()))


def without_brackets(text: str) -> str:
    """Return a text that cannot break out of square brackets."""
    return text.translate(_BRACKETS)


@cache
def _description_marks() -> tuple[str, ...]:
    languages: tuple[Language, ...] = get_args(Language)
    empty = (translate("ask.picture_described", language, text="") for language in languages)
    return tuple(line.removesuffix(_DESCRIPTION_END).rstrip() for line in empty)
