"""Finds conflicting versions: passages of different documents that differ in a figure, a date or a "not".

Two sentences conflict if nearly all of their words agree, their documents are about the same thing, and a number with
the same unit, a code or a denial differs.  Names and codes in titles must be equal: a rule for one product is no other
version of the rule for the next.  Pure functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import combinations
from typing import Self

from rag.schema import Conflict, Evidence, renumbered
from rag.text.markup import QUESTION_ENDS, is_description
from rag.text.parsed import parse_text
from rag.text.quantities import MONTH_NAMES, Quantity, figures_beyond
from rag.text.statements import Statement, content_words, contradicts, read_statement
from rag.text.terms import is_code, terms

_SAME_WORDS = 0.5
"""The share of common words from which on two sentences are about the same thing.  With this and the next two values,
seven conflicts are found among all pairs of the 168 sample documents, each between two versions of one rule."""

_SAME_TITLE, _SAME_PASSAGE = 0.3, 0.4

_ALL_BUT_THE_SAME = 0.8
"""The same with function words included: they must agree if no number differs, or if a sentence is short."""

_MONTHS = frozenset(MONTH_NAMES)
_FEWEST_CONTENT_WORDS, _FEWEST_WORDS = 3, 4


@dataclass(frozen=True, slots=True)
class _Sentence:
    """``words`` are all of a sentence's words without figures; those of the statement carry its meaning."""

    text: str
    words: frozenset[str]
    statement: Statement

    @classmethod
    def of(cls, text: str, statement: Statement) -> Self:
        return cls(text, frozenset(term for term in terms(text) if not is_code(term)), statement)


def find_conflicts(evidence: Sequence[Evidence]) -> tuple[Conflict, ...]:
    """Return the conflicts between passages, in their order; the passage that applies is named first.

    That is the one in force, then the one with the later date, then the first one.  Where neither is in force, what
    they say differently is no conflict.
    """
    return tuple(
        _conflict_between(*pair) for pair in _differences(evidence) if any(one.is_in_force for one in pair[:2])
    )


def newest_first(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return the passages with a newer version before the older one that it conflicts with, renumbered."""
    ordered = list(evidence)
    for conflict in [_conflict_between(*pair) for pair in _differences(evidence)]:
        newer = next(passage for passage in ordered if passage.number == conflict.number)
        older = next(passage for passage in ordered if passage.number == conflict.other_number)
        if ordered.index(newer) > ordered.index(older) and _age(newer) != _age(older):
            ordered.remove(newer)
            ordered.insert(ordered.index(older), newer)
    return renumbered(ordered)


def _differences(evidence: Sequence[Evidence]) -> Iterator[tuple[Evidence, Evidence, str, str]]:
    passages = [(passage, _topic(passage.title, passage.text)) for passage in evidence]
    for (first, topic), (second, other_topic) in combinations(passages, 2):
        is_same_kind = first.document_id != second.document_id and first.language == second.language
        if is_same_kind and _are_comparable(topic, other_topic):
            for pair in _conflicting_sentences(first.text, second.text):
                yield first, second, *pair


@lru_cache(maxsize=512)
def _sentences(passage: str) -> tuple[_Sentence, ...]:
    parsed = parse_text(passage)
    return tuple(
        _Sentence.of(parsed.words(place), parsed.statements[place])
        for place, sentence in enumerate(parsed.sentences)
        if not sentence.is_context and not _is_question(parsed.words(place)) and not is_description(parsed.words(place))
    )


def _is_question(text: str) -> bool:
    return text.endswith(QUESTION_ENDS)


def _age(passage: Evidence) -> tuple[bool, date]:
    """Return the sort key of versions: the greatest applies."""
    return passage.is_in_force, passage.updated_on or date.min


@dataclass(frozen=True, slots=True)
class _Topic:
    """The topic of a passage: the statement and words of its title, and its own words."""

    title: Statement
    title_words: frozenset[str]
    words: frozenset[str]


@lru_cache(maxsize=1024)
def _topic(title: str, passage: str) -> _Topic:
    return _Topic(read_statement(title), content_words(title), content_words(passage))


def _are_comparable(one: _Topic, other: _Topic) -> bool:
    title, other_title = one.title, other.title
    if title.codes != other_title.codes or (title.names - other_title.names and other_title.names - title.names):
        return False
    return _are_alike(one.title_words, other.title_words, _SAME_TITLE) or _are_alike(
        one.words, other.words, _SAME_PASSAGE
    )


def _are_alike(words: frozenset[str], others: frozenset[str], least: float) -> bool:
    """Tell whether both have the ``least`` share of all words; where one has far fewer, none need be compared."""
    fewer, more = sorted((len(words), len(others)))
    return fewer / max(1, more) >= least and _likeness(words, others) >= least


def _likeness(words: frozenset[str], others: frozenset[str]) -> float:
    """Return the share of common words; 0 without any words."""
    shared = len(words & others)
    return shared / max(1, len(words) + len(others) - shared)


@lru_cache(maxsize=2048)
def _conflicting_sentences(passage: str, other_passage: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of conflicting sentences of two passages, each sentence with the nearest one of the other passage.

    Cached: an answer needs them for the order of its passages and for its conflicts, and the next one some of them.
    """
    others = _sentences(other_passage)
    pairs: list[tuple[str, str]] = []
    for sentence in _sentences(passage):
        nearest = max(others, key=lambda other: _agreement(sentence, other), default=None)
        if nearest is not None and _are_conflicting(sentence, nearest):
            pairs.append((sentence.text, nearest.text))
    return tuple(pairs)


def _agreement(one: _Sentence, other: _Sentence) -> tuple[bool, float]:
    """Return whether nearly all words are common, and the share of common content words."""
    is_long = min(len(one.words), len(other.words)) >= _FEWEST_WORDS
    is_same = is_long and _likeness(one.words, other.words) >= _ALL_BUT_THE_SAME
    content = one.statement.words, other.statement.words
    return is_same, _likeness(*content) if min(map(len, content)) >= _FEWEST_CONTENT_WORDS else 0.0


def _are_conflicting(one_sentence: _Sentence, other_sentence: _Sentence) -> bool:
    same, likeness = _agreement(one_sentence, other_sentence)
    if not same and likeness < _SAME_WORDS:
        return False
    one, other = one_sentence.statement, other_sentence.statement
    names, other_names = one.names - _MONTHS, other.names - _MONTHS
    if (names - other_names and other_names - names) or one.codes != other.codes:
        return False
    left = _unmatched(one.quantities, other.quantities)
    right = _unmatched(other.quantities, one.quantities)
    if any(quantity.unit == against.unit for quantity in left for against in right):
        return True
    if left or right or max(same, likeness) < _ALL_BUT_THE_SAME:
        return False
    return contradicts(one, other) or contradicts(other, one)


def _unmatched(quantities: frozenset[Quantity], others: frozenset[Quantity]) -> frozenset[Quantity]:
    return figures_beyond(quantities - {Quantity("1")}, others)  # "one" is an article more often than a number


def _conflict_between(one: Evidence, other: Evidence, quote: str, other_quote: str) -> Conflict:
    if _age(other) > _age(one):
        one, other, quote, other_quote = other, one, other_quote, quote
    return Conflict(
        number=one.number,
        other_number=other.number,
        document_id=one.document_id,
        other_document_id=other.document_id,
        quote=quote,
        other_quote=other_quote,
    )
