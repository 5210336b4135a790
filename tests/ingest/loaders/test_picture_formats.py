"""Sixty kinds of pictures, sound, broken and hostile: each is read, or refused in a sentence, and none does harm.

What is written in them is another matter: here the OCR says the same of each.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from ingest.loaders import ocr
from ingest.loaders.figures import FigureReader
from ingest.loaders.page_lines import Cell, Line
from ingest.loaders.source import KeptFigure, Limits
from rag.schema import Document
from rag.storage.figures import LARGEST_FIGURE_BYTES
from rag.translate import translate
from tests.ingest.loaders.loading import load_all

LIMITS = Limits(ocr_pages=5, figures=5, picture_pixels=25_000_000)
WORDS = "What the picture says"


@dataclass(frozen=True)
class Case:
    """A file and what becomes of it: ``read``, or the reason why not."""

    name: str
    content: Callable[[], bytes]
    outcome: str = "read"


def image(mode: str = "RGB", size: tuple[int, int] = (160, 100)) -> Image.Image:
    """Return a picture that is not of one colour."""
    drawn = Image.new("L", size, 255)
    ImageDraw.Draw(drawn).rectangle((size[0] // 8, size[1] // 8, size[0] // 2, size[1] // 2), fill=0)
    if mode == "I;16":
        return Image.fromarray(np.asarray(drawn).astype(np.uint16) * 256)
    return drawn.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "LAB", "P", "RGBA") else drawn.convert(mode)


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (160, 100), **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        image(mode, size).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


def turned(orientation: int) -> Callable[[], bytes]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved("JPEG", exif=exif)


def several(kind: str) -> Callable[[], bytes]:
    return saved(kind, save_all=True, append_images=[image().rotate(90), image().rotate(180)])


def cut(make: Callable[[], bytes], share: float) -> Callable[[], bytes]:
    return lambda: make()[: int(len(make()) * share)]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, body: bytes, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def with_text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 20_000_000, zip=True)
    return saved("PNG", pnginfo=info)()


def polyglot_zip() -> bytes:
    buffer = io.BytesIO(saved("JPEG")())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("run.html", "<script>alert(1)</script>")
    return buffer.getvalue()


def flipped() -> bytes:
    content = bytearray(saved("PNG")())
    content[60] ^= 0xFF
    return bytes(content)


def formats() -> Iterator[Case]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield Case(f"mode-{mode.replace(';', '')}.png", saved("PNG", mode))
    for mode in ("L", "RGB", "CMYK"):
        yield Case(f"mode-{mode}.jpg", saved("JPEG", mode))
    for orientation in range(2, 9):
        yield Case(f"turned-{orientation}.jpg", turned(orientation))
    yield Case("progressive.jpeg", saved("JPEG", progressive=True))
    yield Case("worst.jpg", saved("JPEG", quality=1))
    yield Case("lossy.webp", saved("WEBP"))
    yield Case("lossless.webp", saved("WEBP", "RGBA", lossless=True))
    for kind in ("WEBP", "GIF", "PNG"):
        yield Case(f"animated.{kind.lower()}", several(kind))
    yield Case("still.gif", saved("GIF", "P"))
    yield Case("transparent.gif", saved("GIF", "P", transparency=0))
    for mode in ("1", "L", "P", "RGB"):
        yield Case(f"mode-{mode}.bmp", saved("BMP", mode))
    yield Case("lzw.tiff", saved("TIFF", compression="tiff_lzw"))
    yield Case("fax.tif", saved("TIFF", "1", compression="group4"))
    yield Case("print.tiff", saved("TIFF", "CMYK"))
    yield Case("deep.tiff", saved("TIFF", "I;16"))
    yield Case("pages.tiff", several("TIFF"))
    yield Case("wrong-name.png", saved("JPEG"))
    yield Case("narrow.png", saved("PNG", size=(20_000, 20)))
    yield Case("tall.jpg", saved("JPEG", size=(80, 16_000)))
    yield Case("dot.png", saved("PNG", size=(1, 1)))


def refused() -> Iterator[Case]:
    yield Case("telephone.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "unsupported")
    yield Case("telephone.png", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "malformed")
    yield Case("next.avif", lambda: b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(64), "unsupported")
    yield Case("icon.ico", saved("ICO"), "unsupported")
    yield Case(
        "drawing.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "unsupported"
    )
    yield Case("old.tga", saved("TGA"), "unsupported")
    yield Case("plain.ppm", saved("PPM"), "unsupported")
    yield Case("film.jp2", saved("JPEG2000"), "unsupported")
    yield Case("empty.png", lambda: b"", "empty")
    yield Case("noise.png", lambda: bytes(range(128, 256)) * 20, "malformed")
    yield Case("head.png", lambda: b"\x89PNG\r\n\x1a\n", "malformed")
    yield Case("cut.png", cut(saved("PNG"), 0.5), "malformed")
    yield Case("cut.jpg", cut(saved("JPEG"), 0.3), "malformed")
    yield Case("cut.gif", cut(saved("GIF"), 0.1), "malformed")
    yield Case("cut.webp", cut(saved("WEBP"), 0.5), "malformed")
    yield Case("cut.tiff", cut(saved("TIFF"), 0.5), "malformed")
    yield Case("flipped.png", flipped, "malformed")
    yield Case("nothing.png", lambda: png(0, 0, b""), "malformed")
    yield Case("bomb.png", lambda: png(30_000, 30_000, zlib.compress(bytes(3751) * 30_000)), "too_many_pixels")
    yield Case("bomb.gif", lambda: b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;", "too_many_pixels")
    yield Case("claims.bmp", lambda: b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0), "too_many_pixels")  # fmt: skip  # noqa: E501


def hostile() -> Iterator[Case]:
    yield Case("text-bomb.png", with_text_bomb, "malformed")
    yield Case("archive.jpg", polyglot_zip)
    yield Case("page.gif", lambda: saved("GIF")() + b"<script>alert(1)</script>")
    yield Case("comment.jpg", saved("JPEG", comment=b"<html><script>alert(1)</script>"))


LEFT_OUT = ("narrow.png", "tall.jpg", "dot.png", "transparent.gif")
"""Rules, a dot, and a picture of which nothing is seen on white."""

CASES = (*formats(), *refused(), *hostile())


@pytest.fixture(autouse=True)
def one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(WORDS, 0.0, (Cell(WORDS, 0.0, 100.0),))
    monkeypatch.setattr(ocr, "recognised_lines", lambda image: [line])


def test_there_are_sixty() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_is_read_or_refused_in_a_sentence(tmp_path: Path, case: Case) -> None:
    found = load_all(tmp_path, case.name, case.content(), LIMITS)
    (first, *others) = found
    assert others == []
    if isinstance(first, Document):
        assert (case.outcome, set(first.text.split("\n\n"))) == ("read", {WORDS})
        return
    assert first.details["reason"] == case.outcome
    for language in ("en", "zh"):
        assert translate(f"errors.reasons.DocumentUnreadable.{case.outcome}", language) in first.text(language)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_in_a_document_each_is_kept_drawn_anew_or_left_out(case: Case) -> None:
    content = case.content()
    reader = FigureReader(LIMITS)
    kept = [one.content for one in reader.read(content, case.name) if isinstance(one, KeptFigure)]
    assert len(kept) <= 1
    for picture in kept:
        assert len(picture) <= LARGEST_FIGURE_BYTES
        assert b"<script" not in picture
        with Image.open(io.BytesIO(picture)) as opened:
            assert (opened.format, getattr(opened, "n_frames", 1), dict(opened.getexif())) == ("WEBP", 1, {})
            assert max(opened.size) <= 1280
    is_sound = case.outcome == "read" and case.name not in LEFT_OUT
    assert bool(kept) or not is_sound


def test_sixteen_bits_are_read_as_eight() -> None:
    grey = Image.fromarray(np.array([[0, 256], [32768, 65535]], dtype=np.uint16))
    buffer = io.BytesIO()
    grey.save(buffer, "PNG")
    (picture,) = ocr.pictures_of(buffer.getvalue(), LIMITS)
    assert np.asarray(picture)[..., 0].tolist() == [[0, 1], [128, 255]]
