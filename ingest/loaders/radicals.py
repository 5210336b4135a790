"""Look-alike characters that PDF fonts put in the place of ideographs, and the ideographs that are meant.

A font that holds one glyph for the radical ``⻛`` and the ideograph ``风`` often maps it to the radical, so that no
search finds the word.  NFKC mends the Kangxi radicals and the compatibility ideographs; the supplement's simplified
forms it leaves alone, so they are listed here (Unicode's property Equivalent_Unified_Ideograph, UAX #38).
"""

import re
import unicodedata

_SUPPLEMENT = (
    "⺁厂⺂乛⺃乚⺄乙⺅亻⺆冂⺇𠘨⺈刀⺉刂⺊卜⺋㔾⺌小⺍小⺎兀⺏尣⺐尢⺑𡯂⺒巳⺓幺⺔彑⺕彐⺖忄⺗心⺘扌⺙攵⺛旡⺜日⺝月⺞歺⺠民⺡氵"
    "⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺪𤴔⺫目⺬示⺭礻⺮𥫗⺯糹⺰纟⺱罓⺲罒⺳㓁⺴冗⺵𦉫⺶羊⺷𦍌⺸𦍋⺹耂⺺肀⺻聿⺼肉⺽𦥑⺾艹⺿艹"
    "⻀艹⻁虎⻂衤⻃覀⻄西⻅见⻆角⻇𧢲⻈讠⻉贝⻊𧾷⻋车⻌辶⻍辶⻎辶⻏邑⻐钅⻑長⻒镸⻓长⻔门⻕𨸏⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食"
    "⻞𩙿⻟飠⻠饣⻡𩠐⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀"
)
_IDEOGRAPHS = dict(zip(_SUPPLEMENT[::2], _SUPPLEMENT[1::2], strict=True))
_LOOK_ALIKE = re.compile("[\u2e80-\u2fdf\uf900-\ufaff]")


def with_ideographs(text: str) -> str:
    """Return the text with the ideographs that its radicals stand for.

    >>> with_ideographs("⻛扇的⻔，⽤⼿打开")
    '风扇的门，用手打开'
    """
    return _LOOK_ALIKE.sub(lambda found: _ideograph(found[0]), text)


def _ideograph(radical: str) -> str:
    return _IDEOGRAPHS.get(radical) or unicodedata.normalize("NFKC", radical)
