"""ZIP archives, and the office documents and books that are such: nothing unpacks to more than the limits allow."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from lxml import etree

from ingest.loaders.encoding import clean, decode
from ingest.loaders.source import Found, Limits, Part, SourceFile

_ENCRYPTED, _UTF8_NAME = 0x1, 0x800  # bits of a member's flags
_SYMBOLIC_LINK = 0o120000
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")


class Package(zipfile.ZipFile):
    """An archive whose members are read one by one, none of them larger than ``part_bytes``."""

    def __init__(self, raw: bytes, part_bytes: int) -> None:
        super().__init__(io.BytesIO(raw))
        self._part_bytes = part_bytes

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Return a member.  Raises ``MemoryError``, before anything is unpacked, for one that is too large."""
        member = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if member.file_size > self._part_bytes:
            raise MemoryError(f"a part of {member.file_size} bytes")
        return super().read(member, pwd)


def open_package(source: SourceFile, raw: bytes, limits: Limits) -> Package:
    """Return the archive.  Raises ``DocumentUnreadable`` where it is damaged, locked, or would unpack to too much.

    The sizes that it declares can be trusted as bounds: ``zipfile`` never reads more of a member than it declares.
    """
    archive = _open(source, raw, limits, limits.part_bytes)
    if sum(member.file_size for member in archive.infolist()) > limits.unpacked_bytes:
        raise source.unreadable("bomb")
    if any(member.flag_bits & _ENCRYPTED for member in archive.infolist()):
        raise source.unreadable("encrypted")
    return archive


def _open(source: SourceFile, raw: bytes, limits: Limits, part_bytes: int) -> Package:
    try:
        archive = Package(raw, part_bytes)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise source.unreadable("malformed") from error
    if len(archive.infolist()) > limits.parts:
        raise source.unreadable("too_many")
    return archive


def xml_tree(raw: bytes) -> etree._Element:
    """Parse XML; entities are not resolved, nothing is fetched, and small damage is ignored."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=True, remove_comments=True, remove_pis=True
    )
    tree = etree.fromstring(raw, parser)
    if tree is None:
        raise ValueError("no element at all")
    etree.strip_elements(tree, etree.Entity, with_tail=False)
    return tree


def load_zip(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the files as parts named by their paths, or an error for an unreadable one.

    Limits: ``depth`` and ``unpacked_bytes`` over all that is nested, checked by the registry as parts come;
    ``document_bytes`` for each member before it is unpacked.
    """
    archive = _open(source, raw, limits, limits.document_bytes)
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
            yield _unpack(archive, member, inner, limits)


def _unpack(archive: Package, member: zipfile.ZipInfo, inner: SourceFile, limits: Limits) -> Found | Part:
    name = inner.inside[-1]
    if not member.flag_bits & _ENCRYPTED:
        try:
            return Part(name, archive.read(member))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
            return inner.unreadable("malformed")
    for password in limits.passwords:
        try:
            return Part(name, archive.read(member, password.encode()))
        except (RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError):
            continue  # a wrong password shows in as many ways as there are kinds of damage
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
