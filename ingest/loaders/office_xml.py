"""The packages of Word, PowerPoint and Excel: parts of XML and the relationships between them.

Read with lxml, because the libraries that can also write these files refuse a whole document for one broken reference
to a picture.  Names are compared without their namespace, for there are two sets: transitional and strict.  Source:
ECMA-376.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from lxml import etree

from ingest.loaders.fields import is_written_by_a_person
from ingest.loaders.package import open_package, xml_tree
from ingest.loaders.source import Limits, SourceFile

Element: TypeAlias = etree._Element


@dataclass(frozen=True, slots=True)
class Relationship:
    """A reference of a part; ``target`` is another part's name, or an address where it is ``external``."""

    kind: str
    target: str
    external: bool


class OfficePackage:
    """One office document.  References to missing parts are ignored."""

    def __init__(self, source: SourceFile, raw: bytes, limits: Limits) -> None:
        self._archive = open_package(source, raw, limits)
        self._names = {name.lower().replace("\\", "/"): name for name in self._archive.namelist()}

    def document(self) -> tuple[str, Element]:
        """Return the name of the main part, and its XML.  Raises ``ValueError`` where there is none."""
        name = self.related_part("", "officeDocument")
        tree = self.tree(name) if name else None
        if tree is None:
            raise ValueError("the package has no document")
        return name, tree

    def content(self, name: str) -> bytes:
        """Return a part's bytes; none where it is missing.  Raises ``MemoryError`` where it is too large."""
        stored = self._names.get(name.lower())
        return self._archive.read(stored) if stored is not None else b""

    def picture(self, name: str) -> bytes:
        """Return a picture's bytes; none where it is missing or too large, for the words around it are read."""
        try:
            return self.content(name)
        except MemoryError:
            return b""

    def tree(self, name: str) -> Element | None:
        """Return a part's XML; None where it is missing."""
        content = self.content(name)
        return xml_tree(content) if content.strip() else None

    def relationships(self, name: str) -> dict[str, Relationship]:
        """Return a part's relationships by their ids; without a name, those of the package."""
        folder, file = posixpath.split(name)
        tree = self.tree(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, Relationship] = {}
        for entry in tree if tree is not None else ():
            target = str(entry.get("Target") or "")
            external = entry.get("TargetMode") == "External"
            if not external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            kind = str(entry.get("Type") or "").rsplit("/", 1)[-1]
            found[str(entry.get("Id"))] = Relationship(kind, target, external)
        return found

    def related_part(self, name: str, kind: str) -> str:
        """Return the name of the first related part of a kind; empty where there is none."""
        return next((found.target for found in self.relationships(name).values() if found.kind == kind), "")

    def properties(self) -> dict[str, str]:
        """Return title, author and date as the document declares them; blank where it does not."""
        core = self.tree(self.related_part("", "core-properties"))
        said = (
            {local_name(entry): (entry.text or "").strip() for entry in core if entry.text} if core is not None else {}
        )
        return {
            "title": said.get("title", "") if is_written_by_a_person(said.get("title", "")) else "",
            "author": said.get("creator", ""),
            "updated": said.get("modified", "") or said.get("created", ""),
            "subject": said.get("subject", ""),
            "keywords": said.get("keywords", ""),
        }


def local_name(element: Element) -> str:
    """Return the element's name without its namespace; empty for comments."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def attribute(element: Element | None, name: str) -> str:
    """Return an attribute whatever its namespace is; empty where it is missing."""
    if element is None:
        return ""
    for key, value in element.attrib.items():
        if str(key).rsplit("}", 1)[-1] == name:
            return str(value)
    return ""


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first descendant by a path of names."""
    for name in path:
        if element is None:
            return None
        element = next((found for found in element if local_name(found) == name), None)
    return element


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """Yield the elements of these names at any depth, in the order of the document."""
    yield from element.iter(*(f"{{*}}{name}" for name in names))
