"""Word's old binary format.  Source: [MS-DOC] 2.4.1, retrieving text."""

import re
import struct
from collections.abc import Iterator, Sequence

import olefile

from ingest.loaders.encoding import clean, decode_as_written
from ingest.loaders.fields import first_line, is_written_by_a_person, make_document
from ingest.loaders.plain_markup import table
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.schema import Document

_MAGIC = 0xA5EC
_MAGIC_95 = 0xA5DC  # Word 6 and 95: the text lies in one piece, in the code page of its language
_COMPLEX = 0x0004
_TEXT_95 = 0x18  # fcMin, fcMac: where the text begins and ends
_ENCRYPTED, _TABLE_IN_1 = 0x0100, 0x0200
_TEXT_LENGTHS = 0x4C  # ccpText, ccpFtn, ccpHdd, ccpMcr, ccpAtn, ccpEdn, ccpTxbx: characters of each story, in a row
_PIECES = 0x1A2  # fcClx, lcbClx
_COMPRESSED = 0x40000000
_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x15]*))?\x15")
_DEEPEST_FIELD = 8
_CELL_END = "\x07"


def load_doc(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of the file: its body, notes and text boxes."""
    del limits  # nothing in it that is read is packed
    if not raw.startswith(olefile.MAGIC):  # plain text with this ending
        text = decoded(source, raw)
        yield make_document(source, text, {"title": first_line(text)}, kind="doc")
        return
    with olefile.OleFileIO(raw) as compound:
        stream = compound.openstream("WordDocument").read()
        magic, flags = struct.unpack_from("<H8xH", stream)
        if flags & _ENCRYPTED:
            raise source.unreadable("encrypted")
        if magic == _MAGIC:
            tables = compound.openstream("1Table" if flags & _TABLE_IN_1 else "0Table").read()
            written = _stories(stream, "".join(_pieces(stream, tables)))
        elif magic == _MAGIC_95 and not flags & _COMPLEX:
            start, end = struct.unpack_from("<II", stream, _TEXT_95)
            written = decode_as_written(stream[start:end]) or ""
        else:
            raise source.unreadable("malformed")
        fields = _fields(compound)
    text = "\n\n".join(block for block in _blocks(written) if block)
    fields["title"] = fields["title"] or first_line(text)
    yield make_document(source, text, fields, kind="doc")


def _pieces(stream: bytes, tables: bytes) -> Iterator[str]:
    """Yield the stretches of text in their order, each in one of two encodings."""
    start, length = struct.unpack_from("<II", stream, _PIECES)
    clx = tables[start : start + length]
    position = 0
    while clx[position] == 1:  # formatting, which is passed over
        position += 3 + struct.unpack_from("<H", clx, position + 1)[0]
    (size,) = struct.unpack_from("<I", clx, position + 1)
    plan = clx[position + 5 : position + 5 + size]
    count = (size - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}I", plan)
    for number in range(count):
        (place,) = struct.unpack_from("<2xI", plan, 4 * (count + 1) + 8 * number)
        characters = ends[number + 1] - ends[number]
        if place & _COMPRESSED:
            begin = (place & ~_COMPRESSED) // 2
            yield stream[begin : begin + characters].decode("cp1252", "replace")
        else:
            yield stream[place : place + 2 * characters].decode("utf-16-le", "replace")


def _stories(stream: bytes, text: str) -> str:
    """Return the body, notes and text boxes, without the headers and comments between them."""
    lengths = struct.unpack_from("<7I", stream, _TEXT_LENGTHS)
    kept = []
    start = 0
    for number, length in enumerate(lengths):
        if number in (0, 1, 5, 6):
            kept.append(text[start : start + length])
        start += length
    return "\r".join(kept) if any(kept) else text


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs and tables; a table's cells end in a mark, and its rows in two."""
    for _ in range(_DEEPEST_FIELD):  # a link's address and a page number's formula go, what they show stays
        text, changed = _FIELD.subn(lambda found: found[1] or "", text)
        if not changed:
            break
    cells: list[str] = []
    for paragraph in re.split(f"(?<={_CELL_END})|[\r\x0c\x0e]", text):
        words = clean(paragraph.replace("\x0b", "\n").replace("\x1e", "-")).strip()
        if paragraph.endswith(_CELL_END):
            cells.append(words)
        elif words:
            yield table(_rows(cells))
            cells = []
            yield words
    yield table(_rows(cells))


def _rows(cells: Sequence[str]) -> list[Sequence[str]]:
    """Return the cells in rows, of the least width at which every row ends with an extra empty cell."""
    for width in range(1, len(cells)):
        if len(cells) % (width + 1) == 0 and not any(cells[width :: width + 1]):
            return [cells[start : start + width] for start in range(0, len(cells), width + 1)]
    return [cells] if cells else []


def _fields(compound: olefile.OleFileIO) -> dict[str, str]:
    meta = compound.get_metadata()
    encoding = f"cp{meta.codepage}" if isinstance(meta.codepage, int) and 0 < meta.codepage < 65000 else "utf-8"

    def words(value: object) -> str:
        try:
            return clean(value.decode(encoding, "replace") if isinstance(value, bytes) else "").strip()
        except LookupError:
            return ""

    saved = meta.last_saved_time
    return {
        "title": words(meta.title) if is_written_by_a_person(words(meta.title)) else "",
        "author": words(meta.author),
        "updated": saved.date().isoformat() if saved is not None else "",
    }
