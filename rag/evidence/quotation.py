"""The instant answer: the sentences that answer best, word for word, with the place where they stand.

It needs no model, is there with the evidence, and cannot say anything that the documents do not.  Only what is layout
in the document is left out: a table's bars and header, the signs before a heading.  A heading goes before the
sentence right under it, which may mean the contrary without it: "Not covered: rust".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.schema import Citation, Evidence, Language, TextSpan
from rag.text.markup import is_heading, is_row, is_row_rule, without_heading_signs

Quoting = Literal["never", "if_needed", "only"]
"""When the passages are quoted in the model's place: not at all, where it cannot answer now, or without asking it."""

_ENDS_A_HEADING = tuple("?？!！:：.。")
_BETWEEN_CELLS: dict[Language, tuple[str, str]] = {"en": (": ", "; "), "zh": ("：", "；")}


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line to be read, and the span of the document that it is."""

    text: str
    span: TextSpan


def quoted_lines(passage: Evidence) -> list[QuotedLine]:
    r"""Return what is quoted of a passage.

    >>> text = "| Code | Means |\n|---|---|\n| L4 | Lock is jammed |"
    >>> row = TextSpan(0, len(text))
    >>> passage = Evidence(1, "a", "a", "", (), text, 0, row.end, 0, row.end, "en", quoted=(row,))
    >>> [line.text for line in quoted_lines(passage)]
    ['L4: Lock is jammed']
    """
    lines = [line for span in passage.quoted for line in _lines(passage, span)]
    is_rule = [is_row_rule(line.text) for line in lines] + [False]
    quoted: list[QuotedLine] = []
    heading: QuotedLine | None = None
    for place, line in enumerate(lines):
        if is_heading(line.text):
            heading = line
        elif not (is_rule[place] or is_rule[place + 1]):
            plain = QuotedLine(_readable(line.text, passage.language), line.span)
            quoted.append(_under(heading, plain, passage) if heading else plain)
            heading = None
    return quoted or [QuotedLine(_readable(line.text, passage.language), line.span) for line in lines]


def quoted_text(evidence: Sequence[Evidence]) -> str:
    """Return the lines of all passages; empty where nothing is quoted."""
    return "\n".join(line.text for passage in evidence for line in quoted_lines(passage))


def quoted_citations(evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
    """Return the citations of ``quoted_text``: every line of it rests on the words that it is."""
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


def _lines(passage: Evidence, span: TextSpan) -> Iterator[QuotedLine]:
    position = span.start
    for line in passage.words(span).splitlines(keepends=True):
        words = line.strip()
        if words:
            start = position + len(line) - len(line.lstrip())
            yield QuotedLine(words, TextSpan(start, start + len(words)))
        position += len(line)


def _under(heading: QuotedLine, line: QuotedLine, passage: Evidence) -> QuotedLine:
    words = without_heading_signs(heading.text)
    if words == passage.title or passage.words(TextSpan(heading.span.end, line.span.start)).strip():
        return line
    joint = " " if words.endswith(_ENDS_A_HEADING) else _BETWEEN_CELLS[passage.language][0]
    return QuotedLine(f"{words}{joint}{line.text}", TextSpan(heading.span.start, line.span.end))


def _readable(line: str, language: Language) -> str:
    if not is_row(line):
        return without_heading_signs(line)
    after_first, after_others = _BETWEEN_CELLS[language]
    first, *others = [cell.strip() for cell in line.strip().strip("|").split("|")]
    rest = after_others.join(cell for cell in others if cell)
    return f"{first}{after_first}{rest}" if first and rest else first or rest
