"""Two machines that share a knowledge base over a real PostgreSQL server, for tests of what each sees of the other.

Its pieces lie in rows of the server, or in a bucket of the mock of S3.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

from ingest.loaders.source import Limits
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestSummary
from rag.settings import Settings
from rag.storage.postgres import pool_of
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Room


@cache
def _reader() -> FileReader:
    """Return one worker for all tests of a process: starting it takes longer than most of them."""
    reader = FileReader(Limits(1_000_000))
    atexit.register(reader.close)
    return reader


@dataclass(frozen=True)
class Machine:
    """A machine with a data folder of its own; ``reader`` None: the one of all tests."""

    settings: Settings
    reader: FileReader | None = None

    @property
    def share(self) -> KnowledgeShare:
        share = KnowledgeShare.of(self.settings)
        assert share is not None
        return share

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program of this machine."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "ANSWERDESK_DATA_DIR": str(self.settings.data_dir),
            "ANSWERDESK_DATABASE_URL": self.settings.database_url,
            "ANSWERDESK_BLOB_URL": self.settings.blob_url,
        }

    @property
    def store(self) -> KnowledgeStore:
        return KnowledgeStore(self.settings.knowledge_dir)

    def ingest(self, manual: Path) -> IngestSummary:
        return ingest(
            [manual], self.settings, HashEmbedder(), IngestOptions(prune=True), reader=self.reader or _reader()
        )

    def texts(self) -> dict[str, str]:
        with self.store as store:
            generation = store.require_generation()
            ids = [row.document_id for row in store.documents(generation)]
            return {one: store.document(one, generation).text for one in ids}


@dataclass(frozen=True)
class Site:
    """Two machines, and the documents that one of them ingests."""

    here: Machine
    there: Machine
    manual: Path
    url: str
    room: S3Room | None = None

    def write(self, name: str, text: str) -> None:
        (self.manual / name).write_text(text)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as server:
            cursor = server.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def pieces(self) -> list[bytes]:
        """Return the contents of all pieces where they lie."""
        if self.room is not None:
            return list(self.room.objects().values())
        return [content for (content,) in self.ask("SELECT content FROM shared_piece") if isinstance(content, bytes)]

    def break_pieces(self) -> None:
        """Let every piece have a content that is not its own."""
        if self.room is not None:
            self.room.change(lambda _: b"broken")
        self.ask("UPDATE shared_piece SET content = 'broken'")

    def lose_pieces(self) -> None:
        """Delete every piece where it lies, as an administrator might."""
        if self.room is not None:
            self.room.change(lambda _: None)
        self.ask("DELETE FROM shared_piece")


@contextmanager
def open_site(server: PostgresServer, folder: Path, room: S3Room | None = None) -> Iterator[Site]:
    """Give two machines with a room of their own on the server, and a manual of two documents.

    With the ``room`` of a bucket the pieces lie there.
    """
    url, manual = server.make_room(), folder / "manual"
    manual.mkdir()
    blob_url = room.url if room is not None else ""
    here, there = (
        Machine(Settings(data_dir=folder / name, database_url=url, blob_url=blob_url, chunk_tokens=32))
        for name in ("here", "there")
    )
    site = Site(here, there, manual, url, room)
    site.write("deadline.md", "# Deadline\n\nReturn it within 7 days.")
    site.write("gifts.md", "# Gifts\n\nWe wrap gifts.")
    yield site
    pool_of(url).close()
