"""Plain text in whatever encoding it comes."""

from collections.abc import Iterator

from ingest.loaders.encoding import decode, looks_binary
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.source import SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document


def load_text(source: SourceFile, raw: bytes) -> Iterator[Document | DocumentUnreadable]:
    """Yield the one document of a text file.  Its title is the first line if that is short, else the file's name."""
    if looks_binary(raw):
        raise source.unreadable("malformed")
    content = decode(raw)
    if content is None:
        raise source.unreadable("encoding")
    yield make_document(source, content, {"title": first_line(content)}, kind="text")
