"""Customers' pictures drawn anew for a model, in the real reading process."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from ingest.loaders.source import Limits
from ingest.reader import FileReader, copy_picture_of_file
from rag.errors import DocumentUnreadable
from rag.pictures import LONGEST_SIDE_PIXELS, Picture
from tests.support.pictures import FORMATS, SECRET, as_file, drawn, photo_with_metadata

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader(Limits(picture_pixels=4_000_000)) as made:
        yield made


def copied(reader: FileReader, name: str, content: bytes) -> Image.Image:
    kept: list[Picture] = []
    copy_picture_of_file(name, content, reader, lambda png: kept.append(Picture(png)))
    (picture,) = kept
    return Image.open(io.BytesIO(picture.content))


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_becomes_a_png_of_the_same_size(reader: FileReader, format_name: str) -> None:
    content = as_file(drawn(colour="#204060", size=(120, 80)), format_name)
    found = copied(reader, f"screen.{format_name.lower()}", content)
    assert (found.format, found.size) == ("PNG", (120, 80))
    colour = tuple(int(middle) for _, middle in zip("RGB", found.reduce(120).tobytes(), strict=False))
    assert all(abs(one - other) < 6 for one, other in zip(colour, (0x20, 0x40, 0x60), strict=True))


def test_a_large_picture_is_made_smaller_in_proportion(reader: FileReader) -> None:
    found = copied(reader, "screen.png", as_file(drawn(size=(2688, 1000))))
    assert found.size == (LONGEST_SIDE_PIXELS, 500)


def test_a_photo_is_turned_upright_and_tells_no_place(reader: FileReader) -> None:
    content = photo_with_metadata()
    assert SECRET.encode() in content
    kept: list[bytes] = []
    copy_picture_of_file("photo.jpg", content, reader, kept.append)
    assert SECRET.encode() not in kept[0]
    assert Image.open(io.BytesIO(kept[0])).size == (100, 200)


def test_the_first_of_a_moving_picture_is_taken(reader: FileReader) -> None:
    frames = [drawn(colour=colour, size=(40, 40)) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    found = copied(reader, "moving.gif", buffer.getvalue())
    assert found.getpixel((20, 20)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("screen.png", b"junk", "malformed"),
        ("screen.png", b"\x89PNG\r\n\x1a\nbroken", "malformed"),
        ("screen.png", b"%PDF-1.7 no picture", "unsupported"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        ("photo.heic", b"\x00\x00\x00\x18ftypheic", "unsupported"),
        ("photo.png", b"\x00\x00\x00\x18ftypheic", "malformed"),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "malformed"),
        ("screen.png", b"", "empty"),
        ("wide.png", as_file(drawn(size=(4000, 1001))), "too_many_pixels"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(reader: FileReader, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(DocumentUnreadable) as refused:
        copy_picture_of_file(name, content, reader, lambda _: None)
    assert (refused.value.details["path"], refused.value.details["reason"]) == (name, reason)
    assert copied(reader, "next.png", as_file(drawn())).size == (640, 240), "the next one is read all the same"


def test_a_worker_that_sends_something_else_was_taken_over(reader: FileReader) -> None:
    def strict(content: bytes) -> None:
        raise ValueError(content[:4])

    with pytest.raises(DocumentUnreadable) as refused:
        copy_picture_of_file("screen.png", as_file(drawn()), reader, strict)
    assert refused.value.details["reason"] == "malformed"
