"""Expands a question with a team's synonyms.

A file of one set a line, its words separated by commas, in both languages if need be:

    # what our customers say, what our articles say
    robo, vacuum robot, 扫地机器人
    快递, 包裹, parcel
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rag.errors import GlossaryUnusable
from rag.text.characters import simplified

GLOSSARY_NAMES = ("glossary.csv", "glossary.txt")
_SEPARATORS = re.compile(r"[,，、;；|\t]")
_LONGEST_WORD_CHARACTERS = 64
_MOST_LINES = 10_000
_MOST_ALTERNATIVES = 8
"""For one question: beyond that its own words would be lost among others."""


def folded(text: str) -> str:
    """Return text of one width, in small letters and simplified characters."""
    return simplified(unicodedata.normalize("NFKC", text).lower())


@dataclass(frozen=True, slots=True)
class Glossary:
    """Sets of words, as they were written.  ``alternatives`` is what it is for.

    >>> Glossary.of([("robo", "vacuum robot")]).alternatives("My Robo beeps")
    ('vacuum robot',)
    """

    sets: tuple[tuple[str, ...], ...] = ()
    _patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, sets: Sequence[Sequence[str]]) -> Self:
        """Return the glossary of some sets, each of two words and more."""
        return cls(tuple(map(tuple, sets)), tuple(_pattern(words) for words in sets))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.  Raises ``GlossaryUnusable`` naming the line and what is wrong with it."""
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise GlossaryUnusable(path=path, line=1, reason="unreadable") from error
        if len(lines) > _MOST_LINES:
            raise GlossaryUnusable(path=path, line=_MOST_LINES + 1, reason="long")
        sets = []
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            words = tuple(dict.fromkeys(word.strip() for word in _SEPARATORS.split(line) if word.strip(' "')))
            words = tuple(word.strip('" ') for word in words)
            if len(words) < 2:
                raise GlossaryUnusable(path=path, line=number, reason="single")
            if any(len(word) > _LONGEST_WORD_CHARACTERS for word in words):
                raise GlossaryUnusable(path=path, line=number, reason="wordy")
            if not all(any(character.isalnum() for character in word) for word in words):
                raise GlossaryUnusable(path=path, line=number, reason="signs")
            sets.append(words)
        return cls.of(sets)

    def alternatives(self, text: str) -> tuple[str, ...]:
        """Return the other words of every set of which the text has one, eight at the most."""
        plain = folded(text)
        found: dict[str, None] = {}
        for words, pattern in zip(self.sets, self._patterns, strict=True):
            if pattern.search(plain):
                found.update((word, None) for word in words if not _pattern((word,)).search(plain))
        return tuple(found)[:_MOST_ALTERNATIVES]


def glossary_of(setting: Path | None, folder: Path) -> Glossary:
    """Return the glossary that a setting names, else the one in the knowledge base's folder, else an empty one.

    Raises ``GlossaryUnusable``.
    """
    if setting is not None:
        return Glossary.read(setting)
    path = next((folder / name for name in GLOSSARY_NAMES if (folder / name).is_file()), None)
    return Glossary() if path is None else Glossary.read(path)


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Match any of the words: Latin ones as whole words, Chinese ones wherever they stand."""
    alternatives = []
    for word in map(folded, words):
        before = r"(?<![a-z0-9])" if word[0].isascii() else ""
        after = r"(?![a-z0-9])" if word[-1].isascii() else ""
        alternatives.append(before + r"\s+".join(map(re.escape, word.split())) + after)
    return re.compile("|".join(alternatives))
