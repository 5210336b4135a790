"""The input and output of loaders: a file, opened without following links, and limits; documents, parts and errors.

Only the process that ingests opens files; the reading process gets the descriptor and no path.  Someone who
can write into a folder could replace a file by a link after discovery, so each folder on the way to it is opened by
itself, without following links.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

from rag.errors import DocumentUnreadable
from rag.schema import Document

if TYPE_CHECKING:
    from rag.settings import Settings  # takes an eighth of a second, which the reading process can do without

INSIDE = "!/"
"""Stands in a ``document_id`` between a container and what it holds: ``mail.eml!/invoice.pdf``."""

REPEATED = 5
"""A picture in this many places of one document is a logo or an ornament."""

IDLE_ENGINE_BYTES = 3_000_000_000
"""Address space of an engine for pictures: 2.4 GB after the first one, 3.1 GB after some; a third lies in memory."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file below the ingested folder, both absolute; or a part ``inside`` that file, by its names.

    ``place`` is the path without links where discovery found the file: it is opened there, or not at all.
    """

    path: Path
    root: Path
    inside: tuple[str, ...] = ()
    place: Path | None = None

    @property
    def document_id(self) -> str:
        """The path below the root with forward slashes: ``returns/deadline.md``, ``mail.eml!/invoice.pdf``."""
        return INSIDE.join([self.path.relative_to(self.root).as_posix(), *self.inside])

    @property
    def name(self) -> PurePosixPath:
        """The name of the file, or of the innermost part."""
        return PurePosixPath(self.inside[-1]) if self.inside else PurePosixPath(self.path.name)

    def part(self, name: str) -> Self:
        """Return a file inside this one."""
        return type(self)(self.path, self.root, (*self.inside, name))

    def unreadable(self, reason: str, where: str = "") -> DocumentUnreadable:
        """Make the error that names this file; ``reason`` is a key of its reasons in the catalogue."""
        place = ", ".join(filter(None, [INSIDE.join(self.inside), where]))
        return DocumentUnreadable(path=str(self.path), reason=reason, where=place)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for one file, each a setting; the worker gets them as JSON.

    ``unpacked_bytes``, ``parts`` and ``depth`` bound the packed content of a file, all levels together.  A ``part`` is
    a file in an archive, an attachment or a row of an export.  ``ocr_pages`` is how many pages and pictures of one
    document get optical character recognition, ``figures`` how many of its pictures are kept; with 0, as for a
    customer's file, the words in them are plain text.  ``memory_bytes`` is the reading process's address space, which
    grows to ``ocr_memory_bytes`` during recognition.  ``passwords`` are tried in turn on locked files.
    """

    document_bytes: int = 50_000_000
    unpacked_bytes: int = 500_000_000
    parts: int = 10_000
    depth: int = 4
    ocr_pages: int = 100
    figures: int = 0
    picture_pixels: int = 100_000_000
    memory_bytes: int = 1_000_000_000
    ocr_memory_bytes: int = 6_144_000_000
    passwords: tuple[str, ...] = ()

    @property
    def part_bytes(self) -> int:
        """The largest part of a document to read: parsed XML takes seven to seventeen times its size."""
        return self.memory_bytes * 15 // 100

    @property
    def most_memory_bytes(self) -> int:
        """The most memory that the reading process may take."""
        looks = self.ocr_pages or self.figures
        return max(self.memory_bytes, self.ocr_memory_bytes) if looks else self.memory_bytes

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Return the limits that are set.  Raises ``SettingsError`` where the file of passwords cannot be read."""
        return cls(
            document_bytes=settings.document_limit_megabytes * 1_000_000,
            unpacked_bytes=settings.unpacked_limit_megabytes * 1_000_000,
            parts=settings.archive_limit_entries,
            depth=settings.archive_limit_depth,
            ocr_pages=settings.ocr_limit_pages,
            figures=settings.figure_limit,
            picture_pixels=settings.picture_limit_megapixels * 1_000_000,
            memory_bytes=settings.reading_memory_megabytes * 1_000_000,
            ocr_memory_bytes=settings.ocr_memory_megabytes * 1_000_000,
            passwords=settings.document_passwords(),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A file inside another: a member of an archive, an attachment.  The registry reads it next.

    ``quiet`` parts without text or of an unknown kind are not reported: decoration in a mail.
    """

    name: str
    raw: bytes
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StillReading:
    """Yielded after each page that takes seconds, so that a long scan is not taken for an endless loop.

    ``part`` names the part of the file that begins now, if any: where it fails, reading can go on after it.
    """

    part: str = ""


@dataclass(frozen=True, slots=True)
class PictureAhead(StillReading):
    """Yielded before a picture is unpacked and recognised, which takes gigabytes; another item follows it."""


@dataclass(frozen=True, slots=True)
class KeptFigure(StillReading):
    """Yielded for each kept picture of a document, before the document: a WebP without metadata."""

    content: bytes = b""


Found = Document | DocumentUnreadable | StillReading
Loader = Callable[[SourceFile, bytes, Limits], Iterator[Found | Part]]
"""Turns one file's content into documents and parts; raises ``DocumentUnreadable`` for the file, yields it for a part.

Libraries for a single format are imported in the loader: reading Markdown need not wait for a spreadsheet's.
"""


_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # a pipe would wait for its writer


def open_file(source: SourceFile, limits: Limits) -> int:
    """Return a descriptor of the file, for reading; the caller closes it.

    Raises ``DocumentUnreadable`` where it is no file, too large, out of reach, or was replaced since discovery.
    """
    try:
        descriptor = _open_without_links(source.place or Path(os.path.realpath(source.path)))
    except OSError as error:
        was_replaced = source.place is not None and error.errno in (errno.ELOOP, errno.ENOTDIR)
        raise source.unreadable("replaced" if was_replaced else _reason(error)) from error
    try:
        _check(source, descriptor, limits)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_file(source: SourceFile, descriptor: int, limits: Limits) -> bytes:
    """Return the content of an open file; the descriptor stays open.

    Raises ``DocumentUnreadable`` where it is empty, larger than allowed, or the disk fails.
    """
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            raw = file.read(limits.document_bytes + 1)
    except OSError as error:
        raise source.unreadable(_reason(error)) from error
    if len(raw) > limits.document_bytes:  # it grew meanwhile, or has no size, like files under /proc
        raise source.unreadable("too_large")
    if not raw:
        raise source.unreadable("empty")
    return raw


def _open_without_links(path: Path) -> int:
    """Open an absolute path; a link anywhere in it is an error, ELOOP or ENOTDIR."""
    folder = os.open(path.anchor, os.O_PATH | os.O_DIRECTORY)
    try:
        for name in path.parts[1:-1]:
            inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name, _READ | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _check(source: SourceFile, descriptor: int, limits: Limits) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise source.unreadable("unsupported")
    if status.st_size > limits.document_bytes:
        raise source.unreadable("too_large", f"{status.st_size / 1e6:.0f} MB")


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission"
    if isinstance(error, FileNotFoundError):
        return "gone"
    return "loop" if error.errno == errno.ELOOP else "device"
