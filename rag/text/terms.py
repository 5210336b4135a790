"""The terms of the lexical index: words, codes, numbers and pairs of Chinese characters.

The store keeps a chunk's terms joined by spaces, so a term holds letters, digits and ``POINT`` only.
"""

import re
import unicodedata

from rag.text.characters import UNSPACED, simplified

POINT = "\ue000"
"""Represents the point of ``3.5`` within a term: a private-use character that no text has."""

LONGEST_TERM = 64
"""Longer runs are encoded data, not words; they are left out."""

_WORD = rf"[^\W_{UNSPACED}]+"
_TOKEN = re.compile(rf"([{UNSPACED}]+)|({_WORD}(?:[-._'’]{_WORD})*)")
_SPACED_CODE = re.compile(r"(?<![^\W_])([A-Z]{1,4})[ \u00a0](\d{2,6})(?![^\W_]|[.,]\d)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_JOINT = re.compile(r"[-._'’]")
_APOSTROPHE = re.compile(r"['’]")
_PIECE = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)*")


def terms(text: str) -> list[str]:
    """Return the terms of ``text`` in reading order, repeated as often as they occur.

    Full-width and half-width forms, upper and lower case, traditional and simplified characters are the same.  A code
    counts as a whole and in its parts, so that ``W-203``, ``w203``, ``W 203`` and ``203`` meet.

    >>> terms("报警 Ｗ-203")
    ['报警', 'w203', '203']
    """
    found: list[str] = []
    plain = unicodedata.normalize("NFKC", text)
    for run, word in _TOKEN.findall(_THOUSANDS.sub("", plain.lower())):
        if word.isalpha():
            found.append(word)
        else:
            found.extend(_pairs(simplified(run)) if run else _word_forms(word))
    found.extend(match[1].lower() + match[2] for match in _SPACED_CODE.finditer(plain))
    return [term for term in found if len(term) <= LONGEST_TERM]


def is_code(term: str) -> bool:
    """Tell whether a term is a code or number: it means the same in every language."""
    return not term.isalpha() and any(character.isdigit() for character in term)


def is_unspaced(term: str) -> bool:
    """Tell whether a term is made of Chinese (or kana, Hangul) characters."""
    return _UNSPACED.match(term) is not None


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(len(run) - 1)] or [run]


def _word_forms(word: str) -> list[str]:
    """Return a word without its apostrophe, or a compound as a whole and its parts of two or more characters."""
    word = _APOSTROPHE.sub("", word)
    if word.isalpha():
        return [word]
    parts = _JOINT.split(word)
    pieces = [piece.replace(".", POINT) for piece in _PIECE.findall(word)]
    whole = (POINT if all(part.isdigit() for part in parts) else "").join(parts)
    return [whole, *(piece for piece in dict.fromkeys([*parts, *pieces]) if len(piece) > 1 and piece != whole)]
