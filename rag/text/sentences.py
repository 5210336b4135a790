"""Splits text into sentences with their offsets, in both languages.

A full stop does not end a sentence in ``3.5``, ``v2.1``, ``e.g.``, ``No. 5``, an address or a list's ``1.``.  A list
item, a heading, a table row and a model's description of a picture are sentences of their own.  A wrapped line
continues on the next.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from rag.schema import TextSpan
from rag.text.characters import UNSPACED_PRINT
from rag.text.markup import LIST_MARK, is_description
from rag.text.quantities import MONTH_NAMES

_LINE_STARTS_ANEW = re.compile(
    rf"\s*+(?:{LIST_MARK}|\||#{{1,6}}\s|>|`{{3}})"  # an item, a row of a table, a heading, a quotation, code
)
_LIST_NUMBER = re.compile(r"\s*(?:[-*+>•]\s+)*\(?(?:\d{1,3}|[A-Za-z])\.$")
_ENDS = re.compile(r"(?:[。！？!?…]|\.)+[\"'”’」』）)\]】》*_]*")
_BEFORE_A_WORD = re.compile(r"[\s(\"'“‘]")
_ABBREVIATION = re.compile(
    r"(?:e\.g|i\.e|etc|vs|cf|approx|no|nos|art|fig|figs|sec|ch|pp|p|vol|ed|dept|est|incl|excl|max|min|"
    r"tel|ext|mr|mrs|ms|dr|prof|st|jr|sr|inc|ltd|co|corp|sept|a\.m|p\.m|"
    rf"{'|'.join(name[:3] for name in MONTH_NAMES if name != 'may')}|"
    r"u\.s|u\.k|[a-z](?:\.[a-z])*+)\.",
    re.IGNORECASE,
)
_ALWAYS_ABBREVIATION = re.compile(r"(?:e\.g|i\.e|vs|cf|approx|mr|mrs|ms|dr|prof|fig|incl|excl)\.$", re.IGNORECASE)
_UNSPACED = re.compile(f"[{UNSPACED_PRINT}]")
_LONGEST_ABBREVIATION = 32  # characters; looking for one in all of a long text would take most of the time
_SEEN_CHARACTERS = 400  # on either side of a mark: to copy all of a long paragraph for each one takes quadratic time
_WRAPPED_LENGTH_LATIN = 50
_WRAPPED_LENGTH_UNSPACED = 24
"""A line at least this long that ends without punctuation is taken to wrap; shorter ones are titles, names, cells."""


@lru_cache(maxsize=4096)
def split_sentences(text: str) -> tuple[TextSpan, ...]:
    """Return the sentences' spans: ordered, disjoint, without white space at their ends, covering all other text.

    >>> text = "The fee is 3.5 %. 7天内可退。过期不退！"
    >>> [text[span.start : span.end] for span in split_sentences(text)]
    ['The fee is 3.5 %.', '7天内可退。', '过期不退！']
    """
    spans: list[TextSpan] = []
    for start, end in _blocks(text):
        cut = start
        is_whole = is_description(text[start:end].lstrip())
        for stop in () if is_whole else _sentence_ends(text, start, end):
            spans.extend(_trimmed(text, cut, stop))
            cut = stop
        spans.extend(_trimmed(text, cut, end))
    return tuple(spans)


def _trimmed(text: str, start: int, end: int) -> list[TextSpan]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    body = piece.strip()
    return [TextSpan(start + left, start + left + len(body))] if body else []


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans that contain whole sentences: list items, rows, headings, and paragraphs with wrapped lines."""
    start, position = 0, 0
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        position += len(line)
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not _may_continue(line.rstrip(), following):
            yield start, position
            start = position


def _may_continue(line: str, following: str) -> bool:
    """Tell whether the sentence of a line may continue on the next one."""
    first = line.lstrip()[:1]
    if not first or not following.strip() or first in "#|" or _LINE_STARTS_ANEW.match(following):
        return False
    if is_description(line.lstrip()) or is_description(following.lstrip()):
        return False
    unspaced = len(_UNSPACED.findall(line))
    if unspaced * 2 >= len(line):
        return len(line) >= _WRAPPED_LENGTH_UNSPACED and line[-1] not in "。！？：；:;!?"
    if following.lstrip()[0].islower() and line[-1] not in ".!?:;":
        return True
    return len(line) >= _WRAPPED_LENGTH_LATIN and line[-1] not in ":;"


def _sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the offsets at which a new sentence begins within a block."""
    for match in _ENDS.finditer(text, start, end):
        after = text[match.end() : match.end() + 1] if match.end() < end else ""
        so_far = text[max(start, match.end() - _SEEN_CHARACTERS) : match.end()]
        if after and _ends_sentence(
            so_far, match.group(), text[match.end() : min(end, match.end() + _SEEN_CHARACTERS)]
        ):
            yield match.end()


def _ends_sentence(so_far: str, mark: str, rest: str) -> bool:
    if any(character in mark for character in "。！？"):
        return True
    after = rest[0]
    if "!" in mark or "?" in mark or "…" in mark:
        return after.isspace() or (bool(_UNSPACED.match(after)) and not _ends_in_address(so_far))
    # Points only from here on.
    before = so_far.rstrip("\"'”’」』）)]】》*_").rstrip(".")[-1:]
    if _UNSPACED.match(after):
        return bool(_UNSPACED.match(before))
    if not after.isspace() or _LIST_NUMBER.match(so_far.rsplit("\n", 1)[-1]):
        return False
    following = rest.lstrip()[:1]
    last_words = so_far[-_LONGEST_ABBREVIATION:]
    if mark.startswith("..") or _ALWAYS_ABBREVIATION.search(last_words):
        return mark.startswith("..") and not following.islower()
    if _ABBREVIATION.fullmatch(_BEFORE_A_WORD.split(last_words)[-1]):
        return following.isupper() and last_words.lower().endswith(("etc.", "a.m.", "p.m.", "ltd.", "inc.", "co."))
    return not following.islower() or bool(_UNSPACED.match(before))


def _ends_in_address(so_far: str) -> bool:
    return "://" in so_far[-200:].rsplit(" ", 1)[-1]
