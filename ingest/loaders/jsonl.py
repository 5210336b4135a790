"""JSONL: every row ``{"id", "title", "text", "source", ...}`` is a document of its own."""

import json
from collections.abc import Iterator, Mapping

from ingest.loaders.encoding import clean, decode, looks_binary
from ingest.loaders.fields import make_document
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document

_OWN_PLACE = {"id", "text"}


def load_jsonl(source: SourceFile, raw: bytes) -> Iterator[Document | DocumentUnreadable]:
    """Yield a document a row, or what is wrong with it and in which line; the other rows go on.

    Further keys with plain values become metadata; those of one level below are named ``meta.key``.
    """
    if looks_binary(raw):
        raise source.unreadable("malformed")
    content = decode(raw)
    if content is None:
        raise source.unreadable("encoding")
    if not content.strip():
        raise source.unreadable("empty")
    seen: set[str] = set()
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            yield _row(source, line, f"line {number}", seen)


def _row(source: SourceFile, line: str, where: str, seen: set[str]) -> Document | DocumentUnreadable:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return source.unreadable("row", where)
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("id"), str | int):
        return source.unreadable("row", where)
    row_id = clean(str(row["id"])).strip()
    if not row_id:
        return source.unreadable("row", where)
    if row_id in seen:
        return source.unreadable("duplicate", where)
    seen.add(row_id)
    try:
        return make_document(source, clean(row["text"]), _fields(row), kind="jsonl", row_id=row_id)
    except DocumentUnreadable:
        return source.unreadable("empty", where)


def _fields(row: Mapping[str, object]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in row.items():
        if name in _OWN_PLACE:
            continue
        if isinstance(value, dict):
            fields.update({f"{name}.{inner}": _as_text(deeper) for inner, deeper in value.items()})
        else:
            fields[name.lower()] = _as_text(value)
    return {clean(name): clean(value) for name, value in fields.items() if value}


def _as_text(value: object) -> str:
    """Return a plain value as text; an empty string for lists, mappings and null."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""
