"""Which loader reads which file, and the one function that reads a file with all that it holds."""

import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.epub import load_epub
from ingest.loaders.excel import load_xlsx
from ingest.loaders.excel_binary import load_xls
from ingest.loaders.html import load_html
from ingest.loaders.json_export import load_json
from ingest.loaders.jsonl import load_jsonl
from ingest.loaders.kinds import LOCKED, PICTURE_ENDINGS, true_ending
from ingest.loaders.mail import load_eml
from ingest.loaders.markdown import load_markdown
from ingest.loaders.notebook import load_notebook
from ingest.loaders.opendocument import load_opendocument
from ingest.loaders.outline_markup import load_org, load_rst
from ingest.loaders.outlook import load_msg
from ingest.loaders.pdf import load_pdf
from ingest.loaders.picture import load_picture
from ingest.loaders.powerpoint import load_pptx
from ingest.loaders.powerpoint_binary import load_ppt
from ingest.loaders.rtf import load_rtf
from ingest.loaders.separated import load_csv
from ingest.loaders.source import Found, Limits, Loader, Part, SourceFile, StillReading
from ingest.loaders.text import load_text
from ingest.loaders.word import load_docx
from ingest.loaders.word_binary import load_doc
from ingest.loaders.xml_page import load_xml
from ingest.loaders.zip_archive import load_zip
from rag.errors import DocumentUnreadable

LOADERS: dict[str, Loader] = {
    ".md": load_markdown,
    ".markdown": load_markdown,
    ".html": load_html,
    ".htm": load_html,
    ".xhtml": load_html,
    ".xml": load_xml,
    ".txt": load_text,
    ".text": load_text,
    ".log": load_text,
    ".rst": load_rst,
    ".org": load_org,
    ".pdf": load_pdf,
    ".docx": load_docx,
    ".docm": load_docx,
    ".dotx": load_docx,
    ".doc": load_doc,
    ".rtf": load_rtf,
    ".pptx": load_pptx,
    ".pptm": load_pptx,
    ".ppsx": load_pptx,
    ".ppt": load_ppt,
    ".xlsx": load_xlsx,
    ".xlsm": load_xlsx,
    ".xls": load_xls,
    ".odt": load_opendocument,
    ".ods": load_opendocument,
    ".odp": load_opendocument,
    ".epub": load_epub,
    ".csv": load_csv,
    ".tsv": load_csv,
    ".tab": load_csv,
    ".json": load_json,
    ".jsonl": load_jsonl,
    ".ndjson": load_jsonl,
    ".ipynb": load_notebook,
    ".eml": load_eml,
    ".mht": load_eml,
    ".mhtml": load_eml,
    ".p7s": load_eml,
    ".msg": load_msg,
    ".zip": load_zip,
    **dict.fromkeys(PICTURE_ENDINGS, load_picture),
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
        raw = _read(source, limits)
    except DocumentUnreadable as error:
        yield error
    else:
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
                elif source.inside or self._skip == 0:
                    yield found
        except DocumentUnreadable as error:
            yield error
        except MemoryError:
            yield source.unreadable("too_much_memory")
        except _FOREIGN_ERRORS:
            yield source.unreadable("malformed")

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


def _is_decoration(error: DocumentUnreadable) -> bool:
    return error.details["reason"] in ("unsupported", "empty", "picture")


def _read(source: SourceFile, limits: Limits) -> bytes:
    try:
        status = source.path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise source.unreadable("unsupported")
        if status.st_size > limits.document_bytes:
            raise source.unreadable("too_large", f"{status.st_size / 1e6:.0f} MB")
        with source.path.open("rb") as file:
            raw = file.read(limits.document_bytes + 1)
    except OSError as error:
        raise source.unreadable(_reason(error)) from error
    if len(raw) > limits.document_bytes:  # it grew meanwhile, or has no size, like files under /proc
        raise source.unreadable("too_large")
    if not raw:
        raise source.unreadable("empty")
    return raw


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission"
    if isinstance(error, FileNotFoundError):
        return "gone"
    return "loop" if error.errno == errno.ELOOP else "device"
