"""Quotations: sentences of the documents, word for word, with their places.

As the instant answer they need no model, are there with the evidence, and cannot say anything that the documents do
not.  Beside a model's reply they give what it leaves out of the best stretch (``with_quotation``).  Only layout is left
out: a table's bars and header, the signs before a heading.  A heading goes before the sentence right under it, which
may mean the opposite without it: "Not covered: rust".  A cell that says little by itself has its column's name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from rag.schema import Citation, Evidence, Language, TextSpan
from rag.text.markup import is_description, row_words, without_heading_signs
from rag.text.parsed import Block, BlockKind, parse_text
from rag.text.statements import content_words, stated_figures

Quoting = Literal["never", "if_needed", "only"]
"""When passages are quoted instead of the model's answer: never, if it cannot answer now, or without asking it."""

_ENDS_A_HEADING = tuple("?？!！:：.。")
_HAS_DIGIT = re.compile(r"\d")
_FEWEST_COLUMNS_NAMED = 3
_MOST_WORDS_NAMED = 1
_MOST_WORDS_BESIDE_FIGURES = 3
"""The most content words of a cell that is read with its column's name: "yes", "EUR 79", "5-7 working days"."""
_LEAST_SAID = 0.5
"""A reply with this share of a quotation's content words, and all of its figures, says as much: with a quotation below
32 more of 161 replies, one more would be right."""
_INTRODUCTIONS: dict[Language, tuple[str, str, str]] = {
    "en": ("Our documents say:", "Our documents say, partly in Chinese:", "Our documents say, in Chinese:"),
    "zh": ("资料中写道：", "资料中写道（部分为英文）：", "资料中写道（英文）："),
}
"""Of a quotation in the customer's language, in both languages, and in the other one."""
_BETWEEN_CELLS: dict[Language, tuple[str, str]] = {"en": (": ", "; "), "zh": ("：", "；")}


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A quoted line, and its span in the document."""

    text: str
    span: TextSpan


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a document as it stands; ``columns`` are the names of its columns if it is a row of a table."""

    kind: BlockKind
    text: str
    span: TextSpan
    columns: tuple[str, ...] = ()


def quoted_lines(passage: Evidence) -> list[QuotedLine]:
    r"""Return the quoted lines of a passage.

    >>> text = "| Code | Device | Means |\n|---|---|---|\n| L4 | R3 | Lock is jammed |"
    >>> row = TextSpan(0, len(text))
    >>> passage = Evidence(1, "a", "a", "", (), text, 0, row.end, 0, row.end, "en", quoted=(row,))
    >>> [line.text for line in quoted_lines(passage)]
    ['L4: Device R3; Lock is jammed']
    """
    lines = [line for span in passage.quoted for line in _lines(passage, span)]
    quoted: list[QuotedLine] = []
    heading: _Line | None = None
    for line in lines:
        if line.kind == "heading":
            heading = line
        elif line.kind not in ("header", "rule"):
            plain = _readable_line(line, passage.language)
            if plain.text:
                quoted.append(_with_heading(heading, plain, passage) if heading else plain)
                heading = None
    return quoted or [_readable_line(line, passage.language) for line in lines]


def quoted_text(evidence: Sequence[Evidence]) -> str:
    """Return the quoted lines of all passages; empty if there are none."""
    return "\n".join(line.text for passage in evidence for line in quoted_lines(passage))


def cites_best_match(citations: Sequence[Citation], evidence: Sequence[Evidence]) -> bool:
    """Tell whether a citation rests on words that the best match quotes; True if it quotes none."""
    quoted = [(passage, span) for passage in evidence for span in passage.quoted]
    return not quoted or any(
        passage.holds(citation) and citation.rests_on(span.start, span.end)
        for citation in citations
        for passage, span in quoted
    )


def quoted_citations(evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Return the citations of ``quoted_text``: every line cites its own words."""
    citations = []
    start = 0
    for passage in evidence:
        for line in quoted_lines(passage):
            citations.append(
                Citation(
                    start=start,
                    end=start + len(line.text),
                    document_id=passage.document_id,
                    document_path=passage.document_path,
                    quote=passage.words(line.span),
                    quote_start=line.span.start,
                    quote_end=line.span.end,
                )
            )
            start += len(line.text) + 1
    return tuple(citations)


@dataclass(frozen=True, slots=True)
class QuotedReply:
    """A reply with a quotation below it: ``text[span.start:span.end]``, each of whose lines has its citation."""

    text: str
    span: TextSpan
    citations: tuple[Citation, ...]


def with_quotation(reply: str, evidence: Sequence[Evidence], language: Language) -> QuotedReply | None:
    """Return a reply with the stretch that answers best below it, word for word.

    A small model misreads what the search has found (docs/measurements.md).  What is quoted in another language follows
    the customer's own, and stands alone if the reply says as much as that already.  None if nothing is left to quote.
    """
    quotable = [replace(passage, quoted=passage.below_reply) for passage in evidence if passage.may_be_quoted]
    own = [passage for passage in quotable if passage.language == language]
    others = [passage for passage in quotable if passage.language != language]
    quoted = others if _says_as_much(reply, quoted_text(own)) else own + others
    words = quoted_text(quoted)
    if not words:
        return None
    introduced = f"{reply}\n\n{_introduction(quoted, language)}\n"
    return QuotedReply(
        text=introduced + words,
        span=TextSpan(len(introduced), len(introduced) + len(words)),
        citations=tuple(
            replace(one, start=one.start + len(introduced), end=one.end + len(introduced))
            for one in quoted_citations(quoted)
        ),
    )


def _introduction(quoted: Sequence[Evidence], language: Language) -> str:
    in_own, in_both, in_other = _INTRODUCTIONS[language]
    languages = {passage.language for passage in quoted if passage.quoted}
    if languages == {language}:
        return in_own
    return in_both if language in languages else in_other


def _says_as_much(reply: str, quotation: str) -> bool:
    words, figures = content_words(quotation), stated_figures(quotation).quantities
    said = len(words & content_words(reply)) >= _LEAST_SAID * len(words)
    return said and figures <= stated_figures(reply).quantities


def _lines(passage: Evidence, span: TextSpan) -> Iterator[_Line]:
    """Yield the lines of a span that have words and are the document's own."""
    columns = passage.cut_header
    for block in parse_text(passage.text).blocks:
        columns = _columns_after(columns, block, passage.text)
        position = max(passage.start + block.start, span.start)
        end = min(passage.start + block.end, span.end)
        for line in passage.words(TextSpan(position, end)).splitlines(keepends=True) if position < end else ():
            words = line.strip()
            if words and not is_description(words):
                start = position + len(line) - len(line.lstrip())
                yield _Line(block.kind, words, TextSpan(start, start + len(words)), columns)
            position += len(line)


def _columns_after(columns: tuple[str, ...], block: Block, text: str) -> tuple[str, ...]:
    """Return the names of the columns from a block on; none outside of a table with a header."""
    if block.kind == "header":
        return tuple(text[cell.start : cell.end] for cell in block.cells)
    return columns if block.kind in ("rule", "row") else ()


def _with_heading(heading: _Line, line: QuotedLine, passage: Evidence) -> QuotedLine:
    words = without_heading_signs(heading.text)
    if words == passage.title or passage.words(TextSpan(heading.span.end, line.span.start)).strip():
        return line
    joint = " " if words.endswith(_ENDS_A_HEADING) else _BETWEEN_CELLS[passage.language][0]
    return QuotedLine(f"{words}{joint}{line.text}", TextSpan(heading.span.start, line.span.end))


def _readable_line(line: _Line, language: Language) -> QuotedLine:
    if line.kind not in ("header", "rule", "row"):
        return QuotedLine(without_heading_signs(line.text), line.span)
    after_first, after_others = _BETWEEN_CELLS[language]
    first, *others = row_words(line.text)
    # below a cell that spans rows, a row has fewer cells than the header: no name is known to be its own
    is_whole = len(line.columns) == len(others) + 1 >= _FEWEST_COLUMNS_NAMED
    columns = line.columns if is_whole else ()
    named = [_with_column(name, cell) for name, cell in zip_longest(columns[1:], others, fillvalue="") if cell]
    rest = after_others.join(named)
    return QuotedLine(f"{first}{after_first}{rest}" if first and rest else first or rest, line.span)


def _with_column(name: str, cell: str) -> str:
    """Return a cell with its column's name before it, unless it says enough by itself.

    >>> _with_column("Sunday", "10:00-14:00"), _with_column("Meaning", "The lock is jammed")
    ('Sunday 10:00-14:00', 'The lock is jammed')
    """
    most_words = _MOST_WORDS_BESIDE_FIGURES if _HAS_DIGIT.search(cell) else _MOST_WORDS_NAMED
    return f"{name} {cell}".strip() if len(content_words(cell)) <= most_words else cell
