"""EPUB books: a package of web pages in a stated order."""

import posixpath
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from urllib.parse import unquote

from lxml import etree

from ingest.loaders.fields import is_written_by_a_person, make_document
from ingest.loaders.figures import REPEATED, FigureReader
from ingest.loaders.html import chapter_text, embedded_picture, picture_addresses
from ingest.loaders.package import Package, open_package, xml_tree
from ingest.loaders.source import Limits, SourceFile, StillReading
from rag.schema import Document

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
        for item in _all(package, "manifest", "item")
    }
    order = [places.get(str(entry.get("idref")), "") for entry in _all(package, "spine", "itemref")]
    pictures = FigureReader(limits)
    picture_of = _pictures(book, [place for place in order if place in names]) if pictures.keeps else _no_picture
    chapters = []
    for place in order:
        if place in names:
            chapter = yield from chapter_text(book.read(place), pictures, partial(picture_of, place))
            chapters.append(chapter)
    title = _said(package, "title")
    fields = {
        "title": title if is_written_by_a_person(title) else "",
        "author": _said(package, "creator"),
        "language": _said(package, "language"),
        "updated": _modified(package) or _said(package, "date"),
        "publisher": _said(package, "publisher"),
    }
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    fields = {name: value for name, value in fields.items() if value}
    yield pictures.with_figures(make_document(source, text, fields, kind="epub"))


def _pictures(book: Package, chapters: Sequence[str]) -> Callable[[str, str], bytes]:
    """Return what gives the picture that a chapter, by its name, names so; ornaments of many chapters are none."""
    shown = ({_place(chapter, address) for address in picture_addresses(book.read(chapter))} for chapter in chapters)
    places = Counter(chain.from_iterable(shown))
    names = set(book.namelist())

    def picture_of(chapter: str, address: str) -> bytes:
        name = _place(chapter, address)
        if name not in names or places[name] >= REPEATED:
            return embedded_picture(address)
        try:
            return book.read(name)
        except MemoryError:  # too large: the words around it are read
            return b""

    return picture_of


def _no_picture(chapter: str, address: str) -> bytes:
    del chapter, address
    return b""


def _place(chapter: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(chapter), unquote(address)))


def _package(book: zipfile.ZipFile) -> tuple[str, etree._Element]:
    container = xml_tree(book.read(_CONTAINER))
    name = next(str(found.get("full-path")) for found in container.iter("{*}rootfile"))
    return name, xml_tree(book.read(name))


def _all(package: etree._Element, parent: str, child: str) -> Iterator[etree._Element]:
    for found in package.iter(f"{{*}}{parent}"):
        yield from found.iterchildren(f"{{*}}{child}")


def _said(package: etree._Element, name: str) -> str:
    """Return an entry of the package's Dublin Core metadata."""
    entries = (
        "".join(map(str, found.itertext())).strip()
        for found in package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")
    )
    return next((entry for entry in entries if entry), "")


def _modified(package: etree._Element) -> str:
    metas = package.iter("{*}meta")
    return next((str(meta.text) for meta in metas if meta.get("property") == "dcterms:modified" and meta.text), "")
