"""Identifies the language of a text: Chinese or English, or for customers' texts one of 30 others.

Documents are Chinese or English (``rag.schema.Language``); a customer may write in a third language and is answered
in it.  Kana, Hangul and Thai letters decide by themselves.  A text with ideographs is Chinese, one with some of the
words that carry an English question is English.  Only the rest is classified by py3langid (naive Bayes over byte
n-grams): so product names and mixed sentences are not taken for another language, and most questions need not load the
model (0.4 s, once).

Measured: of 3,942 English and Chinese questions none was taken for a third language, of 2,728 English ones without
their small words ("Calico enforce policies") 6.  Of 200 questions in ten languages (data/desk/languages.jsonl) one was
taken for English; of 365 sentences in 28 languages (tests/rag/grounding/sentences) one was not recognised, and 15 were
taken for a neighbour: Czech for Slovak, short Russian for Bulgarian.  Lists of small words alone missed 37 of the
sentences; lingua, 96 MB, took 21 of 1,505 English questions for another language.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from rag.schema import Language
from rag.text.characters import ideographs
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_LATIN_WORD = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][a-z]+)?")

# Characters and words that carry a sentence's grammar: where they stand, the sentence is of that language.
# ``rag.text.statements`` has more words, which say nothing of a subject: "document" and "use" prove no language.
_CHINESE_GRAMMAR = frozenset("的了吗呢吧怎么什是我你您他她它们不没在到把被和与或这那哪几多少请谁能会要还就都也可以为何")
_ENGLISH_GRAMMAR_WORDS = """
a an and any are as at be been but by can could did do does for from get had has have he her his how i if in
is it its me much many my no not of on or our she should so that the their there they this to was we were what
when where which who why will with would you your i'm i've can't don't doesn't didn't isn't it's won't
"""
_ENGLISH_GRAMMAR = frozenset(_ENGLISH_GRAMMAR_WORDS.split())

_CHARACTERS_A_WORD = 1.6
"""The approximate length of a Chinese word, by which ideographs and English words are compared."""

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
"""Words of a customer who asks or speaks of their own things; an error message has none."""


def question_language(text: str) -> Language:
    """Return the language of the question within a text; if there is none, or one in each, that of the whole text.

    A pasted error message may be longer than the question about it.

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
    """Return the main language of a text; names and codes of products do not count.

    Text without ideographs counts as English, even if it is in a third language.

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


THIRD_LANGUAGES = (
    "de", "fr", "es", "pt", "it", "nl", "pl", "ru", "ja", "ko", "vi", "id", "ar", "th", "tr", "cs", "sk", "hu", "ro",
    "bg", "uk", "el", "he", "hi", "bn", "fa", "da", "sv", "no", "fi",
)  # fmt: skip
"""ISO 639-1 codes.  ``rag/generation/reply_languages.json`` has the wordings in each."""

_OWN_SCRIPTS = (
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("ja", re.compile("[\u3041-\u3096\u30a1-\u30fa]")),
    ("th", re.compile("[\u0e01-\u0e4e]")),
)
_LEAST_LETTERS = 2
_LEAST_SHARE = 0.1
"""The least share of letters in a language's own script; the rest are ideographs and names.  Chinese writers use の."""

_SURE_SHARE = 0.2
"""The share from which on a single such letter is enough: 保証は何年."""

_LEAST_PROBABILITY = 0.97
"""The least probability that a text is neither English nor Chinese."""

_SMALL_ENGLISH_QUESTION_WORDS = """
about after and are before can can't could couldn't did didn't does doesn't don't from get has hasn't have haven't
how i'm i've if isn't its many much my need not our should than that the their there these they this those what
what's when where which who why with without won't would you your
"""
_ENGLISH_QUESTION = frozenset(_SMALL_ENGLISH_QUESTION_WORDS.split())
"""English words that no other language spells alike."""

_ENGLISH_SHARE = 0.15
"""From this share of such words on a text is English; a German mail may quote "Your refund has been released"."""

_LEAST_IDEOGRAPHS = 4
_EASILY_CONFUSED = (
    frozenset({"cs", "sk"}), frozenset({"ru", "bg", "uk"}), frozenset({"da", "sv", "no"}), frozenset({"ar", "fa"}),
)  # fmt: skip

_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:['’][a-z]+)?")
_CODE_OR_LINK = re.compile(r"(?<!\S)(?=\S*[@/\\_=<>{}\d])\S++")
_READ_CHARACTERS = 4000
"""The characters of a text that are classified; the language is not expected to change after them."""


def customer_language(text: str) -> str:
    """Return the language of a question: ``zh``, ``en`` or one of ``THIRD_LANGUAGES``.

    >>> [customer_language(text) for text in ("Wie lange ist die Garantie?", "保修多久", "保証は何年？", "Drift R3?")]
    ['de', 'zh', 'ja', 'en']
    """
    return third_language(text) or question_language(text)


def prompt_language(text: str) -> Language:
    """Return the language of a question's prompt: English for a question in a third language."""
    return "en" if third_language(text) else question_language(text)


def tells_language(text: str) -> bool:
    """Tell whether a text has words by which its language is known.

    >>> tells_language("E07"), tells_language("What is E07?"), tells_language("E07 是什么"), tells_language("")
    (False, True, True, False)
    """
    return bool(ideographs(text)) or _english_weight(text) > 0 or bool(third_language(text))


def third_language_after(text: str, before: str) -> str:
    """Return the third language of a reply or of a further question; empty for Chinese and English.

    A text that is too short ("30 Tage.", "E07?") has the language of the text ``before``.

    >>> third_language_after("30 Tage.", "Wie lange ist die Garantie?")
    'de'
    >>> third_language_after("You have 30 days.", "Wie lange ist die Garantie?")
    ''
    """
    own = third_language(text)
    plain = unicodedata.normalize("NFKC", text).lower()
    return own if own or ideographs(plain) or _is_english(plain) else third_language(before)


def is_certainly_not_in(text: str, wanted: str) -> bool:
    """Tell whether a text is certainly not in the third language that is ``wanted``.

    Languages that are easily confused count as one; a text whose language is uncertain is in none.

    >>> is_certainly_not_in("The label costs EUR 4.95, and you have 30 days.", "de")
    True
    >>> is_certainly_not_in("返品は30日以内に可能です。", "de"), is_certainly_not_in("Ember K2: 30 min", "pt")
    (True, False)
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    language = third_language(text)
    if language:
        return language != wanted and not any({language, wanted} <= alike for alike in _EASILY_CONFUSED)
    has_ideographs = len(ideographs(plain)) >= _LEAST_IDEOGRAPHS
    return has_ideographs or _is_english(plain)


@lru_cache(maxsize=2048)
def third_language(text: str) -> str:
    """Return the language of a text that is neither Chinese nor English; empty for these, and if it is uncertain.

    >>> third_language("¿Cuánto cuesta el envío?"), third_language("E07"), third_language("How long is the warranty?")
    ('es', '', '')
    """
    plain = unicodedata.normalize("NFKC", text.strip()[:_READ_CHARACTERS]).lower()
    letters = sum(map(str.isalpha, plain))
    for language, own in _OWN_SCRIPTS:
        count = len(own.findall(plain))
        if count >= max(_LEAST_LETTERS, _LEAST_SHARE * letters) or 0 < _SURE_SHARE * letters <= count:
            return language
    words = _CODE_OR_LINK.sub(" ", plain)
    if letters < _LEAST_LETTERS or ideographs(plain) or not any(map(str.isalpha, words)) or _is_english(words):
        return ""
    return _classify(unicodedata.normalize("NFC", words))


def _is_english(text: str) -> bool:
    words = _WORD.findall(text.replace("’", "'"))
    english = sum(word in _ENGLISH_QUESTION for word in words)
    return english > 0 and english >= _ENGLISH_SHARE * len(words)


def _classify(text: str) -> str:
    ranked = dict(_identifier().rank(text))
    best = max(ranked, key=lambda language: ranked[language])
    is_third = 1 - ranked["en"] - ranked["zh"] >= _LEAST_PROBABILITY
    return best if is_third and best in THIRD_LANGUAGES else ""


@cache
def _identifier() -> "LanguageIdentifier":
    """Return the classifier, restricted to the languages of replies; loading it takes 0.4 s."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(["zh", "en", *THIRD_LANGUAGES])
    return identifier
