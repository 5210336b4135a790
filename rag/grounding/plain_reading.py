r"""Undoes the disguises of a text, so that a pattern sees the words that a person or a model sees.

Invisible characters are removed, wide and decorated letters become plain, a Latin word with look-alike letters of
another script becomes Latin throughout, traditional characters become simplified.  Words that are spaced out, written
in digits or signs, encoded or reversed give further readings.  The result serves recognition only and is never shown.

``confusables.json`` holds the letters of Unicode's confusables.txt (UTS #39, by way of confusable-homoglyphs 3.3.1)
that look like one Latin letter, and the small capitals and small letters that it lists by their capitals alone.
"""

import base64
import binascii
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from rag.text.characters import INVISIBLE, simplified

_CONFUSABLES_PATH = Path(__file__).with_name("confusables.json")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_BLANKS = re.compile(r"[^\S\n]{2,}+")
_LINE_ENDS = re.compile(r"(?<!\s)[^\S\n]*+\n\s*+")
_MARKS = re.compile("[\u0300-\u036f\u0489\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u20d0-\u20f0]")
_WORD = re.compile(r"[^\W_]+")
_JOINTS = re.compile(r"[-*_~`·•.|/\\^+]+")
_JOINT = re.compile(r"[-*_~`·•.|/\\^+]\w")
_JOINED_WORD = re.compile(r"(?<![^\W_])[^\W_]++(?:[-*_~`·•.|/\\^+]{1,3}[^\W_]++)+")
_SPACED_OUT = re.compile(r"(?<![^\W_])[^\W_](?:[^\S\n]{1,3}[^\W_](?![^\W_])|[-._*·|/][^\W_](?![^\W_])){4,200}+")
_DIGIT = re.compile(r"[0-9@$!|]")
_LETTER_AND_DIGIT = re.compile(r"(?:[a-z][0-9@$!|]|[0-9@$!|][a-z])", re.IGNORECASE)
_LEET_WORD = re.compile(
    r"(?<![\w@$!|])(?:[a-z]{1,24}[0-9@$!|]|[0-9@$!|]{1,24}[a-z])[\w@$!|]{0,24}(?![\w@$|])", re.IGNORECASE
)
_LEET = (
    str.maketrans("0134578@$!|", "oieastbasii"),
    str.maketrans("0134578@$!|", "oleastbasll"),
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,8000}+={0,2}")
_HEX = re.compile(r"(?<![0-9a-fA-F])(?:[0-9a-fA-F]{2}[ :,]?|\\x[0-9a-fA-F]{2}|0x[0-9a-fA-F]{2}[ ,]?){10,4000}+")
_HEX_DIGITS = re.compile(r"(?:\\x|0x)?([0-9a-fA-F]{2})[ :,]?")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_BACKWARDS = re.compile(r"erongi|snoitcurtsni|tpmorp|\bbackwards?\b|\breversed?\b|倒着|反着|倒过来|逆序")
_ROT13 = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
_FEWEST_SPACED = 5
"""The number of single letters in a row from which on they may be a spaced-out word."""
_COMMON_SIGNS = " .,:;!?'\"\n-，。、：；！？“”‘’（）《》"
_LEAST_READABLE = 0.85
"""The share of letters, blanks and common signs from which on decoded bytes are taken for text."""


def plain(text: str) -> str:
    r"""Return a text in small plain letters, in which no word is disguised letter by letter.

    >>> plain("Ign\u043ere\u200b \uff21\uff2c\uff2c  pr\u00e9vious"), plain("無視 привет")
    ('ignore all previous', '无视 привет')
    """
    text = _BLANKS.sub(" ", _LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text.lower()
    shown = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    shown = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", shown)))
    return simplified(in_one_script(shown)).replace("’", "'").lower()


def other_readings(text: str, shown: str, is_known: Callable[[str], bool]) -> Iterator[str]:
    """Yield the other readings of a text, in plain letters; none for most texts.

    ``text`` is the original, ``shown`` its ``plain`` reading; ``is_known`` tells for which words a disguise is worth
    undoing.  Takes time linear in the length; each disguise is first detected by its signs.
    """
    if not text.isascii() and (hidden := "".join(_TAGS.findall(text))):
        yield plain("".join(chr(ord(character) - 0xE0000) for character in hidden))
    if "&#" in shown or "&lt" in shown:
        yield plain(html.unescape(shown))
    if "%" in shown and _PERCENT.search(shown):
        yield plain(unquote(shown, errors="replace"))
    if _JOINT.search(shown) and any(is_known(_JOINTS.sub("", word)) for word in _JOINED_WORD.findall(shown)):
        yield _JOINED_WORD.sub(lambda word: _JOINTS.sub("", word.group()), shown)
    if _DIGIT.search(shown) and _LETTER_AND_DIGIT.search(shown):
        yield from _without_leet(shown, is_known)
    lengths = list(map(len, shown.split()))
    if lengths.count(1) + lengths.count(2) >= _FEWEST_SPACED or max(lengths, default=0) > 2 * _FEWEST_SPACED:
        yield from _without_spacing(shown)
        yield from map(plain, _decoded(text))
    if _BACKWARDS.search(shown):
        yield shown[::-1]
    if "rot13" in shown or "rot-13" in shown:
        yield shown.translate(_ROT13)


def _without_spacing(shown: str) -> Iterator[str]:
    """Yield each spaced-out word, then the text with all of them closed up: one word alone may be spaced out."""
    runs = _SPACED_OUT.findall(shown)
    for run in runs:
        yield "".join(_WORD.findall(run))
    if runs:
        yield _SPACED_OUT.sub(lambda run: "".join(_WORD.findall(run.group())), shown)


def _without_leet(shown: str, is_known: Callable[[str], bool]) -> Iterator[str]:
    for table in _LEET:
        if any(is_known(word.translate(table)) for word in _LEET_WORD.findall(shown)):
            yield _LEET_WORD.sub(lambda word, table=table: word.group().translate(table), shown)  # type: ignore[misc]


@cache
def _latin_letters() -> dict[int, str]:
    table = json.loads(_CONFUSABLES_PATH.read_text(encoding="utf-8"))
    return {ord(letter): latin for letter, latin in zip(table["letters"], table["latin"], strict=True)}


def in_one_script(text: str) -> str:
    """Return the text with each word in Latin letters that consists of Latin letters and look-alikes."""
    if _latin_letters().keys().isdisjoint(map(ord, text)):
        return text

    def folded(word: re.Match[str]) -> str:
        latin = word.group().translate(_latin_letters())
        return latin if latin.isascii() else word.group()

    return _WORD.sub(folded, text)


def _decoded(text: str) -> Iterator[str]:
    """Yield the texts encoded in Base64 or hexadecimal digits."""
    for token in _BASE64.findall(text):
        bare = token.rstrip("=").replace("-", "+").replace("_", "/")
        bare = bare[: len(bare) - (len(bare) % 4 == 1)]
        yield from _readable(base64.b64decode(bare + "=" * (-len(bare) % 4)))
    for run in _HEX.findall(text):
        try:
            yield from _readable(bytes.fromhex("".join(_HEX_DIGITS.findall(run))))
        except (binascii.Error, ValueError):
            continue


def _readable(content: bytes) -> Iterator[str]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    fitting = sum(character.isalpha() or character in _COMMON_SIGNS for character in text)
    if len(text) >= 8 and fitting >= _LEAST_READABLE * len(text):
        yield text
