"""A customer's picture as a model may be shown it: drawn anew as a small PNG.  Runs in the reading process.

Nothing goes along that is no pixel: no place where it was taken, no thumbnail of what was cut away, no text.
"""

import io
from collections.abc import Iterator

from ingest.loaders.kinds import PICTURE_ENDINGS, true_ending
from ingest.loaders.ocr import TooManyPixelsError, pictures_of
from ingest.loaders.opening import read_file
from ingest.loaders.source import FigureKept, Found, Limits, PictureAhead, SourceFile
from rag.errors import DocumentUnreadable
from rag.pictures import LONGEST_SIDE_PIXELS

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
"""Pillow's names of what may be in a file: of those with many pictures the first is taken."""


def copy_of_picture(source: SourceFile, descriptor: int, limits: Limits) -> Iterator[Found]:
    """Yield the PNG as a ``FigureKept``, or why there is none."""
    try:
        raw = read_file(source, descriptor, limits)
    except DocumentUnreadable as error:
        yield error
        return
    if true_ending(source.name, raw) not in PICTURE_ENDINGS:
        yield source.unreadable("unsupported")
        return
    yield PictureAhead()
    try:
        picture = next(pictures_of(raw, limits, FORMATS))
        picture.thumbnail((LONGEST_SIDE_PIXELS, LONGEST_SIDE_PIXELS))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
    except TooManyPixelsError as error:
        yield source.unreadable("too_large", str(error))
    except (OSError, ValueError, SyntaxError, StopIteration):
        yield source.unreadable("malformed")
    else:
        yield FigureKept(content=buffer.getvalue())
