"""Writes small PDF files with words and pictures at given places."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw
from PIL import Image

from tests.ingest.loaders.pdf_writer import Words

PAGE = (600, 800)
"""Width and height in points."""


@dataclass(frozen=True)
class Shown:
    """A picture at a place of the page, in points from the lower left corner."""

    content: bytes
    left: float
    bottom: float
    width: float
    height: float


def pdf_with_pictures(pages: Sequence[Sequence[Words | Shown]]) -> bytes:
    """Return a file of the pages, in Helvetica, which has no ideographs."""
    pdf = pypdfium2.PdfDocument.new()
    for things in pages:
        page = pdf.new_page(*PAGE)
        for thing in things:
            if isinstance(thing, Words):
                _write(pdf, page, thing)
            else:
                _show(pdf, page, thing)
        page.gen_content()
    buffer = io.BytesIO()
    pdf.save(buffer)
    return buffer.getvalue()


def _write(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, words: Words) -> None:
    text = pypdfium2.raw.FPDFPageObj_NewTextObj(pdf, b"Helvetica", words.size)
    written = (words.text + "\0").encode("utf-16-le")
    buffer = (pypdfium2.raw.FPDF_WCHAR * (len(written) // 2)).from_buffer_copy(written)
    pypdfium2.raw.FPDFText_SetText(text, buffer)
    pypdfium2.raw.FPDFPageObj_Transform(text, 1, 0, 0, 1, words.left, words.bottom)
    pypdfium2.raw.FPDFPage_InsertObject(page, text)


def _show(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, shown: Shown) -> None:
    with Image.open(io.BytesIO(shown.content)) as opened:
        jpeg = io.BytesIO()
        opened.convert("RGB").save(jpeg, "JPEG", quality=95)
    image = pypdfium2.PdfImage.new(pdf)
    image.load_jpeg(jpeg, inline=True)
    image.set_matrix(pypdfium2.PdfMatrix().scale(shown.width, shown.height).translate(shown.left, shown.bottom))
    page.insert_obj(image)
