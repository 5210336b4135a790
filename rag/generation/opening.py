"""A second way to a reply: the documents' own words first, so that a small model copies what decides before it judges.

Asked "Can I ...?", a model of 1.5 billion weights tends to say yes and to make up the reason.  With the first words of
its reply written for it, it copies a sentence, and what it concludes follows from that one.  As the first way to a
reply this was no better (of 24 customers' texts 13 right instead of 12, with half as many words again).
"""

from collections.abc import Sequence

from rag.schema import Evidence, Language, TextSpan

_OPENINGS: dict[Language, tuple[str, str]] = {"en": ('Our documents say: "', '"”'), "zh": ("资料中写道：“", "”")}
"""The opening, and the marks that may end the quotation."""

_CONCLUSIONS: dict[Language, str] = {"en": " So", "zh": "所以，"}


def opening_of(evidence: Sequence[Evidence], language: Language) -> str:
    """Return what a reply begins with; empty where the best passage is in the other language, for it is not copied."""
    best = next((passage for passage in evidence if passage.sent), None)
    return _OPENINGS[language][0] if best is not None and best.language == language else ""


def is_closed(text: str) -> bool:
    """Tell whether a reply has a quotation at its beginning that is at its end.

    >>> is_closed('Our documents say: "Rust is'), is_closed('Our documents say: "Rust is not covered." So')
    (False, True)
    """
    quoted = _quotation(text)
    return quoted is not None and quoted.end < len(text)


def begun_conclusion(text: str, evidence: Sequence[Evidence], language: Language) -> str:
    """Return the quotation that a reply begins with and the first word of a conclusion from it.

    Empty where the quotation is not closed, or no passage has it word for word.
    """
    quoted = _quotation(text)
    if quoted is None or quoted.end == len(text) or not is_word_for_word(text[quoted.start : quoted.end], evidence):
        return ""
    return text[: quoted.end + 1] + _CONCLUSIONS[language]


def conclusion(text: str) -> str:
    """Return what a reply says behind the quotation that it begins with; empty where there is none.

    >>> conclusion('Our documents say: "Rust is not covered." So it is not.'), conclusion("It is not.")
    ('So it is not.', '')
    """
    quoted = _quotation(text)
    return "" if quoted is None else text[quoted.end + 1 :].strip()


def is_word_for_word(words: str, evidence: Sequence[Evidence]) -> bool:
    """Tell whether the model read these words in a row in one passage; marks, cases and blanks are layout."""
    wanted = _letters(words)
    sent = ("\n".join(passage.words(span) for span in passage.sent) for passage in evidence)
    return bool(wanted) and any(wanted in _letters(text) for text in sent)


def _quotation(text: str) -> TextSpan | None:
    """Return the words between the marks that a reply begins with, up to its end while they are not closed."""
    for opening, closing in _OPENINGS.values():
        if text.startswith(opening):
            ends = (place for place in range(len(opening), len(text)) if text[place] in closing)
            return TextSpan(len(opening), next(ends, len(text)))
    return None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
