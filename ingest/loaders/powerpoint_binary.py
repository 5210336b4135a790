"""PowerPoint's old binary format: the words, a page a slide."""

import re
import struct
from collections.abc import Iterator

import olefile

from ingest.loaders.encoding import clean
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.pages import join_pages
from ingest.loaders.source import Limits, SourceFile
from rag.schema import Document

# Kinds of records, [MS-PPT] 2.13.24
_CONTAINER_VERSION = 0xF
_SLIDE, _NOTES, _MAIN_MASTER, _SLIDE_LIST = 1006, 1008, 1016, 4080
_SLIDE_PERSIST = 1011
_TEXT_UTF16, _TEXT_BYTES = 4000, 4008
_DEEPEST_RECORD = 32


def load_ppt(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the words of a presentation in PowerPoint's old binary format, a page a slide."""
    del limits  # nothing in it is packed but pictures, which are not read
    with olefile.OleFileIO(raw) as compound:
        stream = compound.openstream("PowerPoint Document").read()
    slides = [text for text in (clean(slide).strip() for slide in _binary_slides(stream)) if text]
    text, fields = join_pages(slides)
    yield make_document(source, text, {**fields, "title": first_line(text)}, kind="ppt")


def _binary_slides(stream: bytes) -> Iterator[str]:
    """Yield each slide's words: those of its outline, and those of the boxes drawn on it."""
    outline: list[list[str]] = []
    drawn: list[list[str]] = []
    for path, kind, content in _records(stream, 0, len(stream), ()):
        if kind == _SLIDE_PERSIST and _SLIDE_LIST in path:
            outline.append([])
        elif kind == _SLIDE and not path:
            drawn.append([])
        elif kind in (_TEXT_UTF16, _TEXT_BYTES):
            words = content.decode("utf-16-le" if kind == _TEXT_UTF16 else "latin-1", "replace")
            if _SLIDE_LIST in path and outline:
                outline[-1].append(words)
            elif _SLIDE in path and drawn:
                drawn[-1].append(words)
    for number in range(max(len(outline), len(drawn))):
        parts = [*(outline[number : number + 1] or [[]])[0], *(drawn[number : number + 1] or [[]])[0]]
        yield "\n\n".join(dict.fromkeys(re.sub(r"[\r\v]", "\n", part) for part in parts))


def _records(
    stream: bytes, start: int, end: int, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], int, bytes]]:
    """Yield containers (without content) and atoms, in their order, with the kinds of the containers around them."""
    while start + 8 <= end:
        version, kind, length = struct.unpack_from("<HHI", stream, start)
        body, start = start + 8, start + 8 + length
        if kind in (_MAIN_MASTER, _NOTES):
            continue
        if version & 0xF == _CONTAINER_VERSION and len(path) < _DEEPEST_RECORD:
            yield path, kind, b""
            yield from _records(stream, body, min(start, end), (*path, kind))
        else:
            yield path, kind, stream[body : min(start, end)]
