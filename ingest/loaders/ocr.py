"""Optical character recognition: RapidOCR's Chinese and English models, from its wheel, on OpenVINO, without network.

The engine is loaded for the first picture, which takes two seconds and a gigabyte.
"""

import gc
import hashlib
import io
import math
import re
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ingest.loaders.encoding import clean
from ingest.loaders.layout import page_text
from ingest.loaders.page_lines import CELL_GAP_EMS, Cell, Line
from ingest.loaders.source import Limits, PictureAhead, SourceFile, StillReading
from rag.errors import DocumentUnreadable

if TYPE_CHECKING:
    from PIL.Image import Image
    from rapidocr import RapidOCR
    from rapidocr.utils.output import RapidOCROutput

LONGEST_SIDE_PIXELS = 2000
"""RapidOCR makes larger pictures smaller; no page need be drawn larger."""

_ROOM_BYTES = 1_200_000_000  # what a page that is unlike the ones before may take
_SMALLEST_PIXELS = (60, 16)  # bullets, rules and icons are smaller
_LETTER = re.compile(r"[^\W_]")
_GUTTERS = 41  # places that are tried for a white stripe down the page's middle
_MIDDLE = (0.35, 0.65)
_COLUMN_LINES = 5
_COLUMN_SHARE = 0.7  # of a column's width that most of its lines fill: cells of a table are shorter


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of a line, in pixels from the upper left corner."""

    text: str
    left: float
    right: float
    top: float
    bottom: float


class TooManyPixelsError(Exception):
    """A picture that would unpack to more pixels than the limit; its text is how many, in megapixels."""

    def __init__(self, pixels: int) -> None:
        super().__init__(f"{pixels / 1e6:,.0f} MP")


def recognised_lines(image: NDArray[np.uint8]) -> list[Line]:
    """Return the lines of a picture [height, width, 3], from top to bottom, without sizes."""
    result = _recognise(image)
    if result.boxes is None or result.txts is None:
        return []
    boxes = [
        Box(clean(text), *_span(corners[:, 0]), *_span(corners[:, 1]))
        for corners, text in zip(result.boxes, result.txts, strict=True)
        if text.strip()
    ]
    return lines_of(boxes)


def pictures_of(content: bytes, limits: Limits, formats: tuple[str, ...] | None = None) -> "Iterator[Image]":
    """Yield a file's pictures upright and in colour: one, or the pages of a fax.  Raises ``TooManyPixelsError``.

    ``formats`` are Pillow's names of those that are tried; None: all that it knows.
    """
    from PIL import Image, ImageOps, ImageSequence

    Image.MAX_IMAGE_PIXELS = limits.picture_pixels
    try:
        with Image.open(io.BytesIO(content), formats=formats) as file:
            many = file.format == "TIFF"
            for frame in ImageSequence.Iterator(file) if many else [file]:
                if frame.width * frame.height > limits.picture_pixels:
                    raise TooManyPixelsError(frame.width * frame.height)
                frame.draft("RGB", (LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))  # JPEG can be read at half its size
                upright = _to_eight_bits(ImageOps.exif_transpose(frame)).convert("RGBA")
                page = Image.new("RGB", upright.size, "white")
                page.paste(upright, mask=upright.getchannel("A"))
                yield page
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(_pixels_told(error)) from error


def _pixels_told(error: Exception) -> int:
    """Return the pixels that Pillow's error names: the file is not open yet.  0 if it names none."""
    number = re.search(r"\((\d{1,20}) pixels\)", str(error))
    return int(number[1]) if number is not None else 0


def _to_eight_bits(picture: "Image") -> "Image":
    """Return a 16-bit picture in 8 bits: Pillow would turn all but nearly black pixels white."""
    from PIL import Image

    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


class PictureReader:
    """Reads the pictures in one document, each once, until ``limits.ocr_pages`` of them were read."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.ocr_pages
        self._seen: set[bytes] = set()
        self._left_out = 0

    def read(self, content: bytes, name: str) -> Iterator[str | StillReading]:
        """Yield the words of a picture, if any; other content is decoration and skipped."""
        if self._limits.ocr_pages == 0 or not self.is_new(content, name):
            return
        try:
            for found in self.pages(content, skip_small=True):
                if isinstance(found, StillReading) or has_words(found):
                    yield found
        except (TooManyPixelsError, OSError, ValueError, SyntaxError):
            pass  # Pillow knows no such format, or the picture is damaged: the document is read all the same
        yield StillReading()

    def pages(self, content: bytes, *, skip_small: bool = False) -> Iterator[str | StillReading]:
        """Yield the words of each of a file's pictures, blank where it has none.

        With ``skip_small`` bullets, rules and icons are left out.  Raises ``TooManyPixelsError``, and Pillow's errors
        where a picture is damaged.
        """
        pictures = pictures_of(content, self._limits)
        while True:
            yield PictureAhead()
            picture = next(pictures, None)
            if picture is None:
                return
            if not (skip_small and is_too_small_for_words(picture)):
                lines = self.lines(np.asarray(picture))
                yield StillReading()
                yield page_text(lines or [])

    def is_new(self, content: bytes, name: str) -> bool:
        """Tell whether a picture was not read before and may be of a readable kind."""
        digest = hashlib.sha256(content).digest()
        if not content or digest in self._seen or name.lower().endswith((".emf", ".wmf", ".svg")):
            return False
        self._seen.add(digest)
        return True

    def lines(self, image: NDArray[np.uint8]) -> list[Line] | None:
        """Return the lines of a page; None where no more pages may be read."""
        if self._left <= 0:
            self._left_out += self._limits.ocr_pages > 0
            return None
        self._left -= 1
        return recognised_lines(image)

    def failures(self, source: SourceFile) -> Iterator[DocumentUnreadable]:
        """Yield an error about pages that were left out, if any."""
        if self._left_out:
            yield source.unreadable("too_many_pages", f"{self._limits.ocr_pages} + {self._left_out}")


def has_words(text: str) -> bool:
    """Tell whether a picture's text is more than a stray letter."""
    return len(_LETTER.findall(text)) > 1


def is_too_small_for_words(picture: "Image") -> bool:
    """Tell whether a picture is a bullet, a rule or an icon, without words."""
    return picture.width < _SMALLEST_PIXELS[0] or picture.height < _SMALLEST_PIXELS[1]


def _recognise(image: NDArray[np.uint8]) -> "RapidOCROutput":
    """Recognise a picture; an engine without room is dropped first, because it keeps memory for each size of line."""
    import rag.retrieval.openvino_runtime  # noqa: F401  # RapidOCR's own import of OpenVINO would bring its telemetry

    # isort: split
    from rapidocr.inference_engine.openvino.main import OpenVINOError

    if address_space_left() < _ROOM_BYTES:
        forget_engine()
    try:
        return _engine()(image)
    except OpenVINOError:
        forget_engine()
    try:
        return _engine()(image)
    except OpenVINOError as error:
        raise MemoryError("no room for the engine") from error


def address_space_left() -> float:
    """Return how many bytes this process may still take; infinite where there is no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return math.inf
    return limit - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def engine_is_loaded() -> bool:
    """Tell whether an engine is in memory."""
    return _engine.cache_info().currsize > 0


def forget_engine() -> None:
    """Give the engine's memory back; the next picture loads it again."""
    _engine.cache_clear()
    gc.collect()


@lru_cache(maxsize=1)
def _engine() -> "RapidOCR":
    from rapidocr import EngineType, RapidOCR

    openvino = {f"{stage}.engine_type": EngineType.OPENVINO for stage in ("Det", "Cls", "Rec")}
    return RapidOCR(params={**openvino, "Global.log_level": "critical", "Global.max_side_len": LONGEST_SIDE_PIXELS})


def _span(places: "NDArray[np.float32]") -> tuple[float, float]:
    return float(places.min()), float(places.max())


def lines_of(boxes: Sequence[Box]) -> list[Line]:
    """Return the lines from top to bottom, without sizes; where a page has two columns, the left one first."""
    return [_line(row) for stretch in _stretches(boxes) for row in _rows(stretch)]


def _stretches(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Yield the boxes in reading order: those that span the page, and between them each column."""
    gutter = _gutter(boxes)
    if gutter is None:
        yield list(boxes)
        return
    from_top = sorted(boxes, key=lambda box: box.top)
    for spans, group in groupby(from_top, key=lambda box: box.left < gutter < box.right):
        stretch = list(group)
        if spans:
            yield stretch
        else:
            yield from ([box for box in stretch if (box.left < gutter) == is_left] for is_left in (True, False))


def _gutter(boxes: Sequence[Box]) -> float | None:
    """Return the place of the white stripe between two columns of text; None where there is none."""
    if not boxes:
        return None
    left, right = min(box.left for box in boxes), max(box.right for box in boxes)
    places = [left + (right - left) * float(share) for share in np.linspace(*_MIDDLE, _GUTTERS)]
    place = min(places, key=lambda place: sum(box.left < place < box.right for box in boxes))
    columns = [
        ([box for box in boxes if box.right <= place], place - left),
        ([box for box in boxes if box.left >= place], right - place),
    ]
    are_text = all(
        len(column) >= _COLUMN_LINES and median(box.right - box.left for box in column) >= _COLUMN_SHARE * width
        for column, width in columns
    )
    return place if are_text else None


def _rows(boxes: Sequence[Box]) -> Iterator[list[Box]]:
    """Yield the boxes that stand beside each other, from left to right."""
    row: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box.top + box.bottom) / 2):
        if row and not _is_on_one_line(row[-1], box):
            yield sorted(row, key=lambda box: box.left)
            row = []
        row.append(box)
    if row:
        yield sorted(row, key=lambda box: box.left)


def _is_on_one_line(box: Box, other: Box) -> bool:
    """Tell whether two boxes overlap by more than half of the lower one's height."""
    overlap = min(box.bottom, other.bottom) - max(box.top, other.top)
    return overlap > 0.5 * min(box.bottom - box.top, other.bottom - other.top)


def _line(row: Sequence[Box]) -> Line:
    cells = [Cell(row[0].text, row[0].left, row[0].right)]
    for before, box in pairwise(row):
        if box.left - before.right > CELL_GAP_EMS * (box.bottom - box.top):
            cells.append(Cell(box.text, box.left, box.right))
        else:
            cells[-1] = Cell(f"{cells[-1].text} {box.text}", cells[-1].left, box.right)
    return Line(" ".join(cell.text for cell in cells), 0.0, tuple(cells))
