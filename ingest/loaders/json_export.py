"""JSON: exports of questions and answers or of articles, a document each; any other JSON as one text."""

import json
from collections.abc import Iterator, Mapping, Sequence

from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.records import RecordNames, as_text, is_article, is_question_and_answer, record_documents
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.errors import DocumentUnreadable
from rag.schema import Document

_DEEPEST_EXPORT = 5
_ALIKE_SHARE = 0.5


def load_jsonl(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield a document a row, or what is wrong with it and in which line; the other rows go on.

    Further keys with plain values become metadata; those of one level below are named ``meta.key``.
    """
    content = decoded(source, raw)
    if not content.strip():
        raise source.unreadable("empty")
    names = RecordNames()
    rows = 0
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            rows += 1
            if rows > limits.parts:
                raise source.unreadable("too_many", f"line {number}")
            yield _row(source, line, number, names)


def _row(source: SourceFile, line: str, number: int, names: RecordNames) -> Document | DocumentUnreadable:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return source.unreadable("row", f"line {number}")
    return names.document(source, record, kind="jsonl", number=number, where=f"line {number}")


def load_json(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the records of an export, wherever in the file its lists are, or the whole file as one document."""
    content = decoded(source, raw)
    if not content.strip():
        raise source.unreadable("empty")
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise source.unreadable("malformed") from error
    except ValueError as error:
        if _is_row(content.lstrip().split("\n", 1)[0]):  # JSONL with the wrong ending
            yield from load_jsonl(source, raw, limits)
            return
        raise source.unreadable("malformed", str(error)) from error
    records = list(_records(value, _DEEPEST_EXPORT))
    if len(records) > limits.parts:
        raise source.unreadable("too_many")
    if records:
        yield from record_documents(source, enumerate(records, start=1), kind="json", where="record")
    else:
        yield make_document(source, clean(as_text(value)), _fields(value), kind="json")


def _records(value: object, depth: int) -> Iterator[object]:
    """Yield the members of every list, or mapping by id, of which most are questions with answers or articles."""
    if depth == 0:
        return
    if is_question_and_answer(value):
        yield value
        return
    members = _members(value)
    alike = sum(is_question_and_answer(member) or is_article(member) for member in members)
    if alike and alike >= _ALIKE_SHARE * sum(isinstance(member, Mapping) for member in members):
        yield from members
    else:
        for member in members:
            yield from _records(member, depth - 1)


def _members(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        return [member for member in value.values() if isinstance(member, list | Mapping)]
    return value if isinstance(value, list) else []


def _is_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _fields(value: object) -> dict[str, str]:
    title = value.get("title") if isinstance(value, Mapping) else None
    return {"title": clean(title)} if isinstance(title, str) else {}
