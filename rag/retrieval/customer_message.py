"""Separates what a customer's message asks from what it tells: greeting, story, signature, personal data.

A mail of ten lines holds one or two questions.  Searched as one text, its story outweighs them: names and numbers are
rare, so they weigh most.  No model is asked; sentences are told apart by their words.
"""

import re
from dataclasses import dataclass

from rag.text.characters import IDEOGRAPHS
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_QUESTION_WORDS
from rag.text.sentences import split_sentences

_LONG_CHARACTERS = 160
"""From this length on a message is taken apart; an ideograph counts for ``_IDEOGRAPH_LENGTH`` letters."""
_IDEOGRAPH_LENGTH = 2.7
_SHORTEST_SENTENCE = 6
_LONGEST_BACKGROUND_CHARACTERS = 1200

_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_AUXILIARIES = (
    r"(?:can|could|do|does|did|is|are|was|were|will|would|should|may|must|have|has)"
    r"\s+(?:i|you|we|it|they|he|she|there|this|that|the|my|your|our|any)\b"
)
_ASKS = re.compile(
    rf"[?？]\W*$|请问|想问|请教|麻烦(?:问|告诉|说)|告诉我|{CHINESE_QUESTION_WORDS}"
    rf"|\b(?:{ENGLISH_QUESTION_WORDS})\b.{{0,80}}[?:]"
    rf"|^\W*(?:and |so |but )?{_AUXILIARIES}"
    r"|\b(?:tell me|let me know|i(?: need|'d like| would like| want) to know"
    r"|please (?:explain|advise|confirm|check|help))\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\W*(?:dear|hello|hi|hey|good (?:morning|day|afternoon|evening)|to whom"
    r"|(?:(?:with )?(?:kind|best|warm) )?regards|yours|thanks?|thank you|many thanks|cheers|respectfully"
    r"|sincerely|subject:"
    r"|您好|你好|你们好|大家好|老师|客服|各位|尊敬|谢谢|多谢|感谢|此致|敬礼|祝|打扰)[^.?!。？！\n]{0,40}\W*",
    re.IGNORECASE,
)
_ADDRESS = r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,64}+\.[\w.-]{1,64}+"
_NUMBER = r"(?<![\w.+])\+?\d(?:[ -]?\d){7,17}+(?![\w.])"  # a telephone, an order
_PERSONAL = re.compile(f"{_ADDRESS}|{_NUMBER}")
_IN_BRACKETS = re.compile(r"[（(][^()（）\n]{1,120}+[)）]")
_IDENTIFIES = re.compile(r"@|\d{6}")


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """``question`` is what is asked, in the customer's words; ``background`` what is told about it, maybe empty."""

    question: str
    background: str = ""


def read_message(text: str) -> CustomerMessage:
    r"""Take a message apart; a short one, or one in which no sentence asks, is its own question.

    >>> story = "I am Ann, of a glass shop in Bath (ann@example.org, 07700 900417). Our card ran out while I was away."
    >>> read_message(f"Hi,\n{story} The service was suspended.\n\nIs everything deleted now?\n\nThanks, Ann").question
    'Is everything deleted now?'
    >>> read_message("How long is the warranty?").background
    ''
    """
    if not _is_long(text):
        return CustomerMessage(text)
    sentences = [
        line[span.start : span.end]
        for line in _without_personal_data(text).split("\n")
        for span in split_sentences(line)
        if span.end - span.start >= _SHORTEST_SENTENCE
    ]
    told = [sentence for sentence in sentences if not _COURTESY.fullmatch(sentence)]
    asking = [sentence for sentence in told if _ASKS.search(sentence)]
    if not asking:
        return CustomerMessage(text)
    background = "\n".join(sentence for sentence in told if sentence not in asking)
    return CustomerMessage("\n".join(asking), background[-_LONGEST_BACKGROUND_CHARACTERS:])


def _without_personal_data(text: str) -> str:
    """Return the text without addresses, long numbers, and brackets that hold one: they say who writes."""
    bracketless = _IN_BRACKETS.sub(lambda found: " " if _IDENTIFIES.search(found[0]) else found[0], text)
    return _PERSONAL.sub(" ", bracketless)


def _is_long(text: str) -> bool:
    ideographs = len(_IDEOGRAPH.findall(text))
    return len(text) - ideographs + _IDEOGRAPH_LENGTH * ideographs > _LONG_CHARACTERS
