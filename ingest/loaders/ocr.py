"""Words in pictures: RapidOCR's Chinese and English models, which its wheel holds, on OpenVINO.  No network is needed.

The engine is loaded for the first picture: that takes two seconds and a gigabyte.
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
from ingest.loaders.layout import CELL_GAP_EMS, Cell, Line, page_blocks
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
    """A picture that would unpack to more pixels than the limit."""


def recognised_lines(image: NDArray[np.uint8]) -> list[Line]:
    """Return the lines of a picture [height, width, 3], from top to bottom, without sizes."""
    result = _recognised(image)
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
                    raise TooManyPixelsError(f"{frame.width} x {frame.height}")
                frame.draft("RGB", (LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))  # JPEG can be read at half its size
                upright = _in_eight_bits(ImageOps.exif_transpose(frame)).convert("RGBA")
                page = Image.new("RGB", upright.size, "white")
                page.paste(upright, mask=upright.getchannel("A"))
                yield page
    except Image.DecompressionBombError as error:
        raise TooManyPixelsError(str(error)) from error


def _in_eight_bits(picture: "Image") -> "Image":
    """Return a picture of 16 bits a dot in 8: Pillow would make white of all that is not nearly black."""
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
        """Yield the words of a picture, if it has any; what is no picture is passed over, for it is decoration."""
        if self._limits.ocr_pages == 0 or not self.is_new(content, name):
            return
        pictures = pictures_of(content, self._limits)
        try:
            while True:
                yield PictureAhead()
                picture = next(pictures, None)
                if picture is None:
                    break
                if is_too_small_for_words(picture):
                    continue
                lines = self.lines(np.asarray(picture))
                yield StillReading()
                text = "\n\n".join(page_blocks(lines or [], {}))
                if has_words(text):
                    yield text
        except (TooManyPixelsError, OSError, ValueError, SyntaxError):
            pass  # Pillow knows no such format, or the picture is damaged: the document is read all the same
        yield StillReading()

    def is_new(self, content: bytes, name: str) -> bool:
        """Tell whether a picture was not there before, and may be of a kind that can be read."""
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
        """Yield that pages were left out, if any was."""
        if self._left_out:
            yield source.unreadable("too_many_pages", f"{self._limits.ocr_pages} + {self._left_out}")


def has_words(text: str) -> bool:
    """Tell whether what was read in a picture is more than a stray letter."""
    return len(_LETTER.findall(text)) > 1


def is_too_small_for_words(picture: "Image") -> bool:
    """Tell whether a picture is a bullet, a rule or an icon, of which no words need be read."""
    return picture.width < _SMALLEST_PIXELS[0] or picture.height < _SMALLEST_PIXELS[1]


def _recognised(image: NDArray[np.uint8]) -> "RapidOCROutput":
    """Read a picture with an engine that has room to: it keeps memory for every size of line that it ever met."""
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
    """Tell whether there is an engine in memory."""
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
    """Yield what is read one after the other: what spans the page, and between that, each column."""
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
    """Return where the white stripe between two columns of running text is; None where there is none."""
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
        if row and not _beside(row[-1], box):
            yield sorted(row, key=lambda box: box.left)
            row = []
        row.append(box)
    if row:
        yield sorted(row, key=lambda box: box.left)


def _beside(box: Box, other: Box) -> bool:
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
