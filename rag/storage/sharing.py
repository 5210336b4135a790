"""Brings a knowledge base's folder and the server's shared one together: ``shared_pieces.py`` has the server's side.

    share = KnowledgeShare.of(settings)          # None without ANSWERDESK_DATABASE_URL
    share.catch_up()                             # fetch what the server serves, unless it is here
    with share.writing():                        # one writer on all machines; the folder is the newest
        with share.publication(writer) as scratch:
            scratch.publish(...)                 # into a copy of the database: nobody sees it
                                                 # pieces to their place, the pointer moves, then this folder's

A folder only ever takes over what the server serves.  Its database is replaced in one transaction of SQLite, page by
page, so a reader that has begun keeps what it had, and the next one sees the new generation as after an ingest of its
own.  Index files are there before that.  ``shared.json`` names the revision and its files, and is written last.
"""

import json
import logging
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, TypeVar

from rag.errors import (
    BucketRefused,
    BucketUnavailable,
    DatabaseUnavailable,
    IndexDamaged,
    IngestRunning,
    KnowledgeBaseNewer,
    KnowledgeError,
    StorageFull,
)
from rag.files import read_json, write_whole
from rag.settings import ServerDatabase, Settings
from rag.storage.access import ACCESS_NAME, Access, read_access_file
from rag.storage.cached import CachedAnswers
from rag.storage.calibration import CALIBRATION_NAME
from rag.storage.connection import BUSY_TIMEOUT_SECONDS, Database, storage_errors
from rag.storage.contact_details import CONFIRMED_NAME
from rag.storage.curated import CuratedAnswers
from rag.storage.figures import FigureFolder
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.storage.regression import RegressionQuestions
from rag.storage.shared_pieces import (
    UNKNOWN_SCOPE,
    Files,
    Head,
    PieceStore,
    SharedFile,
    SharedKnowledge,
    files_json,
    files_of,
    new_token,
)
from rag.storage.store import DATABASE_NAME, ENGINE_NAME, KEPT_GENERATIONS, generation_folder
from rag.storage.writer import KnowledgeWriter, file_lock

_LOG = logging.getLogger(__name__)

SHARED_NAME = "shared.json"
_SCRATCH, _ARRIVING = "publishing", "arriving"
_SMALL_FILES = (ACCESS_NAME, CONFIRMED_NAME, CALIBRATION_NAME, ENGINE_NAME)
_CONTENT_PATH = re.compile(r"generations/[0-9]{6,12}/[\w-]+(?:\.[\w-]+)*|figures/[0-9a-f]{2}/[0-9a-f]{64}\.webp")

_SMALLEST_PIECE_BYTES = 4 * 4096
_MOST_PIECES = 8192
"""A database is cut into whole pages, four of them and twice as many until there are so many pieces at most: a changed
document touches some pages here and there (1.4 MB of 78 in pieces of 64 KB), and the list of pieces travels as well."""
_FILE_PIECE_BYTES = 1 << 20
_PATIENCE_SECONDS = 60.0
"""For so long a publication waits for a server or a bucket that restarts; hours of embedding may be behind it."""
_AGAIN_SECONDS = 0.5
_FETCHES = 5
"""How often a fetch begins again because another revision came meanwhile."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Transfer:
    """The size of a publication or a fetch; ``kept_bytes`` were there already."""

    pieces: int = 0
    sent_bytes: int = 0
    kept_bytes: int = 0


class KnowledgeShare:
    """One knowledge base that several desks share, and its folder on this machine."""

    def __init__(self, place: ServerDatabase, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.server = SharedKnowledge(place)
        self._url = place.url
        self.transfer = Transfer()
        self._held: Callable[[], str | None] = lambda: None

    @classmethod
    def of(cls, settings: Settings) -> "KnowledgeShare | None":
        """Return the settings' knowledge base as the desks share it; None where it is not shared.

        Raises ``ExtraMissing`` without psycopg.
        """
        place = settings.knowledge_database
        return None if place is None else cls(place, settings.knowledge_base, settings.knowledge_dir)

    def token(self) -> str:
        """Return the revision that this folder has taken over; empty: none."""
        return _read_state(self.folder)[0]

    def catch_up(self) -> bool:
        """Fetch the served revision unless it is here already; return whether anything changed.

        Raises ``DatabaseUnavailable``, ``BucketUnavailable``, ``BucketRefused``, ``PiecesElsewhere``, ``IndexDamaged``
        where pieces are missing, ``KnowledgeBaseNewer``, ``StorageFull``, and ``IngestRunning`` while an ingest of this
        machine writes; what was here serves on then.
        """
        if self.server.tokens().get(self.name, "") in ("", self.token()):
            if any((self.folder / name).exists() for name in (_SCRATCH, _ARRIVING)):
                with suppress(IngestRunning), file_lock(self.folder):  # unless they are in use
                    self._clear()
            return False
        with file_lock(self.folder):
            return self._take_over()

    def begin(self) -> None:
        """Share a knowledge base that is only here; if another desk was quicker, fetch theirs.

        Raises what ``catch_up`` raises.
        """
        with file_lock(self.folder), self.writing():
            pass

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer on all machines, with the folder as the server has it; the caller holds the file's lock.

        A knowledge base that is only here becomes shared.  Raises ``IngestRunning`` and what ``catch_up`` raises.
        """
        lock = self.server.lock(self.name, holder=publisher())
        try:
            if holder := lock.take():
                raise IngestRunning(holder=holder)
            self._held = lock.take
            if not self._take_over() and not self.token():
                self._share_local()
            yield
        finally:
            self._held = lambda: None
            lock.release()

    @contextmanager
    def publication(self, writer: KnowledgeWriter) -> Iterator[KnowledgeWriter]:
        """Yield a writer over a copy of the database, whose content is published for all desks, or not at all.

        The caller is ``writing``.  Raises ``DatabaseUnavailable`` or ``BucketUnavailable`` where the server or the
        bucket stays away, ``BucketRefused``, ``IngestRunning`` where somebody else published while the lock was lost,
        and ``StorageFull``; the former revision serves on then.
        """
        scratch = self.folder / _SCRATCH
        self._clear()
        try:
            with storage_errors(self.folder):
                scratch.mkdir()
                _copy_database(self.folder / DATABASE_NAME, scratch / DATABASE_NAME)
                for name in _SMALL_FILES:
                    with suppress(FileNotFoundError):
                        shutil.copyfile(self.folder / name, scratch / name)
            with KnowledgeWriter(scratch) as copied:
                yield copied
            self._publish(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        with suppress(StorageFull):  # it is published
            writer.delete_older()

    def publish_file(self, name: str) -> None:
        """Share one of the small files as it is here now (``calibration.json``), where the knowledge base is shared."""
        content = (self.folder / name).read_bytes()
        _retry(lambda: self.server.replace_file(self.name, name, content, publisher()))

    def _clear(self) -> None:
        """Delete the leftovers of a killed publication or fetch; the caller holds the file's lock."""
        for name in (_SCRATCH, _ARRIVING):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def close(self) -> None:
        """Close the connections that nothing else in this process uses."""
        self.server.close()

    # publishing

    def _share_local(self) -> None:
        """Share a local knowledge base, with its curated answers and its regression questions."""
        if not (self.folder / DATABASE_NAME).is_file():
            return
        with KnowledgeWriter(self.folder) as writer:
            if not writer.database.value("SELECT generation FROM current"):
                return
            answers, questions = ServerDatabase("answers", self._url), ServerDatabase("questions", self._url)
            with CuratedAnswers(self.folder, answers) as shared, CuratedAnswers(self.folder) as own:
                shared.take_over(own)
            RegressionQuestions(writer.database, questions).take_over(RegressionQuestions(writer.database))
            with self.publication(writer):
                pass

    def _publish(self, scratch: Path) -> None:
        """Put the missing pieces, move the server's pointer, and settle on the served revision."""
        generation = _seal(scratch / DATABASE_NAME)
        sources = self._sources(scratch, generation)
        files = {path: _cut_file(source, _piece_bytes(path, source)) for path, source in sources.items()}
        access = read_access_file(scratch) or Access()
        head = Head(
            new_token(), generation, len(KNOWLEDGE_MIGRATIONS), files,
            access.scope if access.settled else UNKNOWN_SCOPE, access.audience, publisher(),
            self.server.own.place,
        )  # fmt: skip
        before = self.token()
        for _ in range(_FETCHES):  # a piece may have been collected by somebody who took over a lost lock
            self._put(sources, files)
            if _retry(lambda: self._move(head, before)):
                break
        else:
            raise DatabaseUnavailable(server=self.name, reason="pieces that were put are not there")
        _retry(self._collect)
        self._settle_on(head, scratch)

    def _collect(self) -> None:
        """Delete unused pieces; if the bucket fails, the next publication tries again."""
        try:
            self.server.collect(self.name)
        except (BucketUnavailable, BucketRefused, StorageFull) as error:
            _LOG.warning("pieces that serve no more are not deleted yet: %s", type(error).__name__)

    def _move(self, head: Head, before: str) -> bool:
        if holder := self._held():
            raise IngestRunning(holder=holder)
        return self.server.move(self.name, head, before)

    def _sources(self, scratch: Path, generation: int) -> dict[str, Path]:
        """Return the source files of a revision, by their paths."""
        sources = {DATABASE_NAME: scratch / DATABASE_NAME}
        sources |= {name: scratch / name for name in _SMALL_FILES if (scratch / name).is_file()}
        index = generation_folder(self.folder, generation)
        paths = sorted(index.iterdir()) if generation else ()  # 0: only who may read is known yet
        sources |= {_relative(path, self.folder): path for path in paths}
        with closing(sqlite3.connect(scratch / DATABASE_NAME)) as connection:
            for (digest,) in connection.execute("SELECT DISTINCT digest FROM figure ORDER BY digest"):
                path = self.folder / "figures" / digest[:2] / f"{digest}.webp"
                if path.is_file():
                    sources[_relative(path, self.folder)] = path
        return sources

    def _put(self, sources: dict[str, Path], files: Files) -> None:
        digests = {digest for file in files.values() for digest in file.pieces}
        store = self.server.own
        missing = _retry(lambda: store.missing(self.name, digests))
        sent = 0
        for batch in _in_batches(_pieces(sources, files, missing), store.batch_bytes):
            _retry(lambda batch=batch: store.put(self.name, batch))  # type: ignore[misc]
            sent += sum(map(len, batch))
        total = sum(file.size for file in files.values())
        self.transfer = Transfer(len(missing), sent + len(files_json(files)), total - sent)

    # taking over

    def _take_over(self) -> bool:
        """Like ``catch_up``; the caller holds the file's lock."""
        self._clear()
        for _ in range(_FETCHES):
            head = self.server.head(self.name)
            if head is None or head.token == self.token():
                return False
            if head.format > len(KNOWLEDGE_MIGRATIONS):
                raise KnowledgeBaseNewer(found=head.format, known=len(KNOWLEDGE_MIGRATIONS))
            _require_sound(head)
            try:
                with storage_errors(self.folder):
                    self._fetch(head)
            except _PieceMissingError as error:
                after = self.server.head(self.name)
                if after is not None and after.token == head.token:
                    where = head.place or "the server"
                    raise IndexDamaged(reason=f"{self.name}: piece {error} is not on {where}") from error
                continue
            return True
        raise IngestRunning(holder=head.publisher if head is not None else "?")

    def _fetch(self, head: Head) -> None:
        arriving = self.folder / _ARRIVING
        try:
            known = _read_state(self.folder)[1]
            fetching = _Fetching(self.server.store(self.name, head.place), self.name, self.folder, known)
            for path, file in head.files.items():
                if path != DATABASE_NAME and not self._has(path, file, known):
                    fetching.bring(path, file, arriving / path)
            database = arriving / DATABASE_NAME
            if not self._has(DATABASE_NAME, head.files[DATABASE_NAME], known):
                self._begin_with_own_database(database)
                fetching.mend(head.files[DATABASE_NAME], database)
            fetching.fetch()
            if database.is_file() and _seal(database) != head.generation:
                raise IndexDamaged(reason=f"{self.name}: the server's database is not of generation {head.generation}")
            listed = len(files_json(head.files))
            self.transfer = Transfer(fetching.pieces, fetching.fetched_bytes + listed, fetching.kept_bytes)
            self._place_content(head, arriving)
            self._settle_on(head, arriving)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)

    def _has(self, path: str, file: SharedFile, known: Files) -> bool:
        """Tell whether this folder has a file unchanged since it was fetched, or a picture of that name."""
        try:
            size = (self.folder / path).stat().st_size
        except FileNotFoundError:
            return False
        if path == DATABASE_NAME:  # its -wal may hold some of it
            return known.get(path) == file
        return size == file.size and (known.get(path) == file or path.startswith("figures/"))

    def _begin_with_own_database(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if (self.folder / DATABASE_NAME).is_file():
            with suppress(sqlite3.DatabaseError):  # a damaged one: every piece is fetched
                _copy_database(self.folder / DATABASE_NAME, target)

    def _place_content(self, head: Head, arriving: Path) -> None:
        """Move pictures and index files to their places; readers use them once the pointer moves."""
        for path in sorted((arriving / "figures").glob("*/*")):
            target = self.folder / _relative(path, arriving)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        fetched = generation_folder(arriving, head.generation)
        if not fetched.is_dir():
            return
        target = generation_folder(self.folder, head.generation)
        for path in sorted(target.glob("*")) if target.is_dir() else ():
            if _relative(path, self.folder) in head.files and not (fetched / path.name).exists():
                os.link(path, fetched / path.name)
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # of an ingest that was killed before it was published
        fetched.rename(target)

    def _settle_on(self, head: Head, source: Path) -> None:
        """Replace this folder's database and small files by those in ``source``, then note the revision."""
        if (source / DATABASE_NAME).is_file():
            is_another = not self.token() or head.generation < _generation(self.folder / DATABASE_NAME)
            _replace_database(source / DATABASE_NAME, self.folder / DATABASE_NAME)
            if is_another:  # numbers of generations begin again, and cached answers are known by them
                with CachedAnswers(self.folder) as cached:
                    cached.erase_before(datetime.now(UTC))
        for name in _SMALL_FILES:
            if (source / name).is_file():
                write_whole(self.folder / name, (source / name).read_bytes(), durable=True)
        content = {"token": head.token, "generation": head.generation, "files": files_json(head.files)}
        write_whole(self.folder / SHARED_NAME, json.dumps(content) + "\n", durable=True)
        _tidy(self.folder, head)


def catch_up(settings: Settings) -> KnowledgeError | None:
    """Fetch the shared knowledge base of the settings; return the error if that is not possible now.

    What is here serves then.  Raises ``ExtraMissing``.
    """
    share = KnowledgeShare.of(settings)
    if share is None:
        return None
    try:
        share.catch_up()
    except KnowledgeError as error:
        return error
    return None


class _PieceMissingError(Exception):
    """A piece is missing, or its content does not match its name."""


class _Fetching:
    """Writes the files of a revision from local pieces and, at the end, from those of a store."""

    def __init__(self, store: PieceStore, name: str, folder: Path, known: Files) -> None:
        self._store = store
        self._name = name
        self._folder = folder
        self._here = {
            digest: (folder / path, number * file.piece_bytes, file.piece_bytes)
            for path, file in known.items()
            if path != DATABASE_NAME
            for number, digest in enumerate(file.pieces)
        }
        self._whole = {file.pieces: folder / path for path, file in known.items() if path.startswith("generations/")}
        self._begun: list[Path] = []
        self._lacking: dict[str, list[_Gap]] = {}
        self.pieces = self.fetched_bytes = self.kept_bytes = 0

    def bring(self, path: str, file: SharedFile, target: Path) -> None:
        """Begin a file, as a hard link if an earlier generation has the same one."""
        target.parent.mkdir(parents=True, exist_ok=True)
        same = self._whole.get(file.pieces) if path.startswith("generations/") else None
        if same is not None and same.is_file() and same.stat().st_size == file.size:
            os.link(same, target)
            self.kept_bytes += file.size
            return
        target.touch()
        self.mend(file, target)

    def mend(self, file: SharedFile, target: Path) -> None:
        """Begin with a file that may hold a part of its content; ``fetch`` brings the rest."""
        lacking_bytes = 0
        with target.open("r+b" if target.exists() else "w+b") as opened:
            for number, digest in enumerate(file.pieces):
                opened.seek(number * file.piece_bytes)
                if sha256(opened.read(_length(file, number))).hexdigest() != digest and not self._copy_local(
                    opened, file, number
                ):
                    gap = _Gap(target, number * file.piece_bytes, _length(file, number))
                    self._lacking.setdefault(digest, []).append(gap)
                    lacking_bytes += gap.size
            opened.truncate(file.size)
        self._begun.append(target)
        self.kept_bytes += file.size - lacking_bytes

    def fetch(self) -> None:
        """Fetch the missing pieces, some megabytes at a time, and write them to the disk.

        Raises ``_PieceMissingError``.
        """
        sizes = ((digest, gaps[0].size) for digest, gaps in self._lacking.items())
        for batch in _in_batches(sizes, self._store.batch_bytes):
            found = self._store.take(self._name, batch)
            for digest in batch:
                if digest not in found:
                    raise _PieceMissingError(f"{digest[:12]}…")
                self.pieces += 1
                self.fetched_bytes += len(found[digest])
                for gap in self._lacking[digest]:
                    with gap.path.open("r+b") as opened:
                        opened.seek(gap.offset)
                        opened.write(found[digest][: gap.size])
        for path in self._begun:
            if path.name != DATABASE_NAME:  # which is written once more
                with path.open("r+b") as opened:
                    os.fsync(opened.fileno())

    def _copy_local(self, opened: BinaryIO, file: SharedFile, number: int) -> bool:
        place = self._here.get(file.pieces[number])
        if place is None:
            return False
        path, offset, size = place
        try:
            with path.open("rb") as source:
                source.seek(offset)
                content = source.read(size)
        except FileNotFoundError:
            return False
        if sha256(content).hexdigest() != file.pieces[number]:
            return False
        opened.seek(number * file.piece_bytes)
        opened.write(content)
        return True


@dataclass(frozen=True, slots=True)
class _Gap:
    """Bytes of a file that are still to be fetched."""

    path: Path
    offset: int
    size: int


def _in_batches(sized: Iterable[tuple[Item, int]], batch_bytes: int) -> Iterator[list[Item]]:
    """Yield items, given with their sizes, as many at a time as hold so many bytes, at least one."""
    batch: list[Item] = []
    total = 0
    for item, size in sized:
        if batch and total + size > batch_bytes:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size
    if batch:
        yield batch


def publisher() -> str:
    """Return the name under which this process publishes: process number and machine.

    >>> publisher().startswith("pid ")
    True
    """
    return f"pid {os.getpid()}, {socket.gethostname()}"


def _retry(work: Callable[[], Result]) -> Result:
    """Run idempotent work, with retries while the server or the bucket does not answer: it may be restarting."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return work()
        except (DatabaseUnavailable, BucketUnavailable):
            if time.monotonic() >= ends:
                raise
            time.sleep(_AGAIN_SECONDS)


def _read_state(folder: Path) -> tuple[str, Files]:
    """Return the revision and files of ``shared.json``; empty if it is missing or invalid."""
    try:
        found = read_json(folder / SHARED_NAME)
        if not isinstance(found, dict):
            return "", {}
        return str(found["token"]), files_of(str(found["files"]))
    except (OSError, ValueError, KeyError):
        return "", {}


def _seal(path: Path) -> int:
    """Bring a copied database up to date and into its one file, without customers' questions; return its generation.

    Regression questions are the server's own rows (``regression.py``).
    """
    with closing(Database(path, KNOWLEDGE_MIGRATIONS, wipes=True)) as database:
        customers = ("regression_question", "question_vector")
        holds_some = any(database.row(f"SELECT 1 FROM {table} LIMIT 1") is not None for table in customers)
        if holds_some:
            with database.transaction() as connection:
                for table in customers:
                    connection.execute(f"DELETE FROM {table}")
        database.settle(compact=holds_some)  # of what was deleted before, something may be left as well
        return int(database.value("SELECT generation FROM current"))


def _generation(path: Path) -> int:
    if not path.is_file():
        return 0
    with closing(Database(path, KNOWLEDGE_MIGRATIONS)) as database:
        return int(database.value("SELECT generation FROM current"))


def _copy_database(source: Path, target: Path) -> None:
    """Write a database to a new file, page by page, as it is at this moment; nothing waits for the disk.

    Raises ``sqlite3.DatabaseError``.
    """
    with _open_database(source) as read, _open_database(target) as written:
        written.execute("PRAGMA journal_mode = OFF")
        written.execute("PRAGMA synchronous = OFF")
        read.backup(written)


def _replace_database(source: Path, target: Path) -> None:
    """Write a database over one that is read, page by page in one transaction; it reaches the disk before it returns.

    Readers of the target see it as it was or as it is now.  Raises ``sqlite3.DatabaseError``.
    """
    with _open_database(source) as read, _open_database(target) as written:
        written.execute("PRAGMA journal_mode = WAL")
        written.execute("PRAGMA synchronous = NORMAL")  # they need not wait for the disk
        read.backup(written)
        log = target.with_name(f"{target.name}-wal")
        with log.open("rb") as file:
            os.fsync(file.fileno())
        with suppress(sqlite3.OperationalError):  # somebody reads: a later writer brings it into the file
            written.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open_database(path: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS))


def _cut_file(path: Path, piece_bytes: int) -> SharedFile:
    names = []
    with path.open("rb") as file:
        while piece := file.read(piece_bytes):
            names.append(sha256(piece).hexdigest())
        return SharedFile(file.tell(), piece_bytes, tuple(names))


def _pieces(sources: dict[str, Path], files: Files, missing: set[str]) -> Iterator[tuple[bytes, int]]:
    """Yield the missing pieces, each once, with their sizes."""
    seen: set[str] = set()
    for path, file in files.items():
        if missing.isdisjoint(file.pieces):
            continue
        with sources[path].open("rb") as opened:
            for number, digest in enumerate(file.pieces):
                if digest not in missing or digest in seen:
                    continue
                seen.add(digest)
                opened.seek(number * file.piece_bytes)
                piece = opened.read(file.piece_bytes)
                yield piece, len(piece)


def _require_sound(head: Head) -> None:
    """Raise ``IndexDamaged`` where a revision names files that no knowledge base has: they would be written here."""
    for path, file in head.files.items():
        known = path in (DATABASE_NAME, *_SMALL_FILES) or _CONTENT_PATH.fullmatch(path) is not None
        pieces = -(-file.size // file.piece_bytes) if file.piece_bytes > 0 else -1
        if not known or pieces != len(file.pieces):
            raise IndexDamaged(reason=f"the server names a file {path!r} of {file.size} bytes")
    if DATABASE_NAME not in head.files:
        raise IndexDamaged(reason=f"the server names no {DATABASE_NAME}")


def _tidy(folder: Path, head: Head) -> None:
    """Delete the index files of unreadable generations, and pictures that no document shows."""
    for path in sorted(generation_folder(folder, 0).parent.glob("*")):
        if path.name.isdigit() and not head.generation - KEPT_GENERATIONS < int(path.name) <= head.generation:
            shutil.rmtree(path, ignore_errors=True)
    figures = FigureFolder(folder)
    if figures.exists():
        figures.delete_others(Path(path).stem for path in head.files if path.startswith("figures/"))


def _length(file: SharedFile, number: int) -> int:
    return min(file.piece_bytes, file.size - number * file.piece_bytes)


def _piece_bytes(path: str, source: Path) -> int:
    if path != DATABASE_NAME:
        return _FILE_PIECE_BYTES
    size, piece = source.stat().st_size, _SMALLEST_PIECE_BYTES
    while size > _MOST_PIECES * piece:
        piece *= 2
    return piece


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
