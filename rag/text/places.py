"""Countries, cities and provinces that a Chinese text names: there no capital letter tells a name from a word.

``places.json`` gives the English name of each, in small letters: territories and the cities of time zones from
Unicode's CLDR (by way of Babel 2.19), China's provinces, and cities that customers write from.  A name counts where the
words are divided so (jieba's dictionary and model): 成都 stands in 完成都需要, and is not named there.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from rag.text.characters import simplified

_TABLE_PATH = Path(__file__).with_name("places.json")
_AROUND = 10
"""Characters on each side of a name by which it is told whether the words are divided so."""

_ALSO_CALLED = {
    "united kingdom": (" uk", "(uk", "britain"),
    "united states": ("usa", "u.s.", "america"),
    "united arab emirates": ("uae",),
}
"""In small letters, as a part of a text that has them."""


@lru_cache(maxsize=1)
def _english_names() -> dict[str, str]:
    return dict(json.loads(_TABLE_PATH.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def _chinese_names() -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for chinese, english in _english_names().items():
        names[english] = (*names.get(english, ()), chinese)
    return names


@lru_cache(maxsize=1)
def _beginnings() -> dict[str, tuple[str, ...]]:
    """Return the names by their first two characters, the longest first."""
    names: dict[str, tuple[str, ...]] = {}
    for name in sorted(_english_names(), key=len, reverse=True):
        names[name[:2]] = (*names.get(name[:2], ()), name)
    return names


def chinese_places(text: str) -> frozenset[str]:
    """Return the places that a text names in Chinese, by their English names in small letters.

    >>> sorted(chinese_places("寄到冰島的運費是多少？纽约呢？")), chinese_places("完成都需要几天？")
    (['iceland', 'new york'], frozenset())
    """
    if text.isascii():
        return frozenset()
    plain = simplified(text)
    return frozenset(_english_names()[name] for start, name in _candidates(plain) if _is_a_word(plain, start, name))


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    beginnings = _beginnings()
    for start in range(len(text) - 1):
        for name in beginnings.get(text[start : start + 2], ()):
            if text.startswith(name, start):
                yield start, name


def _is_a_word(text: str, start: int, name: str) -> bool:
    """Tell whether a word begins and ends where the name does, but for what makes 北京市 and 中国香港 of it."""
    import rjieba  # here: it reads its dictionary for a tenth of a second, and few texts name a place

    end = max(0, start - _AROUND)
    for word in rjieba.cut(text[end : start + len(name) + _AROUND]):
        end += len(word)
        if end > start:
            return name in (word, word.removeprefix("中国").rstrip("市省州"))
    return False


def spellings(place: str) -> tuple[str, ...]:
    """Return what a text in small letters and simplified characters has that names a place, or something else.

    >>> spellings("iceland"), spellings("ollama")
    (('iceland', '冰岛'), ('ollama',))
    """
    return (place, *_ALSO_CALLED.get(place, ()), *_chinese_names().get(place, ()))
