"""Bytes to text: byte order marks, UTF-8, GB18030, Big5, UTF-16 and UTF-32, and what charset-normalizer can tell."""

import codecs
import logging
import re
from collections.abc import Callable

from charset_normalizer import from_bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY_BEGINNINGS = (
    b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x7fELF", b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0", b"7z\xbc\xaf", b"Rar!", b"BM", b"MZ", b"SQLite format 3",
)  # fmt: skip
_SAMPLE_BYTES = 64 * 1024
_COMMON_SHARE = 0.7
_ACCENTED_SHARE = 0.3
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")


def decode(raw: bytes) -> str | None:
    """Return the text with uniform line ends, without control characters; None where no encoding fits.

    >>> decode("退货期限".encode("gb18030")), decode("退貨期限".encode("big5")), decode("Crème brûlée".encode("cp1252"))
    ('退货期限', '退貨期限', 'Crème brûlée')
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return clean(raw.decode(encoding, "replace"))
    try:
        return clean(raw.decode("utf-8"))
    except UnicodeDecodeError:
        text = _decode_legacy(raw)
        return None if text is None else clean(text)


def clean(text: str) -> str:
    """End lines with a line feed alone; drop control characters, and halves of surrogate pairs: UTF-8 has none."""
    return _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))


def looks_binary(raw: bytes) -> bool:
    """Tell whether the content begins like a picture, an archive, a program or a PDF."""
    if raw.startswith((b"BM", b"MZ")):  # two letters are a short mark: real ones have zeros soon after
        return b"\x00" in raw[:16]
    return raw.startswith(_BINARY_BEGINNINGS)


def _decode_legacy(raw: bytes) -> str | None:
    if b"\x00" in raw:
        return _decode_wide(raw)
    slightly_damaged = raw.decode("utf-8", "replace")
    foreign = sum(1 for character in slightly_damaged if ord(character) > 0x7F)
    if slightly_damaged.count("\ufffd") * 20 < foreign:
        return slightly_damaged
    return _decode_chinese(raw) or _decode_western(raw) or _decode_guessed(raw)


def _decode_wide(raw: bytes) -> str | None:
    """Decode UTF-16 or UTF-32 without a mark: the reading in which most characters are ordinary, if any is."""
    best: tuple[float, str] = (0.0, "")
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        sample = text[:4096]
        ordinary = sum(1 for character in sample if _is_ordinary(character)) / max(len(sample), 1)
        best = max(best, (ordinary, text))
    return best[1] if best[0] >= _COMMON_SHARE else None


def _is_ordinary(character: str) -> bool:
    code = ord(character)
    return character in "\n\r\t" or 0x20 <= code < 0x250 or 0x3000 <= code < 0x9FFF or 0xFF00 <= code < 0xFFEF


def _decode_chinese(raw: bytes) -> str | None:
    """Tell GB18030 and Big5 apart by how many byte pairs are common characters of each: sure from ten on."""
    gb18030 = _pair_share(raw, lambda lead: 0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3)  # GB 2312's first level
    big5 = _pair_share(raw, lambda lead: 0xA4 <= lead <= 0xC6 or lead == 0xA1)  # Big5's first level
    readings = sorted([(gb18030, "gb18030"), (big5, "big5hkscs")], reverse=True)
    for share, encoding in readings:
        if share >= _COMMON_SHARE:
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                continue
    return None


def _pair_share(raw: bytes, is_common: Callable[[int], bool]) -> float:
    pairs = common = position = 0
    sample = raw[:_SAMPLE_BYTES]
    while position < len(sample):
        lead = sample[position]
        if lead < 0x80:
            position += 1
            continue
        pairs += 1
        common += is_common(lead)
        position += 2
    return common / max(pairs, 1)


def _decode_western(raw: bytes) -> str | None:
    """Read Windows' Western code page where few letters have accents: too few bytes for statistics to tell."""
    sample = raw[:_SAMPLE_BYTES]
    if sum(byte >= 0x80 for byte in sample) > _ACCENTED_SHARE * len(sample.replace(b" ", b"")):
        return None
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return None


def _decode_guessed(raw: bytes) -> str | None:
    logging.getLogger("charset_normalizer").setLevel(logging.WARNING)
    best = from_bytes(raw[:_SAMPLE_BYTES]).best()
    if best is None:
        return None
    try:
        return raw.decode(best.encoding)
    except UnicodeDecodeError:
        return None
