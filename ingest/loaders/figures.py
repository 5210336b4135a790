"""Figures: the pictures of a document worth showing beside its text, with their captions and the words in them.

A picture is drawn again as a WebP, so that only its pixels are kept: no place where it was taken, no thumbnail of what
was cropped, no program.  Icons, logos, rules, empty pictures and those repeated throughout a document are left out.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ingest.loaders.fields import picture_description, text_language
from ingest.loaders.layout import page_text
from ingest.loaders.ocr import PictureReader, TooManyPixelsError, has_words, is_too_small_for_words, pictures_of
from ingest.loaders.plain_markup import figure
from ingest.loaders.source import REPEATED, KeptFigure, Limits, PictureAhead, StillReading
from rag.schema import Document, Figure, Language
from rag.storage.figures import LARGEST_FIGURE_BYTES
from rag.text.characters import one_line, without_invisible

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST_SIDE_PIXELS = 64
"""Icons and rules are smaller."""

LONGEST_SIDE_PIXELS = 1280
"""The longest side of a kept picture: enough to read a screenshot of a whole screen."""

_QUALITIES = (85, 60, 35)
_LARGEST_DOCUMENT_BYTES = 20_000_000
_LONGEST_SHAPE = 8  # times as wide as high: a banner or a rule
_CAPTION_LIMIT_CHARACTERS = 300
_WORDS_LIMIT_CHARACTERS = 600  # more are a page of text, and stay text of their own below the mark
_INLINE_LIMIT_CHARACTERS = 1500
_NEAR_CHARACTERS = 200
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_CAPTION = re.compile(
    r"\s*(?:(?:figure|fig|image|picture|photo|screenshot|diagram|chart|graph|illustration|abbildung|abb)\b\.?"
    r"(?:\s*[\d(:：]|\s+[a-z][.:)])|(?:图|圖|照)片?\s*[\d一二三四五六七八九十:：]|(?:截图|示意图|图示|插图)\s*[\d:：])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The context of a picture, from its loader.

    ``places`` is how often the document shows it, ``near`` a text beside it.  ``inline`` tells that it stands within a
    text and must become one line, or nothing.  The others are those of ``Figure``.
    """

    alt: str = ""
    caption: str = ""
    page: int = 0
    box: tuple[float, ...] = ()
    places: int = 1
    near: str = ""
    inline: bool = False


_ALONE = Surroundings()


def is_caption(line: str) -> bool:
    """Tell whether a line names a picture.

    >>> is_caption("Fig. 2: the status page"), is_caption("图3 接线示意"), is_caption("Figure out what you need")
    (True, True, False)
    """
    return _CAPTION.match(line) is not None and len(line) <= _CAPTION_LIMIT_CHARACTERS


class FigureReader(PictureReader):
    """Reads the pictures in one document as ``PictureReader`` does, and keeps up to ``limits.figures`` of them."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._bytes_left = _LARGEST_DOCUMENT_BYTES
        self._kept: list[tuple[Figure, str]] = []  # without their places, each with the text that stands for it

    @property
    def keeps(self) -> bool:
        """Whether one more picture may be kept."""
        return len(self._kept) < self._limits.figures and self._bytes_left >= LARGEST_FIGURE_BYTES

    def read(self, content: bytes, name: str, around: Surroundings = _ALONE) -> Iterator[str | StillReading]:
        """Yield the picture to keep and the text that stands for it; else the words in it, if any."""
        if not self.keeps:
            yield from super().read(content, name)
        elif around.places < REPEATED and self.is_new(content, name):
            yield from self._read(content, around)

    def _read(self, content: bytes, around: Surroundings) -> Iterator[str | StillReading]:
        pictures = pictures_of(content, self._limits)
        try:
            yield PictureAhead()
            picture = next(pictures, None)
            if picture is not None:
                yield from self.keep(picture, around)
        except (TooManyPixelsError, OSError, ValueError, SyntaxError):
            pass  # Pillow knows no such format, or the picture is damaged: the document is read all the same
        yield StillReading()

    def keep(self, picture: "Image", around: Surroundings) -> Iterator[str | StillReading]:
        """Like ``read``, for an unpacked picture in colour; ``PictureAhead`` came before."""
        lines = [] if is_too_small_for_words(picture) else self.lines(np.asarray(picture)) or []
        text = page_text(lines)
        if _is_figure(picture):
            content, size = _encode_webp(picture)
            yield KeptFigure(content=content)
            yield self._block(content, size, text, around)
        else:
            yield StillReading()
            if has_words(text) and not around.inline:
                yield text

    def with_figures(self, document: Document) -> Document:
        """Return the document with the figures in its text, in their order."""
        found: list[Figure] = []
        end = 0
        for kept, block in self._kept:
            start = document.text.find(block, end)
            if start >= 0:
                end = start + len(block)
                found.append(replace(kept, start=start, end=end))
        return replace(document, figures=tuple(found)) if found else document

    def _block(self, content: bytes, size: tuple[int, int], read: str, around: Surroundings) -> str:
        self._bytes_left -= len(content)
        alt, caption = picture_description(around.alt), picture_description(around.caption)
        text = without_invisible(read).strip()
        words = [_row_words(line) for line in text.splitlines() if _LETTER_OR_DIGIT.search(line)]
        language = _language([caption, alt, *words, around.near])
        if not around.inline and (len(text) > _WORDS_LIMIT_CHARACTERS or text.startswith("| ") or "\n| " in text):
            block = f"{figure([caption, alt], language)}\n\n{text}"
        else:
            block = without_invisible(figure([caption, alt, *_inline_lines(words)], language))
        kept = Figure(
            digest=hashlib.sha256(content).hexdigest(),
            start=0,
            end=0,
            width=size[0],
            height=size[1],
            page=around.page,
            box=around.box,
            alt=alt,
            caption=caption,
            words=one_line("\n".join(words))[:_INLINE_LIMIT_CHARACTERS],
        )
        self._kept.append((kept, block))
        return block


def _is_figure(picture: "Image") -> bool:
    shorter, longer = sorted(picture.size)
    if shorter < SMALLEST_SIDE_PIXELS or longer > _LONGEST_SHAPE * shorter:
        return False
    grey = picture.convert("L").getextrema()
    return grey[0] != grey[1]  # of one colour: a space that something else fills


def _encode_webp(picture: "Image") -> tuple[bytes, tuple[int, int]]:
    """Return a WebP of at most ``LARGEST_FIGURE_BYTES`` and its size in pixels."""
    small = picture.copy()
    while True:
        small.thumbnail((LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            small.save(buffer, "WEBP", quality=quality, method=2, exif=b"", icc_profile=b"", xmp=b"")
            if buffer.tell() <= LARGEST_FIGURE_BYTES:
                return buffer.getvalue(), small.size
        small = small.reduce(2)


def _language(texts: Sequence[str]) -> Language:
    *own, near = texts
    return text_language(near[-_NEAR_CHARACTERS:] if near else " ".join(own))


def _row_words(line: str) -> str:
    """Return a line, or the words of a table row's cells."""
    return " ".join(line.replace("|", " ").split())


def _inline_lines(words: Iterable[str]) -> Iterator[str]:
    """Yield words until they are too long for one line."""
    left = _INLINE_LIMIT_CHARACTERS
    for line in words:
        left -= len(line)
        if left < 0:
            return
        yield line
