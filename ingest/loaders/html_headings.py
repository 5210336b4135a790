"""Headings of a web page that are none in its markup are renamed to ``h2`` to ``h6``.

They are a ``summary``, a ``dt`` of a list whose terms all are questions, and a paragraph that is bold throughout, each
one level below the heading above it.  A heading reaches to the next one, so where other words follow the answer,
questions stay as they are, and become items of a list (``html.py``).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from bs4.element import NavigableString, PageElement, PreformattedString, Tag

from ingest.loaders.bold_headings import reads_as_heading
from rag.text.markup import QUESTION_ENDS

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_FOLDED = ("details", "dl")
_NO_PLACE_FOR_HEADINGS = ("li", "table", "dd", "dt", "blockquote", "figure", "address")
_ENDINGS = (*HEADINGS, "p")
_STRUCTURES = ("ul", "ol", "table", "dl", "details")
_NOT_IN_HEADINGS = ("br", "a", "img", "input")
_BOLD_OR_PARAGRAPH = ["b", "strong", "p"]
_HIGHEST_LEVEL, _LOWEST_LEVEL = 2, 6
_LONGEST_HEADING_CHARACTERS = 200

_Questions = Mapping[int, Sequence[Tag]]
"""What is asked in tags, by the tags' ids."""


def rename_headings(content: Tag) -> None:
    """Rename in place what is a heading to its readers."""
    _rename(content, _HIGHEST_LEVEL - 1, _closed(content))


def _rename(parent: Tag, above: int, questions: _Questions) -> int | None:
    """Rename what is in a tag, below a heading of the level ``above``.

    Returns the level of the heading with which it ends, 0 where it ends with other words, None for no words.
    """
    end: int | None = None
    marked = above  # by a heading, not by bold words alone: all of those are on one level
    for child in parent.children:
        if not isinstance(child, Tag):
            end = 0 if _has_words(child) else end
        elif child.name in HEADINGS and _words(child):
            marked = above = end = int(child.name[1])
        elif child.name == "p" and _is_bold_heading(child):
            above = end = min(marked + 1, _LOWEST_LEVEL)
            child.name = f"h{above}"
        elif child.name in _NO_PLACE_FOR_HEADINGS:
            end = 0
        else:
            for found in questions.get(id(child), ()):
                found.name = f"h{min(above + 1, _LOWEST_LEVEL)}"
            child_end = _rename(child, above, questions)
            marked, above = child_end or marked, child_end or above
            end = end if child_end is None else child_end
    return end


def summary_of(details: Tag) -> Tag | None:
    """Return the words that fold something out; None where there are none, or they are headings already."""
    summary = next((child for child in details.children if isinstance(child, Tag) and child.name == "summary"), None)
    return None if summary is None or _holds(summary, HEADINGS) else summary


def _questions(tag: Tag) -> list[Tag]:
    if tag.name == "details":
        summary = summary_of(tag)
        is_asked = summary is not None and _is_short(summary) and len(_words(tag)) > len(_words(summary)) > 0
        return [summary] if summary is not None and is_asked else []
    terms = tag.find_all("dt")
    are_questions = all(_words(term).endswith(QUESTION_ENDS) and _is_short(term) for term in terms)
    return terms if are_questions and not _holds(tag, (*HEADINGS, "dl")) else []


def _words(tag: Tag) -> str:
    return tag.get_text().strip()


def _is_short(tag: Tag) -> bool:
    return len(" ".join(tag.get_text().split())) <= _LONGEST_HEADING_CHARACTERS


def _holds(tag: Tag, names: Collection[str]) -> bool:
    return any(isinstance(found, Tag) and found.name in names for found in tag.descendants)  # find() is slow


def _is_bold_heading(paragraph: Tag) -> bool:
    if not _is_bold(paragraph) or _is_bold(_neighbour(paragraph, "previous")):
        return False
    below = _neighbour(paragraph, "next")
    if (
        below is None
        or _is_bold(below)
        or (isinstance(below, Tag) and (below.name in HEADINGS or _holds(below, HEADINGS)))
    ):
        return False
    is_structure = isinstance(below, Tag) and below.name in _STRUCTURES
    return reads_as_heading(paragraph.get_text(), None if is_structure else below.get_text())


def _is_bold(node: PageElement | None) -> bool:
    """Tell whether a node is a paragraph of bold words alone, without links and line ends."""
    if not isinstance(node, Tag) or node.name != "p":
        return False
    has_words = False
    for found in node.descendants:
        if isinstance(found, Tag):
            if found.name in _NOT_IN_HEADINGS:
                return False
        elif _has_words(found):
            if found.find_parent(_BOLD_OR_PARAGRAPH) is node:
                return False
            has_words = True
    return has_words


def _neighbour(node: PageElement, side: Literal["previous", "next"]) -> PageElement | None:
    """Return the next or previous sibling that has words."""
    siblings = node.next_siblings if side == "next" else node.previous_siblings
    return next((one for one in siblings if _has_words(one) or (isinstance(one, Tag) and one.get_text().strip())), None)


def _closed(content: Tag) -> _Questions:
    """Return the questions that are followed by a heading, by another question, or by nothing."""
    tags = content.find_all(_FOLDED)
    questions = {id(tag): found for tag in tags if (found := _questions(tag))}
    closed: dict[int, list[Tag]] = {}
    for tag in reversed(tags):
        if id(tag) in questions:
            following = _first_words(_after(tag, content), content, questions)
            is_heading = isinstance(following, Tag) and following.name in _ENDINGS
            if following is None or is_heading or id(following) in closed:
                closed[id(tag)] = questions[id(tag)]
    return closed


def _first_words(node: PageElement | None, root: Tag, questions: _Questions) -> PageElement | None:
    """Return the first heading (a bold ``p`` too), question or words from ``node`` on; None where there are none."""
    while node is not None:
        if isinstance(node, Tag):
            if node.name in (*HEADINGS, *_NO_PLACE_FOR_HEADINGS) or id(node) in questions:
                return node
            if node.name == "p" and _is_bold_heading(node):
                return node
            node = node.contents[0] if node.contents else _after(node, root)
        elif _has_words(node):
            return node
        else:
            node = _after(node, root)
    return None


def _has_words(node: PageElement) -> bool:
    return isinstance(node, NavigableString) and not isinstance(node, PreformattedString) and bool(node.strip())


def _after(node: PageElement, root: Tag) -> PageElement | None:
    """Return what follows a node and all in it; None at the end of ``root``."""
    current: PageElement | None = node
    while current is not None and current is not root:
        if current.next_sibling is not None:
            return current.next_sibling
        current = current.parent
    return None
