"""Plain text in whatever encoding it comes."""

from collections.abc import Iterator

from ingest.loaders.encoding import decode, looks_binary
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.source import Limits, SourceFile
from rag.schema import Document


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
