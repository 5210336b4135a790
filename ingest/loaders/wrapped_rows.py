"""Reads the rows of Markdown tables whose cells go over several lines.

Generators of documentation write lists and paragraphs into cells, which CommonMark does not know:

    |Billing|By|
    |:--|:--|
    |Storage| -   hour
    -   month

     |
    |Traffic|GB|

To a parser the table ends at "month", and the rows below lose their header.  Here the row becomes
``|Storage| hour; month |``.  A long one becomes a list below its part of the table, each item with the name of its
column if it has several, because a row is read, sent and quoted as a whole: "- Storage:", "  - hour", "  - month".
"""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from ingest.loaders.spanned_cells import completed_rows
from rag.text.characters import ideographs
from rag.text.markup import BULLETS, INTRODUCES, LIST_MARK, is_row_rule, row_cells, row_words

_MOST_LINES = 60
"""Of one row.  Of 769 such rows on 774 product pages the longest had 30."""
_LONGEST_ROW_CHARACTERS = 120
"""Ideographs count twice."""
_FEWEST_COLUMNS_NAMED = 3
_FENCE = ("```", "~~~")
_LINE = "\v"
"""What parts the lines of a cell until the row is written."""
_ITEM_WITHIN_LINE = re.compile(r"(?<=[^\s|])[ \t]+-[ \t]{3}(?=\S)")
_ITEM = re.compile(rf"[ \t]*(?P<mark>{LIST_MARK})[ \t]*(?P<words>.*)")
_ENDS_WITH_MARK = re.compile(r"[,，;；:：.。!！?？、(（]\Z")


def with_whole_rows(body: str) -> str:
    r"""Return a page whose tables have rows of one line only; a row that does not end is left as it is.

    >>> print(with_whole_rows("|A|B|\n|--|--|\n|x| -   one\n-   two\n\n |\n|y|z|"))
    |A|B|
    |--|--|
    | x | one; two |
    |y|z|
    """
    return "\n".join(_whole_lines(body.split("\n"))) if "|" in body else body


def _whole_lines(lines: Sequence[str]) -> Iterator[str]:
    is_code = False
    position = 0
    while position < len(lines):
        line = lines[position]
        is_code ^= line.lstrip().startswith(_FENCE)
        is_table = not is_code and _is_row(line) and is_row_rule("".join(lines[position + 1 : position + 2]))
        if is_table and _ends(lines[position + 1]):
            table, position = _whole_table(lines, position)
            yield from table
        else:
            yield line
            position += 1


def _whole_table(lines: Sequence[str], begin: int) -> tuple[list[str], int]:
    """Return the table whose head is at ``begin``, with that head above each part of it, and where it ended."""
    head = list(lines[begin : begin + 2])
    names = row_words(head[0])
    indent = head[0][: -len(head[0].lstrip())]  # of the list item that the table belongs to
    rows, end = _rows(lines, begin + 2, len(row_cells(head[1])))
    table: list[str] = []
    is_below_head = False
    for line, cells in zip(*rows, strict=True):
        if line is None and not _is_short(cells):
            table += ["", *(indent + item for item in _list(cells, names)), ""]
            is_below_head = False
        else:
            row = line or f"{indent}| {' | '.join(map(_one_line, cells))} |"
            table += [row] if is_below_head else [*head, row]
            is_below_head = True
    return table or head, end


def _rows(lines: Sequence[str], position: int, columns: int) -> tuple[tuple[list[str | None], list[list[str]]], int]:
    """Return the line of each row from ``position`` on, None where it has changed, its cells, and where they end."""
    written: list[str | None] = []
    found: list[list[str]] = []
    while position < len(lines) and _is_row(lines[position]):
        wrapped, length = _wrapped_cells(lines[position : position + _MOST_LINES], columns)
        written.append(lines[position] if wrapped is None else None)
        found.append(row_words(lines[position]) if wrapped is None else wrapped)
        position += length
    completed = completed_rows(found, columns)
    kept = [line if new == old else None for line, old, new in zip(written, found, completed, strict=True)]
    return (kept, completed), position


def _wrapped_cells(lines: Sequence[str], columns: int) -> tuple[list[str] | None, int]:
    """Return the cells of the row that begins with the first line, and how many lines it has.

    None for a row of one line, and for one that never ends.
    """
    if _ends(lines[0]):
        return None, 1
    row = lines[0].rstrip()
    is_code = row.count(_FENCE[0]) % 2 == 1
    for number, line in enumerate(lines[1:], start=2):
        words = line.strip()
        if words.startswith(_FENCE):
            is_code = not is_code
        elif is_code:
            line = line.replace("|", "\\|")
        elif line.startswith("#") or is_row_rule(line):
            break
        elif words.startswith("|") and len(row_cells(row)) + words.count("|") - 1 > columns:
            break  # a whole row of its own: the one before only lacks its last bar
        row += _LINE + line.strip() if words else ""
        if _ends(line):
            return row_words(_ITEM_WITHIN_LINE.sub(f"{_LINE}- ", row)), number
    return None, 1


def _is_short(cells: Sequence[str]) -> bool:
    width = sum(len(cell) + len(ideographs(cell)) for cell in cells)
    return width <= _LONGEST_ROW_CHARACTERS or any(fence in cell for cell in cells for fence in _FENCE)


def _one_line(cell: str) -> str:
    r"""Return a cell's lines as one, its list items divided by semicolons.

    >>> _one_line("- hour\v- month"), _one_line("按量付费\v- 包年包月"), _one_line("See:\v- below")
    ('hour; month', '按量付费；包年包月', 'See: below')
    """
    first, *others = cell.split(_LINE)
    words = _without_bullet(first)
    for line in others:
        item = _without_bullet(line)
        is_new = item != line and words and _ENDS_WITH_MARK.search(words) is None
        words = f"{words}{('；' if ideographs(words[-1]) else '; ') if is_new else ' '}{item}"
    return words.strip()


def _list(cells: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Yield a row as a list, with the columns' names if there are several and no cell is missing, as below others."""
    first, *others = cells
    is_named = len(names) == len(cells) >= _FEWEST_COLUMNS_NAMED
    yield f"- {_introducing(_one_line(first))}"
    for name, cell in zip_longest(names[1:] if is_named else (), others, fillvalue=""):
        lines = [line for line in cell.split(_LINE) if line.strip()]
        if len(lines) == 1:
            words = _without_bullet(lines[0])
            named = f"{_introducing(name)} {words}".replace("： ", "：", 1) if name else words
            yield f"  - {named}"
        elif lines:
            indent = "    " if name else "  "
            if name:
                yield f"  - {_introducing(name)}"
            yield from (f"{indent}- {_without_bullet(line)}" for line in lines)


def _introducing(words: str) -> str:
    words = words.rstrip(".。 ")
    if not words or words.endswith(INTRODUCES):
        return words
    return words + ("：" if ideographs(words.rstrip("*_`")[-1:]) else ":")


def _without_bullet(line: str) -> str:
    item = _ITEM.fullmatch(line)
    return item["words"] if item is not None and item["mark"] in BULLETS else line.strip()


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")


def _ends(line: str) -> bool:
    words = line.rstrip()
    return words.endswith("|") and not words.endswith("\\|")
