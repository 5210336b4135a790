"""Iterators that hold something while they are read: the model's slot, a connection."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def let_go(items: Iterator[Item]) -> None:
    """Close ``items``, so that what they hold is free at once; an iterator that cannot be closed holds nothing."""
    if isinstance(items, Generator):
        items.close()


@contextmanager
def closing_if_generator(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """Close ``items`` behind a block, however it ends, as ``let_go`` does."""
    try:
        yield items
    finally:
        let_go(items)
