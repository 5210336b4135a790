"""Parses a text once: its blocks, its sentences, and the context of each sentence.

    from rag.text.parsed import parse_text

Without its context a sentence may mean the opposite: "Rust." under "Not covered:".  So the headings, the table header,
the introduction of a list, the question above an answer and the row above a section of a table are part of each
sentence's parse, and prompt, citations and quotations all take them from here.  Pure functions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal, Self

from rag.schema import TextSpan
from rag.text.markup import (
    BULLETS,
    Line,
    introduces,
    is_description,
    is_short_question,
    read_lines,
    row_cells,
    section_rows,
)
from rag.text.sentences import split_sentences
from rag.text.statements import Statement, read_statement

BlockKind = Literal["heading", "paragraph", "item", "header", "rule", "row", "code"]
"""``header`` is a table row directly above a ``rule``; any other table row is a ``row``."""

_REFERS_BACK = re.compile(
    r"\s*+(?:it|its|this|that|these|those|they|then|otherwise|however|but|instead|both|also|either|the same|after that"
    r"|in (?:that|this) case|if (?:so|not|it))\b"
    r"|\s*+(?:它|其|这|那|此|该|否则|但|不过|然后|之后|如未|若未|同时|同样|另外|两者|以上|上述)",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"(?:A|Answer|答|回答|答案)[ \t]?[:：]", re.IGNORECASE)
_WHOLE = ("heading", "header", "rule", "row")
_LEAST_INDENT = 2
"""The least indentation of a line that belongs to the list item above it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: ``text[start:end]``, from the start of the first line to the end of the last.

    ``level`` is a heading's level, 1 to 6, or the indentation of any other block; ``mark`` is an item's mark (``-``,
    ``2.``); ``cells`` are the bounds in the text of the cells of a header or a row.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    mark: str = ""
    cells: tuple[TextSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text, ``text[span.start:span.end]``; a row and a heading are one sentence each.

    The other fields are places in ``ParsedText.sentences``.  ``headings`` are the headings above it, outermost first;
    ``header`` is its table's header and the rule below; ``introductions`` are the question that it answers, the
    sentences that introduce its list, table or code, the items above an item that is indented further, and the rows
    that name its section of a table, outermost first;
    ``refers_to`` is the sentence before, if it begins with "otherwise" or "it".  ``block`` is a place in
    ``ParsedText.blocks``.
    """

    span: TextSpan
    kind: BlockKind
    block: int
    headings: tuple[int, ...] = ()
    header: tuple[int, ...] = ()
    introductions: tuple[int, ...] = ()
    refers_to: tuple[int, ...] = ()

    @property
    def needs(self) -> tuple[int, ...]:
        """The sentences without which this one cannot be understood; of its headings only the nearest."""
        nearest = () if self.kind == "heading" else self.headings[-1:]  # a heading is understood by itself
        return (*nearest, *self.header, *self.introductions, *self.refers_to)

    @property
    def is_context(self) -> bool:
        """Whether it only says what the sentences below it are about."""
        return self.kind in ("heading", "header", "rule")


@dataclass(frozen=True)
class ParsedText:
    r"""A text with its ``blocks`` in their order, and its ``sentences``: ordered, disjoint, without blanks at the ends.

    >>> parsed = parse_text("# Warranty\n\nNot covered:\n- rust\n- dents")
    >>> [parsed.words(place) for place in parsed.sentences[3].needs]
    ['# Warranty', 'Not covered:']
    """

    text: str
    blocks: tuple[Block, ...]
    sentences: tuple[Sentence, ...]

    def words(self, place: int) -> str:
        """Return the text of a sentence."""
        span = self.sentences[place].span
        return self.text[span.start : span.end]

    def cells(self, place: int) -> tuple[str, ...]:
        """Return the text of each cell of a row or a header; none for other sentences."""
        block = self.blocks[self.sentences[place].block]
        return tuple(self.text[cell.start : cell.end] for cell in block.cells)

    def header_cells(self, place: int) -> tuple[str, ...]:
        """Return the text of each cell of the header above a row; none if the table has no header."""
        return self.cells(self.sentences[place].header[0]) if self.sentences[place].header else ()

    def heading_above(self, place: int) -> str:
        """Return the line of the nearest heading above a sentence; empty if there is none."""
        headings = self.sentences[place].headings
        return self.words(headings[-1]) if headings else ""

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The statement of each sentence."""
        return tuple(read_statement(self.words(place)) for place in range(len(self.sentences)))


@lru_cache(maxsize=1024)
def parse_text(text: str) -> ParsedText:
    """Parse a text; parses of passages are cached, so that all stages of an answer share them."""
    return parse_document(text)


def parse_document(text: str) -> ParsedText:
    """Parse a text that is needed once and may be large; nothing is cached."""
    spans = split_sentences(text)
    blocks = tuple(_blocks(text, spans))
    sentences = tuple(_sentences_in_blocks(blocks, spans))
    return ParsedText(text, blocks, tuple(_read_needs(text, blocks, sentences)))


def _blocks(text: str, spans: Sequence[TextSpan]) -> Iterator[Block]:
    """Yield the blocks; a line that continues a sentence of the line before belongs to its block."""
    lines = list(read_lines(text))
    wrapped = _wrapped_lines(lines, spans)
    current: Block | None = None
    is_new_paragraph = True
    for number, line in enumerate(lines):
        block = _block(text, line, lines[number + 1] if number + 1 < len(lines) else None)
        if block is None:
            is_new_paragraph = True
            continue
        if current is not None and _continues_block(current, block, line, is_new_paragraph, line.start in wrapped):
            current = Block(current.kind, current.start, block.end, current.level, current.mark, current.cells)
        else:
            if current is not None:
                yield current
            current = block
        is_new_paragraph = line.kind == "fence" and line.content != line.end
    if current is not None:
        yield current


def _wrapped_lines(lines: Sequence[Line], spans: Sequence[TextSpan]) -> set[int]:
    """Return the starts of the lines that continue a sentence of an earlier line."""
    wrapped: set[int] = set()
    waiting = iter(spans)
    span = next(waiting, None)
    for line in lines:
        while span is not None and span.end <= line.start:
            span = next(waiting, None)
        if span is not None and span.start < line.start:
            wrapped.add(line.start)
    return wrapped


def _continues_block(current: Block, block: Block, line: Line, is_new_paragraph: bool, is_wrapped: bool) -> bool:
    """Tell whether a line continues the block before it: code, a paragraph, or a list item."""
    if current.kind == "code":
        return block.kind == "code" and not is_new_paragraph
    if block.kind != "paragraph" or current.kind not in ("paragraph", "item"):
        return False
    if current.kind == "item":
        return is_wrapped or line.level >= current.level + _LEAST_INDENT
    return not is_new_paragraph


def _block(text: str, line: Line, following: Line | None) -> Block | None:
    """Return the block of one line; None for a blank one."""
    if line.kind == "blank":
        return None
    words = text[line.start : line.end]
    indent = len(words) - len(words.lstrip())
    if line.kind == "row":
        cells = tuple(TextSpan(line.start + start, line.start + end) for start, end in row_cells(words))
        is_header = following is not None and following.kind == "rule"
        return Block("header" if is_header else "row", line.start, line.end, indent, cells=cells)
    if line.kind in ("fence", "code"):
        return Block("code", line.start, line.end, indent)
    kind: BlockKind = "paragraph" if line.kind == "text" else line.kind  # type: ignore[assignment]
    return Block(kind, line.start, line.end, line.level, line.mark)


def _sentences_in_blocks(blocks: Sequence[Block], spans: Sequence[TextSpan]) -> Iterator[tuple[TextSpan, int]]:
    """Yield each sentence with the place of its block; full stops do not divide rows and headings."""
    number = 0
    current: tuple[TextSpan, int] | None = None
    for span in spans:
        while number + 1 < len(blocks) and span.start >= blocks[number + 1].start:
            number += 1
        if current is not None and current[1] == number and blocks[number].kind in _WHOLE:
            current = TextSpan(current[0].start, span.end), number
            continue
        if current is not None:
            yield current
        current = span, number
    if current is not None:
        yield current


@dataclass(frozen=True, slots=True)
class _Introduction:
    """An introducing sentence; ``indent`` and ``is_bullet`` are those of its list item.

    In an indented paragraph ``indent`` is that indentation; -1 covers all lists below.  ``has_content`` tells that
    something was indented below its item, so that anything less indented is no part of it.
    """

    place: int
    indent: int
    is_bullet: bool
    has_content: bool = False

    def holds(self, block: Block) -> bool:
        """Whether a block is indented below the item."""
        return 0 <= self.indent <= block.level - _LEAST_INDENT


@dataclass(frozen=True, slots=True)
class _Questions:
    """Places of questions that are lines by themselves.

    ``lines`` are all of them; ``above_answers`` are those above what follows them, and ``of_items`` are those whose
    answer is a part of their list item.
    """

    lines: frozenset[int]
    above_answers: frozenset[int]
    of_items: frozenset[int]

    @classmethod
    def find(cls, text: str, blocks: Sequence[Block], spans: Sequence[tuple[TextSpan, int]]) -> Self:
        """Find the questions; one right above or below another, as in a table of contents, has no answer."""
        lines = frozenset(_question_lines(text, blocks, spans))
        above, of_items = set[int](), set[int]()
        for place in lines:
            block = blocks[spans[place][1]]
            is_listed = place - 1 in lines and blocks[spans[place - 1][1]].level == block.level
            if place + 1 == len(spans) or place + 1 in lines or is_listed:
                continue
            following = blocks[spans[place + 1][1]]
            if block.kind == "item" and _holds_answer(block, following):
                of_items.add(place)
            elif following.kind != "heading" and following.level >= block.level:
                above.add(place)
        return cls(lines, frozenset(above), frozenset(of_items))


def _question_lines(text: str, blocks: Sequence[Block], spans: Sequence[tuple[TextSpan, int]]) -> Iterator[int]:
    """Yield the questions that begin paragraphs and items, and later lines of those paragraphs that are questions."""
    last_block = -1
    is_dialogue = False
    for place, (span, number) in enumerate(spans):
        is_first = number != last_block
        last_block = number
        block = blocks[number]
        may_ask = block.kind in ("paragraph", "item") and (is_first or (is_dialogue and block.kind == "paragraph"))
        asks = may_ask and is_short_question(text[span.start : span.end]) and _is_line(text, spans, place)
        is_dialogue = asks if is_first else is_dialogue
        if asks:
            yield place


def _is_line(text: str, spans: Sequence[tuple[TextSpan, int]], place: int) -> bool:
    """Tell whether a question begins and ends with a line; a loader may have joined its line with "A: Because."."""
    span = spans[place][0]
    if place > 0 and "\n" not in text[spans[place - 1][0].end : span.start]:
        return False
    following = spans[place + 1][0].start if place + 1 < len(spans) else len(text)
    ends_line = "\n" in text[span.end : following] or following == len(text)
    return ends_line or _ANSWER.match(text, following) is not None


def _holds_answer(item: Block, following: Block) -> bool:
    """Tell whether the sentence after an item's question is in the item, unlike a paragraph that is not indented."""
    return following is item or following.kind != "paragraph" or following.level >= item.level + _LEAST_INDENT


def _sections(text: str, blocks: Sequence[Block]) -> dict[int, tuple[int, ...]]:
    """Return the section rows above each row that is in a section of its table; all are places in ``blocks``.

    Of two section rows, one right below the other, the second is in the section of the first.  A note, which has words
    in its first cell only, is in none.
    """
    sections: dict[int, tuple[int, ...]] = {}
    for table in _tables(text, blocks):
        cells = [[text[cell.start : cell.end] for cell in blocks[row].cells] for row in table]
        has_header = table[0] > 0 and blocks[table[0] - 1].kind == "rule"
        names = section_rows(cells, has_header=has_header)
        above: tuple[int, ...] = ()
        for number, row in enumerate(table) if names else ():
            if number in names:
                sections[row] = above if number - 1 in names else ()
                above = (*sections[row], row)
            elif any(cells[number][1:]):
                sections[row] = above
    return sections


def _tables(text: str, blocks: Sequence[Block]) -> Iterator[list[int]]:
    """Yield the rows below each header, or without one: a table ends at a blank line."""
    table: list[int] = []
    for number, block in enumerate(blocks):
        is_adjacent = bool(table) and text.count("\n", blocks[number - 1].end, block.start) <= 1
        if table and (block.kind != "row" or not is_adjacent):
            yield table
            table = []
        if block.kind == "row":
            table.append(number)
    if table:
        yield table


def _of_deeper_items(text: str, blocks: Sequence[Block], spans: Sequence[tuple[TextSpan, int]]) -> frozenset[int]:
    """Return the places of the sentences right above an item that end an item's first paragraph, indented less."""
    return frozenset(
        place
        for place, ((span, number), (_, following)) in enumerate(pairwise(spans))
        if blocks[number].kind == blocks[following].kind == "item"
        and blocks[number].level < blocks[following].level
        and "\n\n" not in text[blocks[number].start : span.end]
    )


@dataclass(slots=True)
class _Context:
    """The context that restricts the next sentence; nothing else decides this."""

    questions: _Questions
    of_deeper_items: frozenset[int]
    sections: Mapping[int, tuple[int, ...]]
    headings: tuple[tuple[int, int], ...] = ()  # level and place, the outermost first
    header: tuple[int, ...] = ()
    question: tuple[tuple[Block, int], ...] = ()  # none or one, with its place
    introductions: tuple[_Introduction, ...] = ()
    rows: dict[int, int] = field(default_factory=dict)
    """The place of each row of a table with sections, by its place in the blocks."""

    def enter(self, block: Block, place: int, *, is_first: bool) -> None:
        """Drop the context that does not reach a sentence of a block; ``is_first`` tells whether it is the first."""
        if block.kind == "header" or block.kind not in ("rule", "row"):
            self.header = ()
        if place in self.questions.lines or (self.question and not _answers(block, self.question[0][0])):
            self.question = ()
        if block.kind == "heading":
            self.headings = tuple(above for above in self.headings if above[0] < block.level)
            self.introductions = ()
        elif is_first or block.kind != "item":
            self.introductions = tuple(
                replace(one, has_content=one.has_content or one.holds(block))
                for one in self.introductions
                if _reaches(one, block)
            )
        else:
            self.introductions = tuple(replace(one, has_content=True) for one in self.introductions)

    def introductions_of(self, number: int) -> tuple[int, ...]:
        """Return the places of what introduces a sentence of the block at ``number``, outermost first."""
        question = (place for _, place in self.question)
        rows = (self.rows[row] for row in self.sections.get(number, ()) if row in self.rows)
        return (*question, *(one.place for one in self.introductions), *rows)

    def add(self, block: Block, number: int, place: int, words: str) -> None:
        """Add a sentence that restricts those below it; ``number`` is the place of its block."""
        if block.kind == "heading":
            self.headings = (*self.headings, (block.level, place))
        elif block.kind in ("header", "rule"):
            self.header = (*self.header, place)
        elif number in self.sections:
            self.rows[number] = place
        elif place in self.questions.above_answers:
            self.question = ((block, place),)
        elif block.kind in ("paragraph", "item") and (
            introduces(words) or place in self.questions.of_items or place in self.of_deeper_items
        ):
            indent = block.level if block.kind == "item" else block.level - 1
            self.introductions = (*self.introductions, _Introduction(place, indent, block.mark in BULLETS))


def _answers(block: Block, question: Block) -> bool:
    """Tell whether a block, which is no question, may belong to the answer of the nearest question above it."""
    is_next_item = block.kind == question.kind == "item" and block.level == question.level
    is_alike = (block.mark in BULLETS) == (question.mark in BULLETS)
    return block.kind != "heading" and block.level >= question.level and not (is_next_item and is_alike)


def _reaches(introduction: _Introduction, block: Block) -> bool:
    """Tell whether an introducing sentence covers a block.

    It covers an item that is indented further, or belongs to a list with other marks within the introducing item; a
    paragraph only if it is indented below that item; code and rows unless the item already has content.
    """
    if block.kind == "paragraph":
        return introduction.holds(block)
    if block.kind != "item":
        return not introduction.has_content or introduction.holds(block)
    if introduction.indent == block.level:
        return introduction.is_bullet != (block.mark in BULLETS) and not introduction.has_content
    return introduction.indent < block.level


def _read_needs(text: str, blocks: Sequence[Block], spans: Sequence[tuple[TextSpan, int]]) -> Iterator[Sentence]:
    deeper = _of_deeper_items(text, blocks, spans)
    context = _Context(_Questions.find(text, blocks, spans), deeper, _sections(text, blocks))
    last_block = last_place = -1
    for place, (span, number) in enumerate(spans):
        block, words = blocks[number], text[span.start : span.end]
        if is_description(words):  # it follows its picture, and is no part of the text around it
            yield Sentence(span, block.kind, number, tuple(heading for _, heading in context.headings))
            continue
        context.enter(block, place, is_first=number != last_block)
        refers_back = last_place >= 0 and block.kind in ("paragraph", "item") and _REFERS_BACK.match(words) is not None
        yield Sentence(
            span,
            block.kind,
            number,
            tuple(heading for _, heading in context.headings),
            context.header,
            context.introductions_of(number),
            (last_place,) if refers_back else (),
        )
        context.add(block, number, place, words)
        last_block, last_place = number, place
