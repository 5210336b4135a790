"""Presentations: a page a slide, with its title as heading, its tables, its notes, and the words in its pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ingest.loaders.encoding import clean
from ingest.loaders.fields import make_document
from ingest.loaders.figures import FigureReader, Surroundings, is_caption
from ingest.loaders.office_xml import Element, OfficePackage, attribute, child, descendants, local_name
from ingest.loaders.plain_markup import heading, join_lines, join_pages, link
from ingest.loaders.source import Found, Limits, Part, SourceFile, StillReading
from ingest.loaders.table_header import Covered, table_with_title

_TITLES = ("title", "ctrTitle")
_FURNITURE = ("sldNum", "dt", "ftr", "hdr", "sldImg")


def load_pptx(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the presentation as one document.  Its title is the declared one, else the first slide's."""
    package = OfficePackage(source, raw, limits)
    main, presentation = package.document()
    relationships = package.relationships(main)
    pictures = FigureReader(limits)
    slides = []
    titles = []
    names = [
        next((relationships[value].target for value in entry.attrib.values() if value in relationships), "")
        for entry in descendants(presentation, "sldId")
    ]
    show = _Show(package, names, _size(presentation))
    for number, name in enumerate(names, start=1):
        slide = _Slide(show, name, number, pictures)
        blocks: list[str] = []
        for found in slide.blocks():
            if isinstance(found, StillReading):
                yield found
            elif found:
                blocks.append(found)
        slides.append("\n\n".join(blocks))
        titles.append(slide.title)
    text, fields = join_pages(slides)
    fields |= package.properties()
    fields["title"] = fields["title"] or next(filter(None, titles), "")
    yield pictures.with_figures(make_document(source, text, fields, kind="pptx"))
    yield from pictures.failures(source)


class _Show:
    """What the slides share.  ``size`` is a slide's, in the units of positions; 0 where it is unknown."""

    def __init__(self, package: OfficePackage, names: Sequence[str], size: tuple[int, int]) -> None:
        self.package = package
        self.size = size
        self.relationships = {name: package.relationships(name) for name in names}
        shown = (set(one.target for one in found.values()) for found in self.relationships.values())
        self.places = Counter(target for targets in shown for target in targets)
        """On how many slides each picture stands."""


class _Slide:
    """Reads one slide; ``title`` is set once its blocks are read."""

    def __init__(self, show: _Show, name: str, number: int, pictures: FigureReader) -> None:
        self._show = show
        self._package = show.package
        self._name = name
        self._number = number
        self._relationships = show.relationships[name]
        self._pictures = pictures
        self.title = ""

    def blocks(self) -> Iterator[str | StillReading]:
        """Yield the slide's title, its shapes from top to bottom as they are stored, and its notes; none if hidden."""
        tree = self._package.tree(self._name)
        if tree is not None and tree.get("show") in ("0", "false"):
            return
        shapes = child(tree, "cSld", "spTree")
        if shapes is None:
            return
        titles = [shape for shape in descendants(shapes, "sp") if _role(shape) in _TITLES]
        for shape in titles:
            words = " ".join(self._paragraphs(shape))
            self.title = self.title or words
            yield heading(2, words)
        yield from self._shapes(shapes, titles)
        notes = self._package.tree(self._package.related_part(self._name, "notesSlide"))
        for shape in descendants(notes, "sp") if notes is not None else ():
            if _role(shape) not in _FURNITURE:
                yield "\n".join(self._paragraphs(shape))

    def _shapes(self, parent: Element, titles: Sequence[Element]) -> Iterator[str | StillReading]:
        for shape in parent:
            name = local_name(shape)
            if name == "grpSp":
                yield from self._shapes(shape, titles)
            elif name == "AlternateContent":
                yield from self._shapes(next(iter(shape), shape), titles)
            elif name == "sp" and shape not in titles and _role(shape) not in _FURNITURE:
                yield "\n".join(self._paragraphs(shape))
                yield from self._picture(shape)
            elif name == "pic":
                yield from self._picture(shape)
            elif name == "graphicFrame":
                yield from self._frame(shape)

    def _frame(self, frame: Element) -> Iterator[str]:
        """Yield a table, or the words of a chart or a diagram."""
        for found in descendants(frame, "tbl"):
            rows = [row for row in found if local_name(row) == "tr"]
            yield table_with_title([[self._cell_words(cell) for cell in descendants(row, "tc")] for row in rows])
        for reference in descendants(frame, "chart", "relIds"):
            relationship = self._relationships.get(attribute(reference, "dm") or attribute(reference, "id"))
            tree = self._package.tree(relationship.target) if relationship is not None else None
            if tree is not None:
                yield "\n".join(dict.fromkeys([*self._paragraphs(tree), *_chart_labels(tree)]))

    def _cell_words(self, cell: Element) -> str:
        words = " ".join(self._paragraphs(cell))
        return words if words or attribute(cell, "hMerge") not in ("1", "true") else Covered()

    def _picture(self, shape: Element) -> Iterator[str | StillReading]:
        for blip in descendants(shape, "blip"):
            relationship = self._relationships.get(attribute(blip, "embed"))
            if relationship is not None and not relationship.external:
                target = relationship.target
                around = self._surroundings(shape, target)
                yield from self._pictures.read(self._package.picture(target), target, around)

    def _surroundings(self, shape: Element, target: str) -> Surroundings:
        beside = [one for one in (shape.getnext(), shape.getprevious()) if one is not None and local_name(one) == "sp"]
        lines = (" ".join(self._paragraphs(one)) for one in beside)
        properties = next(descendants(shape, "cNvPr"), None)
        return Surroundings(
            alt=attribute(properties, "descr") or attribute(properties, "title"),
            caption=next((line for line in lines if is_caption(line)), ""),
            page=self._number,
            box=_box(shape, self._show.size),
            places=self._show.places[target],
            near=self.title,
        )

    def _paragraphs(self, shape: Element) -> list[str]:
        lines = (join_lines(clean("".join(self._words(found)))).strip() for found in descendants(shape, "p"))
        return [line for line in lines if line]

    def _words(self, paragraph: Element) -> Iterator[str]:
        for run in paragraph:
            if local_name(run) == "br":
                yield "\n"
            elif local_name(run) in ("r", "fld"):
                words = "".join(found.text or "" for found in descendants(run, "t"))
                click = child(run, "rPr", "hlinkClick")
                relationship = self._relationships.get(attribute(click, "id"))
                external = relationship is not None and relationship.external
                yield link(words, relationship.target) if relationship is not None and external else words
            else:
                yield from (found.text or "" for found in descendants(run, "t"))


def _role(shape: Element) -> str:
    """Return the placeholder that a shape fills: ``title``, ``body``, ``sldNum``...; empty for none."""
    placeholder = next(descendants(shape, "ph"), None)
    return attribute(placeholder, "type") or "body" if placeholder is not None else ""


def _size(presentation: Element) -> tuple[int, int]:
    size = child(presentation, "sldSz")
    return _number(attribute(size, "cx")), _number(attribute(size, "cy"))


def _box(shape: Element, size: tuple[int, int]) -> tuple[float, ...]:
    """Return a shape's box as shares of the slide; empty in a group, which has its own coordinates."""
    frame = child(shape, "spPr", "xfrm")
    place, extent = child(frame, "off"), child(frame, "ext")
    parent = shape.getparent()
    if place is None or extent is None or 0 in size or parent is None or local_name(parent) != "spTree":
        return ()
    left, top = _number(attribute(place, "x")) / size[0], _number(attribute(place, "y")) / size[1]
    right, bottom = _number(attribute(extent, "cx")) / size[0], _number(attribute(extent, "cy")) / size[1]
    return tuple(round(min(max(edge, 0.0), 1.0), 4) for edge in (left, top, left + right, top + bottom))


def _number(written: str) -> int:
    return int(written) if written.lstrip("-").isdigit() and written.isascii() else 0


def _chart_labels(chart: Element) -> Iterator[str]:
    for cache in descendants(chart, "strCache"):
        yield from (found.text.strip() for found in descendants(cache, "v") if found.text and found.text.strip())
