"""Pictures for tests, drawn with Pillow: screenshots of an error, plain squares, and what must not go along."""

import io

from PIL import Image, ImageDraw, ImageFont

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
SECRET = "a place where somebody lives"


def drawn(words: str = "", *, colour: str = "white", size: tuple[int, int] = (640, 240)) -> Image.Image:
    """Return a picture of one colour, with words in it."""
    picture = Image.new("RGB", size, colour)
    if words:
        ImageDraw.Draw(picture).text((20, 90), words, "black", ImageFont.load_default(40))
    return picture


def as_file(picture: Image.Image, format_name: str = "PNG") -> bytes:
    """Return a picture's file."""
    buffer = io.BytesIO()
    picture.save(buffer, format_name)
    return buffer.getvalue()


def photo_with_metadata() -> bytes:
    """Return a JPEG on its side, 200 x 100 as it is stored, that tells where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010E] = SECRET
    buffer = io.BytesIO()
    drawn(colour="red", size=(200, 100)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()
