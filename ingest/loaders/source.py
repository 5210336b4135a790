"""What every loader is given: a file and where it was found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DocumentUnreadable
from rag.schema import Document


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file below the folder that was given to ingest; both absolute."""

    path: Path
    root: Path

    @property
    def document_id(self) -> str:
        """Path below the root with forward slashes: ``returns/deadline.md``."""
        return self.path.relative_to(self.root).as_posix()

    def unreadable(self, reason: str, where: str = "") -> DocumentUnreadable:
        """Make the error that names this file; ``reason`` is a key of ``DocumentUnreadable.REASONS``."""
        return DocumentUnreadable(path=str(self.path), reason=reason, where=where)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one file is read."""

    document_bytes: int


Loader = Callable[[SourceFile, bytes], Iterator[Document | DocumentUnreadable]]
"""Turns one file's content into documents; raises ``DocumentUnreadable`` for the file, yields it for a part of it."""
