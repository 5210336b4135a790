"""The root of the tree, and how a sentence is made safe for a terminal."""

import re
from pathlib import Path
from typing import ClassVar

from rag.translate import is_known, translate

# control characters, line separators, marks that turn the direction of writing, bytes of a name that are no UTF-8
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF


def printable(text: str) -> str:
    r"""Return one line that a terminal shows as it is, whatever somebody called a file.

    >>> print(printable("a\nb\x1b[31m"), printable("\udcc4.md"))
    a\nb\x1b[31m \xc4.md
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    if _FIRST_ESCAPED_BYTE <= number <= _LAST_ESCAPED_BYTE:  # how Python keeps the bytes of a file's name
        return f"\\x{number & 0xFF:02x}"
    return match.group().encode("unicode_escape").decode("ascii")


class AnswerdeskError(Exception):
    """The root of the tree.  Keyword arguments fill the sentence's placeholders and stay readable in ``details``.

    The sentence is in ``rag/locale/*/errors.toml`` under the name of the class, or else of the next class above it.
    There too are reasons and remedies, under ``reasons.<class>.<key>``: a detail of one of these two names that is such
    a key is shown in words.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """Return the one sentence for people, in their language."""
        return translate(self._sentence_key(), language, **self._shown_details(language))

    def reason_text(self, language: str) -> str:
        """Return the detail ``reason`` alone, in words."""
        return str(self._shown_details(language)["reason"])

    @classmethod
    def has_reason(cls, reason: str) -> bool:
        """Return whether the catalogue has words for this reason."""
        return is_known(f"errors.reasons.{cls.__name__}.{reason}")

    @classmethod
    def require_reason(cls, reason: str) -> None:
        """Raise ``ValueError`` for a reason without words: a fault of the program."""
        if not cls.has_reason(reason):
            raise ValueError(f"unknown reason {reason!r} of {cls.__name__}")

    @classmethod
    def _sentence_key(cls) -> str:
        keys = (f"errors.{above.__name__}" for above in cls.__mro__)
        return next(key for key in keys if is_known(key))

    def _shown_details(self, language: str) -> dict[str, object]:
        shown = {
            name: printable(str(value)) if isinstance(value, str | Path) else value
            for name, value in self.details.items()
        }
        for part, table in (("reason", "reasons"), ("remedy", "remedies")):
            key = f"errors.{table}.{type(self).__name__}.{self.details.get(part)}"
            if part in shown and is_known(key):
                shown[part] = translate(key, language, **shown)
        return shown
