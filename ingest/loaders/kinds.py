"""Recognises a file's format by its content, where the format has a mark, rather than by its name.

Mail programs send spreadsheets without an ending, export buttons write web pages named ``.xls``, and people rename
``.docx`` to ``.doc``.
"""

import io
import zipfile
from pathlib import PurePosixPath

import olefile

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
LOCKED = ".locked"
"""Office's envelope around an encrypted document."""

_MARKS = (
    (b"%PDF-", ".pdf"),
    (b"{\\rtf", ".rtf"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
)
_OLE_STREAMS = (
    ("EncryptedPackage", LOCKED),
    ("__properties_version1.0", ".msg"),
    ("WordDocument", ".doc"),
    ("PowerPoint Document", ".ppt"),
    ("Workbook", ".xls"),
    ("Book", ".xls"),
)
_PACKAGES = (("word/", ".docx"), ("ppt/", ".pptx"), ("xl/", ".xlsx"))
_MIME_TYPES = {
    b"application/epub+zip": ".epub",
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
}
_BINARY = PICTURE_ENDINGS | {
    ".pdf", ".rtf", ".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".msg", ".odt", ".ods", ".odp", ".epub", ".zip",
}  # fmt: skip
_WEB_PAGES = (b"<!doctype html", b"<html")
_MAILS = (b"mime-version:", b"received:", b"from:", b"return-path:", b"delivered-to:", b"message-id:")


def true_ending(name: PurePosixPath, raw: bytes) -> str:
    r"""Return the content's file ending, in lower case; the name's where the content has no mark.

    >>> true_ending(PurePosixPath("report.doc"), b"{\\rtf1 hello}")
    '.rtf'
    """
    ending = name.suffix.lower()
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _package(raw) or (ending if ending in _BINARY else ".zip")
    if raw.startswith(olefile.MAGIC):
        return _compound(raw) or (ending if ending in _BINARY else ".doc")
    for mark, marked in _MARKS:
        if raw.startswith(mark):
            return marked
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return ".webp"
    beginning = raw[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if ending in _BINARY:
        if beginning.startswith(_WEB_PAGES):
            return ".html"
        if beginning.startswith(_MAILS):  # a page saved with its pictures, which Word names .doc
            return ".eml"
    return ending


def _package(raw: bytes) -> str:
    """Distinguish office documents, OpenDocument and EPUB from other ZIP archives; empty for a damaged one."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 256:
                stated = archive.read("mimetype").strip()
                if stated in _MIME_TYPES:
                    return _MIME_TYPES[stated]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
        return ""
    if any(name.lower() == "[content_types].xml" for name in names):
        for folder, ending in _PACKAGES:
            if any(name.lower().replace("\\", "/").startswith(folder) for name in names):
                return ending
    return ".epub" if "META-INF/container.xml" in names else ".zip"


def _compound(raw: bytes) -> str:
    """Return the ending for an OLE2 compound file; empty where it is damaged or unknown."""
    try:
        with olefile.OleFileIO(raw) as compound:
            for stream, ending in _OLE_STREAMS:
                if compound.exists(stream):
                    return ending
    except (OSError, ValueError, TypeError, IndexError, AttributeError):
        return ""
    return ""
