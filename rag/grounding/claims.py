"""What a sentence of an answer is held against the evidence with, and that evidence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rag.grounding.quotable_spans import QuotableSpan
from rag.schema import Evidence, Language
from rag.text.language import text_language
from rag.text.statements import Statement, content_words, read_statement, says_no

_FEW_WORDS = 4
_QUESTION_WORD_WEIGHT = 0.35
"""Words that the answer took over from the question need less support than those it brings itself."""

_SOURCE = re.compile(
    r"\A\s*+(?:(?:根据|依据|按照)(?:以上|所给|提供的|您提供的|现有)?(?:资料|文档|知识库|文章|信息)(?:中的信息|显示|所述)?[，,：:]"
    r"|(?:based on|according to) (?:the )?(?:provided |given |available )?"
    r"(?:documents?|documentation|information|passages?|sources?|articles?)(?: provided| given)?,)\s*+",
    re.IGNORECASE,
)
"""Where a model says that it has it from: no part of what it states."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer as it is compared: its statement and the weight of each of its words.

    ``topic`` are the question's words where the sentence leaves it to these to say what it is about: "6-9 days."
    """

    text: str
    statement: Statement
    weights: dict[str, float]
    topic: frozenset[str]
    language: Language

    @property
    def is_echo(self) -> bool:
        """Whether it has no word of its own beside those of the question."""
        return bool(self.weights) and max(self.weights.values()) == _QUESTION_WORD_WEIGHT

    @property
    def denies(self) -> bool:
        """Whether any part of it denies something, a leading "no" among them."""
        return says_no(self.text) or any(clause.denies for clause in self.statement.clauses)

    @classmethod
    def read(cls, sentence: str, question: str) -> Self:
        """Read a sentence of an answer to the question."""
        sentence = _SOURCE.sub("", sentence, count=1)
        statement = read_statement(sentence)
        asked = content_words(question)
        weights = {word: _QUESTION_WORD_WEIGHT if word in asked else 1.0 for word in statement.words}
        is_short = bool(statement.quantities) and len(statement.words - asked) < _FEW_WORDS
        return cls(sentence, statement, weights, asked if is_short else frozenset(), text_language(sentence))


@dataclass(frozen=True, slots=True)
class Context:
    """What all sentences of an answer are held against."""

    evidence: Sequence[Evidence]
    spans: Sequence[QuotableSpan]
    question: Statement

    def passage(self, span: QuotableSpan) -> Evidence:
        """Return the passage that has the span."""
        return self.evidence[span.passage_index]
