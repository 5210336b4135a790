"""Chooses the loader for a file, and reads the file with all its parts."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ingest.loaders.fields import unread_days
from ingest.loaders.kinds import LOCKED, PICTURE_ENDINGS, true_ending
from ingest.loaders.source import INSIDE, Found, Limits, Loader, Part, SourceFile, StillReading, open_file, read_file
from rag.errors import DocumentUnreadable
from rag.schema import Document


def _lazy_loader(module: str, name: str) -> Loader:
    """Return a loader whose module is imported with the first file of its kind: all of them take half a second."""

    def load_first(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
        loader: Loader = getattr(import_module(f"ingest.loaders.{module}"), name)
        yield from loader(source, raw, limits)

    return load_first


_ENDINGS = {
    ("markdown", "load_markdown"): (".md", ".markdown", ".mdx"),
    ("markdown", "load_notebook"): (".ipynb",),
    ("html", "load_html"): (".html", ".htm", ".xhtml"),
    ("html", "load_xml"): (".xml",),
    ("text", "load_text"): (".txt", ".text", ".log"),
    ("text", "load_rtf"): (".rtf",),
    ("outline_markup", "load_rst"): (".rst",),
    ("outline_markup", "load_org"): (".org",),
    ("pdf", "load_pdf"): (".pdf",),
    ("word", "load_docx"): (".docx", ".docm", ".dotx"),
    ("word_binary", "load_doc"): (".doc",),
    ("powerpoint", "load_pptx"): (".pptx", ".pptm", ".ppsx"),
    ("powerpoint_binary", "load_ppt"): (".ppt",),
    ("excel", "load_xlsx"): (".xlsx", ".xlsm"),
    ("excel", "load_xls"): (".xls",),
    ("opendocument", "load_opendocument"): (".odt", ".ods", ".odp"),
    ("epub", "load_epub"): (".epub",),
    ("sheet", "load_csv"): (".csv", ".tsv", ".tab"),
    ("records", "load_json"): (".json",),
    ("records", "load_jsonl"): (".jsonl", ".ndjson"),
    ("mail", "load_eml"): (".eml", ".mht", ".mhtml", ".p7s"),
    ("outlook", "load_msg"): (".msg",),
    ("package", "load_zip"): (".zip",),
    ("picture", "load_picture"): tuple(PICTURE_ENDINGS),
}
"""Of each loader: its module, its name, and the endings of its files in lower case."""

LOADERS = {ending: _lazy_loader(*loader) for loader, endings in _ENDINGS.items() for ending in endings}
"""By the file name's ending."""

_FOREIGN_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What libraries raise for malformed files; lxml's errors are ``SyntaxError``."""


def is_supported(path: Path) -> bool:
    """Tell whether some loader reads files of this name."""
    return path.suffix.lower() in LOADERS


def load(path: Path, root: Path, limits: Limits, *, skip: int = 0) -> Iterator[Found]:
    """Yield the documents of a file below ``root``, and an error for the file or each part that cannot be read.

    ``document_id`` is the path below the root, or a row's own id.  Nothing is raised for a bad file.  With ``skip`` the
    file's own document and its first parts are left out.
    """
    source = SourceFile(path, root)
    try:
        if not is_supported(path):
            raise source.unreadable("unsupported")
        descriptor = open_file(source, limits)
    except DocumentUnreadable as error:
        yield error
        return
    try:
        yield from load_open_file(source, descriptor, limits, skip=skip)
    finally:
        os.close(descriptor)


def load_open_file(source: SourceFile, descriptor: int, limits: Limits, *, skip: int = 0) -> Iterator[Found]:
    """Like ``load``, for an open file; ``source`` only gives the names."""
    try:
        raw = read_file(source, descriptor, limits)
    except DocumentUnreadable as error:
        yield error
        return
    is_told = skip > 0
    for found in _Unpacking(limits, skip).load(source, raw):
        is_told = is_told or not isinstance(found, StillReading)
        yield found
    if not is_told:  # an archive of nothing, a mail of decoration
        yield source.unreadable("empty")


class _Unpacking:
    """Reads one file, and counts its parts and their bytes against the limits."""

    def __init__(self, limits: Limits, skip: int) -> None:
        self._limits = limits
        self._skip = skip
        self._parts_begun = 0
        self._parts = 0
        self._bytes = 0

    def load(self, source: SourceFile, raw: bytes) -> Iterator[Found]:
        """Yield the documents of the content and of its parts."""
        try:
            ending = true_ending(source.name, raw)
            if ending == LOCKED:
                raise source.unreadable("encrypted")
            if ending not in LOADERS:
                raise source.unreadable("unsupported")
            for found in LOADERS[ending](source, raw, self._limits):
                if isinstance(found, Part):
                    yield from self._load_part(source, found)
                elif source.inside or self._skip == 0 or isinstance(found, StillReading):
                    yield found
                    yield from _unread_days(source, found)
        except DocumentUnreadable as error:
            yield error
        except MemoryError:
            yield source.unreadable("too_much_memory")
        except _FOREIGN_ERRORS as error:
            yield source.unreadable("too_much_memory" if _lacks_memory(error) else "malformed")

    def _load_part(self, source: SourceFile, part: Part) -> Iterator[Found]:
        inner = source.part(part.name)
        self._parts += 1
        self._bytes += len(part.raw)
        if self._parts > self._limits.parts:
            raise source.unreadable("too_many")
        if self._bytes > self._limits.unpacked_bytes:
            raise source.unreadable("bomb")
        if not source.inside:
            if self._parts_begun < self._skip:
                self._parts_begun += 1
                return
            yield StillReading(part.name)
        if len(inner.inside) > self._limits.depth:
            yield inner.unreadable("too_deep")
            return
        if not part.raw:
            found: Iterator[Found] = iter([inner.unreadable("empty")])
        else:
            found = self.load(inner, part.raw)
        for item in found:
            if not (part.quiet and isinstance(item, DocumentUnreadable) and _is_decoration(item)):
                yield item


def _lacks_memory(error: Exception) -> bool:
    """Tell whether lxml's error about malformed XML is really a lack of memory."""
    return any(entry.type_name == "ERR_NO_MEMORY" for entry in getattr(error, "error_log", None) or ())


def _unread_days(source: SourceFile, found: Found) -> Iterator[DocumentUnreadable]:
    """Yield an error for each date in a document's validity that cannot be read; the document itself is kept."""
    if isinstance(found, Document):
        row = found.document_id.removeprefix(source.document_id).removeprefix(INSIDE)
        for day in unread_days(found):
            yield source.unreadable("term", ", ".join(filter(None, [row, day])))


def _is_decoration(error: DocumentUnreadable) -> bool:
    return error.details["reason"] in ("unsupported", "empty", "picture")
