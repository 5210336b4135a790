"""Loads one file that a test has just written."""

from pathlib import Path

from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.errors import DocumentUnreadable
from rag.schema import Document

LIMITS = Limits(document_bytes=1_000_000)


def load_all(root: Path, name: str, content: bytes | str) -> list[Document | DocumentUnreadable]:
    """Write ``root/name`` and return all that its loader yields."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(load(path, root, LIMITS))


def load_one(root: Path, name: str, content: bytes | str) -> Document:
    """Return the file's only document."""
    (found,) = load_all(root, name, content)
    assert isinstance(found, Document), found
    return found


def reason(root: Path, name: str, content: bytes | str) -> str:
    """Return why the file cannot be read."""
    (found,) = load_all(root, name, content)
    assert isinstance(found, DocumentUnreadable), found
    return str(found.details["reason"])
