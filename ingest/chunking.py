"""Documents become chunks that follow their structure; offsets point exactly into the document's text.

Where to cut is chosen for the document as a whole: the cheapest row of chunks, a chunk costing more the further its
size is from ``settings.chunk_tokens``, and a cut costing more the more it tears apart.
"""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from ingest.structure import Unit, pieces, units
from rag.errors import DocumentUnreadable
from rag.protocols import Embedder
from rag.schema import Chunk, Document
from rag.text.markup import INTRODUCES, without_list_mark
from rag.text.parsed import ParsedText, parse_document

CountTokens = Callable[[str], int]
CheckTime = Callable[[], None]
"""Raises ``DocumentUnreadable`` when the document's time is over."""

_CHUNKER_VERSION = 4
"""To be raised when the same text would be cut differently, or into other terms: known documents are cut again then."""

_WINDOW_TOKENS = 448  # of the embedder's 512; the rest is for the title and the headings in front of the passage
_WHOLE_DOCUMENT = 1.5  # times chunk_tokens: short support pages are better whole (measured: see RETRIEVAL)
_LARGEST = 1.25  # times chunk_tokens: no chunk of several units is larger
_SMALL = 0.5  # times chunk_tokens: smaller chunks cost
_CHARACTERS_A_TOKEN = 24  # at the most; five are usual, and code with deep indentation has ten
_MOST_PARTS = 64  # of one chunk: as many one-word lines say less than a sentence, and each is tried with each
_CHECK_TIME_EVERY = 1000  # parts compared, which takes some 40 ms at the most
_MOST_LABELS = 3  # of items in items, the innermost; with the headings they have to leave the passage room
_LABEL_LIMIT_CHARACTERS = 120
_OVERLAP = 0.2  # times chunk_tokens: the longest sentence that is repeated where a paragraph is cut

# Costs; only their proportions matter.
_A_CHUNK = 0.1
_HEADING_INSIDE = 0.3
_CUT_BEFORE = {"blank line": 0.1, "line": 0.2, "sentence": 0.35}
_CUT_TABLE = 0.3
_CUT_AFTER_COLON = 0.3
_CUT_AFTER_HEADING = 2.0
_TOO_LARGE = 2.0
_PLAIN_FORMAT = "text"


def chunker_version(chunk_tokens: int) -> str:
    """Name the way in which documents are cut, for the store to know what has to be cut again."""
    return f"{_CHUNKER_VERSION}/{chunk_tokens}"


def chunk_document(
    document: Document, embedder: Embedder, chunk_tokens: int, *, timeout_seconds: float = 60.0
) -> tuple[Chunk, ...]:
    """Cut a document into chunks of about ``chunk_tokens`` of the embedder's tokens, in the order of the text.

    Every character that is not white space is in a chunk.  Sentences and table rows stay whole unless one alone is too
    large.  A chunk that begins inside a paragraph repeats the sentence before it, if that is short: what "it" stands
    for is often there.  A chunk that begins inside a table has the table's header in its ``heading_path``, and one that
    begins below a list item which introduces it, ``- macOS:``, that item's words.

    Raises ``DocumentUnreadable`` where it takes longer than ``timeout_seconds``.
    """
    text = document.text
    check_time = _timer(document.path, timeout_seconds)
    count_tokens = _sized(embedder, check_time)
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


def _sized(embedder: Embedder, check_time: CheckTime) -> CountTokens:
    """Return the embedder's count, but a token for every 24 characters at the least; counting ends with the time.

    A run of blanks has no token and a word of a megabyte one, so tokens alone do not bound a passage.
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
    return cost + _CUT_AFTER_COLON if text[before.end - 1] in ":：" else cost


def _cheapest_groups(parts: Sequence[_Part], chunk_tokens: int, check_time: CheckTime) -> list[Sequence[_Part]]:
    """Split the parts so that the sum of all costs is least: ``cost[end]`` is the cheapest way up to a part."""
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
    """Return where a chunk starts: at the last sentence of the one before, if both are of one paragraph."""
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
    """Return, for each start of a chunk, the words of the list items that introduce what stands there."""
    if not any(f"{colon}\n" in text for colon in INTRODUCES):
        return [()] * len(starts)
    parsed = parse_document(text)
    ends = [sentence.span.end for sentence in parsed.sentences]
    return [_labels_at(parsed, bisect_right(ends, start), start) for start in starts]


def _labels_at(parsed: ParsedText, place: int, start: int) -> tuple[str, ...]:
    if place == len(parsed.sentences):
        return ()
    above = [parsed.sentences[one] for one in parsed.sentences[place].introductions]
    spans = [one.span for one in above if one.kind == "item" and one.span.end <= start][-_MOST_LABELS:]
    words = [without_list_mark(parsed.text[span.start : span.end]).rstrip("".join(INTRODUCES)) for span in spans]
    return tuple(one[:_LABEL_LIMIT_CHARACTERS] for one in words)


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
