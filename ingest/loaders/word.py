"""Word documents: headings by style or bold words, lists, tables, text boxes, notes, and the words in pictures."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from ingest.loaders.bold_headings import Look, bold_levels
from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.figures import FigureReader, Surroundings, is_caption
from ingest.loaders.office_xml import Element, OfficePackage, attribute, child, descendants, local_name
from ingest.loaders.plain_markup import (
    bullet,
    footnote,
    footnote_mark,
    heading,
    join_lines,
    join_pages,
    link,
    marks_within_sentences,
    repeated,
)
from ingest.loaders.source import Found, Limits, Part, SourceFile, StillReading
from ingest.loaders.table_header import Covered, table_with_title

_TRANSPARENT = ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "hyperlink", "fldSimple", "dir", "bdo")
_UNSEEN = ("del", "moveFrom", "instrText", "pPr", "rPr", "rt", "delText", "annotationRef")
_WORDS = {"t": "", "tab": " ", "ptab": " ", "noBreakHyphen": "-", "softHyphen": ""}
_OWN_WORDS = ("t", "tab", "br", "cr")
_NOTE_REFERENCES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}
_HEADING_NAME = re.compile(r"(?:heading|标题|標題|überschrift|titre|título|見出し)\s*(\d)", re.IGNORECASE)
_LIST_NAME = re.compile(
    r"(?:list[ _-]?(?:bullet|number)|(?:列表|清單|清单)(?:项目符号|項目符號|编号|編號))\s*([2-5])", re.IGNORECASE
)
_CAPTION_NAMES = ("caption", "题注", "題注", "图注", "beschriftung", "légende", "図表番号")
_DEEPEST_LEVEL = 6
_BASED_ON_LIMIT = 16
_MOST_COLUMNS = 64  # of Word are 63


@dataclass(frozen=True, slots=True)
class ListPlace:
    """An item's depth, from 0, and its number in an ordered list."""

    depth: int
    number: int | None


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str
    outline: str
    list_id: str
    list_level: str
    hides: bool | None
    is_bold: bool | None
    """Both are None where the style does not say."""


class WordStyles:
    """The styles and lists of one document; it counts the numbered items."""

    def __init__(self, package: OfficePackage, main: str) -> None:
        styles = package.tree(package.related_part(main, "styles"))
        self._styles = {attribute(found, "styleId"): _style(found) for found in _children_named(styles, "style")}
        self._any_hides = any(style.hides for style in self._styles.values())
        numbering = package.tree(package.related_part(main, "numbering"))
        self._formats = _formats(numbering)
        self._counts: dict[tuple[str, int], int] = {}

    def heading_level(self, paragraph: Element) -> int:
        """Return the level from 1 on; 0 where the paragraph is no heading."""
        own = attribute(child(paragraph, "pPr", "outlineLvl"), "val")
        if own.isdigit():
            return int(own) + 1 if int(own) < _DEEPEST_LEVEL else 0
        style_id = attribute(child(paragraph, "pPr", "pStyle"), "val")
        for style in self._chain(style_id):
            if style.name.lower() == "title":
                return 1
            named = _HEADING_NAME.fullmatch(style.name)
            if named is not None:
                return min(max(int(named[1]), 1), _DEEPEST_LEVEL)
            if style.outline.isdigit():
                return int(style.outline) + 1 if int(style.outline) < _DEEPEST_LEVEL else 0
        named = _HEADING_NAME.fullmatch(style_id) if style_id not in self._styles else None
        return min(int(named[1]), _DEEPEST_LEVEL) if named is not None else 0

    def is_caption(self, paragraph: Element) -> bool:
        """Tell whether the paragraph has the style of a picture's caption."""
        style_id = attribute(child(paragraph, "pPr", "pStyle"), "val")
        names = [style_id, *(style.name for style in self._chain(style_id))]
        return any(name.lower() in _CAPTION_NAMES for name in names)

    def hides(self, run: Element) -> bool:
        """Tell whether a run is formatted as hidden."""
        own = _switch(child(run, "rPr"), "vanish")
        return bool(own) if own is not None or not self._any_hides else self._by_style(run, lambda style: style.hides)

    def is_bold(self, run: Element) -> bool:
        """Tell whether a run is formatted as bold."""
        own = _switch(child(run, "rPr"), "b")
        return own if own is not None else self._by_style(run, lambda style: style.is_bold)

    def _by_style(self, run: Element, said_by: Callable[[_Style], bool | None]) -> bool:
        """Return what a run's style says, else its paragraph's style; False where none does."""
        paragraph = next(run.iterancestors("{*}p"), None)
        for style_id in (
            attribute(child(run, "rPr", "rStyle"), "val"),
            attribute(child(paragraph, "pPr", "pStyle"), "val"),
        ):
            said = next((said for style in self._chain(style_id) if (said := said_by(style)) is not None), None)
            if said is not None:
                return said
        return False

    def is_of_contents(self, paragraph: Element) -> bool:
        """Tell whether the paragraph is a line of the table of contents."""
        style_id = attribute(child(paragraph, "pPr", "pStyle"), "val")
        return any(name.lower().startswith("toc") for name in (style_id, *(one.name for one in self._chain(style_id))))

    def list_place(self, paragraph: Element) -> ListPlace | None:
        """Return the paragraph's place in a list, if any; each call counts the next item."""
        list_id, level = self._list(paragraph)
        if not list_id:
            return None
        place = min(int(level), 8) if level.isdigit() else 0
        depth = place or self._depth_by_name(attribute(child(paragraph, "pPr", "pStyle"), "val"))
        if self._formats.get((list_id, place), "bullet") in ("bullet", "none"):
            return ListPlace(depth, None)
        self._counts = {key: count for key, count in self._counts.items() if key[0] != list_id or key[1] <= place}
        number = self._counts.get((list_id, place), 0) + 1
        self._counts[list_id, place] = number
        return ListPlace(depth, number)

    def is_listed(self, paragraph: Element) -> bool:
        """Tell whether the paragraph is an item of a list."""
        return self._list(paragraph)[0] != ""

    def _list(self, paragraph: Element) -> tuple[str, str]:
        """Return the list that a paragraph is in, empty for none, and its level there."""
        list_id = attribute(child(paragraph, "pPr", "numPr", "numId"), "val")
        level = attribute(child(paragraph, "pPr", "numPr", "ilvl"), "val")
        if not list_id:
            chain = self._chain(attribute(child(paragraph, "pPr", "pStyle"), "val"))
            style = next((style for style in chain if style.list_id), None)
            list_id, level = (style.list_id, style.list_level) if style is not None else ("", "")
        return ("", "") if list_id == "0" else (list_id, level)

    def _depth_by_name(self, style_id: str) -> int:
        """Return the depth that Word's own styles name: each of "List Bullet 2" and "3" is a list by itself."""
        names = [style_id, *(style.name for style in self._chain(style_id))]
        named = next(filter(None, map(_LIST_NAME.fullmatch, names)), None)
        return int(named[1]) - 1 if named is not None else 0

    def _chain(self, style_id: str) -> list[_Style]:
        """Return a style and those that it is based on."""
        chain: list[_Style] = []
        while style_id in self._styles and len(chain) < _BASED_ON_LIMIT:
            chain.append(self._styles[style_id])
            style_id = chain[-1].based_on
        return chain


def load_docx(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the document.  Its title is the declared one, else the first heading, else the file's name.

    Pages are those that Word broke when it last saved the file, else those that its writer broke.
    """
    package = OfficePackage(source, raw, limits)
    main, tree = package.document()
    body = child(tree, "body")
    if body is None:
        raise source.unreadable("malformed")
    pictures = FigureReader(limits)
    breaks_are_rendered = next(descendants(body, "lastRenderedPageBreak"), None) is not None
    word = _Word(package, main, pictures, "lastRenderedPageBreak" if breaks_are_rendered else "br")
    word.count_pictures(body)
    word.find_bold_headings(body)
    word.read_notes()
    pages: list[list[str]] = [[]]
    for found in _joined_lists(word.blocks(body)):
        if isinstance(found, StillReading):
            yield found
            continue
        pages[-1].append(found)
        while len(pages) <= word.page_breaks:
            pages.append([])
    pages[-1] += word.notes_left()
    if not any(pages):
        pages = [list(word.margins())]  # a letterhead alone
    text, fields = join_pages(["\n\n".join(page) for page in pages])
    fields |= package.properties()
    fields["title"] = fields["title"] or word.first_heading
    yield pictures.with_figures(make_document(source, text, fields, kind="docx"))
    yield from pictures.failures(source)


def _joined_lists(blocks: "Iterator[_Item | str | StillReading]") -> Iterator[str | StillReading]:
    """Yield blocks; the items of a list that follow each other are one, and their notes stand below it."""
    items: list[str] = []
    notes: list[str] = []
    for block in blocks:
        if isinstance(block, _Item):
            items.append("   " * block.depth + bullet(block.text, block.number))
            notes += block.notes
            continue
        if items and not isinstance(block, StillReading):
            yield from ("\n".join(items), *notes)
            items, notes = [], []
        if isinstance(block, StillReading) or block.strip():
            yield block
    if items:
        yield from ("\n".join(items), *notes)


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    depth: int
    number: int | None
    notes: tuple[str, ...] = ()


@dataclass
class _Paragraph:
    """The content of one paragraph: its words, floating boxes and pictures, and the notes it refers to."""

    words: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """Each with its alternative text."""
    alt: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Each the name of its part and its id there."""


class _Word:
    """Walks one document.  ``page_breaks`` counts the page breaks so far."""

    def __init__(self, package: OfficePackage, main: str, pictures: FigureReader, page_break: str) -> None:
        self._package = package
        self._main = main
        self._relationships = package.relationships(main)
        self._styles = WordStyles(package, main)
        self._pictures = pictures
        self._places: Mapping[str, int] = {}
        self._page_break = page_break
        self._last_words = ""
        self._bold_levels: Mapping[Element, int] = {}
        self._notes: dict[tuple[str, str], str] = {}
        self.page_breaks = 0
        self.first_heading = ""

    def count_pictures(self, body: Element) -> None:
        """Count how often the document shows each picture; many are stored twice, for new programs and for old ones."""
        ways = [Counter(map(self._target, descendants(body, name))) for name in ("blip", "imagedata")]
        self._places = ways[0] | ways[1]

    def find_bold_headings(self, body: Element) -> None:
        """Find the headings of the document's own text that no style marks."""
        self._bold_levels = bold_levels(self._looks(body))

    def _looks(self, parent: Element) -> Iterator[Look]:
        for element in parent:
            name = local_name(element)
            if name == "p":
                words, is_bold = self._appearance(element)
                if words:
                    level = self._styles.heading_level(element)
                    is_item = self._styles.is_listed(element)
                    yield Look(element, None if is_item else words, is_bold=is_bold, level=level)
            elif name == "tbl":
                yield Look(element, None)
            elif name in _TRANSPARENT:
                yield from self._looks(element)

    def _appearance(self, paragraph: Element) -> tuple[str, bool]:
        """Return a paragraph's words, with its tabs and line ends, and whether they are bold throughout."""
        words, bold = [], []
        for run in _runs(paragraph):
            if not self._styles.hides(run):
                said = _own_words(run)
                words.append(said)
                bold += [self._styles.is_bold(run)] if said.strip() else []
        is_plain = not self._styles.is_of_contents(paragraph) and not self._styles.is_caption(paragraph)
        return clean("".join(words)).strip(), all(bold) and bool(bold) and is_plain

    def blocks(self, parent: Element) -> Iterator[_Item | str | StillReading]:
        """Yield headings, paragraphs, items and tables in their order."""
        for element in parent:
            name = local_name(element)
            if name == "p":
                yield from self._paragraph(element)
            elif name == "tbl":
                yield from self._table(element)
            elif name in _TRANSPARENT:
                yield from self.blocks(element)

    def read_notes(self) -> None:
        """Read the footnotes and endnotes, without the lines that separate them."""
        for kind in _NOTE_REFERENCES.values():
            tree = self._package.tree(self._package.related_part(self._main, kind))
            for note in tree if tree is not None else ():
                if not attribute(note, "type"):
                    words = " ".join(self._plain(paragraph) for paragraph in descendants(note, "p")).strip()
                    label = attribute(note, "id")
                    self._notes[kind, label] = footnote(label, words)
        self.page_breaks = 0  # those of notes are none of the document's

    def notes_left(self) -> list[str]:
        """Return the notes that no block was followed by, in their order."""
        return [note for note in self._notes.values() if note]

    def _take_notes(self, references: Iterable[tuple[str, str]]) -> list[str]:
        """Return the notes that are referred to for the first time, to stand behind what refers to them."""
        return [note for reference in references if (note := self._notes.pop(reference, ""))]

    def margins(self) -> Iterator[str]:
        """Yield the words of headers and footers, each once."""
        texts = []
        for found in self._relationships.values():
            tree = self._package.tree(found.target) if found.kind in ("header", "footer") else None
            if tree is not None:
                texts += [self._plain(paragraph) for paragraph in descendants(tree, "p")]
        yield from dict.fromkeys(text for text in texts if text)

    def _paragraph(self, element: Element) -> Iterator[_Item | str | StillReading]:
        found = _Paragraph()
        self._collect(element, found)
        words = _words_of(found)
        if words:
            block, notes = self._block(element, words), self._take_notes(found.notes)
            yield from (block, *notes) if isinstance(block, str) else [replace(block, notes=tuple(notes))]
        for box in found.boxes:
            yield from self.blocks(box)
        for picture, alt in found.pictures:
            around = self._surroundings(element, picture, alt)
            yield from self._pictures.read(self._package.picture(picture), picture, around)
        self._last_words = words or self._last_words

    def _surroundings(self, paragraph: Element, picture: str, alt: str) -> Surroundings:
        """Return a picture's surroundings: its caption is below it, else above it, else in its own paragraph."""
        beside = [one for one in (paragraph.getnext(), paragraph.getprevious(), paragraph) if one is not None]
        captions = (self._plain(one) for one in beside if local_name(one) == "p" and self._is_caption(one))
        return Surroundings(
            alt=alt,
            caption=next((caption for caption in captions if caption), ""),
            page=self.page_breaks + 1 if self.page_breaks else 0,
            places=self._places.get(picture, 1),
            near=self._last_words,
        )

    def _is_caption(self, paragraph: Element) -> bool:
        return self._styles.is_caption(paragraph) or is_caption(self._plain(paragraph))

    def _block(self, element: Element, words: str) -> _Item | str:
        styled = self._styles.heading_level(element)
        level = styled or self._bold_levels.get(element, 0)
        if level:
            if styled or level == 1:
                self.first_heading = self.first_heading or " ".join(words.split())
            return heading(level, words)
        listed = self._styles.list_place(element)
        return words if listed is None else _Item(words, listed.depth, listed.number)

    def _table(self, element: Element) -> Iterator[_Item | str | StillReading]:
        rows = [list(self._cells(row)) for row in _rows(element)]
        if max((len(row) for row in rows), default=0) > 1:
            yield table_with_title(self._table_words(rows), _declared_header(element))
            yield from self._take_notes(_note_references(element))
            return
        for row in rows:  # a frame around text, not a table
            for cell in row:
                if cell is not None and not _is_covered(cell):
                    yield from self.blocks(cell)

    def _table_words(self, rows: "list[list[Element | None]]") -> list[list[str]]:
        """Return the words of a table's cells; those of a cell over several rows in each of them."""
        lines: list[list[str]] = []
        for row in rows:
            above = lines[-1] if lines else []
            lines.append(
                [
                    repeated("".join(above[place : place + 1])) if _is_covered(cell) else self._cell_words(cell)
                    for place, cell in enumerate(row)
                ]
            )
        return lines

    def _cells(self, row: Element) -> Iterator[Element | None]:
        """Yield a row's cells; None for a place covered by a cell to the left, or before the first cell."""
        yield from [None] * _count(attribute(child(row, "trPr", "gridBefore"), "val"))
        for element in row:
            name = local_name(element)
            if name in ("sdt", "sdtContent"):
                yield from self._cells(element)
            elif name == "tc":
                yield element
                yield from [None] * (_count(attribute(child(element, "tcPr", "gridSpan"), "val")) - 1)

    def _cell_words(self, cell: Element | None) -> str:
        if cell is None:
            return Covered()
        return " ".join(self._plain(paragraph) for paragraph in descendants(cell, "p")).strip()

    def _plain(self, paragraph: Element) -> str:
        found = _Paragraph()
        self._collect(paragraph, found)
        return _words_of(found)

    def _collect(self, element: Element, found: _Paragraph) -> None:
        """Collect the words below an element, floating boxes and pictures, and page breaks."""
        for part in element:
            name = local_name(part)
            if name in _UNSEEN or (name == "r" and self._styles.hides(part)):
                continue
            if name in _WORDS:
                found.words.append(part.text or "" if name == "t" else _WORDS[name])
            elif name in ("br", "cr", "lastRenderedPageBreak"):
                self._break(part, name, found)
            elif name == "AlternateContent":  # the same thing twice, for new programs and for old ones
                self._collect(next(iter(part), part), found)
            elif name == "txbxContent":
                found.boxes.append(part)
            elif name in ("docPr", "blip", "imagedata"):
                self._picture(part, name, found)
            elif name == "hyperlink":
                self._link(part, found)
            elif name in _NOTE_REFERENCES:
                found.words.append(footnote_mark(attribute(part, "id")))
                found.notes.append((_NOTE_REFERENCES[name], attribute(part, "id")))
            else:
                self._collect(part, found)

    def _break(self, element: Element, name: str, found: _Paragraph) -> None:
        if name == self._page_break:
            self.page_breaks += name == "lastRenderedPageBreak" or attribute(element, "type") == "page"
        if name != "lastRenderedPageBreak":
            found.words.append("\n")

    def _picture(self, element: Element, name: str, found: _Paragraph) -> None:
        if name == "docPr":  # stands before the picture
            found.alt = attribute(element, "descr") or attribute(element, "title")
        elif target := self._target(element):
            found.pictures.append((target, found.alt))

    def _target(self, element: Element) -> str:
        """Return the name of an element's picture; empty where it is not in the package."""
        relationship = self._relationships.get(attribute(element, "embed") or attribute(element, "id"))
        return relationship.target if relationship is not None and not relationship.external else ""

    def _link(self, element: Element, found: _Paragraph) -> None:
        inner = _Paragraph([], found.boxes, found.pictures, notes=found.notes)
        self._collect(element, inner)
        relationship = self._relationships.get(attribute(element, "id"))
        target = relationship.target if relationship is not None and relationship.external else ""
        found.words.append(link("".join(inner.words), target))


def _words_of(found: _Paragraph) -> str:
    return marks_within_sentences(join_lines(clean("".join(found.words))).strip())


def _note_references(element: Element) -> Iterator[tuple[str, str]]:
    """Yield the notes that the words below an element refer to, each the name of its part and its id there."""
    for name, kind in _NOTE_REFERENCES.items():
        yield from ((kind, attribute(found, "id")) for found in descendants(element, name))


def _declared_header(element: Element) -> int:
    """Return how many rows Word repeats as the header on each page."""
    return sum(1 for _ in takewhile(lambda row: _is_on(child(row, "trPr", "tblHeader")), _rows(element)))


def _runs(element: Element) -> Iterator[Element]:
    """Yield the runs of a paragraph's own words."""
    for part in element:
        name = local_name(part)
        if name == "r":
            yield part
        elif name not in _UNSEEN:
            yield from _runs(part)


def _own_words(run: Element) -> str:
    """Return a run's words, with its tabs as line ends."""
    parts = ((part.text or "") if local_name(part) == "t" else "\n" for part in run if local_name(part) in _OWN_WORDS)
    return "".join(parts)


def _is_covered(cell: Element | None) -> bool:
    """Tell whether a cell is covered by the one above."""
    merged = child(cell, "tcPr", "vMerge")
    return merged is not None and attribute(merged, "val") != "restart"


def _count(written: str) -> int:
    return min(int(written), _MOST_COLUMNS) if written.isdecimal() and len(written) < 5 else 0


def _is_on(switch: Element | None) -> bool:
    """Tell whether a switch such as ``vanish`` is there and not turned off."""
    return switch is not None and attribute(switch, "val") not in ("0", "false", "off")


def _rows(element: Element) -> Iterator[Element]:
    for part in element:
        if local_name(part) == "tr":
            if not _is_on(child(part, "trPr", "hidden")):
                yield part
        elif local_name(part) in _TRANSPARENT:
            yield from _rows(part)


def _children_named(tree: Element | None, name: str) -> list[Element]:
    return [found for found in tree if local_name(found) == name] if tree is not None else []


def _style(element: Element) -> _Style:
    return _Style(
        name=attribute(child(element, "name"), "val"),
        based_on=attribute(child(element, "basedOn"), "val"),
        outline=attribute(child(element, "pPr", "outlineLvl"), "val"),
        list_id=attribute(child(element, "pPr", "numPr", "numId"), "val"),
        list_level=attribute(child(element, "pPr", "numPr", "ilvl"), "val"),
        hides=_switch(child(element, "rPr"), "vanish"),
        is_bold=_switch(child(element, "rPr"), "b"),
    )


def _switch(properties: Element | None, name: str) -> bool | None:
    """Tell whether a run's properties turn something on, such as ``vanish``; None where they do not say."""
    switch = child(properties, name)
    return None if switch is None else _is_on(switch)


def _formats(numbering: Element | None) -> dict[tuple[str, int], str]:
    """Return the number formats of the lists' levels, by list and depth."""
    abstract = {attribute(found, "abstractNumId"): found for found in _children_named(numbering, "abstractNum")}
    formats: dict[tuple[str, int], str] = {}
    for found in _children_named(numbering, "num"):
        definition = abstract.get(attribute(child(found, "abstractNumId"), "val"))
        for level in descendants(definition, "lvl") if definition is not None else ():
            depth = attribute(level, "ilvl")
            if depth.isdigit():
                formats[attribute(found, "numId"), int(depth)] = attribute(child(level, "numFmt"), "val")
    return formats
