"""Writes the next generation of the knowledge base.  One writer at a time: the caller holds the ``file_lock``.

What is written stays invisible until ``publish`` moves the row ``current``; ``begin`` throws away what a writer that
died had not published.
"""

import errno
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import IngestRunning
from rag.schema import Chunk, Document, Figure
from rag.storage.access import Access, read_access_file, write_access_file
from rag.storage.connection import Database, SharedStore, storage_errors
from rag.storage.figures import FigureFolder
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.storage.store import (
    DATABASE_NAME,
    DOCUMENT_COLUMNS,
    FIGURE_COLUMNS,
    FIGURES,
    GENERATION_COLUMNS,
    KEPT_GENERATIONS,
    ORIGIN_COLUMNS,
    VISIBLE,
    GenerationChange,
    GenerationInfo,
    StoredDocument,
    document_from_row,
    generation_folder,
    visible_counts,
)

_NO_CHANGE = GenerationChange()
_AT_EARLIER = f"({VISIBLE.format('document')})".replace(":generation", ":earlier")
_AT_CURRENT = f"({VISIBLE.format('document')})".replace(":generation", ":current")
_ONLY_EARLIER = f"{_AT_EARLIER} AND NOT {_AT_CURRENT}"
_ONLY_CURRENT = f"{_AT_CURRENT} AND NOT {_AT_EARLIER}"
_OF_DEAD_DOCUMENTS = "document_key IN (SELECT document_key FROM document WHERE last_generation <= :oldest)"

LOCK_NAME = "ingest.lock"


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk to be written, the hash (32 bytes) of its embedded text, and its index terms joined by spaces."""

    chunk: Chunk
    embedding_hash: bytes
    terms: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to be written; it takes the place of the live one with the same id."""

    document: Document
    origin: StoredDocument
    chunks: tuple[NewChunk, ...]


class KnowledgeWriter(SharedStore):
    """Writes documents and chunks of one generation that is not yet published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / DATABASE_NAME, KNOWLEDGE_MIGRATIONS, create=True)
        super().__init__(self.database)

    def begin(self) -> int:
        """Undo unpublished changes, and return the number of the generation to be written."""
        with self.database.transaction() as connection:
            current = _current(connection)
            unpublished = {"current": current}
            for statement in (
                "DELETE FROM document WHERE first_generation > :current",  # takes its chunks along
                "UPDATE chunk SET last_generation = NULL WHERE document_key IN "
                "(SELECT document_key FROM document WHERE last_generation > :current)",
                "UPDATE document SET last_generation = NULL WHERE last_generation > :current",
            ):
                connection.execute(statement, unpublished)
        with storage_errors(self.folder):
            self._delete_folders(lambda number: number is None or number > current)
        self._delete_figures()
        self._agree_on_access(current)
        return current + 1

    def set_access(self, access: Access) -> None:
        """Set who may read the knowledge base; it holds for all generations, from the next question on.

        Ended in between, file and table differ, and nobody reads until it is set again.
        """
        write_access_file(self.folder, access)
        with self.database.transaction() as connection:
            connection.execute("UPDATE access SET scope = ?, audience = ?", (access.scope, access.audience))

    def _agree_on_access(self, current: int) -> None:
        """Give a new database the access of the former one; write the file if it is missing."""
        kept = read_access_file(self.folder)
        if kept is None:
            with self.database.reading() as connection:
                write_access_file(
                    self.folder, Access(*connection.execute("SELECT scope, audience FROM access").fetchone())
                )
        elif current == 0 and kept.settled:
            self.set_access(kept)

    def live_documents(self) -> dict[str, StoredDocument]:
        """Return the documents that are not retired, by document_id."""
        rows = self.database.rows(f"SELECT {ORIGIN_COLUMNS} FROM document WHERE last_generation IS NULL")
        return {row["document_id"]: StoredDocument(*row) for row in rows}

    def live_texts(self, document_ids: Sequence[str]) -> list[Document]:
        """Return live documents with their texts, for cutting them again."""
        rows = self.database.rows(
            f"SELECT {DOCUMENT_COLUMNS}, {FIGURES} FROM document WHERE last_generation IS NULL "
            "AND document_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(document_ids)),),
        )
        return [document_from_row(row) for row in rows]

    def replace(self, documents: Sequence[NewDocument], generation: int) -> None:
        """Write documents with their chunks in one transaction, retiring their predecessors."""
        with self.database.transaction() as connection:
            for document in documents:
                _retire(connection, document.document.document_id, generation)
                _insert(connection, document, generation)

    def retire(self, document_ids: Iterable[str], generation: int) -> None:
        """Remove documents from the generation on, in one transaction."""
        with self.database.transaction() as connection:
            for document_id in document_ids:
                _retire(connection, document_id, generation)

    def restore(self, earlier: int, generation: int) -> tuple[int, int]:
        """Restore the ``earlier`` generation as the new one; return how many documents came and went.

        What had been retired comes back as new rows, so that no reader of a generation in between sees it return.
        """
        numbers = {"earlier": earlier, "current": generation - 1, "generation": generation}
        with self.database.transaction() as connection:
            gone = connection.execute(f"SELECT document_id FROM document WHERE {_ONLY_CURRENT}", numbers).fetchall()
            back = connection.execute(f"SELECT document_key FROM document WHERE {_ONLY_EARLIER}", numbers).fetchall()
            for (document_id,) in gone:
                _retire(connection, document_id, generation)
            for (document_key,) in back:
                _copy(connection, document_key, generation)
        return len(back), len(gone)

    def publish(
        self, generation: int, embedder_model: str, dimension: int, change: GenerationChange = _NO_CHANGE
    ) -> GenerationInfo:
        """Make the generation the current one, in one step that reaches the disk before it returns."""
        self.database.connection().execute("PRAGMA synchronous = FULL")
        try:
            with self.database.transaction() as connection:
                documents, chunks = visible_counts(connection, generation)
                published_at = datetime.now(UTC)
                info = GenerationInfo(generation, published_at, embedder_model, dimension, documents, chunks, change)
                connection.execute(
                    f"INSERT INTO generation ({GENERATION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(generation, published_at.isoformat(), embedder_model, dimension, documents, chunks),
                        *astuple(change),
                    ),
                )
                connection.execute("UPDATE current SET generation = ?", (generation,))
        finally:
            self.database.connection().execute("PRAGMA synchronous = NORMAL")
        return info

    def delete_older(self) -> None:
        """Delete rows, vectors and files that only generations before the last ``KEPT_GENERATIONS`` could show."""
        with self.database.transaction() as connection:
            oldest = _current(connection) - KEPT_GENERATIONS + 1
            connection.execute("CREATE TEMP TABLE IF NOT EXISTS gone (content_hash BLOB)")
            for statement in (
                f"INSERT INTO gone SELECT embedding_hash FROM chunk WHERE {_OF_DEAD_DOCUMENTS}",
                "DELETE FROM document WHERE last_generation <= :oldest",  # takes its chunks along
            ):
                connection.execute(statement, {"oldest": oldest})
            connection.execute(
                "DELETE FROM embedding WHERE content_hash IN (SELECT content_hash FROM gone) "
                "AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.embedding_hash = embedding.content_hash)"
            )
            connection.execute("DELETE FROM gone")
            # not at the beginning of an ingest: one that was interrupted finds here what it has asked for
            connection.execute("DELETE FROM figure_description WHERE digest NOT IN (SELECT digest FROM figure)")
        with storage_errors(self.folder):
            self._delete_folders(lambda number: number is not None and number < oldest)
        self._delete_figures()

    def _delete_figures(self) -> None:
        """Delete the pictures that no stored document shows, including those of a killed run."""
        kept = FigureFolder(self.folder)
        if kept.exists():
            kept.delete_others(row["digest"] for row in self.database.rows("SELECT DISTINCT digest FROM figure"))

    def _delete_folders(self, unwanted: Callable[[int | None], bool]) -> None:
        """Delete the generation folders whose number, None for an unfinished one, is unwanted."""
        for folder in sorted(generation_folder(self.folder, 0).parent.glob("*")):
            if unwanted(int(folder.name) if folder.name.isdigit() else None):
                shutil.rmtree(folder)


def _current(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT generation FROM current").fetchone()[0])


def _retire(connection: sqlite3.Connection, document_id: str, generation: int) -> None:
    row = connection.execute(
        "UPDATE document SET last_generation = ? WHERE document_id = ? AND last_generation IS NULL "
        "RETURNING document_key",
        (generation, document_id),
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE chunk SET last_generation = ? WHERE document_key = ?", (generation, row[0]))


def _insert(connection: sqlite3.Connection, new: NewDocument, generation: int) -> None:
    document, origin = new.document, new.origin
    document_key = connection.execute(
        "INSERT INTO document (document_id, root, relative_path, path, title, text, language, source, updated_on, "
        "audience, metadata, content_hash, recipe, first_generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.document_id,
            origin.root,
            origin.relative_path,
            document.path,
            document.title,
            document.text,
            document.language,
            document.source,
            document.updated_on.isoformat() if document.updated_on is not None else None,
            document.audience,
            json.dumps(dict(document.metadata), ensure_ascii=False, sort_keys=True),
            origin.content_hash,
            origin.chunker_version,
            generation,
        ),
    ).lastrowid
    _insert_figures(connection, document_key, document.figures)
    for new_chunk in new.chunks:
        chunk = new_chunk.chunk
        connection.execute(
            "INSERT INTO chunk (document_key, ordinal, heading_path, text, start_offset, end_offset, language, "
            "embedding_hash, first_generation, terms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                document_key,
                chunk.ordinal,
                json.dumps(chunk.heading_path, ensure_ascii=False),
                chunk.text,
                chunk.start,
                chunk.end,
                chunk.language,
                new_chunk.embedding_hash,
                generation,
                new_chunk.terms,
            ),
        )


def _insert_figures(connection: sqlite3.Connection, document_key: int | None, figures: Sequence[Figure]) -> None:
    connection.executemany(
        f"INSERT INTO figure (document_key, ordinal, {FIGURE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(document_key, ordinal, figure.digest, figure.start, figure.end, figure.width, figure.height),
                *(figure.page, json.dumps(figure.box), figure.alt, figure.caption, figure.words),
            )
            for ordinal, figure in enumerate(figures)
        ],
    )


def _copy(connection: sqlite3.Connection, document_key: int, generation: int) -> None:
    """Write a copy of a document with its chunks, live from the generation on."""
    names = f"{DOCUMENT_COLUMNS}, root, relative_path, content_hash, recipe"
    copied = connection.execute(
        f"INSERT INTO document ({names}, first_generation) SELECT {names}, ? FROM document WHERE document_key = ?",
        (generation, document_key),
    ).lastrowid
    names = f"ordinal, {FIGURE_COLUMNS}"
    connection.execute(
        f"INSERT INTO figure (document_key, {names}) SELECT ?, {names} FROM figure WHERE document_key = ?",
        (copied, document_key),
    )
    names = "ordinal, heading_path, text, start_offset, end_offset, language, embedding_hash, terms"
    connection.execute(
        f"INSERT INTO chunk (document_key, {names}, first_generation) "
        f"SELECT ?, {names}, ? FROM chunk WHERE document_key = ? ORDER BY ordinal",
        (copied, generation, document_key),
    )


@contextmanager
def file_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the knowledge base in ``folder``, which is made if need be.

    Raises ``IngestRunning`` with the holder's process number when somebody else has it.  The lock is the kernel's: it
    ends with its process, however that ends, so a file left behind locks nobody out.  It is never deleted, or two
    processes could hold locks on two files of one name.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise IngestRunning(holder=f"pid {holder}" if holder else "pid ?") from error
        with storage_errors(folder):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock
