"""A picture as a model may be shown it: a PNG that was redrawn, small, of pixels and nothing else."""

from dataclasses import dataclass

LONGEST_SIDE_PIXELS = 1344
"""Models of the size that a desk has room for cut a larger picture down themselves."""

LARGEST_PICTURE_BYTES = 8_000_000

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 13
_AROUND_DATA_BYTES = 12  # a chunk's length, name and checksum


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of pixels and nothing else, at most 1,344 pixels wide and high and 8 MB.

    Raises ``ValueError`` for anything else: the process that drew it may have been taken over by the original.
    """

    content: bytes

    def __post_init__(self) -> None:
        if len(self.content) > LARGEST_PICTURE_BYTES or not _is_plain_png(self.content):
            raise ValueError("no picture of the kind that a model is shown")


def _is_plain_png(content: bytes) -> bool:
    """Tell whether a PNG has a header of a size that is allowed, pixels, and nothing else."""
    if not content.startswith(_SIGNATURE):
        return False
    names: list[bytes] = []
    place = len(_SIGNATURE)
    while place + _AROUND_DATA_BYTES <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        names.append(content[place + 4 : place + 8])
        if names == [b"IHDR"]:
            width, height = (int.from_bytes(content[place + at : place + at + 4], "big") for at in (8, 12))
            is_small = 0 < width <= LONGEST_SIDE_PIXELS and 0 < height <= LONGEST_SIDE_PIXELS
            if length != _HEADER_BYTES or not is_small:
                return False
        place += length + _AROUND_DATA_BYTES
    middle = set(names[1:-1])
    return place == len(content) and names[:1] == [b"IHDR"] and middle == {b"IDAT"} and names[-1] == b"IEND"
