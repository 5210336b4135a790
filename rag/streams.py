"""Iterators that hold something while they are read: the model's slot, a connection."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def let_go_after(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Close ``items`` behind a block, however it ends, so that what they hold is free at once, not when they are gone.

    An iterator that cannot be closed holds nothing.
    """
    try:
        yield items
    finally:
        if isinstance(items, Generator):
            items.close()
