"""OpenDocument: texts, spreadsheets and presentations of LibreOffice and its kin.  Source: OASIS ODF 1.3."""

import re
from collections.abc import Iterator

from ingest.loaders.encoding import clean
from ingest.loaders.fields import is_written_by_a_person, make_document
from ingest.loaders.office_xml import Element, attribute, child, descendants, local_name
from ingest.loaders.package import open_package, xml_tree
from ingest.loaders.plain_markup import bullet, heading, join_lines, join_pages, link, repeated
from ingest.loaders.sheet import Row, sheet_documents
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.table_header import Covered, table_with_title
from rag.errors import DocumentUnreadable
from rag.schema import Document

_UNSEEN = ("annotation", "tracked-changes", "ruby-text", "forms", "table-of-content-source", "sequence-decls")
_SPACES = re.compile(r"\s+")  # a line's end in the file is a blank; those that are meant are elements
_LARGEST_REPEAT = 1000
_DEEPEST_LEVEL = 6
_HIDDEN = ("collapse", "filter")
_FAMILIES = {"span": "text", "p": "paragraph", "h": "paragraph", "table": "table"}
"""The families of styles that can hide an element."""


def load_opendocument(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document | DocumentUnreadable]:
    """Yield the document; its title is the declared one, else the first heading, else the file's name."""
    package = open_package(source, raw, limits)
    names = package.namelist()
    if "META-INF/manifest.xml" in names and b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise source.unreadable("encrypted")
    tree = xml_tree(package.read("content.xml"))
    fields = _fields(xml_tree(package.read("meta.xml"))) if "meta.xml" in names else {}
    contents = (child(tree, "body", kind) for kind in ("text", "spreadsheet", "presentation"))
    content = next((found for found in contents if found is not None), None)
    if content is None:
        raise source.unreadable("malformed")
    _empty_hidden(tree)
    kind = local_name(content)
    if kind == "spreadsheet":
        sheets = [(attribute(sheet, "name"), list(_rows(sheet))) for sheet in descendants(content, "table")]
        yield from sheet_documents(source, sheets, fields, limits, "ods")
        return
    if kind == "presentation":
        text, pages = join_pages(["\n\n".join(_blocks(page)) for page in descendants(content, "page")])
        fields |= pages
    else:
        text = "\n\n".join(_blocks(content))
    titled = next((" ".join(_words(found).split()) for found in descendants(content, "h")), "")
    fields["title"] = fields.get("title") or titled
    yield make_document(source, text, fields, kind="odp" if kind == "presentation" else "odt")


def _fields(meta: Element) -> dict[str, str]:
    said = {local_name(found): (found.text or "").strip() for found in meta.iter() if isinstance(found.tag, str)}
    return {
        "title": said.get("title", "") if is_written_by_a_person(said.get("title", "")) else "",
        "author": said.get("creator", "") or said.get("initial-creator", ""),
        "updated": said.get("date", "") or said.get("creation-date", ""),
    }


def _blocks(parent: Element) -> Iterator[str]:
    for element in parent:
        name = local_name(element)
        if name in _UNSEEN:
            continue
        if name in ("h", "p"):
            words = join_lines(clean(_words(element))).strip()
            level = attribute(element, "outline-level")
            depth = min(int(level), _DEEPEST_LEVEL) if level.isdigit() and level != "0" else 1
            if words:
                yield heading(depth, words) if name == "h" else words
            for box in descendants(element, "text-box"):
                yield from _blocks(box)
        elif name == "list":
            items = [bullet("\n".join(_blocks(item)), None) for item in element if local_name(item) == "list-item"]
            yield "\n".join(item for item in items if item.strip("- \n"))
        elif name == "table":
            yield table_with_title(list(_rows(element)))
        else:
            yield from _blocks(element)


def _empty_hidden(tree: Element) -> None:
    """Empty the sheets, sections, paragraphs and words that the document hides, by themselves or by their style."""
    hidden = {
        (attribute(style, "family"), attribute(style, "name"))
        for style in descendants(tree, "style")
        if any(attribute(properties, "display") in ("none", "false") for properties in style)
    }
    for element in list(descendants(tree, "section", *_FAMILIES)):
        style = (_FAMILIES.get(local_name(element), ""), attribute(element, "style-name"))
        if style in hidden or attribute(element, "display") == "none":
            after = element.tail
            element.clear()
            element.tail = after


def _rows(element: Element) -> Iterator[Row]:
    """Yield the visible rows; a cell over several rows has its words in each."""
    hidden = _hidden_columns(element)
    standing: dict[int, tuple[int, str]] = {}
    for part in _row_elements(element):
        row = ["" if column in hidden else words for column, words in enumerate(_row(part, standing))]
        if attribute(part, "visibility") in _HIDDEN:
            continue
        while row and not row[-1] and not isinstance(row[-1], Covered):
            row.pop()
        yield from [row] * (_repeat_count(part, "number-rows-repeated") if row else 1)


def _row_elements(element: Element) -> Iterator[Element]:
    for part in element:
        name = local_name(part)
        if name == "table-row":
            yield part
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _row_elements(part)


def _row(element: Element, standing: dict[int, tuple[int, str]]) -> list[str]:
    """Return the words of a row's cells, with those of the cells above that cover it unless it has none of its own.

    ``standing`` keeps by column, for the rows below, how many more rows a cell covers, and its words.
    """
    own: list[str] = []
    filled: list[str] = []
    covered = 0
    for cell in element:
        for words in _cell(cell):
            count, above = standing.pop(len(own), (0, ""))
            if count > 1:
                standing[len(own)] = (count - 1, above)
            covered = max(covered - 1, 0)
            own.append(words)
            filled.append(words or above or (Covered() if covered else ""))
        if own and own[-1] and local_name(cell) == "table-cell":
            covered = _repeat_count(cell, "number-columns-spanned")
        spanned = _repeat_count(cell, "number-rows-spanned")
        if own and own[-1] and spanned > 1:
            standing[len(own) - 1] = (spanned - 1, repeated(own[-1]))
    return filled if any(own) else own


def _hidden_columns(element: Element) -> set[int]:
    hidden: set[int] = set()
    column = 0
    for part in descendants(element, "table-column"):
        count = _repeat_count(part, "number-columns-repeated")
        if attribute(part, "visibility") in _HIDDEN:
            hidden.update(range(column, column + count))
        column += count
    return hidden


def _cell(cell: Element) -> list[str]:
    if local_name(cell) not in ("table-cell", "covered-table-cell"):
        return []
    words = " ".join(_words(paragraph) for paragraph in descendants(cell, "p") if local_name(paragraph) == "p")
    return [clean(words).strip()] * _repeat_count(cell, "number-columns-repeated")


def _repeat_count(element: Element, name: str) -> int:
    number = attribute(element, name)
    return min(int(number), _LARGEST_REPEAT) if number.isdigit() else 1


def _words(element: Element) -> str:
    """Return the words below an element; floating boxes are read separately."""
    parts = [_SPACES.sub(" ", element.text or "")]
    for part in element:
        name = local_name(part)
        if name == "s" or name == "tab":
            parts.append(" ")
        elif name == "line-break":
            parts.append("\n")
        elif name == "a":
            parts.append(link(_words(part), attribute(part, "href")))
        elif name == "note":
            parts.append(f" [{' '.join(_words(found) for found in descendants(part, 'p'))}]")
        elif isinstance(part.tag, str) and name not in (*_UNSEEN, "frame", "text-box", "note-citation"):
            parts.append(_words(part))
        parts.append(_SPACES.sub(" ", part.tail or ""))
    return "".join(parts)
