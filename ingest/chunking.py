"""Documents become chunks that follow their structure; offsets point exactly into the document's text.

The cuts have the least total cost for the document: a chunk costs more the further its size is from
``settings.chunk_tokens``, and a cut costs more the more it tears apart.
"""

import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

from rag.errors import DocumentUnreadable
from rag.protocols import Embedder
from rag.schema import HEADER_JOINT, Chunk, Document
from rag.text.markup import (
    INTRODUCES,
    QUESTION_ENDS,
    Line,
    LineKind,
    introduces,
    is_description,
    is_row_rule,
    is_short_question,
    read_lines,
    row_words,
    section_rows,
    without_list_mark,
)
from rag.text.parsed import ParsedText, parse_document
from rag.text.sentences import split_sentences

CountTokens = Callable[[str], int]
CheckTime = Callable[[], None]
"""Raises ``DocumentUnreadable`` when the document's time is over."""

_CHUNKER_VERSION = 6
"""Raise it when the same text would be cut differently, or into other terms: known documents are then cut again."""

_WINDOW_TOKENS = 448  # of the embedder's 512; the rest is for the title and the headings in front of the passage
_WHOLE_DOCUMENT = 1.5  # times chunk_tokens: short support pages are better whole (measured: see RETRIEVAL)
_LARGEST = 1.25  # times chunk_tokens: no chunk of several units is larger
_SMALL = 0.5  # times chunk_tokens: smaller chunks cost
_CHARACTERS_A_TOKEN = 24  # at the most; five are usual, and code with deep indentation has ten
_MOST_PARTS = 64  # of one chunk: as many one-word lines say less than a sentence, and each is tried with each
_CHECK_TIME_EVERY = 1000  # parts compared, which takes some 40 ms at the most
_MOST_LABELS = 3  # of items in items, the innermost; with the headings they have to leave the passage room
_LABEL_LIMIT_CHARACTERS = 120
_ENDS_OF_LABELS = (*INTRODUCES, *QUESTION_ENDS, *(f"{end}**" for end in QUESTION_ENDS), "|")
_OVERLAP = 0.2  # times chunk_tokens: the longest sentence that is repeated where a paragraph is cut

# Costs; only their proportions matter.
_A_CHUNK = 0.1
_HEADING_INSIDE = 0.3
_CUT_BEFORE = {"blank line": 0.1, "line": 0.2, "sentence": 0.35}
_CUT_TABLE = 0.3
_CUT_AFTER_INTRODUCTION = 0.3
_CUT_AFTER_HEADING = 2.0
_TOO_LARGE = 2.0
_PLAIN_FORMAT = "text"


def chunker_version(chunk_tokens: int) -> str:
    """Return the version of the chunker, by which the store knows which documents to cut again."""
    return f"{_CHUNKER_VERSION}/{chunk_tokens}"


def chunk_document(
    document: Document, embedder: Embedder, chunk_tokens: int, *, timeout_seconds: float = 60.0
) -> tuple[Chunk, ...]:
    """Cut a document into chunks of about ``chunk_tokens`` of the embedder's tokens, in the order of the text.

    Every character that is not white space is in a chunk.  Sentences and table rows stay whole unless one alone is too
    large.  A chunk that begins inside a paragraph repeats the sentence before it, if that is short: it often says what
    "it" means.  A chunk that begins inside a table has the header and the name of the section in its ``heading_path``,
    one below a list item that introduces it, ``- macOS:``, that item's words, and one inside an answer the question.

    Raises ``DocumentUnreadable`` where it takes longer than ``timeout_seconds``.
    """
    text = document.text
    check_time = _timer(document.path, timeout_seconds)
    count_tokens = _bounded_count(embedder, check_time)
    whole = min(_WHOLE_DOCUMENT * chunk_tokens, _WINDOW_TOKENS)
    if count_tokens(text) <= whole:
        return (_chunk(document, 0, len(text), (), 0),)
    structured = document.metadata.get("format") != _PLAIN_FORMAT
    parts = _parts(text, count_tokens, chunk_tokens, structured=structured)
    groups = _cheapest_groups(parts, chunk_tokens, check_time)
    starts = [groups[0][0].unit.start]
    starts += [_overlapping_start(text, before, group, chunk_tokens) for before, group in pairwise(groups)]
    labels = _labels(text, starts) if structured else [()] * len(starts)
    check_time()
    return tuple(
        _chunk(document, start, group[-1].unit.end, (*_heading_path(group), *above), ordinal)
        for ordinal, (start, group, above) in enumerate(zip(starts, groups, labels, strict=True))
    )


UnitKind = Literal["heading", "sentence", "header_row", "row", "code"]
"""A ``header_row`` is a table's header, or a row that names a section of the table."""

_HEADING_LIMIT_CHARACTERS = 120
_HEADER_LIMIT_CHARACTERS = 400

_CLAUSE_END = re.compile(r"[；;，,：:、）)](?=\s|[^\x00-\x7f]|$)\s*")
_STRETCH_END = re.compile(r"\n\s*\n|[。！？]\s*|[.!?]\s+(?=[A-Z])")
_LONGEST_STRETCH_CHARACTERS = 20_000
_BLANK = re.compile(r"\s+")
_LINE_END = re.compile(r"\n+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch ``text[start:end]`` of a document, without white space at its ends.

    ``heading_path`` are the headings above it, its own included if it is one; ``header`` is the header row of the
    table that a row belongs to.
    """

    start: int
    end: int
    kind: UnitKind
    heading_path: tuple[str, ...] = ()
    header: str = ""


def units(text: str, *, structured: bool) -> Iterator[Unit]:
    """Yield the units in their order; together they hold every character that is not white space.

    ``structured`` False is for formats without marks, where ``#`` and ``|`` mean nothing.
    """
    headings: list[tuple[int, str]] = []
    for block in _blocks(text) if structured else [_Block("text", 0, len(text))]:
        if block.kind == "heading":
            words = text[block.content : block.end].strip()[:_HEADING_LIMIT_CHARACTERS]
            headings = [*(above for above in headings if above[0] < block.level), (block.level, words)]
        path = tuple(words for _, words in headings)
        for unit in _units_of_block(text, block):
            yield Unit(unit.start, unit.end, unit.kind, path, unit.header)  # replace() takes three times as long


def pieces(text: str, unit: Unit, count_tokens: Callable[[str], int], limit: float) -> list[Unit]:
    """Cut a unit of more than ``limit`` tokens in halves until no piece has more.

    A cut is made near the middle, at a line's end, else after a clause, else at a blank, else anywhere.  A picture's
    description by a model, which is short, stays whole: its second half would look like the document's own words.
    """
    words = text[unit.start : unit.end]
    if len(words) < 2 or count_tokens(words) <= limit or is_description(words):
        return [unit]
    cut = _cut_position(text, unit)
    left, right = _trimmed(text, unit, unit.start, cut), _trimmed(text, unit, cut, unit.end)
    return [piece for half in (left, right) if half is not None for piece in pieces(text, half, count_tokens, limit)]


_BlockKind = Literal["heading", "text", "table", "code"]
_BLOCK_KINDS: dict[LineKind, _BlockKind] = {
    "heading": "heading",
    "row": "table",
    "rule": "table",
    "fence": "code",
    "code": "code",
}


@dataclass(frozen=True, slots=True)
class _Block:
    """``level`` and ``content``, where its words begin, are a heading's."""

    kind: _BlockKind
    start: int
    end: int
    level: int = 0
    content: int = 0


def _blocks(text: str) -> Iterator[_Block]:
    """Yield headings, tables, fenced code and the text between them; together they cover the document."""
    first: Line | None = None
    kind: _BlockKind = "text"
    is_closed = False
    for line in read_lines(text):
        following = _BLOCK_KINDS.get(line.kind, "text")
        opens_code = line.kind == "fence" and line.mark != ""
        if first is not None and (is_closed or opens_code or following != kind):
            yield _Block(kind, first.start, line.start, first.level, first.content)
            first = None
        first = first or line
        kind = following
        is_closed = kind == "heading" or (line.kind == "fence" and not opens_code)
    if first is not None and first.start < len(text):
        yield _Block(kind, first.start, len(text), first.level, first.content)


def _units_of_block(text: str, block: _Block) -> Iterator[Unit]:
    if block.kind == "text":
        for start, end in _stretches(text, block):
            for span in split_sentences(text[start:end]):
                yield Unit(start + span.start, start + span.end, "sentence")
    elif block.kind == "table":
        yield from _rows(text, block)
    else:
        whole = Unit(block.start, block.end, "heading" if block.kind == "heading" else "code")
        trimmed = _trimmed(text, whole, block.start, block.end)
        if trimmed is not None:
            yield trimmed


def _stretches(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    """Split blocks longer than any real paragraph, so that splitting sentences takes linear time."""
    start = block.start
    while block.end - start > _LONGEST_STRETCH_CHARACTERS:
        limit = start + _LONGEST_STRETCH_CHARACTERS
        ends = [match.end() for match in _STRETCH_END.finditer(text, limit - _LONGEST_STRETCH_CHARACTERS // 4, limit)]
        end = ends[-1] if ends else limit
        line_start = text.rfind("\n", start, end) + 1
        if line_start > start and is_description(text[line_start:end].lstrip()):
            end = line_start
        yield start, end
        start = end
    yield start, block.end


def _rows(text: str, block: _Block) -> Iterator[Unit]:
    """Yield a table's rows, the header with the rule below it as one."""
    lines = text[block.start : block.end].splitlines(keepends=True)
    has_header = len(lines) > 1 and is_row_rule(lines[1])
    header = ""
    position = block.start
    if has_header:
        header = HEADER_JOINT.join(row_words(lines[0]))
        header = header[:_HEADER_LIMIT_CHARACTERS]  # it stands in front of every passage, and must leave it room
        lines = [lines[0] + lines[1], *lines[2:]]
    first_row = int(has_header)
    sections = section_rows([row_words(line) for line in lines[first_row:]], has_header=has_header)
    for number, line in enumerate(lines):
        is_header = has_header and number == 0
        kind: UnitKind = "header_row" if is_header or number - first_row in sections else "row"
        row = Unit(position, position, kind, header="" if is_header else header)
        trimmed = _trimmed(text, row, position, position + len(line))
        position += len(line)
        if trimmed is not None:
            yield trimmed


def _trimmed(text: str, unit: Unit, start: int, end: int) -> Unit | None:
    """Return the unit with the bounds ``[start, end)`` without white space at both; None where nothing is left."""
    piece = text[start:end]
    body = piece.strip()
    if not body:
        return None
    start += len(piece) - len(piece.lstrip())
    return replace(unit, start=start, end=start + len(body))


def _cut_position(text: str, unit: Unit) -> int:
    middle = (unit.start + unit.end) // 2
    third = (unit.end - unit.start) // 3
    for boundary in (_LINE_END, _CLAUSE_END, _BLANK):
        places = [match.end() for match in boundary.finditer(text, middle - third // 2, middle + third)]
        inner = [place for place in places if unit.start < place < unit.end]
        if inner:
            return min(inner, key=lambda place: abs(place - middle))
    return middle


@dataclass(frozen=True, slots=True)
class _Part:
    """A unit with its size, and what it costs to begin a chunk with it."""

    unit: Unit
    tokens: int
    cut_cost: float


def _timer(path: str, timeout_seconds: float) -> CheckTime:
    deadline = time.monotonic() + timeout_seconds

    def check_time() -> None:
        if time.monotonic() > deadline:
            raise DocumentUnreadable(path=path, reason="cut_too_slow")

    return check_time


def _bounded_count(embedder: Embedder, check_time: CheckTime) -> CountTokens:
    """Return the embedder's count, at least a token for every 24 characters; it stops at the time limit.

    A run of blanks has no token and a word of a megabyte has one, so tokens alone do not bound a passage.
    """

    @cache  # a unit is counted when it is cut, and again when it is kept
    def count(text: str) -> int:
        least = len(text) // _CHARACTERS_A_TOKEN
        return least if least > _WINDOW_TOKENS else max(embedder.count_tokens(text), least)

    def count_tokens(text: str) -> int:
        check_time()
        return count(text)

    return count_tokens


def _parts(text: str, count_tokens: CountTokens, chunk_tokens: int, *, structured: bool) -> list[_Part]:
    largest = min(_LARGEST * chunk_tokens, _WINDOW_TOKENS)
    parts: list[_Part] = []
    for whole in units(text, structured=structured):
        limit = _WINDOW_TOKENS if whole.kind in ("row", "header_row") else largest
        for unit in pieces(text, whole, count_tokens, limit):
            before = parts[-1].unit if parts else None
            blanks = unit.start - before.end if before is not None else 0
            tokens = max(1, count_tokens(text[unit.start : unit.end])) + blanks // _CHARACTERS_A_TOKEN
            parts.append(_Part(unit, tokens, _cut_cost(text, before, unit)))
    return parts


def _cut_cost(text: str, before: Unit | None, unit: Unit) -> float:
    if before is None or unit.kind == "heading":
        return _CUT_AFTER_HEADING if before is not None and before.kind == "heading" else 0.0
    if before.kind in ("heading", "header_row"):
        return _CUT_AFTER_HEADING
    between = text[before.end : unit.start]
    cost = _CUT_BEFORE["blank line" if "\n\n" in between else "line" if "\n" in between else "sentence"]
    if unit.kind == "row":
        cost += _CUT_TABLE
    is_above_answer = text[before.end - 1] in QUESTION_ENDS and "\n" in between
    return cost + _CUT_AFTER_INTRODUCTION if text[before.end - 1] in INTRODUCES or is_above_answer else cost


def _cheapest_groups(parts: Sequence[_Part], chunk_tokens: int, check_time: CheckTime) -> list[Sequence[_Part]]:
    """Split the parts at the least total cost; ``cost[end]`` is that of the best split of the parts before ``end``."""
    largest = min(_LARGEST * chunk_tokens, _WINDOW_TOKENS)
    cost = [0.0] * (len(parts) + 1)
    came_from = [0] * (len(parts) + 1)
    for end in range(1, len(parts) + 1):
        if end % _CHECK_TIME_EVERY == 0:
            check_time()
        cost[end] = float("inf")
        tokens = 0
        inner = 0.0
        for start in range(end - 1, max(-1, end - 1 - _MOST_PARTS), -1):
            part = parts[start]
            tokens += part.tokens
            if tokens > largest and start < end - 1:
                break
            candidate = cost[start] + part.cut_cost + inner + _size_cost(tokens, chunk_tokens)
            if candidate < cost[end]:
                cost[end], came_from[end] = candidate, start
            inner += _HEADING_INSIDE if part.unit.kind == "heading" else 0.0
    groups: list[Sequence[_Part]] = []
    end = len(parts)
    while end > 0:
        groups.append(parts[came_from[end] : end])
        end = came_from[end]
    return groups[::-1]


def _overlapping_start(text: str, before: Sequence[_Part], group: Sequence[_Part], chunk_tokens: int) -> int:
    """Return where a chunk starts: at the last sentence of the one before, if both belong to one paragraph."""
    first, last = group[0].unit, before[-1].unit
    tokens = before[-1].tokens
    of_one_paragraph = first.kind == last.kind == "sentence" and "\n" not in text[last.end : first.start]
    fits = tokens <= _OVERLAP * chunk_tokens and tokens + sum(part.tokens for part in group) <= _WINDOW_TOKENS
    return last.start if of_one_paragraph and fits and len(before) > 1 else first.start


def _size_cost(tokens: int, chunk_tokens: int) -> float:
    missing = max(0.0, 1 - tokens / (_SMALL * chunk_tokens))
    excess = max(0.0, tokens / chunk_tokens - 1)
    return _A_CHUNK + missing**2 + _TOO_LARGE * excess**2


def _heading_path(group: Sequence[_Part]) -> tuple[str, ...]:
    """Return the headings above most of the chunk, and the header of a table that began in an earlier one."""
    tokens: Counter[tuple[str, ...]] = Counter()
    for part in group:
        tokens[part.unit.heading_path] += part.tokens
    path = tokens.most_common(1)[0][0]
    first = group[0].unit
    return (*path, first.header) if first.header else path


def _labels(text: str, starts: Sequence[int]) -> list[tuple[str, ...]]:
    """Return, for each start of a chunk, the words of what introduces its text.

    These are the question that it answers, list items, and section rows of a table; a paragraph that introduces a list
    is left out.
    """
    if not any(f"{end}\n" in text for end in _ENDS_OF_LABELS):
        return [()] * len(starts)
    parsed = parse_document(text)
    ends = [sentence.span.end for sentence in parsed.sentences]
    return [_labels_at(parsed, bisect_right(ends, start), start) for start in starts]


def _labels_at(parsed: ParsedText, place: int, start: int) -> tuple[str, ...]:
    if place == len(parsed.sentences):
        return ()
    above = [one for one in parsed.sentences[place].introductions if parsed.sentences[one].span.end <= start]
    labels = [label[:_LABEL_LIMIT_CHARACTERS] for label in (_label(parsed, one) for one in above) if label]
    return tuple(labels[-_MOST_LABELS:])


def _label(parsed: ParsedText, place: int) -> str:
    """Return the words of an introduction; empty for a paragraph that introduces a list, and for an item above a list.

    With such items ("Click Settings.") the facts of 191 instead of 193 customers' texts were sent, of 248.
    """
    words, kind = parsed.words(place), parsed.sentences[place].kind
    if kind == "row":
        return parsed.cells(place)[0]
    is_label = is_short_question(words) or (kind == "item" and introduces(words))
    return without_list_mark(words).rstrip("".join(INTRODUCES)) if is_label else ""


def _chunk(document: Document, start: int, end: int, heading_path: tuple[str, ...], ordinal: int) -> Chunk:
    return Chunk(
        document_id=document.document_id,
        document_path=document.path,
        title=document.title,
        heading_path=heading_path,
        text=document.text[start:end],
        start=start,
        end=end,
        ordinal=ordinal,
        language=document.language,
    )
