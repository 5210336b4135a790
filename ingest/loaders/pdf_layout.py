"""The lines of a PDF page: the size they are set in, and the gaps between the cells of a table."""

import ctypes
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pypdfium2
import pypdfium2.raw

from ingest.loaders.layout import Cell, Line

_LINE_ENDS = "\r\n"
_CELL_GAP_EMS = 1.2  # wider than any space between words, also in justified text


def page_lines(textpage: pypdfium2.PdfTextPage) -> list[Line]:
    """Return the page's lines in the order in which PDFium reads them."""
    characters = list(_characters(textpage))
    runs = groupby(characters, key=lambda character: character.text in _LINE_ENDS)
    return [_line(list(run)) for is_end, run in runs if not is_end]


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
