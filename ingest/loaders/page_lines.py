"""The lines of a page, of PDF or from recognition: words with a size and a place."""

import re
import unicodedata
from dataclasses import dataclass

from ingest.loaders.encoding import clean

HEADING_SCALE = 1.15
"""How much larger than the document's body a heading is at the least."""
CELL_GAP_EMS = 1.2  # between the cells of a table; wider than any space between words, also in justified text
HYPHENS = ("\ufffe", "\x02", "\u00ad")  # what PDFium puts for a hyphen at a line's end
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

    ``top`` and ``bottom`` are its first character's, in points from the page's lower edge, ``baseline`` is where most
    of its characters stand; 0 where they are not known.
    """

    text: str
    size: float
    cells: tuple[Cell, ...]
    top: float = 0.0
    bottom: float = 0.0
    baseline: float = 0.0


def plain_line(text: str) -> str:
    """Return a line with single blanks, without its end's hyphen, and with ideographs for their look-alikes."""
    for hyphen in HYPHENS:
        text = text.replace(hyphen, "")
    return " ".join(with_ideographs(clean(text)).split())


def is_wide(character: str) -> bool:
    """Tell whether a character takes the place of two, as ideographs do."""
    return unicodedata.east_asian_width(character) in "WF"


def with_ideographs(text: str) -> str:
    """Return the text with ideographs in place of look-alike radicals.

    >>> with_ideographs("⻛扇的⻔，⽤⼿打开")
    '风扇的门，用手打开'
    """
    return _LOOK_ALIKE.sub(lambda found: _ideograph(found[0]), text)


def _ideograph(radical: str) -> str:
    return _IDEOGRAPHS.get(radical) or unicodedata.normalize("NFKC", radical)
