"""One writer for each knowledge base: on this machine by a lock file, among several by a lock of their server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rag.storage.sharing import KnowledgeShare
from rag.storage.writer import KnowledgeWriter, file_lock


@contextmanager
def writer_lock(folder: Path, share: KnowledgeShare | None = None) -> Iterator[None]:
    """Hold the lock of the knowledge base in ``folder``, which is made if need be; both locks where it is shared.

    The folder of a shared one is first brought up to date with the server.  Raises ``IngestRunning``, which names the
    holder, and what ``KnowledgeShare.writing`` raises.
    """
    with file_lock(folder), nullcontext() if share is None else share.writing():
        yield


def publication(writer: KnowledgeWriter, share: KnowledgeShare | None) -> AbstractContextManager[KnowledgeWriter]:
    """Give the writer for publishing: the given one, or where it is shared one on a copy that all desks get at the end.

    Raises what ``KnowledgeShare.publication`` raises.
    """
    return nullcontext(writer) if share is None else share.publication(writer)
