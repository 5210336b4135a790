"""Web pages, feeds and other XML: the main content, with its structure in the plain form of ``plain_markup``."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, PreformattedString, Tag
from lxml import etree

from ingest.loaders.encoding import clean, decode, decode_declared, looks_binary
from ingest.loaders.fields import make_document
from ingest.loaders.html_headings import HEADINGS, rename_headings, summary_of
from ingest.loaders.package import xml_tree
from ingest.loaders.plain_markup import bullet, code_block, definition, heading, join_lines, link, repeated, table
from ingest.loaders.source import Found, Limits, Part, SourceFile, StillReading
from ingest.loaders.table_header import join_header
from ingest.loaders.text import decoded
from rag.schema import Document

if TYPE_CHECKING:
    from ingest.loaders.figures import FigureReader

_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)[^<>]{0,200}?(?:charset|encoding)\s*+=\s*+["']?\s*+([\w-]{2,20})""", re.IGNORECASE
)
_NEVER_TEXT = (
    "script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "audio", "video", "button",
    "select", "input", "textarea", "dialog", "math", "rt", "rp", "rtc",
)  # fmt: skip
_AROUND_CONTENT = ("nav", "header", "footer", "aside")
_AROUND_ROLES = ("navigation", "banner", "contentinfo", "search", "complementary")
_BLOCKS = {
    *HEADINGS, "p", "div", "section", "article", "main", "ul", "ol", "table", "pre", "blockquote", "dl", "dt", "dd",
    "figure", "figcaption", "details", "summary", "address", "fieldset", "form", "header", "center", "li", "hr", "body",
}  # fmt: skip
_MAIN_SHARE = 0.3
_HIGHEST_HEADER = 3  # rows; a thead that holds more holds the table
_HIGHEST_SPAN = 1000
_WIDEST_SPAN = 100  # columns of a table that spans reach
_LONGEST_NUMBER = 9
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_SPACES = re.compile(r"\s+")
_META_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_META_FOR_MACHINES = {
    "viewport", "robots", "googlebot", "generator", "theme-color", "referrer", "format-detection", "color-scheme",
    "csrf-token", "csrf-param", "renderer", "msapplication-tilecolor", "msapplication-tileimage", "charset",
}  # fmt: skip
_META_LIMIT_CHARACTERS = 500


def load_html(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | StillReading]:
    """Yield the one document of a page.  Its link is the canonical one; its title the heading or the page's title."""
    if looks_binary(raw):
        raise source.unreadable("malformed")
    content = _decode_page(raw)
    if content is None:
        raise source.unreadable("encoding")
    try:
        soup = _soup(content)
        fields = _fields(soup)
        main = _main_content(soup)
    except RecursionError as error:
        raise source.unreadable("nested") from error
    pictures = None
    if limits.figures and "data:image/" in content:
        from ingest.loaders.figures import FigureReader  # brings numpy

        pictures = FigureReader(limits)
        yield from write_picture_marks(main, pictures, _embedded_picture, fields.get("title", ""))
    try:
        text = content_text(main)
    except RecursionError as error:
        raise source.unreadable("nested") from error
    document = make_document(source, text, fields, kind="html")
    yield document if pictures is None else pictures.with_figures(document)


def page_content(raw: bytes) -> Tag:
    """Return the main content of a page that is a chapter of a book.  Raises ``ValueError``."""
    content = _decode_page(raw)
    if content is None:
        raise ValueError("no encoding fits")
    return _main_content(_soup(content))


def content_text(content: Tag) -> str:
    """Return the text of a page's content, in which what only looks like a heading has become one."""
    rename_headings(content)
    return "\n\n".join(_blocks(content))


def fragment_text(markup: str) -> str:
    """Return the text of a piece of HTML inside another format."""
    soup = _soup(markup)
    _remove(soup, _NEVER_TEXT)
    return "\n\n".join(_blocks(soup))


def _soup(markup: str) -> BeautifulSoup:
    return BeautifulSoup(_XML_DECLARATION.sub("", markup), "lxml")  # XHTML is read as the web page that it is


def _decode_page(raw: bytes) -> str | None:
    declared = _DECLARED.search(raw[:4096])
    return decode(raw) if declared is None else decode_declared(raw, declared[1].decode("ascii"))


def _fields(soup: BeautifulSoup) -> dict[str, str]:
    fields: dict[str, str] = {}
    for meta in soup.find_all("meta"):
        name = str(meta.get("name") or "").lower()
        if _META_NAME.fullmatch(name) and name not in _META_FOR_MACHINES:
            fields[name] = str(meta.get("content") or "")[:_META_LIMIT_CHARACTERS]
        if meta.get("property") == "article:modified_time":
            fields.setdefault("updated", str(meta.get("content") or ""))
    if isinstance(soup.html, Tag) and soup.html.get("lang"):
        fields.setdefault("language", str(soup.html["lang"]))
    canonical = soup.find("link", rel="canonical")
    if isinstance(canonical, Tag) and str(canonical.get("href") or "").startswith(("http://", "https://")):
        fields["source"] = str(canonical["href"])
    fields["title"] = _title(soup)
    return fields


def _title(soup: BeautifulSoup) -> str:
    """Return the page's title; its only h1 where the title contains it or is missing."""
    title = " ".join(soup.title.get_text().split()) if soup.title is not None else ""
    headings = [" ".join(found.get_text().split()) for found in soup.find_all("h1")]
    if len(headings) == 1 and headings[0] and (not title or headings[0].lower() in title.lower()):
        return headings[0]
    return title or next((words for words in headings if words), "")


def _main_content(soup: BeautifulSoup) -> Tag:
    """Return the part with the article, without navigation and the like."""
    _remove(soup, _NEVER_TEXT)
    for hidden in soup.select('[hidden], [aria-hidden="true"], [style*="display:none"], [style*="display: none"]'):
        hidden.decompose()
    body = soup.body or soup
    whole = len(body.get_text())
    marked = body.select_one('main, [role="main"]')
    articles = body.find_all("article")
    if marked is None and len(articles) == 1:
        marked = articles[0]
    if marked is not None and len(marked.get_text()) >= _MAIN_SHARE * whole:
        _remove(marked, ("nav", "aside"))
        return marked
    before = str(body)
    _remove(body, _AROUND_CONTENT)
    for around in body.select(", ".join(f'[role="{role}"]' for role in _AROUND_ROLES)):
        around.decompose()
    if body.get_text().strip():
        return body
    return _soup(before)  # a page that is all header: better that than nothing


def _remove(parent: Tag, names: tuple[str, ...]) -> None:
    for unwanted in parent.find_all(names):
        if unwanted.name == "button" and unwanted.find_parent((*HEADINGS, "summary", "dt")) is not None:
            unwanted.unwrap()  # the heading of what folds out below it
        else:
            unwanted.decompose()


def _blocks(parent: Tag) -> Iterator[str]:
    yield from _blocks_of(parent.children)


def _blocks_of(children: Iterable[PageElement]) -> Iterator[str]:
    """Yield blocks of text; words between blocks are blocks of their own."""
    loose: list[PageElement] = []
    for child in children:
        if isinstance(child, Tag) and (child.name in _BLOCKS or child.find(list(_BLOCKS)) is not None):
            yield from _loose_block(loose)
            loose = []
            yield from _block(child)
        else:
            loose.append(child)
    yield from _loose_block(loose)


def _loose_block(nodes: list[PageElement]) -> Iterator[str]:
    words = join_lines("".join(_inline(node) for node in nodes)).strip()
    if words:
        yield words


def _block(tag: Tag) -> Iterator[str]:
    if tag.name in HEADINGS:
        block = heading(int(tag.name[1]), _words(tag))
    elif tag.name in ("ul", "ol"):
        block = _list(tag)
    elif tag.name == "table" and _is_data_table(tag):
        if words := _table_caption(tag):
            yield words
        block = _table(tag)
    elif tag.name == "pre":
        block = code_block(tag.get_text())
    elif tag.name == "details" and summary_of(tag) is not None:
        block = _folded(tag)
    elif tag.name == "dl" and tag.find("dt") is not None:
        block = _definitions(tag)
    else:
        yield from _blocks(tag)
        return
    if block:
        yield block


def _table_caption(tag: Tag) -> str:
    """Return the words of a table's ``caption``: often the only place that says what its rows are about."""
    caption = tag.find("caption")
    return _words(caption) if caption is not None else ""


def _is_data_table(tag: Tag) -> bool:
    """Tell whether it is a data table; a layout table contains tables or has one column."""
    rows = tag.find_all("tr")
    return tag.find("table") is None and any(len(row.find_all(["th", "td"])) > 1 for row in rows)


def _table(tag: Tag) -> str:
    rows = tag.find_all("tr")
    height = _header_height(rows)
    return table(join_header(_places(rows, height), height))


def _header_height(rows: Sequence[Tag]) -> int:
    """Return how many rows are the header: those of ``thead``, else ``th`` below ``th`` over several columns."""
    heads = sum(row.parent is not None and row.parent.name == "thead" for row in rows[: _HIGHEST_HEADER + 1])
    if 0 < heads <= _HIGHEST_HEADER and heads < len(rows) and rows[0].parent is rows[heads - 1].parent:
        return heads
    height = 1
    while height < min(_HIGHEST_HEADER, len(rows) - 1) and _is_divided(rows[height - 1]) and _is_header(rows[height]):
        height += 1
    return height


def _is_header(row: Tag) -> bool:
    return row.find("th") is not None and row.find("td") is None


def _is_divided(row: Tag) -> bool:
    """Tell whether a row of ``th`` has one over several columns, which the row below tells apart."""
    return _is_header(row) and any(_span(cell, "colspan", _WIDEST_SPAN) > 1 for cell in row.find_all("th"))


def _places(rows: Sequence[Tag], header_height: int) -> list[list[str]]:
    """Return the words at each place of a table: a cell's in every row that it covers, a header's in every column too.

    So a row that is quoted alone has all its words.  A span ends with its row group (``thead``, ``tbody``).  Columns
    in which no cell begins, as of a cell that spans more than there are, are left out.
    """
    begun: set[int] = set()
    lines: list[dict[int, str]] = []
    above: dict[int, tuple[int, str]] = {}  # by column: in how many rows from here on, and the words
    for number, row in enumerate(rows):
        if number and row.parent is not rows[number - 1].parent:
            above = {}
        line = {column: words for column, (_, words) in above.items()}
        above = {column: (count - 1, words) for column, (count, words) in above.items() if count > 1}
        column = 0
        for cell in row.find_all(["th", "td"]):
            while column in line:
                column += 1
            begun.add(column)
            words = _words(cell)
            count = _span(cell, "rowspan", _HIGHEST_SPAN)
            end = min(column + _span(cell, "colspan", _WIDEST_SPAN), max(column + 1, _WIDEST_SPAN))
            for place in range(column, end):
                line[place] = words if place == column or number < header_height else ""
                if count > 1:
                    above[place] = (count - 1, repeated(line[place]))
        lines.append({place: words for place, words in line.items() if words})
    return [[line.get(place, "") for place in sorted(begun)] for line in lines]


def _span(cell: Tag, name: str, largest: int) -> int:
    """Return over how many rows or columns a cell goes; 0 rows are all of the group."""
    written = str(cell.get(name) or "").strip()
    if not written.isdecimal():
        return 1
    span = int(written[:_LONGEST_NUMBER])
    return min(span, largest) if span else (largest if name == "rowspan" else 1)


def _list(tag: Tag) -> str:
    first = _number(tag.get("start")) if tag.name == "ol" else None
    items: list[str] = []
    for item in tag.find_all("li", recursive=False):
        content = "\n".join(_blocks(item))
        if content:
            items.append(bullet(content, None if first is None else first + len(items)))
    return "\n".join(items) or "\n\n".join(_blocks(tag))


def _folded(tag: Tag) -> str:
    """Return what folds out, as the content of an item that its summary introduces."""
    summary = summary_of(tag)
    term = _words(summary) if summary is not None else ""
    return definition(term, "\n\n".join(_blocks_of([child for child in tag.children if child is not summary])))


def _definitions(tag: Tag) -> str:
    """Return a list of terms, each with its definitions; several terms may have the same."""
    items: list[str] = []
    terms: list[str] = []
    content: list[str] = []
    for part in [*_parts_of_definitions(tag), None]:
        is_term = isinstance(part, Tag) and part.name == "dt"
        if content and (part is None or is_term):
            items.append(definition(", ".join(terms), "\n\n".join(content)))
            terms, content = [], []
        if isinstance(part, Tag) and is_term:
            terms += filter(None, [_words(part)])
        elif part is not None:
            content += _blocks_of([part])
    return "\n".join([*items, *terms])


def _parts_of_definitions(tag: Tag) -> Iterator[PageElement]:
    for child in tag.children:
        if isinstance(child, Tag) and child.name == "div" and child.find("dt", recursive=False) is not None:
            yield from _parts_of_definitions(child)
        else:
            yield child


def _number(value: object) -> int:
    return int(str(value)) if str(value).isdigit() else 1


def _words(tag: Tag) -> str:
    return join_lines("".join(_inline(child) for child in tag.children)).strip()


def _inline(node: PageElement) -> str:
    if isinstance(node, PreformattedString):  # comments, declarations, CDATA
        return ""
    if isinstance(node, NavigableString):
        return _SPACES.sub(lambda spaces: "\v" if "\n" in spaces[0] else " ", str(node))
    if not isinstance(node, Tag):
        return ""
    if node.name == "br":
        return "\n"
    words = "".join(_inline(child) for child in node.children)
    if node.name in ("code", "kbd", "samp") and words.strip() and "`" not in words:
        return f"`{words.strip()}`"
    if node.name == "a":
        return link(words, str(node.get("href") or ""))
    return f" {words} " if node.name in _BLOCKS or node.name in ("td", "th") else words


_DATA_ADDRESS = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp)[^,]{0,100};base64,", re.IGNORECASE)
_IMAGE = re.compile(rb"<img\b[^<>]*?\bsrc\s*=\s*[\"'](?P<address>[^\"'<>]++)", re.IGNORECASE)


def write_picture_marks(
    content: Tag, pictures: "FigureReader", picture_of: Callable[[str], bytes], near: str
) -> Iterator[StillReading]:
    """Replace each picture of a page that is kept by the text that stands for it.

    ``picture_of`` returns the picture at an address, empty for none; ``near`` is some of the page's text.
    """
    from ingest.loaders.figures import Surroundings

    images = [(image, str(image.get("src") or "")) for image in content.find_all("img")]
    places = Counter(address for _, address in images)
    for image, address in images:
        picture = picture_of(address)
        if not picture or not pictures.keeps:
            continue
        alt = str(image.get("alt") or "")
        around = Surroundings(alt, _caption(image), places=places[address], near=near, inline=True)
        for found in pictures.read(picture, "", around):
            if isinstance(found, StillReading):
                yield found
            else:
                block = BeautifulSoup("", "lxml").new_tag("div")
                block.string = found
                image.replace_with(block)


def _embedded_picture(address: str) -> bytes:
    """Return the picture in a ``data:`` address; empty for other addresses."""
    found = _DATA_ADDRESS.match(address)
    if found is None:
        return b""
    try:
        return base64.b64decode(unquote_to_bytes(address[found.end() :]), validate=False)
    except ValueError:
        return b""


def picture_addresses(raw: bytes) -> list[str]:
    """Return the addresses of a page's pictures, each as often as it occurs, without parsing the page."""
    return [found["address"].decode("utf-8", "replace") for found in _IMAGE.finditer(raw)]


def _caption(image: Tag) -> str:
    """Return the caption of the figure that an image is in; else its title."""
    figure = image.find_parent("figure")
    caption = figure.find("figcaption") if figure is not None else None
    return " ".join(caption.get_text().split()) if caption is not None else str(image.get("title") or "")


_WORDS_OF_ENTRY = ("encoded", "content", "description", "summary")
_MARKUP = re.compile(r"<[a-zA-Z!/]")


def load_xml(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the one document of an XML file; feeds (RSS, Atom) get a section for each entry, XHTML is read as a page.

    Entities that the file defines are not resolved: they may expand to gigabytes.
    """
    content = _XML_DECLARATION.sub("", decoded(source, raw))  # decoded already, whatever encoding it declares
    tree = xml_tree(content.encode())
    kind = etree.QName(tree).localname.lower()
    if kind == "html":
        yield from load_html(source, raw, limits)
        return
    if kind in ("rss", "feed", "rdf"):
        text, title = "\n\n".join(_entries(tree)), _child(tree.find("{*}channel") if kind == "rss" else tree, "title")
    else:
        text, title = "\n".join(_text_lines(tree)), _child(tree, "title")
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


def _text_lines(element: etree._Element) -> Iterator[str]:
    """Yield a line for each text within an innermost element."""
    for part in element.itertext():
        line = " ".join(str(part).split())
        if line:
            yield line
