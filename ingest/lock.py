"""One writer a knowledge base: on this machine by a lock file, and over all machines by a lock of their server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.storage.sharing import KnowledgeShare
from rag.storage.writer import LOCK_NAME, KnowledgeWriter, file_lock

__all__ = ["LOCK_NAME", "publication", "writer_lock"]


@contextmanager
def writer_lock(folder: Path, share: KnowledgeShare | None = None) -> Iterator[None]:
    """Hold the lock of the knowledge base in ``folder``, which is made if need be; both locks where it is shared.

    The folder of a shared one is as the server has it then.  Raises ``IngestRunning``, which names the holder, and what
    ``KnowledgeShare.writing`` raises.
    """
    with file_lock(folder):
        if share is None:
            yield
        else:
            with share.writing():
                yield


@contextmanager
def publication(writer: KnowledgeWriter, share: KnowledgeShare | None) -> Iterator[KnowledgeWriter]:
    """Give the writer that publishes: the one that wrote, or one over a copy that all desks see at the end.

    Raises what ``KnowledgeShare.publication`` raises.
    """
    if share is None:
        yield writer
    else:
        with share.publication(writer) as copied:
            yield copied
