"""Decodes bytes: byte order marks, UTF-8, UTF-16, UTF-32, East Asian encodings, else charset-normalizer's guess."""

import codecs
import logging
import re
from collections.abc import Callable

from charset_normalizer import from_bytes

from rag.text.characters import squeezed

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
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift-jis": "cp932", "euc-kr": "cp949"}
_WESTERN = ("iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "us-ascii", "ascii")
_SAMPLE_BYTES = 64 * 1024
_COMMON_SHARE = 0.7
_ZEROS_SHARE = 0.2
_ACCENTED_SHARE = 0.3
_ISOLATED_LETTER = re.compile(rb"(?<=[A-Za-z])[\x80-\xff](?=[A-Za-z ,.])")
_ESCAPES = (
    (b"\x1b$B", "iso2022_jp"), (b"\x1b$@", "iso2022_jp"), (b"\x1b$)C", "iso2022_kr"), (b"~{", "hz"),
)  # fmt: skip
_KANA = re.compile("[\u3040-\u30ff]")
_HALF_WIDTH_KANA = re.compile("[\uff61-\uff9f]")
_KANA_SHARE = 0.25
_SYLLABLE = re.compile("[\uac00-\ud7a3]")
_SYLLABLE_SHARE = 0.9
_COMMON_SYLLABLE = re.compile("[이다는에의가을를로고하은지기한사도리서인어자시해주세요니습]")
_COMMON_SYLLABLE_SHARE = 0.2
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")


def decode(raw: bytes) -> str | None:
    """Return the text with uniform line ends, without control characters; None where no encoding fits.

    >>> decode("退货期限".encode("gb18030")), decode("退貨期限".encode("big5")), decode("Crème brûlée".encode("cp1252"))
    ('退货期限', '退貨期限', 'Crème brûlée')
    """
    text = decode_as_written(raw)
    return None if text is None else clean(text)


def decode_as_written(raw: bytes) -> str | None:
    """Return the text with all its control characters; None where no encoding fits."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    for escape, encoding in _ESCAPES:
        if escape in raw[:_SAMPLE_BYTES]:
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                break
    try:
        if raw.count(b"\x00") > _ZEROS_SHARE * len(raw):  # UTF-16 of English, that is UTF-8 with zeros too
            return _decode_wide(raw) or raw.decode("utf-8")
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(raw)


def decode_declared(raw: bytes, declared: str) -> str | None:
    """Return the text in its declared encoding; where the bytes do not fit, in the detected one.

    Bytes that are valid UTF-8 beyond ASCII are hardly ever anything else, so UTF-8 goes before a declared Western one.

    >>> decode_declared("naïve".encode(), "iso-8859-1"), decode_declared("退货".encode("gbk"), "gb2312")
    ('naïve', '退货')
    """
    name = declared.strip("\"' ").lower().replace("_", "-")
    if raw.startswith(tuple(mark for mark, _ in _MARKS)) or name in _WESTERN:
        return decode(raw)
    try:
        return clean(raw.decode(_SUPERSETS.get(name, name)))
    except (LookupError, UnicodeDecodeError):
        return decode(raw)


def clean(text: str) -> str:
    """Return the text with line feeds as line ends, without control characters and halves of surrogate pairs.

    A run of more than 200 blanks is cut to 200, and one of more than 200 empty lines to one.
    """
    return squeezed(_UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))


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
    if _ISOLATED_LETTER.search(raw[:_SAMPLE_BYTES]) and _isolated_share(raw) > _COMMON_SHARE:
        return _decode_western(raw) or _decode_guessed(raw)  # accents within words
    return _decode_japanese_or_korean(raw) or _decode_chinese(raw) or _decode_western(raw) or _decode_guessed(raw)


def _isolated_share(raw: bytes) -> float:
    sample = raw[:_SAMPLE_BYTES]
    return len(_ISOLATED_LETTER.findall(sample)) / max(1, sum(byte >= 0x80 for byte in sample))


def _decode_japanese_or_korean(raw: bytes) -> str | None:
    """Decode Japanese, recognised by its kana, and Korean, by its syllables, some of which are very common."""
    for encoding in ("euc_jp", "cp932"):
        foreign = _non_ascii(raw, encoding)
        kana, half_width = len(_KANA.findall(foreign)), len(_HALF_WIDTH_KANA.findall(foreign))
        if foreign and kana >= _KANA_SHARE * len(foreign) and half_width < 0.1 * len(foreign):
            return raw.decode(encoding, "replace")
    foreign = _non_ascii(raw, "cp949")
    syllables, common = len(_SYLLABLE.findall(foreign)), len(_COMMON_SYLLABLE.findall(foreign))
    is_korean = syllables >= _SYLLABLE_SHARE * len(foreign) and common > _COMMON_SYLLABLE_SHARE * len(foreign)
    return raw.decode("cp949", "replace") if is_korean else None


def _non_ascii(raw: bytes, encoding: str) -> str:
    """Return the characters beyond ASCII at the beginning; none where the encoding does not fit."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw[:_SAMPLE_BYTES])  # the last one may be cut
    except UnicodeDecodeError:
        return ""
    return "".join(character for character in text if character > "\x7f")


def _decode_wide(raw: bytes) -> str | None:
    """Decode UTF-16 or UTF-32 without a mark: the variant in which most characters are ordinary, if any."""
    best: tuple[float, str] = (0.0, "")
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        sample = text[:4096]
        ordinary = sum(1 for character in sample if _is_ordinary(character)) / max(len(sample), 1)
        if ordinary >= _COMMON_SHARE:  # turned around, ASCII looks like rare ideographs
            best = max(best, (ordinary + sum(map(str.isascii, sample)) / len(sample), text))
    return best[1] or None


def _is_ordinary(character: str) -> bool:
    code = ord(character)
    return character in "\n\r\t" or 0x20 <= code < 0x250 or 0x3000 <= code < 0x9FFF or 0xFF00 <= code < 0xFFEF


def _decode_chinese(raw: bytes) -> str | None:
    """Distinguish GB18030 and Big5 by their shares of common characters: reliable from ten byte pairs on."""
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
    """Decode Windows' Western code page where few letters have accents: too few for statistics."""
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
