"""What every loader is given, a file's content and limits, and what it may yield."""

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
"""Places of one document from which on a picture in all of them is a logo or an ornament."""

IDLE_ENGINE_BYTES = 3_000_000_000
"""Address space of an engine for pictures: 2.4 GB after the first one, 3.1 GB after some; a third lies in memory."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file below the folder that was given to ingest, both absolute; or one ``inside`` it, by its names.

    ``place`` is where discovery saw that the file lies, without links: from there it is opened, or not at all.
    """

    path: Path
    root: Path
    inside: tuple[str, ...] = ()
    place: Path | None = None

    @property
    def document_id(self) -> str:
        """Path below the root with forward slashes: ``returns/deadline.md``, ``mail.eml!/invoice.pdf``."""
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
    """How much of one file is read.  Every limit is a setting; the worker gets them as JSON.

    ``unpacked_bytes``, ``parts`` and ``depth`` are for what a file holds packed, all of it together.  A ``part`` is a
    file in an archive, an attachment or a row of an export.  ``ocr_pages`` are pages and pictures in one document of
    which words are read by looking; 0 for none.  ``figures`` are pictures of one document that are kept; 0, as in a
    customer's file, for none: then the words in them are text like any other.  ``memory_bytes`` is the reading
    process's address space, which grows to ``ocr_memory_bytes`` while it looks at a picture.  ``passwords`` are tried
    in turn on locked files.
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
        """The largest part of a document that is read: XML takes seven to seventeen times its size as a tree."""
        return self.memory_bytes * 15 // 100

    @property
    def most_memory_bytes(self) -> int:
        """What the reading process may take at the most."""
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
    """A file inside the one that is read: a member of an archive, an attachment.  The registry reads it in its turn.

    ``quiet`` parts may be without text or of an unknown kind and nobody is told: decoration in a mail.
    """

    name: str
    raw: bytes
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StillReading:
    """Yielded after each page that takes seconds, so that a long scan is not taken for an endless one.

    ``part`` names the part of the file that is begun now, if one is: who loses it can go on after it.
    """

    part: str = ""


@dataclass(frozen=True, slots=True)
class PictureAhead(StillReading):
    """Yielded before a picture is unpacked and read, which takes gigabytes; another item follows when it is done."""


@dataclass(frozen=True, slots=True)
class FigureKept(StillReading):
    """Yielded for each picture of a document that is kept, before the document: a WebP without metadata."""

    content: bytes = b""


Found = Document | DocumentUnreadable | StillReading
Loader = Callable[[SourceFile, bytes, Limits], Iterator[Found | Part]]
"""Turns one file's content into documents and parts; raises ``DocumentUnreadable`` for the file, yields it for a part.

Libraries for one format alone are imported in the loader: who reads Markdown need not wait for a spreadsheet's.
"""
