"""PowerPoint's old binary format: the words, a page a slide.  Source: [MS-PPT]."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import olefile

from ingest.loaders.encoding import clean
from ingest.loaders.fields import first_line, make_document
from ingest.loaders.plain_markup import join_pages
from ingest.loaders.source import Limits, SourceFile
from rag.schema import Document

_ENCRYPTED_TOKEN = 0xF3D1C4DF  # 2.3.2, CurrentUserAtom
_CONTAINER = 0xF
_OF_SLIDES = 0  # 2.4.14.3: the instance of a list of slides; those of masters and notes have others
_DOCUMENT, _SLIDE, _NOTES, _MASTER, _SLIDE_LIST = 1000, 1006, 1008, 1016, 4080  # 2.13.24, kinds of records
_SLIDE_PLACE, _PLACES = 1011, 6002
_TEXT_UTF16, _TEXT_BYTES = 4000, 4008
_DEEPEST_RECORD = 32
_FIELDS = ("*", "")  # what stands for a date or a number until the slide is shown


def load_ppt(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of the presentation.  Its title is the first line, else the file's name."""
    del limits  # nothing in it is packed but pictures, which are not read
    with olefile.OleFileIO(raw) as compound:
        user = compound.openstream("Current User").read() if compound.exists("Current User") else b""
        if len(user) >= 16 and struct.unpack_from("<I", user, 12)[0] == _ENCRYPTED_TOKEN:
            raise source.unreadable("encrypted")
        stream = compound.openstream("PowerPoint Document").read()
    text, fields = join_pages([_slide_text(words) for words in _slides(stream)])
    yield make_document(source, text, {**fields, "title": first_line(text)}, kind="ppt")


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    instance: int
    path: tuple[int, ...]
    content: bytes


def _slides(stream: bytes) -> Iterator[list[str]]:
    """Yield each slide's words in presentation order: those of its outline, then those of its boxes."""
    places = _places(stream)
    slides: list[tuple[int, list[str]]] = []
    for record in _records(stream, 0, len(stream), ()):
        if record.kind == _DOCUMENT:
            slides = []  # saved again: the last one counts
        in_outline = _SLIDE_LIST in record.path
        if in_outline and record.kind == _SLIDE_PLACE:
            slides.append((struct.unpack_from("<I", record.content)[0], []))
        elif in_outline and slides and record.kind in (_TEXT_UTF16, _TEXT_BYTES):
            slides[-1][1].append(_words(record))
    for number, outline in slides:
        start = places.get(number, len(stream))
        boxes = [_words(record) for record in _slide_parts(stream, start) if record.kind in (_TEXT_UTF16, _TEXT_BYTES)]
        yield [*outline, *boxes]


def _places(stream: bytes) -> dict[int, int]:
    """Return the offsets of objects in the stream, by their numbers; later saves replace earlier ones."""
    places: dict[int, int] = {}
    for record in _records(stream, 0, len(stream), ()):
        if record.kind != _PLACES or record.path:
            continue
        position = 0
        while position + 4 <= len(record.content):
            (run,) = struct.unpack_from("<I", record.content, position)
            first, count = run & 0xFFFFF, run >> 20
            offsets = struct.unpack_from(f"<{count}I", record.content, position + 4)
            places.update(enumerate(offsets, start=first))
            position += 4 + 4 * count
    return places


def _slide_parts(stream: bytes, start: int) -> Iterator[_Record]:
    """Yield the records of the slide at an offset; none where there is no slide."""
    if start + 8 <= len(stream):
        _, kind, length = struct.unpack_from("<HHI", stream, start)
        if kind == _SLIDE:
            yield from _records(stream, start + 8, min(start + 8 + length, len(stream)), (_SLIDE,))


def _records(stream: bytes, start: int, end: int, path: tuple[int, ...]) -> Iterator[_Record]:
    """Yield containers (without content) and atoms, in their order, with the kinds of the containers around them."""
    while start + 8 <= end:
        version, kind, length = struct.unpack_from("<HHI", stream, start)
        body, start = start + 8, start + 8 + length
        instance = version >> 4
        if kind in (_MASTER, _NOTES) or (kind == _SLIDE_LIST and instance != _OF_SLIDES):
            continue
        if version & 0xF == _CONTAINER and len(path) < _DEEPEST_RECORD:
            yield _Record(kind, instance, path, b"")
            yield from _records(stream, body, min(start, end), (*path, kind))
        else:
            yield _Record(kind, instance, path, stream[body : min(start, end)])


def _words(record: _Record) -> str:
    return record.content.decode("utf-16-le" if record.kind == _TEXT_UTF16 else "latin-1", "replace")


def _slide_text(parts: list[str]) -> str:
    words = (clean(re.sub(r"[\r\v]", "\n", part)).strip() for part in parts)
    return "\n\n".join(part for part in dict.fromkeys(words) if part not in _FIELDS)
