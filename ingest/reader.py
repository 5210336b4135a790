"""Reads files in a process of its own, so that a hostile one costs its document and nothing else.

A PDF that sends its parser into an endless loop, a page that unpacks to gigabytes, a crash in native code: each ends
the worker, is reported as the reason why this file is unreadable, and the next file gets a new worker.

A file that takes over its parser finds nothing to steal.  The parent opens the file and passes the descriptor; the
worker has an empty environment and confines itself before it reads a byte (``loaders/confinement.py``).

Files of customers (mails, texts, screenshots) are read the same way, from memory, and written to no disk.
"""

import base64
import errno
import fcntl
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from ingest.loaders.confinement import Confinement
from ingest.loaders.kinds import PICTURE_ENDINGS
from ingest.loaders.registry import is_supported
from ingest.loaders.source import IDLE_ENGINE_BYTES, KeptFigure, Limits, SourceFile, StillReading, open_file
from ingest.loaders.worker import (
    DOCUMENT,
    DOCUMENTS,
    END,
    FIGURE,
    GRANT,
    LENGTH_BYTES,
    MEMORY,
    QUESTION,
    READY,
    WORKING,
)
from ingest.memory_budget import MemoryBudget, budget_of
from rag.errors import DocumentUnreadable, ReaderUnavailable
from rag.schema import Document
from rag.settings import Settings

_PACKAGES = Path(__file__).resolve().parent.parent
_READ_BYTES = 1 << 20
_LOSSES = 3  # of workers, before the rest of a file is given up
_START_TIMEOUT_SECONDS = 60.0  # a busy machine may take seconds to import the parsers
_PYTHON_NEEDS = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_NO_READER = {
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
    errno.ENOMEM: "memory",
    errno.EAGAIN: "memory",
}
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

MAIL_ENDINGS = frozenset({".eml", ".msg"})
CUSTOMER_ENDINGS = tuple(sorted(MAIL_ENDINGS | PICTURE_ENDINGS | {".txt"}))
"""Names of files that customers send, in lower case."""

_NAME_FOR_WORKER = "attachment"

KeepFigure = Callable[[bytes], object]
"""Stores a picture of a document; called in the thread that reads.  Raises ``ValueError`` for anything else."""

logger = logging.getLogger(__name__)


def drop_figure(content: bytes) -> None:
    """Discard a picture: documents are read as for an ingest, and nothing is written."""
    del content


class _WorkerLostError(Exception):
    """The worker ended, or was silent for too long: ``reason`` is one of ``DocumentUnreadable``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FileReader:
    """Loads files one after the other; a context manager, because it owns a process while it is in use.

    ``timeout_seconds`` is how long one document, or one scanned page of it, may take, at least 1.  Without a ``budget``
    the reader's memory is not counted with that of others.
    """

    def __init__(self, limits: Limits, *, timeout_seconds: float = 60.0, budget: MemoryBudget | None = None) -> None:
        if timeout_seconds < 1:
            raise ValueError(f"timeout_seconds must be at least 1, not {timeout_seconds}")
        self._limits = limits
        self._timeout_seconds = timeout_seconds
        self._worker: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._received = bytearray()
        self._memory = _ReaderMemory(limits, budget or MemoryBudget(limits.most_memory_bytes))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a reader with the limits that are set.  Raises ``SettingsError`` as ``Limits.of`` does."""
        budget = budget_of(settings)
        return cls(Limits.of(settings), timeout_seconds=settings.reading_timeout_seconds, budget=budget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
        self._memory.release()

    def reserve_now(self) -> bool:
        """Take this reader's share of the memory if there is room; else its first file waits for it."""
        return self._memory.reserve_now()

    def close(self) -> None:
        """End the worker; the next file starts a new one."""
        worker, self._worker = self._worker, None
        requests, self._requests = self._requests, None
        self._received.clear()
        if requests is not None:
            requests.close()
        if worker is not None:
            worker.kill()  # it holds nothing that would have to be saved
            worker.communicate()
        self._memory.worker_ended()

    def interrupt(self) -> None:
        """End the worker from another thread; the reading thread then finds it lost."""
        self._memory.give_up()
        worker = self._worker
        if worker is not None:
            worker.kill()

    def read(
        self, source: SourceFile, keep_figure: KeepFigure | None = None
    ) -> Iterator[Document | DocumentUnreadable]:
        """Yield the documents of a file, and an error for the file or each part that cannot be read.

        A worker that is lost in a part of an archive or a mail is replaced, and goes on with the next part.
        ``keep_figure`` is given each picture of a document before the document; None: no document has figures.
        Raises ``ReaderUnavailable`` where the machine, not the file, is the cause.
        """
        try:
            if not is_supported(source.path):
                raise source.unreadable("unsupported")
            descriptor = open_file(source, self._limits)
        except DocumentUnreadable as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_READER:
                raise _unavailable(error.__cause__) from error
            yield error
            return
        try:
            limits = self._limits if keep_figure is not None else replace(self._limits, figures=0)
            for found in self._read(_Request("documents", source, descriptor, limits, keep_figure or drop_figure)):
                if not isinstance(found, str):
                    yield found
        finally:
            os.close(descriptor)

    def read_customer_file(self, name: str, content: bytes) -> Iterator[str | DocumentUnreadable]:
        """Yield the words of a customer's file (``loaders/customer_words.py``), or why it or a part is unreadable.

        The worker knows it by ``name``.  It lies in memory only, and is gone with this process whatever ends that.
        """
        limits = replace(self._limits, figures=0, passwords=())  # a stranger's file is given no secret of ours
        for found in self._read_content("customer file", name, content, limits, drop_figure):
            if not isinstance(found, Document):
                yield found

    def copy_picture(self, name: str, content: bytes, keep_picture: KeepFigure) -> None:
        """Give ``keep_picture`` a customer's picture as a small PNG (``loaders/picture.py``), and wait until it has it.

        Raises ``DocumentUnreadable`` where there is none to be given.
        """
        limits = replace(self._limits, passwords=())
        for found in self._read_content("picture", name, content, limits, keep_picture):
            if isinstance(found, DocumentUnreadable):
                raise found

    def _read_content(
        self, kind: str, name: str, content: bytes, limits: Limits, keep_figure: KeepFigure
    ) -> Iterator[Document | DocumentUnreadable | str]:
        source = SourceFile(Path("/") / name, Path("/"))
        if len(content) > limits.document_bytes:
            yield source.unreadable("too_large", f"{len(content) / 1e6:.0f} MB")
            return
        with _memory_file(content) as descriptor:
            yield from self._read(_Request(kind, source, descriptor, limits, keep_figure))

    def _read(self, request: "_Request") -> Iterator[Document | DocumentUnreadable | str]:
        source = request.source
        self._memory.begin()
        parts = 0
        for losses in count(1):
            part = ""
            complete = False
            try:
                for found in self._replies(request, skip=parts):
                    if isinstance(found, StillReading):
                        parts += found.part != ""
                        part = found.part or part
                    else:
                        yield found
                complete = True
                return
            except _WorkerLostError as lost:
                yield (source.part(part) if part else source).unreadable(lost.reason)
                if not part or losses == _LOSSES:
                    return
            finally:
                if not complete:
                    self.close()  # or the next file would be answered with the rest of this one

    def _replies(
        self, request: "_Request", *, skip: int
    ) -> Iterator[Document | DocumentUnreadable | StillReading | str]:
        requests, replies = self._running_worker()
        asked = {
            "kind": request.kind,
            "path": str(request.source.path),
            "root": str(request.source.root),
            "limits": asdict(request.limits),
            "skip": skip,
            "cpu_seconds": int(self._timeout_seconds * 10),
        }
        line = json.dumps(asked).encode()
        kept: set[str] = set()
        try:
            socket.send_fds(requests, [len(line).to_bytes(LENGTH_BYTES, "big")], [request.descriptor])
            requests.sendall(line)
            while (line := self._line(replies.fileno(), self._timeout_seconds)) != END:
                self._memory.picture_done()
                if line == MEMORY:
                    self._grant_memory(requests)
                    continue
                found = _parse_reply(line, request.source)
                if isinstance(found, KeptFigure):
                    kept.add(_keep_and_name(found, request.keep_figure))
                elif isinstance(found, Document):
                    yield _require_own_figures(found, kept)
                else:
                    yield found
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _WorkerLostError("malformed") from error
        self._memory.picture_done()

    def _grant_memory(self, requests: socket.socket) -> None:
        """Let the worker read a picture once there is memory for it."""
        if not self._memory.take_for_picture():
            raise _WorkerLostError("malformed")  # interrupted while it waited
        requests.sendall(GRANT)

    def _running_worker(self) -> tuple[socket.socket, IO[bytes]]:
        if self._worker is not None and self._worker.poll() is not None:
            self.close()  # it was ended from outside since the last file
        if self._worker is None or self._requests is None or self._worker.stdout is None:
            if not self._memory.reserve():
                raise _WorkerLostError("malformed")
            self._worker, self._requests = _start_worker()
            _log_confinement(self._first_line(_replies_of(self._worker)))
        return self._requests, _replies_of(self._worker)

    def _first_line(self, replies: IO[bytes]) -> bytes:
        """Wait until the worker has started.  Raises ``ReaderUnavailable`` if it ends before: it has seen no file."""
        try:
            return self._line(replies.fileno(), _START_TIMEOUT_SECONDS)
        except _WorkerLostError as lost:
            if lost.reason == "too_slow" or self._memory.is_given_up:
                raise
            raise ReaderUnavailable(reason="ended") from lost

    def _line(self, descriptor: int, timeout_seconds: float) -> bytes:
        """Return the next line without its end; a crash of the worker means that the file is malformed."""
        deadline = time.monotonic() + timeout_seconds
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise _WorkerLostError("too_slow")
            arrived = os.read(descriptor, _READ_BYTES)
            if not arrived:
                raise _WorkerLostError("malformed")
            self._received += arrived
            if len(self._received) > self._limits.most_memory_bytes:  # no worker within its limits holds so much
                raise _WorkerLostError("too_much_memory")
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


def is_mail(name: str) -> bool:
    """Tell whether a file is a mail by its name."""
    return PurePosixPath(name.lower()).suffix in MAIL_ENDINGS


def is_picture(name: str) -> bool:
    """Tell whether a file is a picture by its name."""
    return PurePosixPath(name.lower()).suffix in PICTURE_ENDINGS


def copy_picture_of_file(name: str, content: bytes, reader: FileReader, keep_picture: KeepFigure) -> None:
    """Give ``keep_picture`` a model-safe copy of a picture.  Raises ``DocumentUnreadable`` with its name."""
    if not is_picture(name):
        raise DocumentUnreadable(path=name, reason="unsupported")
    try:
        reader.copy_picture(f"{_NAME_FOR_WORKER}{PurePosixPath(name.lower()).suffix}", content, keep_picture)
    except DocumentUnreadable as error:
        raise DocumentUnreadable(path=name, reason=str(error.details["reason"])) from error


def question_of_file(name: str, content: bytes, reader: FileReader) -> str:
    """Return a file's words as a question.

    A mail that only carries a picture has the picture's words.  Raises ``DocumentUnreadable`` with the file's name.
    """
    ending = PurePosixPath(name.lower()).suffix
    if ending not in CUSTOMER_ENDINGS:
        raise DocumentUnreadable(path=name, reason="unsupported")
    # to the end: a worker that is left half-read is ended, and starting another takes longer than the file
    found = list(reader.read_customer_file(f"{_NAME_FOR_WORKER}{ending}", content))
    for words in found:
        if isinstance(words, str):
            return words
    reasons = [str(one.details["reason"]) for one in found if isinstance(one, DocumentUnreadable)]
    raise DocumentUnreadable(path=name, reason=reasons[0] if reasons else "empty")


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to the worker: a ``kind`` of reading, of an open file."""

    kind: str
    source: SourceFile
    descriptor: int
    limits: Limits
    keep_figure: KeepFigure


class _ReaderMemory:
    """One reader's part of the budget: a share while it is open, and more while its worker reads a picture."""

    def __init__(self, limits: Limits, budget: MemoryBudget) -> None:
        self._share_bytes = limits.memory_bytes
        self._most_bytes = limits.most_memory_bytes
        self._idle_bytes = min(self._most_bytes, limits.memory_bytes + IDLE_ENGINE_BYTES)
        self._budget = budget
        self._taken_bytes = 0
        self._picture_bytes = 0
        self._given_up = threading.Event()

    def begin(self) -> None:
        """Forget that an earlier file was given up."""
        self._given_up.clear()

    def give_up(self) -> None:
        """Wait no longer."""
        self._given_up.set()

    @property
    def is_given_up(self) -> bool:
        """Whether the file was given up; a worker that is lost then was ended by us."""
        return self._given_up.is_set()

    def reserve(self) -> bool:
        """Wait for the share and take it; False if given up."""
        if self._taken_bytes == 0 and self._budget.take(self._share_bytes, self._given_up.is_set):
            self._taken_bytes = self._share_bytes
        return self._taken_bytes > 0

    def reserve_now(self) -> bool:
        """Take the share if there is room."""
        if self._taken_bytes == 0 and self._budget.take_now(self._share_bytes):
            self._taken_bytes = self._share_bytes
        return self._taken_bytes > 0

    def take_for_picture(self) -> bool:
        """Wait for all memory the worker may need, and take it; False if given up."""
        missing = self._most_bytes - self._taken_bytes
        if not self._budget.take_for_picture(missing, self._given_up.is_set):
            return False
        self._picture_bytes = missing
        self._taken_bytes += missing
        return True

    def picture_done(self) -> None:
        """Give back all but the share of an engine that waits for the next picture."""
        if self._picture_bytes:
            self._reduce_to(self._idle_bytes)

    def worker_ended(self) -> None:
        """Give back all but the share: the next worker is a new one."""
        self._reduce_to(min(self._taken_bytes, self._share_bytes))

    def release(self) -> None:
        """Return all memory."""
        self._reduce_to(0)

    def _reduce_to(self, kept_bytes: int) -> None:
        self._budget.give_back(self._taken_bytes - kept_bytes, of_picture=self._picture_bytes > 0)
        self._taken_bytes, self._picture_bytes = kept_bytes, 0


def _start_worker() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker with nothing in its environment but what Python needs.  Raises ``ReaderUnavailable``."""
    try:
        return _open_worker()
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> ReaderUnavailable:
    return ReaderUnavailable(reason=_NO_READER.get(error.errno or 0, "failed"))


def _open_worker() -> tuple[subprocess.Popen[bytes], socket.socket]:
    environment = {name: os.environ[name] for name in _PYTHON_NEEDS if name in os.environ}
    search_path = os.pathsep.join([str(_PACKAGES), *filter(None, [environment.get("PYTHONPATH")])])
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as unless_it_starts:
        unless_it_starts.enter_context(ours)
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.loaders.worker"],  # -P: nothing is imported from where we stand
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what libraries print about broken files
            env={**environment, "PYTHONPATH": search_path, "OPENBLAS_NUM_THREADS": "1"},  # a thread takes 40 MB
        )
        unless_it_starts.pop_all()
    return worker, ours


def _replies_of(worker: subprocess.Popen[bytes]) -> IO[bytes]:
    if worker.stdout is None:
        raise TypeError("the worker was started without a pipe")
    return worker.stdout


def _log_confinement(line: bytes) -> None:
    """Log the worker's confinement once; as a warning, which programs show, where it is not complete."""
    if line[:1] != READY:
        raise _WorkerLostError("malformed")
    confinement = Confinement(json.loads(line[1:]))
    _log_once(logging.WARNING if confinement.missing_measures else logging.INFO, str(confinement))


@lru_cache
def _log_once(level: int, words: str) -> None:
    logger.log(level, "The reading process for files has %s.", words)


@contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    """Yield the descriptor of a file in memory, sealed against writing."""
    descriptor = os.memfd_create("attachment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)


def _keep_and_name(figure: KeptFigure, keep_figure: KeepFigure) -> str:
    """Keep a picture and return its name.  A worker that sends something else was taken over."""
    try:
        keep_figure(figure.content)
    except ValueError as error:
        raise _WorkerLostError("malformed") from error
    return sha256(figure.content).hexdigest()


def _require_own_figures(document: Document, kept: Container[str]) -> Document:
    """Return a document whose figures were all sent before it: it must not name those of other documents."""
    if any(
        figure.digest not in kept or not 0 <= figure.start <= figure.end <= len(document.text)
        for figure in document.figures
    ):
        raise _WorkerLostError("malformed")
    return document


def _parse_reply(line: bytes, source: SourceFile) -> Document | DocumentUnreadable | StillReading | str:
    """Parse a reply.  A worker that replies about another file was taken over by this one."""
    if line[:1] == WORKING:
        return StillReading(json.loads(line[1:]))
    if line[:1] == FIGURE:
        return KeptFigure(content=base64.b64decode(line[1:], validate=True))
    if line[:1] == QUESTION:
        return str(json.loads(line[1:]))
    if line[:1] == DOCUMENT:
        document = DOCUMENTS.validate_json(line[1:])
        if document.path != str(source.path):
            raise _WorkerLostError("malformed")
        return document
    error = DocumentUnreadable(**json.loads(line[1:]))
    if error.details["path"] != str(source.path):
        raise _WorkerLostError("malformed")
    return error
