"""Pictures: the words in them."""

from collections.abc import Iterator

import numpy as np

from ingest.loaders.fields import first_line, make_document
from ingest.loaders.layout import page_blocks
from ingest.loaders.ocr import PictureReader, TooManyPixelsError, pictures_of
from ingest.loaders.plain_markup import join_pages
from ingest.loaders.source import Found, Limits, Part, PictureAhead, SourceFile, StillReading


def load_picture(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Found | Part]:
    """Yield the words as a document; a file of several pictures has pages.  Its title is the first line."""
    if limits.ocr_pages == 0:
        raise source.unreadable("unsupported")
    reader = PictureReader(limits)
    pages = []
    try:
        pictures = pictures_of(raw, limits)
        while True:
            yield PictureAhead()
            picture = next(pictures, None)
            if picture is None:
                break
            lines = reader.lines(np.asarray(picture))
            yield StillReading()
            pages.append("\n\n".join(page_blocks(lines or [], {})))
    except TooManyPixelsError as error:
        raise source.unreadable("too_large", str(error)) from error
    text, fields = join_pages(pages)
    if not text.strip():
        raise source.unreadable("picture")
    fields = fields if len(pages) > 1 else {}
    yield make_document(source, text, {**fields, "title": first_line(text)}, kind="picture")
    yield from reader.failures(source)
