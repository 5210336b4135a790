"""Reads files in a process of its own, so that a hostile one costs its document and nothing else.

A PDF that sends its parser into an endless loop, a page that unpacks to gigabytes, a crash in native code: each ends
the worker, is reported as the reason why this file is unreadable, and the next file gets a new worker.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ingest.loaders.source import Limits, SourceFile, StillReading
from ingest.loaders.worker import DOCUMENT, DOCUMENTS, END, WORKING
from rag.errors import DocumentUnreadable
from rag.schema import Document
from rag.settings import Settings

_PACKAGES = Path(__file__).resolve().parent.parent
_READ_BYTES = 1 << 20
_LOSSES = 3  # of workers, before the rest of a file is given up
_START_TIMEOUT_SECONDS = 60.0  # a busy machine may take seconds to import the parsers


class _WorkerLostError(Exception):
    """The worker ended, or was silent for too long: ``reason`` is a key of ``DocumentUnreadable.REASONS``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FileReader:
    """Loads files one after the other; a context manager, because it owns a process while it is in use.

    ``timeout_seconds`` is how long one document, or one scanned page of it, may take, at least 1.
    """

    def __init__(self, limits: Limits, *, timeout_seconds: float = 60.0) -> None:
        if timeout_seconds < 1:
            raise ValueError(f"timeout_seconds must be at least 1, not {timeout_seconds}")
        self._limits = limits
        self._timeout_seconds = timeout_seconds
        self._worker: subprocess.Popen[bytes] | None = None
        self._received = bytearray()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a reader with the limits that are set.  Raises ``SettingsError`` as ``Limits.of`` does."""
        return cls(Limits.of(settings), timeout_seconds=settings.reading_timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker; the next ``read`` starts a new one."""
        worker, self._worker = self._worker, None
        self._received.clear()
        if worker is not None:
            worker.kill()  # it holds nothing that would have to be saved
            worker.communicate()

    def interrupt(self) -> None:
        """End the worker from another thread than the one that reads, which is told that it is lost."""
        worker = self._worker
        if worker is not None:
            worker.kill()

    def read(self, path: Path, root: Path) -> Iterator[Document | DocumentUnreadable]:
        """Yield the documents of a file below ``root``, and an error for the file or each part that cannot be read.

        A worker that is lost in a part of an archive or a mail is replaced, and goes on with the next part.
        """
        source = SourceFile(path, root)
        parts = 0
        for losses in count(1):
            part = ""
            complete = False
            try:
                for found in self._replies(source, skip=parts):
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

    def _replies(self, source: SourceFile, *, skip: int) -> Iterator[Document | DocumentUnreadable | StillReading]:
        worker = self._running_worker()
        requests, replies = _pipes(worker)
        request = {
            "path": str(source.path),
            "root": str(source.root),
            "limits": asdict(self._limits),
            "skip": skip,
            "cpu_seconds": int(self._timeout_seconds * 10),
        }
        try:
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
        except BrokenPipeError as error:
            raise _WorkerLostError("malformed") from error
        while (line := self._line(replies.fileno(), self._timeout_seconds)) != END:
            yield _from_reply(line)

    def _running_worker(self) -> subprocess.Popen[bytes]:
        if self._worker is not None and self._worker.poll() is not None:
            self.close()  # it was ended from outside since the last file
        if self._worker is None:
            search_path = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.loaders.worker"],  # -P: nothing is imported from where we stand
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries print about broken files
                env={**os.environ, "PYTHONPATH": search_path},
            )
            _, replies = _pipes(self._worker)
            self._line(replies.fileno(), _START_TIMEOUT_SECONDS)
        return self._worker

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
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


def _pipes(worker: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if worker.stdin is None or worker.stdout is None:
        raise TypeError("the worker was started without pipes")
    return worker.stdin, worker.stdout


def _from_reply(line: bytes) -> Document | DocumentUnreadable | StillReading:
    if line[:1] == DOCUMENT:
        return DOCUMENTS.validate_json(line[1:])
    if line[:1] == WORKING:
        return StillReading(json.loads(line[1:]))
    return DocumentUnreadable(**json.loads(line[1:]))
