"""Plain text in whatever encoding it comes, and Rich Text Format."""

import re
from collections.abc import Iterator

from ingest.loaders.encoding import clean, decode, looks_binary
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.source import Limits, SourceFile
from rag.schema import Document

_RTF_TITLE = re.compile(rb"\{\\title ([^{}\\]{1,200})\}")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def load_text(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of a text file.  Its title is the first line if that is short, else the file's name."""
    del limits  # the file's size is checked before it is read
    content = decoded(source, raw)
    yield make_document(source, content, {"title": first_line(content)}, kind="text")


def decoded(source: SourceFile, raw: bytes) -> str:
    """Return the text of a file that should be text.  Raises ``DocumentUnreadable`` where it is none."""
    if looks_binary(raw):
        raise source.unreadable("malformed")
    content = decode(raw)
    if content is None:
        raise source.unreadable("encoding")
    return content


def load_rtf(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of the file.  Its title is the declared one, else the first line."""
    del limits  # it has no packed parts that would be read
    if not raw.lstrip().startswith(b"{\\rtf"):
        raise source.unreadable("malformed")
    text = rtf_text(raw)
    declared = _RTF_TITLE.search(raw)
    title = declared[1].decode("ascii", "replace") if declared is not None else first_line(text)
    yield make_document(source, text, {"title": title}, kind="rtf")


def rtf_text(raw: bytes) -> str:
    """Return the words; paragraphs are lines, cells of a table are separated by bars."""
    from striprtf.striprtf import rtf_to_text

    # RTF is ASCII with escapes; Latin-1 keeps stray bytes one to one, and the code page decodes the escapes
    text = clean(rtf_to_text(raw.decode("latin-1"), errors="replace"))
    return _BLANK_LINES.sub("\n\n", text).strip()
