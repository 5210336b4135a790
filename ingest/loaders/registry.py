"""Which loader reads which file, and the one function that reads a file."""

import errno
import stat
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.html import load_html
from ingest.loaders.jsonl import load_jsonl
from ingest.loaders.markdown import load_markdown
from ingest.loaders.pdf import load_pdf
from ingest.loaders.source import Limits, Loader, SourceFile
from ingest.loaders.text import load_text
from rag.errors import DocumentUnreadable
from rag.schema import Document

LOADERS: dict[str, Loader] = {
    ".md": load_markdown,
    ".markdown": load_markdown,
    ".html": load_html,
    ".htm": load_html,
    ".xhtml": load_html,
    ".txt": load_text,
    ".text": load_text,
    ".pdf": load_pdf,
    ".jsonl": load_jsonl,
    ".ndjson": load_jsonl,
}
"""By the file name's ending, in lower case."""


def is_supported(path: Path) -> bool:
    """Tell whether some loader reads files of this name."""
    return path.suffix.lower() in LOADERS


def load(path: Path, root: Path, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the documents of a file below ``root``, and an error for the file or each part that cannot be read.

    ``document_id`` is the path below the root, or a row's own id.  Nothing is raised for a bad file.
    """
    source = SourceFile(path, root)
    try:
        if not is_supported(path):
            raise source.unreadable("unsupported")
        yield from LOADERS[path.suffix.lower()](source, _read(source, limits))
    except DocumentUnreadable as error:
        yield error


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
