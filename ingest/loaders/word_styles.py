"""What a Word paragraph is by its style: a heading of some level, an item of some list, or neither."""

import re
from dataclasses import dataclass

from ingest.loaders.office_xml import Element, OfficePackage, attribute, child, descendants, local_name

_HEADING_NAME = re.compile(r"(?:heading|标题|標題|überschrift|titre|título|見出し)\s*(\d)", re.IGNORECASE)
_DEEPEST_LEVEL = 6
_BASED_ON_LIMIT = 16


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where an item stands: how deep from 0, and its number in an ordered list."""

    depth: int
    number: int | None


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str
    outline: str
    list_id: str
    list_level: str


class WordStyles:
    """The styles and lists of one document; it counts the numbered items that it is asked about."""

    def __init__(self, package: OfficePackage, main: str) -> None:
        styles = package.tree(package.related(main, "styles"))
        self._styles = {attribute(found, "styleId"): _style(found) for found in _named(styles, "style")}
        numbering = package.tree(package.related(main, "numbering"))
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

    def list_place(self, paragraph: Element) -> ListPlace | None:
        """Return where the paragraph stands in a list, if in any; each call is for the next item."""
        list_id = attribute(child(paragraph, "pPr", "numPr", "numId"), "val")
        level = attribute(child(paragraph, "pPr", "numPr", "ilvl"), "val")
        if not list_id:
            style = next(iter(self._chain(attribute(child(paragraph, "pPr", "pStyle"), "val"))), None)
            list_id, level = (style.list_id, style.list_level) if style is not None else ("", "")
        if list_id in ("", "0"):
            return None
        depth = min(int(level), 8) if level.isdigit() else 0
        if self._formats.get((list_id, depth), "bullet") in ("bullet", "none"):
            return ListPlace(depth, None)
        self._counts = {key: count for key, count in self._counts.items() if key[0] != list_id or key[1] <= depth}
        number = self._counts.get((list_id, depth), 0) + 1
        self._counts[list_id, depth] = number
        return ListPlace(depth, number)

    def _chain(self, style_id: str) -> list[_Style]:
        """Return a style and those that it is based on."""
        chain: list[_Style] = []
        while style_id in self._styles and len(chain) < _BASED_ON_LIMIT:
            chain.append(self._styles[style_id])
            style_id = chain[-1].based_on
        return chain


def _named(tree: Element | None, name: str) -> list[Element]:
    return [found for found in tree if local_name(found) == name] if tree is not None else []


def _style(element: Element) -> _Style:
    return _Style(
        name=attribute(child(element, "name"), "val"),
        based_on=attribute(child(element, "basedOn"), "val"),
        outline=attribute(child(element, "pPr", "outlineLvl"), "val"),
        list_id=attribute(child(element, "pPr", "numPr", "numId"), "val"),
        list_level=attribute(child(element, "pPr", "numPr", "ilvl"), "val"),
    )


def _formats(numbering: Element | None) -> dict[tuple[str, int], str]:
    """Return how the levels of each list are numbered, by list and depth."""
    abstract = {attribute(found, "abstractNumId"): found for found in _named(numbering, "abstractNum")}
    formats: dict[tuple[str, int], str] = {}
    for found in _named(numbering, "num"):
        definition = abstract.get(attribute(child(found, "abstractNumId"), "val"))
        for level in descendants(definition, "lvl") if definition is not None else ():
            depth = attribute(level, "ilvl")
            if depth.isdigit():
                formats[attribute(found, "numId"), int(depth)] = attribute(child(level, "numFmt"), "val")
    return formats
