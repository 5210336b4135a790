"""Ranges of characters by script, each the inside of a character class for ``re``: the one definition of each."""

import re

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters: the unified ideographs with extension A, the compatibility block and the two upper planes."""

UNSPACED = f"\u3005\u3007\u3040-\u30ff\uac00-\ud7af{IDEOGRAPHS}"
"""Ideographs, kana and Hangul: scripts without blanks, or whose pairs of characters serve as well as words."""

UNSPACED_PRINT = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
"""What stands in a line of Chinese or Japanese print: ideographs, kana, and the full-width punctuation of both."""

_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")


def ideographs(text: str) -> list[str]:
    """Return the Chinese characters of a text in their order, repeated as often as they occur.

    >>> ideographs("Latch 报 E07")
    ['报']
    """
    return [] if text.isascii() else _IDEOGRAPH.findall(text)


def has_ideographs(text: str) -> bool:
    """Tell whether a text has a Chinese character."""
    return not text.isascii() and _IDEOGRAPH.search(text) is not None
