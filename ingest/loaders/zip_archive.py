"""ZIP archives: each file in one is read as if it lay in a folder.  Nothing is ever written to the disk."""

import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from ingest.loaders.encoding import clean, decode
from ingest.loaders.package import ENCRYPTED, open_archive
from ingest.loaders.source import Found, Limits, Part, SourceFile

_UTF8_NAME = 0x800
_SYMBOLIC_LINK = 0o120000
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")


def load_zip(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the files as parts named by their paths, and why one cannot be read; the others go on.

    Limits: ``depth`` and ``unpacked_bytes`` over all that is nested, checked by the registry as parts come;
    ``document_bytes`` for each member before it is unpacked.
    """
    archive = open_archive(source, raw, limits)
    unpacked = 0
    for member in archive.infolist():
        name = _name(member)
        if member.is_dir() or _is_litter(name):
            continue
        inner = source.part(name)
        if not _is_safe(name) or member.external_attr >> 16 & 0o170000 == _SYMBOLIC_LINK:
            yield source.unreadable("unsafe_name", name[:200])
        elif member.file_size > limits.document_bytes:
            yield inner.unreadable("too_large", f"{member.file_size / 1e6:.0f} MB")
        else:
            unpacked += member.file_size
            if unpacked > limits.unpacked_bytes:
                raise source.unreadable("bomb")
            yield _unpacked(archive, member, inner, limits)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, inner: SourceFile, limits: Limits) -> Found | Part:
    name = inner.inside[-1]
    if not member.flag_bits & ENCRYPTED:
        try:
            return Part(name, archive.read(member))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
            return inner.unreadable("malformed")
    for password in limits.passwords:
        try:
            return Part(name, archive.read(member, password.encode()))
        except (RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
            continue  # a wrong password is told in as many ways as there are kinds of damage
    return inner.unreadable("encrypted")


def _name(member: zipfile.ZipInfo) -> str:
    """Return the member's path; Chinese systems write it in GBK, which ``zipfile`` takes for code page 437."""
    name = member.filename
    if not member.flag_bits & _UTF8_NAME:
        written = name.encode("cp437", "replace")
        if any(byte > 0x7F for byte in written):
            name = decode(written) or name
    return clean(name.replace("\\", "/"))


def _is_safe(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") and part != ".." for part in parts) or any(part in _LITTER for part in parts)
