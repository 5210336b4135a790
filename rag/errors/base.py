"""The root of the tree, and how a sentence is made safe for a terminal."""

import re
from pathlib import Path
from typing import ClassVar

from rag.schema import Language

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
    """The root of the tree.  Keyword arguments fill the sentence's placeholders and stay readable in ``details``."""

    exit_code: ClassVar[int] = 1
    en: ClassVar[str] = "Something went wrong."
    zh: ClassVar[str] = "出了点问题。"

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.text("en"))

    def text(self, language: Language) -> str:
        """Return the one sentence for people, in their language."""
        template = self.zh if language == "zh" else self.en
        shown = {
            name: printable(str(value)) if isinstance(value, str | Path) else value
            for name, value in self.details.items()
        }
        return template.format(**shown)
