"""Fingerprints of files, by which unmodified ones with unchanged documents are not read again."""

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from ingest.loaders.source import Limits, SourceFile
from rag.storage.connection import Database
from rag.storage.store import StoredDocument
from rag.text import characters

_FILES_A_TRANSACTION = 1000
_ILLUSTRATED = (
    "SELECT DISTINCT document_id FROM document JOIN figure USING (document_key) WHERE last_generation IS NULL"
)
_SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system (FAT) ticks every two seconds
_PARSERS = (
    "beautifulsoup4", "charset-normalizer", "lxml", "markdown-it-py", "olefile", "openpyxl", "pillow", "pypdfium2",
    "python-oxmsg", "pyyaml", "rapidocr", "striprtf", "xlrd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileState:
    """The part of a file's status that changes with every write: no program can set an inode's change time.

    ``is_settled``, which is not compared, tells that all times were older than a clock tick when they were read, so
    that a later write shows.
    """

    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int
    is_settled: bool = field(compare=False)

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return a file's state; None if it is gone or inaccessible."""
        now = time.time_ns()
        try:
            found = path.stat()
        except OSError:
            return None
        is_settled = max(found.st_mtime_ns, found.st_ctime_ns) < now - _SETTLED_NS
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, is_settled)

    def fingerprint(self, source: SourceFile, reading: bytes, documents: Iterable[StoredDocument]) -> bytes:
        """Return 32 bytes that stay the same while reading the file again would give the same documents.

        ``reading`` comes from ``reader_version``; ``documents`` are the file's, as stored: if one is removed or
        replaced, as by a rollback, the fingerprint changes, too.
        """
        seen = [self.inode, self.size_bytes, self.modified_ns, self.changed_ns]
        held = sorted([known.document_id, known.content_hash.hex(), known.chunker_version] for known in documents)
        words = json.dumps([seen, str(source.path), str(source.root), held], ensure_ascii=True)
        return hashlib.sha256(reading + words.encode()).digest()


def reader_version(limits: Limits) -> bytes:
    """Return 32 bytes that change with the loaders, the libraries that they use, and the limits."""
    return hashlib.sha256(_loaders() + json.dumps(asdict(limits), sort_keys=True).encode()).digest()


@cache
def _loaders() -> bytes:
    digest = hashlib.sha256(platform.python_version().encode())
    for path in (*sorted((Path(__file__).parent / "loaders").glob("*.py")), Path(str(characters.__file__))):
        digest.update(path.read_bytes())
    for name in _PARSERS:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.digest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


class KnownFiles:
    """Files read without a failure; ``live`` are the stored documents by id.

    Files whose documents another chunker cut are read again, and so are files with pictures that another
    ``vision_model`` (empty for none) described.
    """

    def __init__(
        self,
        database: Database,
        live: Mapping[str, StoredDocument],
        limits: Limits,
        chunker_version: str,
        *,
        reread: bool,
        vision_model: str = "",
    ) -> None:
        self._database = database
        self._live = live
        self._reading = reader_version(limits)
        self._chunker_version = chunker_version
        self._ids_by_path: dict[str, list[str]] = {}
        for known in [] if reread else live.values():
            self._ids_by_path.setdefault(known.path, []).append(known.document_id)
        self._noted: dict[str, bytes] = {}
        self._reading_of_figures = self._reading
        self._illustrated: frozenset[str] = frozenset()
        if vision_model:
            self._reading_of_figures = hashlib.sha256(self._reading + vision_model.encode()).digest()
            rows = database.rows(_ILLUSTRATED) if self._ids_by_path else []
            self._illustrated = frozenset(row["document_id"] for row in rows)

    def unchanged(self, source: SourceFile) -> list[str]:
        """Return the ids of a file's documents if reading it would give the same ones; else none."""
        path = str(source.path)
        ids = self._ids_by_path.get(path, [])
        kept = self._fingerprint(path) if ids else None
        state = FileState.of(source.path) if kept is not None else None
        documents = [self._live[document_id] for document_id in ids]
        if state is None or any(document.chunker_version != self._chunker_version for document in documents):
            return []
        reading = self._reading if self._illustrated.isdisjoint(ids) else self._reading_of_figures
        return ids if state.fingerprint(source, reading, documents) == kept else []

    def note(
        self,
        source: SourceFile,
        state: FileState | None,
        documents: Sequence[StoredDocument],
        *,
        illustrated: bool = False,
    ) -> None:
        """Remember a file that was just read; ``state`` None where it cannot be trusted, no documents where it failed.

        ``illustrated`` tells that a document of it has pictures, all of which are described where a model is set.

        Files are written to the table ``source_file`` in batches, and the last ones by ``save``.
        """
        path = str(source.path)
        if state is None or not documents or not _is_storable(path):
            return
        reading = self._reading_of_figures if illustrated else self._reading
        self._noted[path] = state.fingerprint(source, reading, documents)
        if len(self._noted) >= _FILES_A_TRANSACTION:
            self.save()

    def forget_retired(self) -> None:
        """Forget the files without a live document."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM source_file WHERE path NOT IN (SELECT path FROM document WHERE last_generation IS NULL)"
            )

    def save(self) -> None:
        """Write the noted fingerprints."""
        if self._noted:
            with self._database.transaction() as connection:
                connection.executemany("INSERT OR REPLACE INTO source_file VALUES (?, ?)", self._noted.items())
        self._noted = {}

    def _fingerprint(self, path: str) -> bytes | None:
        row = self._database.row("SELECT fingerprint FROM source_file WHERE path = ?", (path,))
        return None if row is None else bytes(row[0])


def _is_storable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes in the name that are no UTF-8
        return False
    return True
