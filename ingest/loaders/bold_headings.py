"""Headings that a document marks only by bold words: a short paragraph of its own above normal text.

A heading claims what stands below it, so emphasis, labels, addresses and captions must not become one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.loaders.office_xml import Element
from rag.text.characters import ideographs
from rag.text.markup import QUESTION_ENDS

_LONGEST_CHARACTERS = 80
_DEEPEST_LEVEL = 6
_ENDS = tuple(".:;,!…。：；，！、—–-")
_SENTENCE_ENDS = (*QUESTION_ENDS, *".:!…。：！")
_WORD = re.compile(r"[^\W\d_]{2}")
_CAPTION = (
    r"(?:figure|fig|image|photo|screenshot|table|tabelle|tab|abbildung|abb)\b\.?\s*[\d:：]|[图圖表]\s*[\d一二三四五:：]"
)
_NO_HEADING = re.compile(rf"[@\n\t|]|://|\A\s*(?:[-*•·–—]|{_CAPTION})", re.IGNORECASE)
_SHORTEST_TEXT_CHARACTERS = 60
_SHORTEST_CHINESE_TEXT_CHARACTERS = 25


@dataclass(frozen=True, slots=True)
class Look:
    """How a block of a Word document looks.

    ``words`` are a paragraph's, None of an item and a table; ``level`` is that of a heading by style, 0 of others.
    """

    element: Element
    words: str | None
    is_bold: bool = False
    level: int = 0


def bold_levels(looks: Iterable[Look]) -> dict[Element, int]:
    """Return the levels of headings that are only bold, one below the heading above.

    A document may begin with two bold paragraphs: its title, of level 1, and the first heading.
    """
    blocks = list(looks)
    found: dict[Element, int] = {}
    above = 1
    if len(blocks) > 2 and _is_bold(blocks[0], None) and _is_bold(blocks[1], blocks[2]):
        found = {blocks[0].element: 1, blocks[1].element: 2}
    for place, block in enumerate(blocks[:-1]):
        above = block.level or above
        is_first = place == 0 or bool(blocks[place - 1].level) or not blocks[place - 1].is_bold
        if is_first and block.element not in found and _is_bold(block, blocks[place + 1]):
            found[block.element] = min(above + 1, _DEEPEST_LEVEL)
    return found


def _is_bold(block: Look, below: Look | None) -> bool:
    """Tell whether a block is a bold heading of the one below; None is for a title, which may have a heading below."""
    if (
        not block.is_bold
        or block.level
        or block.words is None
        or (below is not None and (below.is_bold or below.level))
    ):
        return False
    return reads_as_heading(block.words, below.words if below is not None else None)


def reads_as_heading(words: str, below: str | None) -> bool:
    """Tell whether a bold paragraph reads as the heading of the words ``below`` it; None is a list or a table.

    >>> reads_as_heading("Cancelling", "One month before the end of the year."), reads_as_heading("退货", None)
    (True, True)
    >>> reads_as_heading("Please note:", "We are closed."), reads_as_heading("Jane Smith", "5 High Street")
    (False, False)
    """
    line = words.strip()
    if not 0 < len(line) < _LONGEST_CHARACTERS or line.endswith(_ENDS) or _WORD.search(line) is None:
        return False
    if _NO_HEADING.search(line) is not None:
        return False
    return below is None or line.endswith(QUESTION_ENDS) or _is_text(below.strip())


def _is_text(words: str) -> bool:
    """Tell whether words are a sentence or longer, and no line of an address or a form."""
    shortest = _SHORTEST_CHINESE_TEXT_CHARACTERS if ideographs(words) else _SHORTEST_TEXT_CHARACTERS
    return len(words) >= shortest or words.endswith(_SENTENCE_ENDS)
