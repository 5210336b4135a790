"""The signs of plain markup, each defined once, and what every line of a text is by them.

    from rag.text.markup import read_lines

The loaders write every document's headings, lists, tables and code in these forms (``ingest/loaders/plain_markup.py``),
and models write their answers in them.  Whoever needs to know what a line is asks here: chunks, sentences, the page.

One line has a mark of its own: what a model sees in a picture, in a question and in a document's text.  No document
says it.  The model that answers may read the line with its mark, and search finds it; code that chooses what supports
an answer leaves it out (``rag/grounding/confirmation.py``).  The line is one sentence and is never cut: a part of it
would have lost the mark.  The same mark typed into a document makes that line count for less, not for more.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
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
"""A regular expression for what stands before a list item: ``-``, ``2.``, ``（3）``, ``一、``, ``④`` or ``b)``."""

_LIST_ITEM = re.compile(rf"[ \t]*+(?P<mark>{LIST_MARK})[ \t]*+(?=\S)")
_HEADING = re.compile(r" {0,3}(?P<signs>#{1,6})[ \t]++(?=\S)")
_ROW = re.compile(r"\s*+\|")
_ROW_RULE = re.compile(r"\s*+\|[ \t]*+:?[-–]++:?[ \t]*+(?:\|[ \t]*+:?[-–]++:?[ \t]*+)*+\|?+\s*+\Z")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(
    rf"[ \t]*+(?:{LIST_MARK}[ \t]++)?(?P<fence>`{{3,}}+|~{{3,}}+)[ \t]*+(?P<language>[\w+#.-]*+)[^`\n]*+\Z"
)
_SIGN = re.compile(r"\s*+[^\w\s\"'“‘]|\s*+(?:[\d一二三四五六七八九十①-⑳]|[A-Za-z][.)])")
"""What every sign begins with, so that the lines of a paragraph, which are most, are looked at once."""

BULLETS = "-*+•·–—"
INTRODUCES = (":", "：")
"""What a sentence ends with that introduces a list, a table or code."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, ``text[start:end]`` without its line end; its words begin at ``content``, behind its sign.

    ``level`` is a heading's, 1 to 6, or the characters that a list item or a text is indented by; ``mark`` what stands
    before an item; ``language`` the word behind a fence that opens code.
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
        """A list item's number where it is written as ``3.``, ``3)`` or ``3、``."""
        digits = self.mark[:-1]
        return int(digits) if digits.isdecimal() else None


def read_lines(text: str) -> Iterator[Line]:
    r"""Yield what each line of a text is; code ends with its own fence, or with the text.

    >>> [line.kind for line in read_lines("# Fees\n| A | B |\n|---|---|\n\n1. Pay:\n```sh\n# no heading\n```")]
    ['heading', 'row', 'rule', 'blank', 'item', 'fence', 'code', 'fence']
    """
    fence = ""
    start = 0
    for written in text.split("\n"):
        end = start + len(written)
        if fence:
            closes = _is_closing_fence(written, fence)
            yield Line(start, end, "fence" if closes else "code", start)
            fence = "" if closes else fence
        else:
            line = _read_line(written, start, end)
            if line.kind == "fence":
                fence = line.mark
            yield line
        start = end + 1


def _read_line(written: str, start: int, end: int) -> Line:
    """Return a line outside of code; an opening fence has its signs as its ``mark``."""
    if _SIGN.match(written) is not None:
        if _ROW.match(written) is not None:
            return Line(start, end, "rule" if _ROW_RULE.match(written) else "row", start)
        heading = _HEADING.match(written)
        if heading is not None:
            return Line(start, end, "heading", start + heading.end(), len(heading["signs"]))
        fence = _FENCE.match(written)
        if fence is not None:
            return Line(start, end, "fence", end, mark=fence["fence"], language=fence["language"])
        item = _LIST_ITEM.match(written)
        if item is not None:
            return Line(start, end, "item", start + item.end(), item.start("mark"), item["mark"])
    words = written.lstrip()
    indent = len(written) - len(words)
    return Line(start, end, "text" if words else "blank", start + indent, indent)


def _is_closing_fence(written: str, fence: str) -> bool:
    """Tell whether a line closes code that ``fence`` opened: the same signs, as many or more, and nothing else."""
    signs = written.strip()
    return signs.startswith(fence) and not signs.strip(fence[0])


def without_heading_signs(line: str) -> str:
    """Return a heading's words; any other line as it is."""
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
    return [_without_blanks(row, one + 1, other) for one, other in pairwise(borders)]


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    return (start, start + len(words.strip()))


def is_list_item(line: str) -> bool:
    """Tell whether a line is an item of a list, with a bullet or a number."""
    return _LIST_ITEM.match(line) is not None


def without_list_mark(line: str) -> str:
    """Return an item without its mark, and any other line as it is.

    >>> without_list_mark("- Until 10 January."), without_list_mark("2) 寄回商品"), without_list_mark("7.5 kg")
    ('Until 10 January.', '寄回商品', '7.5 kg')
    """
    mark = _LIST_ITEM.match(line)
    return line if mark is None else line[mark.end() :]


def introduces(line: str) -> bool:
    """Tell whether a sentence introduces what follows, as a list's first one does."""
    return line.endswith(INTRODUCES)


_BRACKETS = str.maketrans("[]", "()")
_DESCRIPTION_END = "]"
LONGEST_DESCRIPTION_CHARACTERS = 400
"""Without the mark."""
_LONGEST_DESCRIPTION_LINE = LONGEST_DESCRIPTION_CHARACTERS + 100
"""With its mark.  A longer line was typed into a document, and is cut and read as one: else it could be as long as it
likes and never be cut."""


def marked_description(text: str) -> str:
    """Return a description with the words that say where it comes from, as one line.

    >>> marked_description("Error E-42.")
    '[Picture, described by a model: Error E-42.]'
    """
    return translate("ask.picture_described", text_language(text), text=one_line(without_brackets(text)))


def is_description(sentence: str) -> bool:
    """Tell whether a sentence begins with the mark of a description, in either language, and is as short as one.

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
    """Return a text that cannot end its place between square brackets."""
    return text.translate(_BRACKETS)


@cache
def _description_marks() -> tuple[str, ...]:
    languages: tuple[Language, ...] = get_args(Language)
    empty = (translate("ask.picture_described", language, text="") for language in languages)
    return tuple(line.removesuffix(_DESCRIPTION_END).rstrip() for line in empty)
