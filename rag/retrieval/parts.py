"""Splits compound questions: "How long is the warranty, and how do I return it?".

Without a model: a question is cut where one clause ends and another one that asks for something begins.  What does not
ask ("I bought a kettle") stays with the part behind it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rag.retrieval.customer_message import read_message
from rag.schema import RetrievedChunk, TextSpan
from rag.text.characters import IDEOGRAPHS
from rag.text.questions import CHINESE_QUESTION_WORDS, ENGLISH_ASKING_VERBS, ENGLISH_QUESTION_WORDS

MOST_PARTS = 3
_UNTOUCHED, _EARLY = 1, 3
"""So many first chunks of the whole question stay where they are; among so many a part's document is early enough."""

_SHORTEST_CHARACTERS = 4
_AROUND = " \t,，。"
_ENGLISH_ASKS = (
    r"(?:(?:(?:after|at|by|for|from|in|of|on|through|to|under|until|up to|with|within)\s++)?+"
    rf"(?:{ENGLISH_QUESTION_WORDS})\b(?<!\bwhen)|(?:when\s++)?+(?:{ENGLISH_ASKING_VERBS})\s+"
    r"(?:i|you|we|it|they|he|she|there|this|that|the|my|your|our|an?|any|these|those)\b)"
)
_CHINESE_ASKS = re.compile(CHINESE_QUESTION_WORDS)
_ENDS = re.compile(
    r"[?？;；\n]+|(?<=[a-z0-9)])[.!][^\S\n]++(?=[A-Z])"
    rf"|(?:,|(?<![^\S\n])(?<!,))[^\S\n]++(?i:and|but)\s++(?i:also\s++|then\s++)?+(?i:(?=if\b|when\b|once\b|{_ENGLISH_ASKS}))"
    rf"|,\s++(?i:(?={_ENGLISH_ASKS}))"
    r"|(?:[，,。]|(?<![^\S\n])(?<![，,。]))[^\S\n]*+(?:(?:以及|并且|还有|另外|同时|而且)\s*+)++"
    rf"|[，,。]\s*+(?=[^，,。{IDEOGRAPHS}]*+[{IDEOGRAPHS}])",
)
_TOPIC = r"(?:[^:\n]{1,80}+:[^\S\n]++)?+"
"""What a clause may begin with: "Video snapshots: which codecs can you read"."""
_ASKS = re.compile(rf"{_TOPIC}(?:(?:and|so|then|also|please|hi|hello|but|or)\W+)*{_ENGLISH_ASKS}", re.IGNORECASE)


def parts_of(question: str) -> tuple[str, ...]:
    """Return the parts, three at the most; none where the question asks for one thing.

    >>> parts_of("How long is the warranty and how do I return it?")
    ('How long is the warranty', 'how do I return it')
    >>> parts_of("Do you sell kettles and toasters?"), parts_of("我买的门锁，保修多久，修一次多少钱？")
    ((), ('我买的门锁，保修多久', '修一次多少钱'))
    """
    parts: list[TextSpan] = []
    begun: TextSpan | None = None
    for clause in _clauses(question):
        begun = TextSpan(begun.start if begun else clause.start, clause.end)
        if _asks(question[clause.start : clause.end]) and begun.end - begun.start >= _SHORTEST_CHARACTERS:
            parts.append(begun)
            begun = None
    if begun and parts:
        parts[-1] = TextSpan(parts[-1].start, begun.end)
    return tuple(question[part.start : part.end] for part in parts) if 1 < len(parts) <= MOST_PARTS else ()


def asked_parts(question: str) -> tuple[str, ...]:
    r"""Return what a customer's message asks, one by one, three at the most; none where it asks for one thing.

    >>> asked_parts("How many tags can an object carry? What is the price of a tag?")
    ('How many tags can an object carry', 'What is the price of a tag')
    >>> asked_parts("503\nDownloadTrafficRateLimitExceeded")
    ()
    """
    asked = read_message(question).question
    sentences = tuple(asked.splitlines()) if asked != question else ()
    return sentences[:MOST_PARTS] if len(sentences) > 1 else parts_of(asked)


def _clauses(question: str) -> Iterator[TextSpan]:
    """Yield the stretches between separators that hold anything, without what surrounds their words."""
    start = 0
    for end, following in [*((one.start(), one.end()) for one in _ENDS.finditer(question)), (len(question), 0)]:
        text = question[start:end]
        if words := text.strip(_AROUND):
            begin = start + len(text) - len(text.lstrip(_AROUND))
            yield TextSpan(begin, begin + len(words))
        start = following


def _asks(clause: str) -> bool:
    return _CHINESE_ASKS.search(clause) is not None or _ASKS.match(clause) is not None


def with_best_of_parts(
    chunks: Sequence[RetrievedChunk], parts: Sequence[Sequence[RetrievedChunk]]
) -> tuple[RetrievedChunk, ...]:
    """Return the chunks with the best one of each part among the first, behind those that answer the whole best.

    A part whose best document stands there already brings nothing new.  Scores go down as before.
    """
    merged = list(chunks)
    place = _UNTOUCHED
    for found in parts:
        best = next(iter(found), None)
        firsts = {one.chunk.document_id for one in merged[: max(place, _EARLY)]}
        if best is None or best.chunk.document_id in firsts:
            continue
        merged = [one for one in merged if one.chunk.chunk_id != best.chunk.chunk_id]
        merged.insert(place, replace(best, score=merged[min(place, len(merged)) - 1].score if merged else best.score))
        place += 1
    return tuple(merged[: len(chunks)]) if chunks else tuple(merged)
