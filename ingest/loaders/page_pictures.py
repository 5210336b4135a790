"""Pictures in web pages and in the chapters of books: where one is kept, its mark stands in the page instead."""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.loaders.figures import FigureReader, Surroundings
from ingest.loaders.source import StillReading

_DATA_ADDRESS = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp)[^,]{0,100};base64,", re.IGNORECASE)
_IMAGE = re.compile(rb"<img\b[^<>]*?\bsrc\s*=\s*[\"'](?P<address>[^\"'<>]++)", re.IGNORECASE)


class PagePictures(FigureReader):
    """Reads the pictures of one document that consists of web pages."""

    def write_marks(self, content: Tag, picture_of: Callable[[str], bytes], near: str) -> Iterator[StillReading]:
        """Write in the place of each picture of a page that is kept what stands for it.

        ``picture_of`` returns the picture that has an address in this page, or nothing; ``near`` is some of its text.
        """
        images = [(image, str(image.get("src") or "")) for image in content.find_all("img")]
        places = Counter(address for _, address in images)
        for image, address in images:
            picture = picture_of(address)
            if not picture or not self.keeps:
                continue
            alt = str(image.get("alt") or "")
            around = Surroundings(alt, _caption(image), places=places[address], near=near, inline=True)
            for found in self.read(picture, "", around):
                if isinstance(found, StillReading):
                    yield found
                else:
                    block = BeautifulSoup("", "lxml").new_tag("div")
                    block.string = found
                    image.replace_with(block)


def embedded_picture(address: str) -> bytes:
    """Return the picture that a ``data:`` address holds; nothing for another one."""
    found = _DATA_ADDRESS.match(address)
    if found is None:
        return b""
    try:
        return base64.b64decode(unquote_to_bytes(address[found.end() :]), validate=False)
    except ValueError:
        return b""


def picture_addresses(raw: bytes) -> list[str]:
    """Return what a page names as pictures, as often as it does, without reading it whole."""
    return [found["address"].decode("utf-8", "replace") for found in _IMAGE.finditer(raw)]


def _caption(image: Tag) -> str:
    """Return the caption of the figure that an image is in; else its title."""
    figure = image.find_parent("figure")
    caption = figure.find("figcaption") if figure is not None else None
    return " ".join(caption.get_text().split()) if caption is not None else str(image.get("title") or "")
