r"""Whether two questions ask the same: the same words in the same order, once courtesy and ways of asking are one.

Two questions that differ in a number, a name, a "not", "before" for "after" or in who does what to whom are as near to
each other for an embedder as two that say the same, so nothing is compared by nearness here.  What may differ is listed
(courtesy, contractions, articles, "how to" for "how do I", 能不能 for 可以…吗, 7 天 for 七天); all else must be equal.
So a lookup needs no search: the form of a question is its key.

    >>> normalized_question("Hi, could you please tell me how to clean the filter?")
    'en: HOW clean filter'
    >>> normalized_question("How do I clean the filter") == normalized_question("how can I clean a filter??")
    True
    >>> normalized_question("请问能不能七天之内退货呢？") == normalized_question("可以7天内退货吗")
    True
    >>> normalized_question("Can I cancel before it ships?") == normalized_question("Can I cancel after it ships?")
    False
"""

import re
import unicodedata
from functools import lru_cache

from rag.reuse.question_rules import (
    CHINESE_RULES,
    DROPPED_WORDS,
    ENGLISH_RULES,
    FUNCTION_WORDS,
    ONE_WORD,
)
from rag.text.characters import IDEOGRAPHS, simplified
from rag.text.language import question_language, third_language
from rag.text.quantities import ENGLISH_NUMBERS, chinese_number, written_out

_NAMED = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(sorted(FUNCTION_WORDS))})(?![A-Za-z0-9])")
_LETTER_HYPHEN = re.compile(r"(?<=[a-z])[-‐‑](?=[a-z])")
_RANGE_DASH = re.compile(r"(?<=\d)\s*[–—~～]\s*(?=\d)")
_CHINESE_COUNT = re.compile(
    r"(?<![一二两三四五六七八九十百千万第])[一二两三四五六七八九十]{1,3}(?=[个天日年周月次件台元块位名人张条款]|小时|分钟|工作日)"
)
_TOKEN = re.compile(
    rf"[A-Za-z0-9\u00c0-\u024f^]+(?:[._'’/:@&-][a-z0-9\u00c0-\u024f]+)*[+#]*|[{IDEOGRAPHS}]"
    r"|[^\s\w,.!?;:\"'’‘“”()\[\]{}<>`…。，！？；：、《》【】「」（）–—~·|*]"
)
_KNOWN_LETTER = re.compile(rf"[A-Za-z\u00c0-\u024f{IDEOGRAPHS}]")
_FRONT_CLAUSE = re.compile(r"\A((?:if|when|once|after|before) [^,]{3,}?),\s*(.+)\Z", re.DOTALL)
_END_MARKS = " \t\n.!?,;:。！？，；：~～…"


def is_same_question(one: str, other: str) -> bool:
    """Tell whether two questions may have the same answer put under them without being read again."""
    return normalized_question(one) == normalized_question(other)


@lru_cache(maxsize=1024)
def normalized_question(question: str) -> str:
    """Return what is left of a question when only its way of being asked is taken away, behind its language.

    Questions that ask different things have different forms; two that ask the same often have, too, and are then simply
    not recognised.
    """
    if third_language(question) or _has_other_letters(question):  # their ways of asking are not known
        return f"other: {' '.join(unicodedata.normalize('NFKC', question).lower().strip(_END_MARKS).split())}"
    language = question_language(question)
    text = _NAMED.sub(r"\g<0>^", unicodedata.normalize("NFKC", question)) if not question.isupper() else question
    text = written_out(simplified(unicodedata.normalize("NFKC", text).lower()))
    text = _RANGE_DASH.sub("-", text.replace("’", "'").strip(_END_MARKS))
    for pattern, replacement in ENGLISH_RULES:
        text = pattern.sub(replacement, text)
    text = _CHINESE_COUNT.sub(lambda match: str(chinese_number(match.group())), text)
    for pattern, replacement in CHINESE_RULES:
        text = pattern.sub(replacement, text)
    clauses = _FRONT_CLAUSE.match(text)
    if clauses is not None:
        text = f"{clauses[2].strip(_END_MARKS)} {clauses[1]}"
    tokens = [_word(token) for token in _TOKEN.findall(_LETTER_HYPHEN.sub(" ", text))]
    form = " ".join(token for token in tokens if token)
    return f"{language}: {form or question.strip()}"


def _has_other_letters(text: str) -> bool:
    """Tell whether letters of a text would be lost: those of other scripts, and Vietnamese ones."""
    return any(one.isalpha() for one in _KNOWN_LETTER.sub("", unicodedata.normalize("NFKC", text)))


def _word(token: str) -> str:
    if token in DROPPED_WORDS:
        return ""
    if token in ENGLISH_NUMBERS and token != "one":
        return str(ENGLISH_NUMBERS[token])
    return ONE_WORD.get(token, token)
