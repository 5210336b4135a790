"""Opening the ZIP archives that office documents, books and archives are, without unpacking more than is allowed."""

import io
import zipfile
from collections.abc import Callable
from typing import TypeVar

from lxml import etree

from ingest.loaders.source import Limits, SourceFile

_Archive = TypeVar("_Archive", bound=zipfile.ZipFile)

ENCRYPTED = 0x1
"""Bit of a member's flags."""


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
    archive = _opened(source, limits, lambda: Package(raw, limits.part_bytes))
    if sum(member.file_size for member in archive.infolist()) > limits.unpacked_bytes:
        raise source.unreadable("bomb")
    if any(member.flag_bits & ENCRYPTED for member in archive.infolist()):
        raise source.unreadable("encrypted")
    return archive


def open_archive(source: SourceFile, raw: bytes, limits: Limits) -> zipfile.ZipFile:
    """Return the archive, of which nothing but its directory has been looked at."""
    return _opened(source, limits, lambda: zipfile.ZipFile(io.BytesIO(raw)))


def _opened(source: SourceFile, limits: Limits, opening: Callable[[], _Archive]) -> _Archive:
    try:
        archive = opening()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise source.unreadable("malformed") from error
    if len(archive.infolist()) > limits.parts:
        raise source.unreadable("too_many")
    return archive


def xml_tree(raw: bytes) -> etree._Element:
    """Parse XML; entities are not resolved, nothing is fetched, and small damage is passed over."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=True, remove_comments=True, remove_pis=True
    )
    tree = etree.fromstring(raw, parser)
    if tree is None:
        raise ValueError("no element at all")
    etree.strip_elements(tree, etree.Entity, with_tail=False)
    return tree
