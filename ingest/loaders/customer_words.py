"""The words of a file that a customer sent, as a question.  Runs in the reading process: the file comes from anybody.

Of a mail these are the subject and what its writer wrote, without the quoted history and the signature; the sender is
neither read nor stored.

Own rules, for the one small library of this kind (mail-parser-reply) was found to cut customers' words in the two
languages of this product: it takes a paragraph that begins with 注意： for a disclaimer and a line like "- dented" for
the beginning of a signature, and it knows neither 原始邮件 nor the history that web mail in Chinese puts below.  Where
a rule is not sure, the words stay: an extra line harms less than a missing one.
"""

import re
from collections.abc import Iterator, Sequence

from ingest.loaders.mail import subject_of
from ingest.loaders.registry import load_open_file
from ingest.loaders.source import Found, Limits, SourceFile, StillReading, read_file
from rag.errors import DocumentUnreadable
from rag.retrieval.message import without_signature
from rag.schema import Document

_QUOTED = re.compile(r"(?:\s*+(?:>|&gt;|》) ?)++")
_WROTE = re.compile(r"\s*+(?:on|at)\b.{6,300}\bwrote\s*+[:：]\s*+|.{4,300}(?:写道|寫道)\s*+[:：]\s*+", re.IGNORECASE)
_HAS_DATE = re.compile(r"\d")
_SEPARATOR = re.compile(
    r"\s*+[-_=*—]{2,}+\s*+(?:original (?:message|e-?mail)|forwarded message|begin forwarded message"
    r"|reply above this line"
    r"|原始邮件|转发的?邮件|转发邮件信息|回复的原邮件|以下是转发的邮件|原邮件)\s*+[-_=*—]*+\s*+"
    r"|\s*+begin forwarded message\s*+[:：]\s*+|\s*+_{20,}+\s*+",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\s*+\**+(?:from|sent|to|cc|subject|date|发件人|发送时间|收件人|抄送|主题|日期|时间)\s*+\**+\s*+[:：]",
    re.IGNORECASE,
)
_LEAST_HEADERS = 2
_MOST_MAILS = 20
"""In a history of forwarded mails without own words."""
_PREFIX = re.compile(
    r"\A(?:\s*+(?:re|fw|fwd|aw|回复|答复|转发|回覆|轉寄)\s*+(?:\[\d++\])?\s*+[:：])++\s*+", re.IGNORECASE
)


def customer_words(source: SourceFile, descriptor: int, limits: Limits, *, skip: int = 0) -> Iterator[Found | str]:
    """Yield the words of the file or of its first part with any; else the reason for their absence.

    A mail without words gives its subject.  ``skip`` is how many parts were read before.
    """
    failures: list[DocumentUnreadable] = []
    for found in load_open_file(source, descriptor, limits, skip=skip):
        if isinstance(found, StillReading):
            yield found
        elif isinstance(found, Document):
            yield _question(found, source) or source.unreadable("empty")
            return
        else:
            failures.append(found)
    subject = ""
    if skip == 0 and source.path.suffix == ".eml" and failures and failures[0].details["reason"] == "empty":
        subject = _subject(source, descriptor, limits)
    if subject:  # often the whole mail, when typed on a phone
        yield subject
        return
    yield from failures


def _subject(source: SourceFile, descriptor: int, limits: Limits) -> str:
    try:
        return plain_subject(subject_of(read_file(source, descriptor, limits)))
    except DocumentUnreadable:  # a file of no bytes
        return ""


def _question(document: Document, source: SourceFile) -> str:
    if document.metadata.get("format") != "email":
        return document.text.strip()
    subject = plain_subject("" if document.title == source.path.stem else document.title)
    words = newest_words(document.text)
    if subject and subject.lower() not in words.lower():
        words = f"{subject}\n\n{words}".strip()
    return words


def newest_words(body: str) -> str:
    r"""Return the writer's own words; where there are none, as in a forwarded mail, the newest of the history.

    >>> newest_words("Is it 30 days?\n\n--\nAnn\n\nOn 1 Aug 2026, Desk wrote:\n> Hello Ann")
    'Is it 30 days?'
    """
    lines = body.replace("\r\n", "\n").split("\n")
    for _ in range(_MOST_MAILS):
        own, history = _cut_history(lines)
        words = without_signature(own)
        if words or not history:
            return words
        unquoted = [_without_quote_marks(line) for line in _without_headers(history)]
        if len(unquoted) == len(lines):
            break
        lines = unquoted
    return "\n".join(unquoted).strip()


def plain_subject(subject: str) -> str:
    """Return a subject without mail programs' prefixes.

    >>> plain_subject("Re: Fwd: 回复：Late parcel")
    'Late parcel'
    """
    return _PREFIX.sub("", subject).strip()


def _cut_history(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the writer's own lines, among them those between quoted lines, and the history."""
    own: list[str] = []
    position = 0
    while position < len(lines):
        length = _history_head(lines, position)
        if length:
            below = range(position + length, len(lines))
            first = next((lines[number] for number in below if lines[number].strip()), "")
            if not _QUOTED.match(first):  # as web mail puts it: all that follows is history
                return own, list(lines[position:])
            position += length
        elif _QUOTED.match(lines[position]):
            position += 1
        else:
            own.append(lines[position])
            position += 1
    return own, [line for line in lines if _QUOTED.match(line)]


def _history_head(lines: Sequence[str], position: int) -> int:
    """Return how many lines from here on introduce the history; 0 for none."""
    line = lines[position]
    if _SEPARATOR.fullmatch(line):
        return 1
    for length in (1, 2):  # the announcement wraps where the address is long
        joined = " ".join(lines[position : position + length])
        if _WROTE.fullmatch(joined) and _HAS_DATE.search(joined) and line.strip():
            return length
    headers = 0
    while position + headers < len(lines) and _HEADER.match(lines[position + headers]):
        headers += 1
    return headers if headers >= _LEAST_HEADERS else 0


def _without_headers(history: Sequence[str]) -> list[str]:
    """Return the history without the lines that introduce its newest part."""
    position = 0
    while position < len(history):
        length = _history_head(history, position)
        if not length and history[position].strip() and not _HEADER.match(history[position]):
            break
        position += length or 1
    return list(history[position:])


def _without_quote_marks(line: str) -> str:
    marks = _QUOTED.match(line)
    return line if marks is None else line[marks.end() :]
