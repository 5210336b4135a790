"""EPUB books: a package of web pages in a stated order."""

import posixpath
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lxml import etree

from ingest.loaders.fields import is_written_by_a_person, make_document
from ingest.loaders.html import content_text, page_content, picture_addresses, write_picture_marks
from ingest.loaders.package import Package, open_package, xml_tree
from ingest.loaders.source import REPEATED, Limits, SourceFile, StillReading
from rag.schema import Document

if TYPE_CHECKING:
    from ingest.loaders.figures import FigureReader

_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
_NEAR_CHARACTERS = 400
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_RIGHTS = "META-INF/rights.xml"


def load_epub(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | StillReading]:
    """Yield the book as one document: title, author, date and language are the package's own."""
    book = open_package(source, raw, limits)
    names = set(book.namelist())
    if _RIGHTS in names and _ENCRYPTION in names:  # sold with rights management; fonts alone are often obfuscated
        raise source.unreadable("encrypted")
    package_name, package = _package(book)
    folder = posixpath.dirname(package_name)
    places = {
        str(item.get("id")): posixpath.normpath(posixpath.join(folder, unquote(str(item.get("href")))))
        for item in _grandchildren(package, "manifest", "item")
    }
    order = [places.get(str(entry.get("idref")), "") for entry in _grandchildren(package, "spine", "itemref")]
    order = [place for place in order if place in names]
    pictures, picture_of = _pictures(book, order, limits)
    chapters = []
    for place in order:
        content = page_content(book.read(place))
        if pictures is not None:
            near = content.get_text()[:_NEAR_CHARACTERS]
            yield from write_picture_marks(content, pictures, partial(picture_of, place), near)
        chapters.append(content_text(content))
    title = _dublin_core(package, "title")
    fields = {
        "title": title if is_written_by_a_person(title) else "",
        "author": _dublin_core(package, "creator"),
        "language": _dublin_core(package, "language"),
        "updated": _modified(package) or _dublin_core(package, "date"),
        "publisher": _dublin_core(package, "publisher"),
    }
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    document = make_document(source, text, fields, kind="epub")
    yield document if pictures is None else pictures.with_figures(document)


def _pictures(
    book: Package, chapters: Sequence[str], limits: Limits
) -> "tuple[FigureReader | None, Callable[[str, str], bytes]]":
    """Return a reader for a book's pictures, None for none, and a function from chapter and address to picture.

    Ornaments of many chapters are left out.
    """
    names = {name for name in book.namelist() if name.lower().endswith(_PICTURE_ENDINGS)}
    if not names or limits.figures == 0:
        return None, lambda chapter, address: b""
    from ingest.loaders.figures import FigureReader  # brings numpy

    shown = (
        {_member_path(chapter, address) for address in picture_addresses(book.read(chapter))} for chapter in chapters
    )
    places = Counter(chain.from_iterable(shown))

    def picture_of(chapter: str, address: str) -> bytes:
        name = _member_path(chapter, address)
        if name not in names or places[name] >= REPEATED:
            return b""
        try:
            return book.read(name)
        except MemoryError:  # too large: the words around it are read
            return b""

    return FigureReader(limits), picture_of


def _member_path(chapter: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(chapter), unquote(address)))


def _package(book: zipfile.ZipFile) -> tuple[str, etree._Element]:
    container = xml_tree(book.read(_CONTAINER))
    name = next(str(found.get("full-path")) for found in container.iter("{*}rootfile"))
    return name, xml_tree(book.read(name))


def _grandchildren(package: etree._Element, parent: str, child: str) -> Iterator[etree._Element]:
    for found in package.iter(f"{{*}}{parent}"):
        yield from found.iterchildren(f"{{*}}{child}")


def _dublin_core(package: etree._Element, name: str) -> str:
    """Return an entry of the package's Dublin Core metadata."""
    entries = (
        "".join(map(str, found.itertext())).strip()
        for found in package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")
    )
    return next((entry for entry in entries if entry), "")


def _modified(package: etree._Element) -> str:
    metas = package.iter("{*}meta")
    return next((str(meta.text) for meta in metas if meta.get("property") == "dcterms:modified" and meta.text), "")
