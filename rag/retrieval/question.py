"""Reads a question without a model: cleans it, and finds its parts and its context.

A compound question ("How long is the warranty, and how do I return it?") is divided where a clause ends and another
one that asks for something begins.  A clause that does not ask ("I bought a kettle") stays with the next part.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from rag.errors import QuestionEmpty, QuestionTooLong, QuestionWithoutWords
from rag.retrieval.message import (
    COURTESY,
    FOLLOW_UP,
    ONLY_COMPLAINS,
    asks_something,
    is_long,
    line_sentences,
    read_message,
)
from rag.schema import TextSpan
from rag.text.characters import IDEOGRAPHS, ideographs, squeezed, without_invisible
from rag.text.markup import QUESTION_ENDS
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS
from rag.text.sentences import split_sentences
from rag.text.statements import content_words, named_codes
from rag.text.terms import terms

_LONGEST_EARLIER_CHARACTERS = 400
_ONLY_COURTESY = re.compile(
    r"(?:(?:thank you|thanks?|thx|okay|ok|yes|no|great|hello|hi|hey|please|help|sure|good|very|much|so|a lot"
    r"|那|好的?|谢谢|多谢|你|是的?|嗯|哦|您?好|在吗|明白|知道|了)[\W_]*)*",
    re.IGNORECASE,
)
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")


_RAW_TIMES = 4  # times the limit, with blanks and invisible characters


def clean_question(text: str, limit_characters: int) -> str:
    r"""Return the question without control and invisible characters and long runs of blanks, trimmed.

    Raises ``QuestionEmpty``, ``QuestionTooLong`` (more than ``limit_characters`` after cleaning) or
    ``QuestionWithoutWords`` (no letter, ideograph or digit in it).

    >>> clean_question("  如何\x00退货？\n", 100)
    '如何退货？'
    """
    if len(text) > _RAW_TIMES * limit_characters:  # a pasted file of megabytes is not cleaned letter by letter
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
    """Return text without control and invisible characters, trimmed, possibly empty."""
    return "".join(map(_visible_character, without_invisible(text.replace("\r\n", "\n")))).strip()


def in_context(question: str, previous: str = "") -> str:
    r"""Return the user's last turn and the question after it, as one text.

    >>> in_context("Which is more important?", "What is market cap, what is NAV?")
    'What is market cap, what is NAV?\nWhich is more important?'
    """
    return f"{previous}\n{question}" if previous else question


def last_real_question(earlier: Sequence[str]) -> str:
    r"""Return the last of the earlier questions, oldest first, that is more than thanks; empty if there is none.

    If it asks nothing ("Without glasses, then."), the one before it is returned as well.  Always with the one before,
    70 instead of 77 of 85 third and later turns of MTRAG find their document first.

    >>> last_real_question(["Can I see Mars?", "Thank you!"])
    'Can I see Mars?'
    >>> last_real_question(["Can I see Mars?", "Without glasses, then."])
    'Can I see Mars?\nWithout glasses, then.'
    """
    real = [text.strip() for text in earlier if not _ONLY_COURTESY.fullmatch(text.strip(" \t\n?!.,？！。，"))]
    count = 1 if asks_something(real[-1] if real else "") else 2
    return "\n".join(real[-count:])[-_LONGEST_EARLIER_CHARACTERS:].strip()


def may_be_follow_up(question: str) -> bool:
    """Tell whether a question may depend on the one before: "How long does it take?", "那邮费呢".

    The model then needs the earlier question as well.
    """
    return FOLLOW_UP.search(question) is not None or len(set(terms(question))) <= 3


def question_before(text: str, earlier: Sequence[str]) -> str:
    """Return the last of the ``earlier`` questions if this one may depend on it, else an empty string."""
    return last_real_question([visible(one) for one in earlier]) if may_be_follow_up(text) else ""


def _visible_character(character: str) -> str:
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
_QUESTION_WORD = re.compile(rf"\b(?:{ENGLISH_QUESTION_WORDS})\b|{CHINESE_QUESTION_WORDS}")
_COMPARISON = re.compile(
    r"\b(?:cheaper|better|difference|compared?|versus|vs|altogether|in total|instead of|rather than)\b"
    r"|区别|划算|对比|比较|一共|总共|合计|还是"
)


def needs_thought(question: str) -> bool:
    """Tell whether a question has several parts or compares things: only these are worth the time of a thought.

    >>> needs_thought("How long is the warranty?"), needs_thought("保修多久，修一次多少钱？")
    (False, True)
    """
    text = question.lower()
    return (
        _COMPARISON.search(text) is not None
        or sum(bool(_QUESTION_WORD.search(clause)) for clause in _CLAUSE.split(text)) > 1
    )


MOST_PARTS = 4
_SHORTEST_CHARACTERS = 4
_AROUND = " \t,，。"
_ENGLISH_ASKS = (
    r"(?:(?:(?:after|at|by|for|from|in|of|on|through|to|under|until|up to|with|within)\s++)?+"
    rf"(?:{ENGLISH_QUESTION_WORDS})\b(?<!\bwhen)|(?:when\s++)?+(?:{ENGLISH_ASKING_VERBS})\s+"
    r"(?:i|you|we|it|they|he|she|there|this|that|the|my|your|our|an?|any|these|those)\b)"
)
_CHINESE_ASKS = re.compile(CHINESE_QUESTION_WORDS)
_ITEM = r"(?:\([a-d1-4]\)|[①②③④])[^\S\n]*+"
_ENDS = re.compile(
    r"[?？;；\n]+|(?<=[a-z0-9)])[.!][^\S\n]++(?=[A-Z])"
    r"|(?:,|(?<![^\S\n])(?<!,))[^\S\n]++"
    rf"(?:(?i:and|but)\s++(?i:also\s++|then\s++)?+(?i:(?=if\b|when\b|once\b|{_ENGLISH_ASKS}))|(?:(?:and|or)\s++)?+(?={_ITEM}))"
    rf"|,\s++(?i:(?={_ENGLISH_ASKS}))"
    r"|(?:[，,。]|(?<![^\S\n])(?<![，,。]))[^\S\n]*+(?:(?:以及|并且|还有|另外|而且)\s*+)++"
    r"|[，,。][^\S\n]*+同时\s*+"
    rf"|[，,。]\s*+(?=[^，,。{IDEOGRAPHS}]*+[{IDEOGRAPHS}])",
)
_TOPIC = r"(?:[^:\n]{1,80}+:[^\S\n]++)?+"
"""A topic at the beginning of a clause: "Video snapshots: which codecs can you read"."""
_CLAUSE_ASKS = re.compile(
    rf"{_TOPIC}(?:(?:and|so|then|also|please|hi|hello|but|or)\W+)*(?:{_ITEM})?+{_ENGLISH_ASKS}", re.IGNORECASE
)


def parts_of(question: str) -> tuple[str, ...]:
    """Return at most four parts, of which the last holds the rest; none if the question asks for one thing.

    A clause asks by its words or by the mark at its end.

    >>> parts_of("How long is the warranty and how do I return it?")
    ('How long is the warranty', 'how do I return it')
    >>> parts_of("Do you sell kettles and toasters?"), parts_of("我买的门锁，保修多久，修一次多少钱？")
    ((), ('我买的门锁，保修多久', '修一次多少钱'))
    >>> parts_of("按里面放了多少扣钱，还是按买的容量？"), parts_of("What is it? Should it fail, who pays?")
    ((), ('What is it', 'Should it fail, who pays'))
    """
    parts: list[TextSpan] = []
    current: TextSpan | None = None
    for clause in _clauses(question):
        if parts and current is None and _is_alternative(question, parts[-1], clause):
            parts[-1] = TextSpan(parts[-1].start, clause.end)
            continue
        current = TextSpan(current.start if current else clause.start, clause.end)
        if _asks(question, clause) and current.end - current.start >= _SHORTEST_CHARACTERS:
            parts.append(current)
            current = None
    if current and parts:
        parts[-1] = TextSpan(parts[-1].start, current.end)
    if len(parts) > MOST_PARTS:
        parts[MOST_PARTS - 1 :] = [TextSpan(parts[MOST_PARTS - 1].start, parts[-1].end)]
    return tuple(question[part.start : part.end] for part in parts) if len(parts) > 1 else ()


def message_parts(question: str) -> tuple[str, ...]:
    r"""Return the questions of a customer's message, four at the most; none if it asks for one thing.

    >>> message_parts("How many tags can an object carry? What is the price of a tag?")
    ('How many tags can an object carry', 'What is the price of a tag')
    >>> message_parts("503\nDownloadTrafficRateLimitExceeded")
    ()
    """
    core = read_message(question).question
    sentences = tuple(core.splitlines()) if is_long(question) and core != question else ()
    return sentences[:MOST_PARTS] if len(sentences) > 1 else parts_of(core)


def questions_of(text: str) -> tuple[str, ...]:
    """Return what a customer's message asks: its parts, or its one question.

    >>> questions_of("Hello! What is the price of a tag?")
    ('What is the price of a tag?',)
    """
    return message_parts(text) or (read_message(text).question,)


def question_alone(text: str) -> str:
    """Return the sentences of a text that ask, without its story; the whole text if none asks, or all do.

    Also the whole text if these sentences leave to the story what they ask about.

    >>> question_alone("I bought it last month. How long is the warranty?")
    'How long is the warranty?'
    >>> question_alone("I must cancel my booking. What do I lose?")
    'I must cancel my booking. What do I lose?'
    """
    sentences = line_sentences(text)
    asking = list(filter(asks_something, sentences))
    alone = "\n".join(asking)
    return alone if len(asking) < len(sentences) and _says_of_what(alone) else text


def _says_of_what(question: str) -> bool:
    """Tell whether a question names what it asks about: by a code, two words, or one Chinese word.

    >>> [_says_of_what(one) for one in ("What do I lose?", "多少钱？", "E30？", "保修多久？")]
    [False, False, True, True]
    """
    words = content_words(_QUESTION_WORD.sub(" ", question.casefold()))
    return bool(named_codes(question)) or sum(2 if len(ideographs(word)) > 1 else 1 for word in words) > 1


def last_question(part: str) -> str:
    """Return the last question in a part; the whole part if no sentence asks.

    >>> last_question("上个月换了店长，忙得很。熨斗用了两次就漏水，能退吗")
    '熨斗用了两次就漏水，能退吗'
    """
    sentences = [part[one.start : one.end] for one in split_sentences(part)]
    asking = (one for one in reversed(sentences) if _asks(one, TextSpan(0, len(one.rstrip("?？")))))
    return next(asking, part)


def _clauses(question: str) -> Iterator[TextSpan]:
    """Yield the non-empty clauses between separators, trimmed to their words."""
    start = 0
    for end, following in [*((one.start(), one.end()) for one in _ENDS.finditer(question)), (len(question), 0)]:
        text = question[start:end]
        if words := text.strip(_AROUND):
            begin = start + len(text) - len(text.lstrip(_AROUND))
            yield TextSpan(begin, begin + len(words))
        start = following


_ALTERNATIVE = re.compile(r"还是|或者|或是|\bor\b", re.IGNORECASE)
_CONDITION = re.compile(r"(?:(?:and|but|so|then)\s+)*should\b", re.IGNORECASE)
"""Of a clause that ends without a question mark: "Should it fail, who pays?"."""


def _is_alternative(question: str, part: TextSpan, clause: TextSpan) -> bool:
    """Tell whether a clause is the other alternative of the part before it: "A, or B?"."""
    between = question[part.end : clause.start].strip()
    return between in (",", "，") and _ALTERNATIVE.match(question, clause.start) is not None


def _asks(question: str, clause: TextSpan) -> bool:
    text = question[clause.start : clause.end]
    if ONLY_COMPLAINS.search(text):
        return False
    if question[clause.end :].lstrip().startswith(QUESTION_ENDS):
        return COURTESY.fullmatch(text) is None
    if _CONDITION.match(text):
        return False
    return _CHINESE_ASKS.search(text) is not None or _CLAUSE_ASKS.match(text) is not None
