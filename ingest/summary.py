"""What an ingest tells while it runs, and when it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.errors import DocumentUnreadable


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far it has come.  ``passages_total`` is known once the stage is ``embedding``; ``failure`` is news."""

    stage: Literal["reading", "embedding", "publishing"]
    files_done: int = 0
    files_total: int = 0
    passages_done: int = 0
    passages_total: int = 0
    failure: DocumentUnreadable | None = None


ReportProgress = Callable[[IngestProgress], None]


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What became of every document.

    ``added``, ``changed``, ``unchanged``, ``moved`` (same words, another name) and ``retired`` count documents;
    ``failures`` are files and rows that could not be read, and whose former content, if any, stays.  ``missing``
    documents are known and were not found; they are
    retired only when that is asked for.  ``documents`` and ``chunks`` count what the generation holds, ``embedded``
    the passages that went through the embedder.  ``published`` is False when nothing had changed.
    """

    added: int
    changed: int
    unchanged: int
    retired: int
    moved: int
    missing: int
    failures: tuple[DocumentUnreadable, ...]
    unsupported: tuple[Path, ...]
    documents: int
    chunks: int
    embedded: int
    seconds: float
    generation: int
    published: bool

    @property
    def chunks_per_second(self) -> float:
        """Passages embedded a second, over the whole run; 0 when none was."""
        return self.embedded / self.seconds if self.seconds > 0 else 0.0
