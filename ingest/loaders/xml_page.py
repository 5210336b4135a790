"""XML: the words between the tags; feeds (RSS, Atom) with an entry a section; XHTML as a web page."""

import re
from collections.abc import Iterator

from lxml import etree

from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.html import fragment_text, load_html
from ingest.loaders.package import xml_tree
from ingest.loaders.plain_markup import heading
from ingest.loaders.source import Found, Limits, Part, SourceFile
from ingest.loaders.text import decoded

_DECLARED = re.compile(r"\A\s*<\?xml[^>]*\?>")
_WORDS_OF_ENTRY = ("encoded", "content", "description", "summary")
_MARKUP = re.compile(r"<[a-zA-Z!/]")


def load_xml(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the one document of the file.  Entities that it defines are not resolved: they may stand for gigabytes."""
    content = _DECLARED.sub("", decoded(source, raw))  # decoded already, whatever encoding it declares
    tree = xml_tree(content.encode())
    kind = etree.QName(tree).localname.lower()
    if kind == "html":
        yield from load_html(source, raw, limits)
        return
    if kind in ("rss", "feed", "rdf"):
        text, title = "\n\n".join(_entries(tree)), _child(tree.find("{*}channel") if kind == "rss" else tree, "title")
    else:
        text, title = "\n".join(_words(tree)), _child(tree, "title")
    yield make_document(source, clean(text), {"title": title}, kind="xml")


def _entries(feed: etree._Element) -> Iterator[str]:
    for entry in feed.iter("{*}item", "{*}entry"):
        if title := _child(entry, "title"):
            yield heading(2, title)
        words = next(filter(None, (_child(entry, name) for name in _WORDS_OF_ENTRY)), "")
        if words:
            yield fragment_text(words) if _MARKUP.search(words) else words


def _child(parent: etree._Element | None, name: str) -> str:
    found = parent.find(f"{{*}}{name}") if parent is not None else None
    return "".join(map(str, found.itertext())).strip() if found is not None else ""


def _words(element: etree._Element) -> Iterator[str]:
    """Yield a line for each stretch of text that an innermost element holds."""
    for part in element.itertext():
        line = " ".join(str(part).split())
        if line:
            yield line
