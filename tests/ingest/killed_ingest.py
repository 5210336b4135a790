"""Run by ``test_killed.py``: an ingest that kills itself, with the one signal that nothing can catch, at a named point.

``python -m tests.ingest.killed_ingest MANUAL DATA_DIR POINT``
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import ingest.pipeline
import ingest.publish
from ingest.summary import IngestProgress
from rag.settings import Settings
from rag.storage.writer import KnowledgeWriter
from rag.testing import HashEmbedder

POINTS = ("reading", "written", "embedding", "indexing", "index written", "index named", "commit", "tidying")


def die(*_: object) -> None:
    """End like a process whose machine lost its power, as far as a process can."""
    os.kill(os.getpid(), signal.SIGKILL)


def replace(owner: object, name: str, at: int = 1) -> None:
    """Let the call number ``at`` of a function be the last thing that happens."""
    original: Callable[..., object] = getattr(owner, name)
    calls = 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            die()
        return original(*arguments, **named)

    setattr(owner, name, counted)


def main(manual: Path, data_dir: Path, point: str) -> None:
    """Ingest until the point is reached."""

    def watch(progress: IngestProgress) -> None:
        reached = {
            "reading": progress.files_done >= 20,
            "written": progress.stage == "embedding",
            "embedding": progress.passages_done >= 64,
            "indexing": progress.stage == "publishing",
        }
        if reached.get(point, False):
            die()

    if point == "index written":
        replace(ingest.publish, "_sync_folder")
    elif point == "index named":
        replace(ingest.publish, "_sync_folder", at=2)
    elif point == "commit":
        replace(KnowledgeWriter, "publish")
    elif point == "tidying":
        replace(ingest.publish, "tidy_up")
    settings, options = Settings(data_dir=data_dir, chunk_tokens=32), ingest.pipeline.IngestOptions(prune=True)
    ingest.pipeline.ingest([manual], settings, HashEmbedder(), options, progress=watch)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
