"""Which of the two languages a person asked or wrote in."""

import re
import unicodedata

from rag.schema import Language
from rag.text.characters import ideographs
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS

_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][a-z]+)?")

# Characters and words that carry a sentence's grammar: where they stand, the sentence is of that language.
_CHINESE_GRAMMAR = frozenset("的了吗呢吧怎么什是我你您他她它们不没在到把被和与或这那哪几多少请谁能会要还就都也可以为何")
_ENGLISH_GRAMMAR_WORDS = """
a an and any are as at be been but by can could did do does for from get had has have he her his how i if in
is it its me much many my no not of on or our she should so that the their there they this to was we were what
when where which who why will with would you your i'm i've can't don't doesn't didn't isn't it's won't
"""
_ENGLISH_GRAMMAR = frozenset(_ENGLISH_GRAMMAR_WORDS.split())

_CHARACTERS_A_WORD = 1.6
"""Length of a Chinese word, about: so that ideographs and English words can be weighed against each other."""

_GRAMMAR_WEIGHT = 0.5

_NOTES = re.compile(r"[\n()]")
_FEWEST_CHARACTERS = 3

_QUOTED = re.compile(r"《[^《》]{0,80}》|“[^“”]{0,80}”|「[^「」]{0,80}」|\"[^\"]{0,80}\"")
_ASKS_IN_CHINESE = re.compile(rf"{CHINESE_QUESTION_WORDS}|请问|为何|能否|是不是|怎么办|咋")
_ASKS_IN_ENGLISH = re.compile(
    rf"\b(?:{ENGLISH_QUESTION_WORDS})\b|\b(?:{ENGLISH_ASKING_VERBS})\s+(?:i|we|you|it|they|he|she|there|the|my|our|your)\b"
    r"|\b(?:i|we|my|our|please|help)\b|[a-z]\s?\?",
    re.IGNORECASE,
)
"""A customer who asks, or speaks of what is theirs; an error message does neither."""


def question_language(text: str) -> Language:
    """Return the language in which is asked; where both ask or none does, that of the text as a whole.

    A pasted error message may be longer than the question about it, or than a note beside it.

    >>> question_language("Access denied for user 'root' (using password: yes) 怎么解决？")
    'zh'
    >>> question_language("Latch S5 报 E07 怎么办"), question_language("What does 保修 mean?")
    ('zh', 'en')
    """
    plain = _QUOTED.sub(" ", unicodedata.normalize("NFKC", text))
    asks_in_chinese = _ASKS_IN_CHINESE.search(plain) is not None
    if _ASKS_IN_ENGLISH.search(plain) is None and (asks_in_chinese or any(map(_is_chinese_note, _NOTES.split(plain)))):
        return "zh"
    return text_language(text)


def _is_chinese_note(text: str) -> bool:
    return len(ideographs(text)) >= _FEWEST_CHARACTERS and text_language(text) == "zh"


def text_language(text: str) -> Language:
    """Return the language that carries a text; names and codes of products decide nothing.

    Text without ideographs counts as English, also when it is in a third language.

    >>> text_language("保修 is a warranty"), text_language("Halo L1 的保修期是两年")
    ('en', 'zh')
    """
    plain = unicodedata.normalize("NFKC", text)
    characters = ideographs(plain)
    if not characters:
        return "en"
    grammar = sum(character in _CHINESE_GRAMMAR for character in characters)
    chinese = len(characters) / _CHARACTERS_A_WORD + _GRAMMAR_WEIGHT * grammar
    return "zh" if chinese >= _english_weight(plain) else "en"


def _english_weight(text: str) -> float:
    """Weigh the Latin words that are written in small letters or carry grammar; ``Halo L1`` weighs nothing."""
    weight = 0.0
    for match in _LATIN_WORD.finditer(text):
        word = match.group().replace("’", "'")
        if word.lower() in _ENGLISH_GRAMMAR:
            weight += 1 + _GRAMMAR_WEIGHT
        elif word.islower() and not _touches_digit(text, match):
            weight += 1
    return weight


def _touches_digit(text: str, match: re.Match[str]) -> bool:
    return text[match.start() - 1 : match.start()].isdigit() or text[match.end() : match.end() + 1].isdigit()
