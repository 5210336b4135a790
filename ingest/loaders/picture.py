"""Pictures: the words in them, and a copy that a model may be shown."""

import io
from collections.abc import Iterator

from ingest.loaders.fields import first_line, make_document
from ingest.loaders.kinds import PICTURE_ENDINGS, true_ending
from ingest.loaders.ocr import PictureReader, TooManyPixelsError, pictures_of
from ingest.loaders.plain_markup import join_pages
from ingest.loaders.source import Found, KeptFigure, Limits, Part, PictureAhead, SourceFile, StillReading, read_file
from rag.errors import DocumentUnreadable
from rag.pictures import LONGEST_SIDE_PIXELS


def load_picture(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the words as a document; a file of several pictures has pages.  Its title is the first line."""
    if limits.ocr_pages == 0:
        raise source.unreadable("unsupported")
    reader = PictureReader(limits)
    pages = []
    try:
        for found in reader.pages(raw):
            if isinstance(found, StillReading):
                yield found
            else:
                pages.append(found)
    except TooManyPixelsError as error:
        raise source.unreadable("too_many_pixels", str(error)) from error
    text, fields = join_pages(pages)
    if not text.strip():
        raise source.unreadable("picture")
    fields = fields if len(pages) > 1 else {}
    yield make_document(source, text, {**fields, "title": first_line(text)}, kind="picture")
    yield from reader.failures(source)


FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
"""Pillow's names of what may be in a file: of those with many pictures the first is taken."""


def copy_of_picture(source: SourceFile, descriptor: int, limits: Limits) -> Iterator[Found]:
    """Yield a customer's picture, redrawn as a small PNG, as a ``KeptFigure``; or the reason for its absence.

    Only pixels are copied: no place where it was taken, no thumbnail of what was cut away, no text.
    """
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
        yield source.unreadable("too_many_pixels", str(error))
    except (OSError, ValueError, SyntaxError, StopIteration):
        yield source.unreadable("malformed")
    else:
        yield KeptFigure(content=buffer.getvalue())
