"""Bounds on text that others wrote, so that no call holds Python's lock for long.

``re`` holds the lock for a whole call and cannot be interrupted: a page of a million blanks in front of one slow
pattern stops every thread of the desk.  So text is bounded where it comes in (``squeezed``), and patterns take time in
proportion to their text.
"""

import re

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
