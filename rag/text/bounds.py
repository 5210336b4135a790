"""Bounds on text that others wrote, so that no call holds Python's lock for long.

``re`` holds the lock for a whole call and cannot be interrupted: a page of a million blanks in front of one slow
pattern stops every thread of the desk.  So text is bounded where it comes in (``squeezed``), patterns take time in
proportion to their text, and those that take long for each character look at a window at a time (``WindowedPattern``).
"""

import re
from dataclasses import dataclass

LONGEST_BLANK_RUN_CHARACTERS = 200
"""White space in a row.  Indented code and padded tables have less."""
_LONG_BLANK_RUN = re.compile(rf"(?<!\s)\s{{{LONGEST_BLANK_RUN_CHARACTERS + 1},}}+")


def squeezed(text: str) -> str:
    r"""Return text in which no more than 200 characters of white space stand in a row.

    A longer run becomes at most one empty line and the last line's indentation.

    >>> squeezed("a" + " " * 9000 + "b") == "a" + " " * 200 + "b", squeezed("a" + "\n" * 9000 + "  b")
    (True, 'a\n\n  b')
    """
    return _LONG_BLANK_RUN.sub(_short_run, text)


def _short_run(match: re.Match[str]) -> str:
    *lines, indentation = match.group().split("\n")
    return "\n" * min(len(lines), 2) + indentation[: LONGEST_BLANK_RUN_CHARACTERS - min(len(lines), 2)]


@dataclass(frozen=True, slots=True)
class WindowedPattern:
    """A pattern that is searched in windows of ``window_characters``, each overlapping the next one.

    A match of more than ``overlap_characters`` may be missed where a window ends.  What the pattern looks at behind its
    match must be within ``margin_characters``.
    """

    pattern: re.Pattern[str]
    window_characters: int = 4000
    overlap_characters: int = 1000
    margin_characters: int = 50

    def search(self, text: str) -> re.Match[str] | None:
        """Return a match in the first window that has one; the text's own ends are the pattern's ends."""
        start = 0
        while True:
            end = min(start + self.window_characters, len(text))
            match = self.pattern.search(text, start, end)
            if end == len(text) or (match is not None and match.end() <= end - self.margin_characters):
                return match
            start = end - self.overlap_characters
