"""What a sentence or line of a document is, by the signs at its beginning: one place for all that look at structure."""

import re

_HEADING = re.compile(r"\s*+#{1,6}\s")
_ROW = re.compile(r"\s*+\|")
_ROW_RULE = re.compile(r"[\s|:\-–]++\Z")
_LIST_ITEM = re.compile(r"\s*+(?:[-*•·]\s|[(（]?\d{1,2}[.)、）](?!\d))")


def is_heading(line: str) -> bool:
    """Tell whether a line is a heading: ``## Fees``."""
    return _HEADING.match(line) is not None


def without_heading_signs(line: str) -> str:
    """Return a heading's words; any other line as it is."""
    signs = _HEADING.match(line)
    return line if signs is None else line[signs.end() :]


def is_row(line: str) -> bool:
    """Tell whether a line is a row of a table, its header or the rule below that."""
    return _ROW.match(line) is not None


def is_row_rule(line: str) -> bool:
    """Tell whether a line is the rule between a table's header and its rows: ``|---|---|``."""
    return _ROW_RULE.match(line) is not None


def is_list_item(line: str) -> bool:
    """Tell whether a line is an item of a list, with a bullet or a number."""
    return _LIST_ITEM.match(line) is not None


def without_list_mark(line: str) -> str:
    """Return an item without its mark, and any other line as it is.

    >>> without_list_mark("- Until 10 January."), without_list_mark("2) 寄回商品"), without_list_mark("7.5 kg")
    ('Until 10 January.', '寄回商品', '7.5 kg')
    """
    mark = _LIST_ITEM.match(line)
    return line if mark is None else line[mark.end() :].lstrip()


def introduces(line: str) -> bool:
    """Tell whether a line introduces what follows, as a list's first one does."""
    return line.endswith((":", "："))
