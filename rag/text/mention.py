"""Finds a name, a mail address or a number in texts, whatever its spelling."""

import re
import unicodedata

from rag.errors import SettingsError
from rag.schema import Language
from rag.text.characters import without_invisible

_SHORTEST = 2
_LONGEST = 200
_LETTERS = "0-9A-Za-z\u00aa-\u024f\u0370-\u052f"
"""Scripts that write words apart, so that a name is found as a word and not within another."""
_APART = re.compile(rf"[{_LETTERS}]")
_BETWEEN = r"[\s_\u00ad\-\u2010-\u2015]"
_SEPARATOR = re.compile(_BETWEEN)
_UNUSABLE: dict[Language, str] = {
    "en": f"what is looked for needs {_SHORTEST} to {_LONGEST} letters or digits",
    "zh": f"要查找的内容应为 {_SHORTEST} 至 {_LONGEST} 个文字或数字",
}


class Mention:
    """A name, address or number to find.  Letter case, width, blanks, hyphens and invisible characters do not matter.

    >>> mention = Mention("Anna-Lena Wu")
    >>> [mention.is_in(text) for text in ("for ＡＮＮＡ lena  wu?", "Joanna Lena Wu", "客户annalenawu的订单")]
    [True, False, True]

    Raises ``SettingsError`` for fewer than 2 or more than 200 letters and digits.
    """

    def __init__(self, text: str, language: Language = "en") -> None:
        self.folded = _SEPARATOR.sub("", _folded(text))
        letters = sum(character.isalnum() for character in self.folded)
        if not letters >= _SHORTEST or len(self.folded) > _LONGEST:
            raise SettingsError(reason=_UNUSABLE[language])
        middle = f"{_BETWEEN}*+".join(map(re.escape, self.folded))
        before = rf"(?<![{_LETTERS}])" if _APART.match(self.folded[0]) else ""
        after = rf"(?![{_LETTERS}])" if _APART.match(self.folded[-1]) else ""
        self._pattern = re.compile(f"{before}{middle}{after}")

    def is_in(self, text: str) -> bool:
        """Tell whether a text contains it."""
        return self._pattern.search(_folded(text)) is not None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", without_invisible(text)).casefold()
