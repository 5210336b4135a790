"""The instant answer: the best sentences, word for word, with their places in the documents.

It needs no model, is there with the evidence, and cannot say anything that the documents do not.  Only layout is left
out: a table's bars and header, the signs before a heading.  A heading goes before the sentence right under it, which
may mean the opposite without it: "Not covered: rust".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.schema import Citation, Evidence, Language, TextSpan
from rag.text.markup import is_description, row_cells, without_heading_signs
from rag.text.parsed import BlockKind, parse_text

Quoting = Literal["never", "if_needed", "only"]
"""When passages are quoted instead of the model's answer: never, if it cannot answer now, or without asking it."""

_ENDS_A_HEADING = tuple("?？!！:：.。")
_BETWEEN_CELLS: dict[Language, tuple[str, str]] = {"en": (": ", "; "), "zh": ("：", "；")}


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A quoted line, and its span in the document."""

    text: str
    span: TextSpan


def quoted_lines(passage: Evidence) -> list[QuotedLine]:
    r"""Return the quoted lines of a passage.

    >>> text = "| Code | Means |\n|---|---|\n| L4 | Lock is jammed |"
    >>> row = TextSpan(0, len(text))
    >>> passage = Evidence(1, "a", "a", "", (), text, 0, row.end, 0, row.end, "en", quoted=(row,))
    >>> [line.text for line in quoted_lines(passage)]
    ['L4: Lock is jammed']
    """
    lines = [line for span in passage.quoted for line in _lines(passage, span)]
    quoted: list[QuotedLine] = []
    heading: QuotedLine | None = None
    for kind, line in lines:
        if kind == "heading":
            heading = line
        elif kind not in ("header", "rule"):
            plain = QuotedLine(_readable_text(kind, line.text, passage.language), line.span)
            if plain.text:
                quoted.append(_with_heading(heading, plain, passage) if heading else plain)
                heading = None
    return quoted or [QuotedLine(_readable_text(kind, line.text, passage.language), line.span) for kind, line in lines]


def quoted_text(evidence: Sequence[Evidence]) -> str:
    """Return the quoted lines of all passages; empty if there are none."""
    return "\n".join(line.text for passage in evidence for line in quoted_lines(passage))


def cites_best_match(citations: Sequence[Citation], evidence: Sequence[Evidence]) -> bool:
    """Tell whether a citation rests on words that the best match quotes; True if it quotes none."""
    quoted = [(passage, span) for passage in evidence for span in passage.quoted]
    return not quoted or any(
        passage.holds(citation) and citation.quote_start < span.end and span.start < citation.quote_end
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


def _lines(passage: Evidence, span: TextSpan) -> Iterator[tuple[BlockKind, QuotedLine]]:
    """Yield the lines of a span that have words and are the document's own, each with the kind of its block."""
    for block in parse_text(passage.text).blocks:
        position = max(passage.start + block.start, span.start)
        end = min(passage.start + block.end, span.end)
        for line in passage.words(TextSpan(position, end)).splitlines(keepends=True) if position < end else ():
            words = line.strip()
            if words and not is_description(words):
                start = position + len(line) - len(line.lstrip())
                yield block.kind, QuotedLine(words, TextSpan(start, start + len(words)))
            position += len(line)


def _with_heading(heading: QuotedLine, line: QuotedLine, passage: Evidence) -> QuotedLine:
    words = without_heading_signs(heading.text)
    if words == passage.title or passage.words(TextSpan(heading.span.end, line.span.start)).strip():
        return line
    joint = " " if words.endswith(_ENDS_A_HEADING) else _BETWEEN_CELLS[passage.language][0]
    return QuotedLine(f"{words}{joint}{line.text}", TextSpan(heading.span.start, line.span.end))


def _readable_text(kind: BlockKind, line: str, language: Language) -> str:
    if kind not in ("header", "rule", "row"):
        return without_heading_signs(line)
    after_first, after_others = _BETWEEN_CELLS[language]
    first, *others = [line[start:end] for start, end in row_cells(line)] or [""]
    rest = after_others.join(cell for cell in others if cell)
    return f"{first}{after_first}{rest}" if first and rest else first or rest
