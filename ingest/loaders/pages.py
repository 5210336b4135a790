"""Text that comes in pages: one text, with the places at which they begin."""

from collections.abc import Sequence


def join_pages(pages: Sequence[str]) -> tuple[str, dict[str, str]]:
    r"""Return the pages as one text, and the metadata that tells them apart.

    ``pages`` is their number, ``page_starts`` the offsets into the text at which they begin, separated by blanks.

    >>> join_pages(["one", "", "three"])
    ('one\n\nthree', {'pages': '3', 'page_starts': '0 5 5'})
    """
    text = "\n\n".join(page for page in pages if page)
    starts = []
    length = 0
    for page in pages:
        starts.append(min(length, len(text)))
        length += len(page) + 2 if page else 0
    return text, {"pages": str(len(pages)), "page_starts": " ".join(map(str, starts))}
