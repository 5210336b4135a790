"""The quotation that a second reply begins with, and the conclusion that the model draws from it.

``answer.py`` says when a reply is asked for in this way, and why.
"""

import re
from collections.abc import Sequence
from itertools import chain

from rag.schema import Evidence, Language, TextSpan
from rag.text.markup import without_descriptions

_OPENINGS: dict[Language, tuple[str, str]] = {"en": ('Our documents say: "', '"”'), "zh": ("资料中写道：“", "”")}
"""The opening, and the marks that may end the quotation."""

_CONCLUDES = re.compile(r"\A\W*(?:(?:所以|因此|(?i:so|therefore|thus)\b)[，,]?\s*)?")
_CONCLUSIONS: dict[Language, str] = {"en": " So", "zh": "所以，"}


def opening_of(evidence: Sequence[Evidence], language: Language) -> str:
    """Return the beginning of a quoting reply; empty if the best passage is in the other language: it is not copied."""
    best = next((passage for passage in evidence if passage.sent), None)
    return _OPENINGS[language][0] if best is not None and best.language == language else ""


def quotation_of(words: str, language: Language) -> str:
    """Return a sentence that says that the documents say these words."""
    opening, endings = _OPENINGS[language]
    return f"{opening}{words}{endings[0]}"


def is_closed(text: str) -> bool:
    """Tell whether the quotation at the beginning of a reply is closed.

    >>> is_closed('Our documents say: "Rust is'), is_closed('Our documents say: "Rust is not covered." So')
    (False, True)
    """
    quoted = _quotation(text)
    return quoted is not None and quoted.end < len(text)


def conclusion_opening(text: str, evidence: Sequence[Evidence], language: Language) -> str:
    """Return the quotation at the beginning of a reply with the first word of a conclusion.

    Empty if the quotation is not closed, or no passage has it word for word.
    """
    quoted = _quotation(text)
    if quoted is None or quoted.end == len(text) or not is_word_for_word(text[quoted.start : quoted.end], evidence):
        return ""
    return text[: quoted.end + 1] + _CONCLUSIONS[language]


def conclusion(text: str) -> str:
    """Return the text after the quotation at the beginning of a reply; empty if there is no quotation.

    >>> conclusion('Our documents say: "Rust is not covered." So it is not.'), conclusion("It is not.")
    ('So it is not.', '')
    """
    quoted = _quotation(text)
    return "" if quoted is None else text[quoted.end + 1 :].strip()


def without_quoted_name(text: str, evidence: Sequence[Evidence]) -> str:
    """Return a reply without a quotation at its beginning that is but a passage's title or heading: it says nothing."""
    quoted = _quotation(text)
    if quoted is None or quoted.end == len(text):
        return text
    above = (name for one in evidence for name in (one.title, *one.heading_path))
    within = (line for one in evidence for line in one.text.split("\n") if line.startswith("#"))
    rest = _CONCLUDES.sub("", text[quoted.end + 1 :], count=1)
    if letters_in(text[quoted.start : quoted.end]) not in map(letters_in, chain(above, within)) or not rest:
        return text
    return rest[0].upper() + rest[1:]


def is_word_for_word(words: str, evidence: Sequence[Evidence]) -> bool:
    """Tell whether the model has read these words in a row, whatever their punctuation, case and spaces."""
    wanted = letters_in(words)
    sent = ("\n".join(without_descriptions(passage.words(span)) for span in passage.sent) for passage in evidence)
    return bool(wanted) and any(wanted in letters_in(text) for text in sent)


def _quotation(text: str) -> TextSpan | None:
    """Return the quotation at the beginning of a reply; up to the reply's end while it is not closed."""
    for opening, ending in _OPENINGS.values():
        if text.startswith(opening):
            ends = (place for place in range(len(opening), len(text)) if text[place] in ending)
            return TextSpan(len(opening), next(ends, len(text)))
    return None


def letters_in(text: str) -> str:
    """Return the letters and digits of a text in small letters, which are the same however it is laid out."""
    return "".join(filter(str.isalnum, text)).casefold()
