"""The package that Word, PowerPoint and Excel write: parts of XML, and which part refers to which.

Read with lxml and not with the libraries that can also write these files: those refuse a whole document for one
broken reference to a picture.  Names are compared without their namespace, for there are two sets of them, the
transitional and the strict one.  Source: ECMA-376.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from lxml import etree

from ingest.loaders.fields import is_written_by_a_person
from ingest.loaders.package import Package, xml_tree

Element: TypeAlias = etree._Element


@dataclass(frozen=True, slots=True)
class Relationship:
    """What a part refers to; ``target`` is another part's name, or an address where it is ``external``."""

    kind: str
    target: str
    external: bool


class OfficePackage:
    """One office document.  Parts that are missing are as if they were never referred to."""

    def __init__(self, archive: Package) -> None:
        self._archive = archive
        self._names = {name.lower().replace("\\", "/"): name for name in archive.namelist()}

    def main_part(self) -> str:
        """Return the name of the document itself.  Raises ``ValueError`` where there is none."""
        for found in self.relationships("").values():
            if found.kind == "officeDocument":
                return found.target
        raise ValueError("the package has no document")

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
        """Return what a part refers to, by the ids under which it does; the whole package's for no name."""
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

    def related(self, name: str, kind: str) -> str:
        """Return the name of the first part of a kind that a part refers to; empty where there is none."""
        return next((found.target for found in self.relationships(name).values() if found.kind == kind), "")

    def properties(self) -> dict[str, str]:
        """Return title, author, date and language as the document declares them."""
        core = self.tree(self.related("", "core-properties"))
        said = (
            {local_name(entry): (entry.text or "").strip() for entry in core if entry.text} if core is not None else {}
        )
        fields = {
            "title": said.get("title", "") if is_written_by_a_person(said.get("title", "")) else "",
            "author": said.get("creator", ""),
            "updated": said.get("modified", "") or said.get("created", ""),
            "subject": said.get("subject", ""),
            "keywords": said.get("keywords", ""),
        }
        return {name: value for name, value in fields.items() if value}


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
