"""Reads files ahead with several workers, while earlier ones are cut and embedded; they come in their order.

Documents wait in memory, so the readers pause while many are waiting.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ingest.known_files import FileState
from ingest.loaders.source import SourceFile
from ingest.reader import FileReader, KeepFigure
from rag.errors import DocumentUnreadable
from rag.priority import usable_cores
from rag.schema import Document
from rag.settings import Settings

_WAITING_CHARACTERS = 4_000_000  # of text, all files together; a document of the file that is wanted may always come
_FILES_AHEAD = 64
_FILES_A_WORKER = 64  # a worker takes a second to start: few files are read sooner by one
_MOST_WORKERS = 4
_LOOK_EVERY_SECONDS = 0.2


def worker_count(files: int) -> int:
    """Return the number of workers to read this number of files."""
    return max(1, min(_MOST_WORKERS, usable_cores(), files // _FILES_A_WORKER))


@contextmanager
def open_readers(settings: Settings, files: int, only: FileReader | None = None) -> Iterator[list[FileReader]]:
    """Yield readers for this number of files and close them; or ``only`` that one, which stays open.

    There are fewer where memory is short: a reader that waits for it would hold up its file.
    """
    if only is not None:
        yield [only]
        return
    with ExitStack() as opened:
        readers = [opened.enter_context(FileReader.of(settings)) for _ in range(worker_count(files))]
        yield [reader for reader in readers if reader.reserve_now()] or readers[:1]


@dataclass(slots=True)
class FileContents:
    """One file's documents so far.  ``state`` is set once all have come, where it can be trusted."""

    source: SourceFile
    waiting: deque[Document | DocumentUnreadable] = field(default_factory=deque)
    complete: bool = False
    state: FileState | None = None


class ReadAhead:
    """Reads ``files`` with one thread a reader; a context manager, because the readers are busy while it is open.

    ``while_waiting`` is called now and then in the thread that iterates, whenever that has to wait; ``keep_figure`` in
    the readers' threads, for each picture of a document (``FileReader.read``).
    """

    def __init__(
        self,
        readers: Sequence[FileReader],
        files: Sequence[SourceFile],
        while_waiting: Callable[[], None],
        keep_figure: KeepFigure | None = None,
    ) -> None:
        self._readers = readers
        self._keep_figure = keep_figure
        self._files = files
        self._while_waiting = while_waiting
        self._changed = threading.Condition()
        self._ahead: deque[FileContents] = deque()  # begun or read, in the order of the files
        self._begun = 0
        self._waiting_characters = 0
        self._closed = False
        self._threads = ThreadPoolExecutor(len(readers), "reading ahead")
        self._work_done: list[Future[None]] = []

    def __enter__(self) -> Self:
        if self._files:
            self._work_done = [self._threads.submit(self._work, reader) for reader in self._readers]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if error is not None:
            for reader in self._readers:
                reader.interrupt()
        self._threads.shutdown()

    def next_file(self) -> Generator[Document | DocumentUnreadable, None, FileState | None]:
        """Yield the next file's documents, and return its state if that can be trusted.

        To be called once for each file, in their order, and to be consumed each time.
        """
        with self._changed:
            self._wait_until(lambda: bool(self._ahead))
            contents = self._ahead[0]
        while True:
            with self._changed:
                self._wait_until(lambda: bool(contents.waiting) or contents.complete)
                if not contents.waiting:
                    self._ahead.popleft()
                    self._changed.notify_all()
                    return contents.state
                found = contents.waiting.popleft()
                self._waiting_characters -= _size(found)
                self._changed.notify_all()
            yield found

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.wait(_LOOK_EVERY_SECONDS)
            for work in self._work_done:
                if work.done():
                    work.result()  # raises what ended a reader
            if not ready():
                self._changed.release()  # the callback takes its time, and readers must not wait for it
                try:
                    self._while_waiting()
                finally:
                    self._changed.acquire()

    def _work(self, reader: FileReader) -> None:
        while (contents := self._begin()) is not None:
            before = FileState.of(contents.source.path)
            for found in reader.read(contents.source, self._keep_figure):
                if not self._put(contents, found):
                    return
            is_same = before is not None and before.is_settled and before == FileState.of(contents.source.path)
            with self._changed:
                contents.state = before if is_same else None
                contents.complete = True
                self._changed.notify_all()

    def _begin(self) -> FileContents | None:
        """Return the next file to be read, or None when there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._ahead) < _FILES_AHEAD)
            if self._closed or self._begun == len(self._files):
                return None
            contents = FileContents(self._files[self._begun])
            self._begun += 1
            self._ahead.append(contents)
            self._changed.notify_all()
            return contents

    def _put(self, contents: FileContents, found: Document | DocumentUnreadable) -> bool:
        """Add a document when there is room; False once it is closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._waiting_characters < _WAITING_CHARACTERS
                    or (not contents.waiting and self._ahead[0] is contents)
                )
            )
            if self._closed:
                return False
            contents.waiting.append(found)
            self._waiting_characters += _size(found)
            self._changed.notify_all()
            return True


def _size(found: Document | DocumentUnreadable) -> int:
    return len(found.text) if isinstance(found, Document) else 1
