"""Moves ``<think>`` tags that leaked into a reply's text back where they belong."""

from rag.protocols import GeneratedText, GeneratedThinking

_OPEN = "<think>"
_CLOSE = "</think>"


class ThoughtTags:
    """Sorts text that comes piece by piece into thinking and text; the tags themselves are dropped.

    A tag may be cut anywhere by the pieces' ends.  A thought that is never closed stays a thought.

    >>> tags = ThoughtTags()
    >>> tags.feed("<thi"), tags.feed("nk>hm</think>7 days")
    ([], [GeneratedThinking(text='hm'), GeneratedText(text='7 days')])
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False

    def feed(self, text: str) -> list[GeneratedThinking | GeneratedText]:
        """Return what is certain by now; up to seven characters that may begin a tag are held back."""
        parts: list[GeneratedThinking | GeneratedText] = []
        rest = self._held + text
        while True:
            position, tag = _first_tag(rest)
            if tag is None:
                break
            parts += self._part(rest[:position])
            self._inside = tag == _OPEN
            rest = rest[position + len(tag) :]
        held = _length_of_begun_tag(rest)
        parts += self._part(rest[: len(rest) - held])
        self._held = rest[len(rest) - held :]
        return parts

    def finish(self) -> list[GeneratedThinking | GeneratedText]:
        """Return what was held back: it was no tag after all."""
        parts = self._part(self._held)
        self._held = ""
        return parts

    def _part(self, text: str) -> list[GeneratedThinking | GeneratedText]:
        if not text:
            return []
        return [GeneratedThinking(text) if self._inside else GeneratedText(text)]


def _first_tag(text: str) -> tuple[int, str | None]:
    found = [(text.find(tag), tag) for tag in (_OPEN, _CLOSE) if tag in text]
    return min(found) if found else (-1, None)


def _length_of_begun_tag(text: str) -> int:
    """Return how many characters at the end of the text may be the beginning of a tag."""
    longest = min(len(text), len(_CLOSE) - 1)
    return next((size for size in range(longest, 0, -1) if any(t.startswith(text[-size:]) for t in (_OPEN, _CLOSE))), 0)
