"""The claims of an answer, and the spans of the evidence that they are compared with.

A sentence that may not support an answer is no span (``supporting_sentences``).  A span can be quoted, and carries the
title, headings, header or introduction that say what it is about.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from rag.grounding.prompt_injection import harmless_title, is_name, spans_without_injection
from rag.schema import Evidence, TextSpan
from rag.text.language import text_language
from rag.text.markup import is_description
from rag.text.parsed import ParsedText, Sentence, parse_text
from rag.text.quantities import Quantity, named_weekdays, read_figures
from rag.text.statements import Statement, content_words, read_statement, says_no
from rag.text.translated_figures import figures_in_english

_BRACKETS = re.compile(r"[(（]([^()（）]+)[)）]")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table row, with its column's header.

    ``name`` is the header, ``header`` are its content words, ``weekdays`` its days, and ``units`` its units for figures
    without one: "CNY", "Weight (kg)".  ``text`` are the cell's own words.  ``denies`` tells whether it says
    no, ``affirms`` whether it says yes and nothing else.
    """

    name: str
    header: frozenset[str]
    weekdays: frozenset[int]
    units: frozenset[str]
    text: str
    quantities: frozenset[Quantity]
    denies: bool
    affirms: bool


@dataclass(frozen=True, slots=True)
class QuotableSpan:
    """One sentence, list item or table row: ``document.text[start:end]``, of the passage at ``passage_index``.

    ``own`` is its own statement; ``around`` is that of the title, headings, table header or introduction above it.
    ``cells`` are a row's cells except the first, which says what the row is about.  ``heading`` is the line of the
    nearest heading in the passage, empty without one.  ``is_header`` is true of a row that is its table's header.
    """

    passage_index: int
    start: int
    end: int
    text: str
    own: Statement
    around: Statement
    is_row: bool = False
    cells: tuple[Cell, ...] = ()
    heading: str = ""
    is_header: bool = False

    @property
    def quantities(self) -> frozenset[Quantity]:
        """Its own quantities; those in table cells also with the units of their header."""
        in_cells = (
            Quantity(figure.value, unit)
            for cell in self.cells
            for figure in cell.quantities
            for unit in cell.units
            if not figure.unit
        )
        return self.own.quantities | frozenset(in_cells)


def supporting_sentences(passage: str) -> tuple[TextSpan, ...]:
    """Return the spans of the sentences of a passage's text that may support an answer.

    Instructions to the model and a model's descriptions of pictures may not.
    """
    spans = spans_without_injection(passage)
    return tuple(span for span in spans if not is_description(passage[span.start : span.end]))


def quotable_spans(passage: Evidence, passage_index: int) -> tuple[QuotableSpan, ...]:
    """Return the passage's sentences in order; headings and table rules are context only.

    What may not support an answer (``supporting_sentences``) is left out.
    """
    title = "\n".join((harmless_title(passage.title, passage.document_path), *filter(is_name, passage.heading_path)))
    return _spans_at(passage.text, title, passage.start, passage_index)


@lru_cache(maxsize=128)
def _spans_at(text: str, title: str, start: int, passage_index: int) -> tuple[QuotableSpan, ...]:
    """Return the spans of a passage that starts there.  Cached for the passages of the last answers' checks."""
    return tuple(
        replace(span, passage_index=passage_index, start=start + span.start, end=start + span.end)
        for span in _spans_of(text, title)
    )


@lru_cache(maxsize=1024)
def _spans_of(text: str, title: str) -> tuple[QuotableSpan, ...]:
    """Return the spans of a passage as number 0, with offsets in its text.  Cached for the last passages."""
    parsed = parse_text(text)
    supporting = frozenset(supporting_sentences(text))
    spans: list[QuotableSpan] = []
    for place, sentence in enumerate(parsed.sentences):
        if sentence.span not in supporting or sentence.kind in ("heading", "rule"):
            continue
        context = [other for other in _context_places(sentence, place) if parsed.sentences[other].span in supporting]
        around = read_statement("\n".join((title, *map(parsed.words, context))))
        spans.append(
            QuotableSpan(
                passage_index=0,
                start=sentence.span.start,
                end=sentence.span.end,
                text=parsed.words(place),
                own=parsed.statements[place],
                around=around,
                is_row=sentence.kind in ("header", "row"),
                cells=_cells(parsed, place),
                heading=parsed.heading_above(place),
                is_header=sentence.kind == "header",
            )
        )
    return tuple(spans)


def _context_places(sentence: Sentence, place: int) -> tuple[int, ...]:
    """Return the places of the sentences that say what a sentence is about; a table's header is its own."""
    header = (place,) if sentence.kind == "header" else sentence.header[:1]
    return (*sentence.headings[-1:], *header, *sentence.introductions)


def _cells(parsed: ParsedText, place: int) -> tuple[Cell, ...]:
    cells = parsed.cells(place)
    header = cells if parsed.sentences[place].kind == "header" else parsed.header_cells(place)
    return tuple(
        Cell(
            name,
            content_words(name),
            named_weekdays(name),
            _units_of(name),
            cell.strip(),
            read_statement(cell).quantities,
            says_no(cell) or cell.strip() in _DASHES,
            cell.strip().lower() in _YES,
        )
        for name, cell in list(zip(header, cells, strict=False))[1:]
    )


@lru_cache(maxsize=1024)
def _units_of(header: str) -> frozenset[str]:
    """Return the units that a header names alone or in brackets; "2 TB" is the figure of its column.

    >>> _units_of("CNY"), _units_of("Weight (kg)"), _units_of("Price"), _units_of("2 TB")
    (frozenset({'CNY'}), frozenset({'kg'}), frozenset(), frozenset())
    """
    names = [name for name in (header, *_BRACKETS.findall(header)) if not any(map(str.isdigit, name))]
    return frozenset(quantity.unit for name in names for quantity in read_figures(f"1 {name}").quantities) - {""}


_DASHES = frozenset("-–—−―")
"""A cell with nothing else says no."""
_YES = frozenset(
    ("yes", "included", "supported", "available", "✓", "✔", "✅", "√", "●", "是", "有", "支持", "可以", "包含", "含")
)
"""A cell with nothing else says yes."""

_PASSAGE_NUMBER = re.compile(r"\[\d{1,3}\]")
"""A passage's number, which is no figure of the sentence: "according to [1], ..."."""

_FEW_WORDS = 4
_FEW_PAIRS = 8
"""The same in Chinese, whose words are compared as overlapping pairs of characters."""
_QUESTION_WORD_WEIGHT = 0.35
"""Words repeated from the question need less support than the answer's own."""

_SOURCE = re.compile(
    r"\A\s*+(?:(?:根据|依据|按照)(?:以上|所给|提供的|您提供的|现有|我们的)?(?:资料|文档|知识库|文章|信息)(?:中的信息|显示|所述)?[，,：:]"
    r"|(?:资料|文档)(?:中|里)?(?:已经|已|明确|清楚)*(?:说明|说|指出|写道|写明|写|提到|规定|表示|显示)(?:了|的是)?[，,：:]?"
    r"|(?:based on|according to) (?:the |our )?(?:provided |given |available )?"
    r"(?:documents?|documentation|information|passages?|sources?|articles?)(?: provided| given)?,"
    r"|(?:the|our) (?:provided |given )?(?:documents?|documentation) (?:clearly |explicitly |also )?"
    r"(?:says?|states?|specif(?:y|ies)|mentions?|indicates?)(?: that\b)?[,:]?(?! (?:nothing|no)\b))\s*+",
    re.IGNORECASE,
)
""""According to the documents" and the like, which is no part of what a sentence states."""


def without_source(sentence: str) -> str:
    """Return a sentence without "according to the documents" and the like at its beginning.

    >>> without_source("The documents clearly state that it is free."), without_source("资料中提到，可以退。")
    ('it is free.', '可以退。')
    >>> without_source("The documents say nothing about it.")
    'The documents say nothing about it.'
    """
    return _SOURCE.sub("", sentence, count=1)


_AFTER_QUOTATION = re.compile(
    r"[“\"「][^“”\"「」\n]{8,400}[”\"」][\s，,。.；;]*+"
    r"(?:所以|因此|因而|故而?|也就是说|(?:and )?(?:so|therefore|thus|hence)\b)[，,]?(?P<conclusion>.{2,})",
    re.IGNORECASE | re.DOTALL,
)


def conclusion_after_quotation(sentence: str) -> str:
    """Return what a sentence concludes from what it quotes; empty if it does not.

    >>> conclusion_after_quotation("资料中写道“会员可以把家庭转给别人”，所以年卡可以转给朋友。")
    '年卡可以转给朋友。'
    """
    match = _AFTER_QUOTATION.search(sentence)
    return match["conclusion"] if match is not None else ""


_COURTESY = re.compile(
    r"\A[\s*_]*+(?:(?:hello|hi|hey|dear|good (?:morning|afternoon|evening|day))\b[^,.!?\n]{0,40}[,!]"
    r"|(?:thanks|thank you)\b[^,.!?\n]{0,80}[,!]"
    r"|(?:(?:i|we) (?:am|are) |(?:i|we)['’](?:m|re) )?(?:(?:very|really|so|truly) )?"
    r"(?:sorry|afraid|happy|glad|pleased)\b(?:[^,.!?\n]{0,60}(?:,(?: but)?|\bbut|\bthat)| but)(?![a-z])"
    r"|(?:i|we) (?:apologi[sz]e|regret|hope)\b[^,.!?\n]{0,60}(?:,(?: but)?|\bthat)(?![a-z])"
    r"|(?:您好|你好|亲(?:爱的[^，,。！!\n]{0,10})?|尊敬的[^，,。！!：:\n]{0,12})[，,！!：:~～]"
    r"|(?:非常|十分|多谢)?(?:感谢|谢谢)[^，,。！!？\n]{0,20}[，,！!]"
    r"|(?:很|非常|十分)?(?:抱歉|遗憾|对不起|不好意思|高兴)[^，,。！!？\n]{0,20}[，,！!：:]"
    r"|希望[^，,。！!？\n]{0,20}[，,！!]"
    r"|(?:关于|针对|对于)您[^，,。！!？\n]{1,20}[，,：:]|(?:regarding|as for|about) your [^,.!?\n]{1,60},)\s*+",
    re.IGNORECASE,
)


def without_courtesy(sentence: str) -> str:
    """Return a sentence without the greetings, thanks and apologies at its beginning.

    >>> without_courtesy("您好，很抱歉给您带来不便，窗帘不能退。"), without_courtesy("I'm sorry, but it is gone.")
    ('窗帘不能退。', 'it is gone.')
    """
    while (match := _COURTESY.match(sentence)) is not None:
        sentence = sentence[match.end() :]
    return sentence


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer as it is compared: its statement and the weight of each of its words.

    ``topic`` are the question's words if the sentence relies on them to say what it is about ("6-9 days."), as one does
    that repeats few of them.  In a third language only figures and codes are compared.
    """

    text: str
    statement: Statement
    weights: dict[str, float]
    topic: frozenset[str]
    language: str

    @property
    def is_echo(self) -> bool:
        """Whether all its words are the question's."""
        return bool(self.weights) and max(self.weights.values()) == _QUESTION_WORD_WEIGHT

    @property
    def denies(self) -> bool:
        """Whether any part of it, such as a leading "no", denies something."""
        return says_no(self.text) or any(clause.denies for clause in self.statement.clauses)

    @classmethod
    def read(cls, sentence: str, question: str, third_language: str = "") -> Self:
        """Read a sentence of an answer to the question."""
        if third_language:
            figures = figures_in_english(sentence, third_language)
            return cls(figures, read_statement(figures), {}, frozenset(), third_language)
        sentence = without_source(without_courtesy(_PASSAGE_NUMBER.sub(" ", sentence)))
        statement = read_statement(sentence)
        question_words = content_words(question)
        weights = {word: _QUESTION_WORD_WEIGHT if word in question_words else 1.0 for word in statement.words}
        words, language = statement.words, text_language(sentence)
        few = _FEW_PAIRS if language == "zh" else _FEW_WORDS
        relies_on_question = len(words - question_words) < _FEW_WORDS and len(words & question_words) < few
        topic = question_words if statement.quantities and relies_on_question else frozenset[str]()
        return cls(sentence, statement, weights, topic, language)


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """The evidence and question for a whole answer."""

    evidence: Sequence[Evidence]
    spans: Sequence[QuotableSpan]
    question: Statement
    question_tokens: tuple[str, ...]

    def passage(self, span: QuotableSpan) -> Evidence:
        """Return the passage that has the span."""
        return self.evidence[span.passage_index]
