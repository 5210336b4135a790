"""What a model may be shown: small PNGs of pixels alone."""

import io

import pytest
from PIL import Image, PngImagePlugin

from rag.pictures import LARGEST_PICTURE_BYTES, LONGEST_SIDE_PIXELS, Picture
from tests.support.pictures import SECRET, as_file, drawn

SMALL = as_file(drawn(size=(10, 10)))


def test_a_small_png_is_taken() -> None:
    content = as_file(drawn("E-42"))
    assert Picture(content).content == content
    Picture(as_file(drawn(size=(LONGEST_SIDE_PIXELS, 1))))


def _with_text() -> bytes:
    told = PngImagePlugin.PngInfo()
    told.add_text("Location", SECRET)
    buffer = io.BytesIO()
    Image.new("RGB", (10, 10)).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"junk",
        as_file(drawn(), "JPEG"),
        as_file(drawn(size=(LONGEST_SIDE_PIXELS + 1, 1))),
        SMALL[:8],
        SMALL[:-1],
        SMALL + b"more",
        SMALL[:33] + SMALL[-12:],  # no pixels
        _with_text(),
        SMALL + bytes(LARGEST_PICTURE_BYTES),
    ],
    ids=["empty", "junk", "jpeg", "wide", "mark", "cut", "tail", "no pixels", "text", "large"],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no picture of the kind"):
        Picture(content)
