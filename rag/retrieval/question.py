"""Validates and cleans a question before any other step, preserving the user's own characters."""

import re
import unicodedata
from collections.abc import Sequence

from rag.errors import QuestionEmpty, QuestionTooLong, QuestionWithoutWords
from rag.retrieval.follow_up import last_said, leans
from rag.text.characters import squeezed, without_invisible
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_QUESTION_WORDS

_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")


_RAW_TIMES = 4  # times the limit: more blanks and invisible characters than that hold no question


def clean_question(text: str, limit_characters: int) -> str:
    r"""Return the question without control and invisible characters and long runs of blanks, trimmed.

    Raises ``QuestionEmpty``, ``QuestionTooLong`` (more than ``limit_characters`` after cleaning) or
    ``QuestionWithoutWords`` (no letter, ideograph or digit in it).

    >>> clean_question("  如何\x00退货？\n", 100)
    '如何退货？'
    """
    if len(text) > _RAW_TIMES * limit_characters:  # or a pasted file of megabytes would be looked at letter by letter
        raise QuestionTooLong(characters=len(text), limit=limit_characters)
    cleaned = squeezed(visible(text))
    if not cleaned:
        raise QuestionEmpty
    if len(cleaned) > limit_characters:
        raise QuestionTooLong(characters=len(cleaned), limit=limit_characters)
    if not any(unicodedata.category(character)[0] in "LN" for character in _comparable(cleaned)):
        raise QuestionWithoutWords
    return cleaned


def visible(text: str) -> str:
    """Return text without control and invisible characters, trimmed; it may be empty."""
    return "".join(map(_kept, without_invisible(text.replace("\r\n", "\n")))).strip()


def question_before(text: str, earlier: Sequence[str]) -> str:
    """Return the question before, of the ``earlier`` ones, where this one may lean on it; else nothing."""
    return last_said([visible(one) for one in earlier]) if leans(text) else ""


def _kept(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Cs":  # half of a surrogate pair: it cannot be encoded, so it could be neither stored nor sent
        return ""
    # A control character may have stood between two words (vertical tab, form feed, a lone carriage return).
    return " " if character in "\r\v\f\x1c\x1d\x1e\x1f\x85" else "" if category == "Cc" else character


def _comparable(text: str) -> str:
    return unicodedata.normalize("NFKC", _KEYCAP.sub("", text))


_CLAUSE = re.compile(r"[,;.?!\n，。？！；、]|\b(?:and|or|but)\b|还有|以及|和|另外|然后")
_ASKS = re.compile(rf"\b(?:{ENGLISH_QUESTION_WORDS})\b|{CHINESE_QUESTION_WORDS}")
_WEIGHS = re.compile(
    r"\b(?:cheaper|better|difference|compared?|versus|vs|altogether|in total|instead of|rather than)\b"
    r"|区别|划算|对比|比较|一共|总共|合计|还是"
)


def needs_thought(question: str) -> bool:
    """Tell whether a question has several parts or weighs things: only these are worth the time of a thought.

    >>> needs_thought("How long is the warranty?"), needs_thought("保修多久，修一次多少钱？")
    (False, True)
    """
    text = question.lower()
    return _WEIGHS.search(text) is not None or sum(bool(_ASKS.search(clause)) for clause in _CLAUSE.split(text)) > 1
