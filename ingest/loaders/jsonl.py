"""JSONL: every row is a document of its own: ``{"id", "title", "text", "source"}``, or question and answer."""

import json
from collections.abc import Iterator

from ingest.loaders.records import RecordNames
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.errors import DocumentUnreadable
from rag.schema import Document


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
