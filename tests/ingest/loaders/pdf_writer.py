"""Writes small PDF files: lines of text at given places, also in fonts that map ideographs to radicals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Words at a place of the page, in points from the lower left corner."""

    text: str
    left: float = 50
    bottom: float = 700
    size: float = 10


def pdf_bytes(
    pages: Sequence[Sequence[Words]], *, info: Mapping[str, str] | None = None, locked: bool = False
) -> bytes:
    """Return a file of the pages.  ``locked`` gives it a password that nobody knows."""
    objects: list[bytes] = [b"", b"", _font(), _unicode_map("".join(words.text for page in pages for words in page))]
    kids = []
    for page in pages:
        stream = b"\n".join(_draw(words) for words in page)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    trailer = b"/Root 1 0 R"
    if info:
        entries = b" ".join(b"/%s <%s>" % (key.encode(), _utf16(value)) for key, value in info.items())
        objects.append(b"<< %s >>" % entries)
        trailer += b" /Info %d 0 R" % len(objects)
    if locked:
        objects.append(b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32))
        trailer += b" /Encrypt %d 0 R /ID [<41> <41>]" % len(objects)
    return _file(objects, trailer)


def _draw(words: Words) -> bytes:
    codes = "".join(f"{ord(character):04x}" for character in words.text)
    return f"BT /F1 {words.size} Tf 1 0 0 1 {words.left} {words.bottom} Tm <{codes}> Tj ET".encode("ascii")


def _font() -> bytes:
    return (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Test /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts "
        b"[<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Test /CIDSystemInfo << /Registry (Adobe) /Ordering "
        b"(Identity) /Supplement 0 >> /DW 500 >>] >>"
    )


def _unicode_map(text: str) -> bytes:
    """Map every code to the character of the same number."""
    pairs = "\n".join(f"<{ord(character):04x}> <{ord(character):04x}>" for character in sorted(set(text)))
    stream = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        "1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        f"{len(set(text))} beginbfchar\n{pairs}\nendbfchar endcmap end end"
    ).encode("ascii")
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)


def _utf16(text: str) -> bytes:
    return (b"\xfe\xff" + text.encode("utf-16-be")).hex().encode("ascii")


def _file(objects: Sequence[bytes], trailer: bytes) -> bytes:
    written = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table_at = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer << /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, table_at)
    return bytes(written)
