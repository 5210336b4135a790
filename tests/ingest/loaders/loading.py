"""Loads one file that a test has just written."""

from pathlib import Path

from ingest.loaders.registry import load
from ingest.loaders.source import Limits, StillReading
from rag.errors import DocumentUnreadable
from rag.schema import Document

LIMITS = Limits(document_bytes=1_000_000, ocr_pages=0)


def load_all(
    root: Path, name: str, content: bytes | str, limits: Limits = LIMITS
) -> list[Document | DocumentUnreadable]:
    """Write ``root/name`` and return all documents and errors that it gives."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [found for found in load(path, root, limits) if not isinstance(found, StillReading)]


def load_one(root: Path, name: str, content: bytes | str, limits: Limits = LIMITS) -> Document:
    """Return the file's only document."""
    (found,) = load_all(root, name, content, limits)
    assert isinstance(found, Document), found
    return found


def reason(root: Path, name: str, content: bytes | str, limits: Limits = LIMITS) -> str:
    """Return why the file cannot be read."""
    (found,) = load_all(root, name, content, limits)
    assert isinstance(found, DocumentUnreadable), found
    return str(found.details["reason"])


def told(found: list[Document | DocumentUnreadable]) -> list[tuple[str, str]]:
    """Return the reasons among what was found, and where each applies."""
    errors = [item.details for item in found if isinstance(item, DocumentUnreadable)]
    return [(str(error["reason"]), str(error["where"])) for error in errors]


def texts(found: list[Document | DocumentUnreadable]) -> dict[str, str]:
    """Return the texts that were found, by document_id."""
    return {item.document_id: item.text for item in found if isinstance(item, Document)}
