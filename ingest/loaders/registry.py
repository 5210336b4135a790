"""Which loader reads which file, and the one function that reads a file with all that it holds."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ingest.loaders.fields import unread_days
from ingest.loaders.kinds import LOCKED, PICTURE_ENDINGS, true_ending
from ingest.loaders.opening import open_file, read_file
from ingest.loaders.source import INSIDE, Found, Limits, Loader, Part, SourceFile, StillReading
from rag.errors import DocumentUnreadable
from rag.schema import Document


def _later(module: str, name: str) -> Loader:
    """Return a loader whose module is imported with the first such file: all together they take half a second."""

    def load_first(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
        loader: Loader = getattr(import_module(f"ingest.loaders.{module}"), name)
        yield from loader(source, raw, limits)

    return load_first


LOADERS: dict[str, Loader] = {
    ".md": _later("markdown", "load_markdown"),
    ".markdown": _later("markdown", "load_markdown"),
    ".mdx": _later("markdown", "load_markdown"),
    ".html": _later("html", "load_html"),
    ".htm": _later("html", "load_html"),
    ".xhtml": _later("html", "load_html"),
    ".xml": _later("xml_page", "load_xml"),
    ".txt": _later("text", "load_text"),
    ".text": _later("text", "load_text"),
    ".log": _later("text", "load_text"),
    ".rst": _later("outline_markup", "load_rst"),
    ".org": _later("outline_markup", "load_org"),
    ".pdf": _later("pdf", "load_pdf"),
    ".docx": _later("word", "load_docx"),
    ".docm": _later("word", "load_docx"),
    ".dotx": _later("word", "load_docx"),
    ".doc": _later("word_binary", "load_doc"),
    ".rtf": _later("rtf", "load_rtf"),
    ".pptx": _later("powerpoint", "load_pptx"),
    ".pptm": _later("powerpoint", "load_pptx"),
    ".ppsx": _later("powerpoint", "load_pptx"),
    ".ppt": _later("powerpoint_binary", "load_ppt"),
    ".xlsx": _later("excel", "load_xlsx"),
    ".xlsm": _later("excel", "load_xlsx"),
    ".xls": _later("excel", "load_xls"),
    ".odt": _later("opendocument", "load_opendocument"),
    ".ods": _later("opendocument", "load_opendocument"),
    ".odp": _later("opendocument", "load_opendocument"),
    ".epub": _later("epub", "load_epub"),
    ".csv": _later("separated", "load_csv"),
    ".tsv": _later("separated", "load_csv"),
    ".tab": _later("separated", "load_csv"),
    ".json": _later("json_export", "load_json"),
    ".jsonl": _later("json_export", "load_jsonl"),
    ".ndjson": _later("json_export", "load_jsonl"),
    ".ipynb": _later("notebook", "load_notebook"),
    ".eml": _later("mail", "load_eml"),
    ".mht": _later("mail", "load_eml"),
    ".mhtml": _later("mail", "load_eml"),
    ".p7s": _later("mail", "load_eml"),
    ".msg": _later("outlook", "load_msg"),
    ".zip": _later("zip_archive", "load_zip"),
    **dict.fromkeys(PICTURE_ENDINGS, _later("picture", "load_picture")),
}
"""By the file name's ending, in lower case."""

_FOREIGN_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What libraries raise about files that are not as they should be; lxml's errors are ``SyntaxError``."""


def is_supported(path: Path) -> bool:
    """Tell whether some loader reads files of this name."""
    return path.suffix.lower() in LOADERS


def load(path: Path, root: Path, limits: Limits, *, skip: int = 0) -> Iterator[Found]:
    """Yield the documents of a file below ``root``, and an error for the file or each part that cannot be read.

    ``document_id`` is the path below the root, or a row's own id.  Nothing is raised for a bad file.  ``skip`` is how
    many of the file's parts were read before: they and its own document are left out.
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
    """Yield what ``load`` does, of a file that is open; nothing is opened, and ``source`` only gives the names."""
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
    """One file on its way to documents, with the count of what came out of it so far."""

    def __init__(self, limits: Limits, skip: int) -> None:
        self._limits = limits
        self._skip = skip
        self._parts_begun = 0
        self._parts = 0
        self._bytes = 0

    def load(self, source: SourceFile, raw: bytes) -> Iterator[Found]:
        """Yield what the content holds, and what the parts of it hold."""
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
    """Tell whether lxml means that it got no memory when it says that the XML is wrong."""
    return any(entry.type_name == "ERR_NO_MEMORY" for entry in getattr(error, "error_log", None) or ())


def _unread_days(source: SourceFile, found: Found) -> Iterator[DocumentUnreadable]:
    """Yield what is said of a document that is read, but for the day on which its rule begins or ends."""
    if isinstance(found, Document):
        row = found.document_id.removeprefix(source.document_id).removeprefix(INSIDE)
        for day in unread_days(found):
            yield source.unreadable("term", ", ".join(filter(None, [row, day])))


def _is_decoration(error: DocumentUnreadable) -> bool:
    return error.details["reason"] in ("unsupported", "empty", "picture")
