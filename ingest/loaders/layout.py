"""Turns the lines of a page, of PDF or from recognition, into headings, tables and paragraphs.

A page has only words with a size and a place.  A line clearly larger than the document's body is a heading;
consecutive lines with gaps at the same places are rows of a table.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.loaders.encoding import clean
from ingest.loaders.plain_markup import heading, table

_HEADING_SCALE = 1.15
_HEADING_LIMIT_CHARACTERS = 100
_HEADING_LINES_SHARE = 0.4  # where more lines are large it is a slide or a form, and size says nothing
_DEEPEST_LEVEL = 4
_LETTER = re.compile(r"[^\W\d_]")
_HYPHENS = ("\ufffe", "\x02", "\u00ad")  # what PDFium puts for a hyphen at a line's end
CELL_GAP_EMS = 1.2  # between the cells of a table; wider than any space between words, also in justified text
_FULL_LINE_SHARE = 0.8
_ALIKE = 0.12
_SHORTEST_FULL_LINE = 30
_NEW_PARAGRAPH = re.compile(
    r"(?:[-*•·●○■◆▪–—]|\(?\d{1,3}[.)、]|[（(]?[一二三四五六七八九十]{1,3}[)）、]|第[一二三四五六七八九十\d]+[章节条]|[①-⑳]|[A-Za-z][.)]\s)"
)
_SENTENCE_END = re.compile(r"[.!?。！？:：;；][\"'”’」』）)]*$")
# PDF fonts that hold one glyph for the radical ⻛ and the ideograph 风 often map it to the radical, and no search finds
# the word.  NFKC mends the Kangxi radicals and the compatibility ideographs; it leaves the simplified forms of the
# supplement alone, so they are listed here (Unicode's property Equivalent_Unified_Ideograph, UAX #38).
_SUPPLEMENT = (
    "⺁厂⺂乛⺃乚⺄乙⺅亻⺆冂⺇𠘨⺈刀⺉刂⺊卜⺋㔾⺌小⺍小⺎兀⺏尣⺐尢⺑𡯂⺒巳⺓幺⺔彑⺕彐⺖忄⺗心⺘扌⺙攵⺛旡⺜日⺝月⺞歺⺠民⺡氵"
    "⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺪𤴔⺫目⺬示⺭礻⺮𥫗⺯糹⺰纟⺱罓⺲罒⺳㓁⺴冗⺵𦉫⺶羊⺷𦍌⺸𦍋⺹耂⺺肀⺻聿⺼肉⺽𦥑⺾艹⺿艹"
    "⻀艹⻁虎⻂衤⻃覀⻄西⻅见⻆角⻇𧢲⻈讠⻉贝⻊𧾷⻋车⻌辶⻍辶⻎辶⻏邑⻐钅⻑長⻒镸⻓长⻔门⻕𨸏⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食"
    "⻞𩙿⻟飠⻠饣⻡𩠐⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀"
)
_IDEOGRAPHS = dict(zip(_SUPPLEMENT[::2], _SUPPLEMENT[1::2], strict=True))
_LOOK_ALIKE = re.compile("[\u2e80-\u2fdf\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of characters without a wide gap; ``left`` and ``right`` in points."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; ``size`` is that of most of its characters, in points, 0 if unknown.

    ``top`` and ``bottom`` are its first character's, in points from the page's lower edge; 0 where they are not known.
    """

    text: str
    size: float
    cells: tuple[Cell, ...]
    top: float = 0.0
    bottom: float = 0.0


def heading_levels(lines: Iterable[Line]) -> dict[float, int]:
    """Return the heading level, from 1, of each font size, given all lines of a document."""
    lines = [line for line in lines if line.text.strip()]
    weights = Counter[float]()
    for line in lines:
        weights[line.size] += len(line.text)
    if not weights:
        return {}
    body = weights.most_common(1)[0][0]
    large = [line for line in lines if line.size >= _HEADING_SCALE * body > 0]
    if len(large) > _HEADING_LINES_SHARE * len(lines):
        return {}
    sizes = sorted({line.size for line in large if is_heading_like(line)}, reverse=True)
    return {size: min(level, _DEEPEST_LEVEL) for level, size in enumerate(sizes, start=1)}


def is_heading_like(line: Line) -> bool:
    """Tell whether a line could be a heading, given the size of one."""
    return len(line.text) <= _HEADING_LIMIT_CHARACTERS and _LETTER.search(line.text) is not None


def table_length(lines: Sequence[Line]) -> int:
    """Return how many of the first lines are rows of one table; 0 for none."""
    first = lines[0].cells
    length = 0
    for line in lines:
        if len(line.cells) != len(first) or not (_fits_columns(line.cells, first) and _fits_columns(first, line.cells)):
            break
        length += 1
    return length if length > 1 and len(first) > 1 else 0


def _fits_columns(cells: Sequence[Cell], others: Sequence[Cell]) -> bool:
    """Tell whether every cell ends before the other row's next column begins: a header may be centred."""
    return all(cell.right < following.left for cell, following in zip(cells, others[1:], strict=False))


def page_blocks(lines: Sequence[Line], levels: Mapping[float, int]) -> Iterator[str]:
    """Yield a page's headings, tables and stretches of text."""
    full = _column_width(plain_line(line.text) for line in lines)
    texts: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        rows = table_length(lines[position:])
        is_heading = line.size in levels and is_heading_like(line)
        if rows or is_heading:
            yield from _text_blocks(texts, full)
            texts = []
            cells = [[plain_line(cell.text) for cell in row.cells] for row in lines[position : position + rows]]
            yield table(cells) if rows else heading(levels[line.size], plain_line(line.text))
        else:
            texts.append(line.text)
        position += rows or 1
    yield from _text_blocks(texts, full)


def page_text(lines: Sequence[Line]) -> str:
    """Return the text of a page without headings, as a picture's is."""
    return "\n\n".join(page_blocks(lines, {}))


def _text_blocks(lines: Sequence[str], full_width: float) -> Iterator[str]:
    joined = join_wrapped_lines(lines, full_width)
    if joined:
        yield joined


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
            closely = hyphenated or (_is_wide(previous[-1]) and _is_wide(line[0]))
            joined[-1] += line if closely else f" {line}"
        elif line:
            joined.append(line)
        previous = line
        hyphenated = written.rstrip().endswith(_HYPHENS)
    return "\n".join(joined)


def plain_line(text: str) -> str:
    """Return a line with single blanks, without its end's hyphen, and with ideographs for their look-alikes."""
    for hyphen in _HYPHENS:
        text = text.replace(hyphen, "")
    return " ".join(with_ideographs(clean(text)).split())


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
    return sum(2 if _is_wide(character) else 1 for character in line)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def with_ideographs(text: str) -> str:
    """Return the text with ideographs in place of look-alike radicals.

    >>> with_ideographs("⻛扇的⻔，⽤⼿打开")
    '风扇的门，用手打开'
    """
    return _LOOK_ALIKE.sub(lambda found: _ideograph(found[0]), text)


def _ideograph(radical: str) -> str:
    return _IDEOGRAPHS.get(radical) or unicodedata.normalize("NFKC", radical)
