"""Texts as plain data that the browser draws without interpreting anything: blocks, and in them runs of one style.

Answers: paragraphs, lists, bold and code are known; everything else, above all markup for links and images, stays as it
is written.  Each run knows the sentence it belongs to, which is where citations and marks go.

Passages: the loaders write headings, lists and tables of every document in Markdown's simplest forms.  Here those
become structure, so that an agent reads a table of fees as a table.  Each run keeps its place in the document, where
quotations are marked.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from rag.schema import Answer, Citation, Evidence, TextSpan
from rag.text.characters import without_invisible
from rag.text.markup import Line, read_lines, row_cells

_INLINE = re.compile(r"\*\*(?P<bold>[^*\n]+)\*\*|(?P<ticks>`{1,8}+)(?P<code>[^`\n]+)(?P=ticks)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One judged sentence of an answer: ``text == answer.text[start:end]``.

    ``numbers`` are the passages that it rests on, in their order; ``unsupported`` means that none was found;
    ``unconfirmed``, that it names an address which nobody has confirmed yet.
    """

    index: int
    start: int
    end: int
    text: str
    numbers: tuple[int, ...] = ()
    unsupported: bool = False
    unconfirmed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style.  ``sentence`` is a ``Sentence.index``, or None where none was judged."""

    text: str
    bold: bool = False
    code: bool = False
    sentence: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """``kind`` is p, ul, ol or code; ``items`` are a paragraph's lines or a list's items, each of runs.

    ``first_number`` is where an ordered list begins, ``language`` the word after a code block's fence; ``quoted`` tells
    that it is in the documents' own words.
    """

    kind: str
    items: tuple[tuple[Run, ...], ...]
    first_number: int = 1
    language: str = ""
    quoted: bool = False


@dataclass(slots=True)
class _OpenBlock:
    kind: str
    items: list[tuple[Run, ...]] = field(default_factory=list)
    first_number: int = 1
    language: str = ""
    quoted: bool = False


def judged_sentences(answer: Answer, evidence: Sequence[Evidence]) -> tuple[Sentence, ...]:
    """Return the cited and the marked sentences in reading order, several citations of one sentence as one."""
    numbers: dict[tuple[int, int], list[int]] = {}
    for citation in answer.citations:
        found = numbers.setdefault((citation.start, citation.end), [])
        number = passage_number(citation, evidence)
        if number is not None and number not in found:
            found.append(number)
    unsupported = {(span.start, span.end) for span in answer.unsupported}
    unconfirmed = {(span.start, span.end) for span in answer.unconfirmed}
    return tuple(
        Sentence(
            index=index,
            start=start,
            end=end,
            text=answer.text[start:end],
            numbers=tuple(sorted(numbers.get((start, end), []))),
            unsupported=(start, end) in unsupported,
            unconfirmed=(start, end) in unconfirmed,
        )
        for index, (start, end) in enumerate(sorted(numbers.keys() | unsupported | unconfirmed))
    )


def passage_number(citation: Citation, evidence: Sequence[Evidence]) -> int | None:
    """Return the number of the passage that holds the quotation; None where no passage does."""
    return next((passage.number for passage in evidence if passage.holds(citation)), None)


def answer_blocks(text: str, sentences: Sequence[Sentence], quotation: TextSpan | None = None) -> tuple[Block, ...]:
    """Cut an answer into blocks and runs.  Read together, the runs give the text without its markup."""
    blocks: list[_OpenBlock] = []
    may_continue = False
    for line in read_lines(text):
        if line.kind == "fence":
            if line.mark:
                blocks.append(_OpenBlock("code", language=line.language))
            may_continue = False
        elif line.kind == "code":
            blocks[-1].items.append((Run(text[line.start : line.end]),))
        elif line.kind == "blank":
            may_continue = False
        else:
            kind, content = _kind(line)
            runs = tuple(_runs(text, content, line.end, sentences))
            if line.kind == "heading":
                runs = tuple(Run(run.text, True, run.code, run.sentence) for run in runs)
            quoted = quotation is not None and quotation.start <= line.start < quotation.end
            is_alike = bool(blocks) and (blocks[-1].kind, blocks[-1].quoted) == (kind, quoted)
            if not (is_alike and (may_continue or kind != "p")):
                blocks.append(_OpenBlock(kind, first_number=line.number or 1, quoted=quoted))
            blocks[-1].items.append(runs)
            may_continue = True
    return tuple(
        Block(block.kind, tuple(block.items), block.first_number, block.language, block.quoted) for block in blocks
    )


def plain_text(text: str) -> str:
    """Return an answer as a customer should read it: without invisible characters and marks for bold, code, headings.

    >>> plain_text("**Refunds** take `7` days.")
    'Refunds take 7 days.'
    """
    text = without_invisible(text)
    lines = (_without_marks(text, line) for line in read_lines(text) if line.kind != "fence")
    return "\n".join(lines).strip()


def _without_marks(text: str, line: Line) -> str:
    written = text[line.content if line.kind == "heading" else line.start : line.end]
    return written if line.kind == "code" else _INLINE.sub(lambda match: match["bold"] or match["code"], written)


def _kind(line: Line) -> tuple[str, int]:
    """Return a line's kind of block and where its content begins; marks that a browser cannot count stay."""
    if line.kind == "item" and (line.is_bullet or line.number is not None):
        return "ul" if line.is_bullet else "ol", line.content
    return "p", line.content if line.kind == "heading" else line.start


def _runs(text: str, start: int, end: int, sentences: Sequence[Sentence]) -> Iterator[Run]:
    position = start
    for match in _INLINE.finditer(text, start, end):
        yield from _split_at_sentences(text, position, match.start(), sentences)
        name = "bold" if match["bold"] else "code"
        for run in _split_at_sentences(text, match.start(name), match.end(name), sentences):
            yield Run(run.text, name == "bold", name == "code", run.sentence)
        position = match.end()
    yield from _split_at_sentences(text, position, end, sentences)


def _split_at_sentences(text: str, start: int, end: int, sentences: Sequence[Sentence]) -> Iterator[Run]:
    """Cut a stretch where sentences begin and end."""
    position = start
    for sentence in sentences:
        if sentence.end <= position or sentence.start >= end:
            continue
        if position < sentence.start:
            yield Run(text[position : sentence.start])
        stop = min(end, sentence.end)
        yield Run(text[max(position, sentence.start) : stop], sentence=sentence.index)
        position = stop
    if position < end:
        yield Run(text[position:end])


@dataclass(frozen=True, slots=True)
class Mark:
    """``document.text[start:end]`` is what the answer's sentence number ``sentence`` rests on."""

    start: int
    end: int
    sentence: int


@dataclass(frozen=True, slots=True)
class PassageRun:
    """A stretch of a passage; ``sentences`` rest on it, and ``focus`` tells what the search had found.

    ``unconfirmed``: it is an address, or an instruction, that nobody has confirmed yet.
    """

    text: str
    focus: bool
    sentences: tuple[int, ...] = ()
    unconfirmed: bool = False


Cell = tuple[PassageRun, ...]


@dataclass(frozen=True, slots=True)
class PassageBlock:
    """``rows`` are a table's rows of cells, the first of them its head where ``has_head``; else one row of one cell.

    ``marker`` is what stands before a list's item.
    """

    kind: Literal["heading", "text", "item", "table", "code"]
    rows: tuple[tuple[Cell, ...], ...]
    marker: str = ""
    has_head: bool = False

    @property
    def plain_text(self) -> str:
        """The block's words without the runs' borders, cells and rows put together."""
        return "".join(run.text for row in self.rows for cell in row for run in cell)


def passage_blocks(passage: Evidence, marks: Sequence[Mark]) -> tuple[PassageBlock, ...]:
    """Cut a passage into blocks; a table that begins before the passage has its header all the same."""
    header = tuple((PassageRun(name, focus=False),) for name in passage.cut_header)
    blocks: list[PassageBlock] = [PassageBlock("table", (header,), has_head=True)] if header else []
    may_continue = bool(blocks)
    for line in _lines(passage.text):
        previous = blocks[-1] if blocks and may_continue else None
        may_continue = line.kind == "code" or (line.start < line.end and line.kind not in ("blank", "fence"))
        if line.kind == "rule":
            if previous is not None and previous.kind == "table":
                blocks[-1] = PassageBlock("table", previous.rows, has_head=len(previous.rows) == 1)
        elif may_continue:
            block = _block(passage, marks, line)
            if previous is not None and previous.kind == block.kind and block.kind in ("table", "text", "code"):
                blocks[-1] = _join_blocks(previous, block)
            else:
                blocks.append(block)
    return tuple(blocks)


def _lines(text: str) -> list[Line]:
    """Return the lines of a passage, which may begin in the midst of code.

    A last fence that nothing closes and that names no language may have closed such code: what follows is read again.
    """
    lines = list(read_lines(text))
    fences = [place for place, line in enumerate(lines) if line.kind == "fence"]
    if len(fences) % 2 == 0 or lines[fences[-1]].language:
        return lines
    behind = lines[fences[-1]].end
    rest = (
        replace(line, start=line.start + behind, end=line.end + behind, content=line.content + behind)
        for line in read_lines(text[behind:])
    )
    return [*lines[: fences[-1] + 1], *rest]


def _block(passage: Evidence, marks: Sequence[Mark], line: Line) -> PassageBlock:
    """Return the block of one line."""

    def runs(start: int, end: int) -> Cell:
        return tuple(_passage_runs(passage, marks, passage.start + start, passage.start + end))

    if line.kind == "row":
        cells = row_cells(passage.text[line.start : line.end])
        return PassageBlock("table", (tuple(runs(line.start + start, line.start + end) for start, end in cells),))
    if line.kind == "heading":
        return PassageBlock("heading", ((runs(line.content, line.end),),))
    if line.kind == "item":
        return PassageBlock("item", ((runs(line.content, line.end),),), marker="•" if line.is_bullet else line.mark)
    return PassageBlock("code" if line.kind == "code" else "text", ((runs(line.start, line.end),),))


def _join_blocks(block: PassageBlock, more: PassageBlock) -> PassageBlock:
    if block.kind == "table":
        return PassageBlock("table", (*block.rows, *more.rows), has_head=block.has_head)
    (lines,), (line,) = block.rows[0], more.rows[0]
    is_focus = bool(lines) and lines[-1].focus
    return PassageBlock(block.kind, (((*lines, PassageRun("\n", is_focus), *line),),))


def _passage_runs(passage: Evidence, marks: Sequence[Mark], start: int, end: int) -> Iterator[PassageRun]:
    """Cut a stretch of the document where the focus, the marks and what nobody has confirmed begin and end."""
    edges = {start, end, passage.focus_start, passage.focus_end}
    edges |= {edge for mark in marks for edge in (mark.start, mark.end)}
    edges |= {edge for span in passage.unconfirmed for edge in (span.start, span.end)}
    for begin, stop in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        yield PassageRun(
            text=passage.text[begin - passage.start : stop - passage.start],
            focus=passage.focus_start <= begin and stop <= passage.focus_end,
            sentences=tuple(sorted({mark.sentence for mark in marks if mark.start <= begin and stop <= mark.end})),
            unconfirmed=any(span.start <= begin and stop <= span.end for span in passage.unconfirmed),
        )
