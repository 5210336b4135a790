"""Questions of a web page that are no headings in its markup become some: what folds out below is about them.

A ``summary``, and a ``dt`` of a list whose terms all are questions, are renamed to ``h2`` to ``h6``: one level below
the heading above them.  A heading reaches to the next one, so where other words follow the answer they stay as they
are, and become items of a list (``html.py``).
"""

from collections.abc import Set

from bs4.element import NavigableString, PageElement, PreformattedString, Tag

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_FOLDED = ("details", "dl")
_NO_PLACE_FOR_HEADINGS = ("li", "table", "dd", "dt", "blockquote", "figure", "address")
_QUESTION_ENDS = ("?", "？")
_HIGHEST_LEVEL, _LOWEST_LEVEL = 2, 6
_LONGEST_HEADING_CHARACTERS = 200


def rename_questions(content: Tag) -> None:
    """Rename in place what is the heading of an answer."""
    _rename(content, _HIGHEST_LEVEL - 1, _closed(content))


def _rename(parent: Tag, above: int, closed: Set[int]) -> int | None:
    """Rename what is in a tag, below a heading of the level ``above``.

    Returns the level of the heading with which it ends, 0 where it ends with other words, None for no words.
    """
    end: int | None = None
    for child in parent.children:
        if not isinstance(child, Tag):
            end = 0 if _has_words(child) else end
        elif child.name in HEADINGS:
            above = end = int(child.name[1])
        elif child.name in _NO_PLACE_FOR_HEADINGS:
            end = 0
        else:
            for found in _questions(child) if id(child) in closed else ():
                found.name = f"h{min(above + 1, _LOWEST_LEVEL)}"
            child_end = _rename(child, above, closed)
            above, end = child_end or above, end if child_end is None else child_end
    return end


def summary_of(details: Tag) -> Tag | None:
    """Return the words that fold something out; None where there are none, or they are headings already."""
    summary = details.find("summary", recursive=False)
    return summary if summary is not None and summary.find(list(HEADINGS)) is None else None


def _questions(tag: Tag) -> list[Tag]:
    if tag.name == "details":
        found = [summary for summary in [summary_of(tag)] if summary is not None]
        return [
            one for one in found if len(tag.get_text().strip()) > len(one.get_text().strip()) > 0 and _is_short(one)
        ]
    terms = tag.find_all("dt")
    are_questions = all(term.get_text().strip().endswith(_QUESTION_ENDS) and _is_short(term) for term in terms)
    return terms if are_questions and tag.find("dl") is None else []


def _is_short(tag: Tag) -> bool:
    return len(" ".join(tag.get_text().split())) <= _LONGEST_HEADING_CHARACTERS and tag.find(list(HEADINGS)) is None


def _closed(content: Tag) -> set[int]:
    """Return the ids of questions' tags that are followed by a heading, by another such tag, or by nothing."""
    closed: set[int] = set()
    for tag in reversed(content.find_all(_FOLDED)):
        if not _questions(tag):
            continue
        following = _first_words(_after(tag, content), content)
        if following is None or id(following) in closed or (isinstance(following, Tag) and following.name in HEADINGS):
            closed.add(id(tag))
    return closed


def _first_words(node: PageElement | None, root: Tag) -> PageElement | None:
    """Return the first heading, question or words from ``node`` on; None where there are none."""
    while node is not None:
        if isinstance(node, Tag):
            if node.name in (*HEADINGS, *_NO_PLACE_FOR_HEADINGS) or (node.name in _FOLDED and _questions(node)):
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
