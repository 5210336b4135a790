"""Groups texts of similar length into batches to minimize padding: pure functions."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BATCH_TOKENS = 2048
"""Tokens of a batch with its padding: eight passages of the usual kind at their longest."""

_ROUND_UP_TOKENS = 8  # few different shapes: the engine prepares each one anew


def length_batches(lengths: Sequence[int], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield the positions of all texts, longest texts first, in batches of ``batch_tokens`` padded tokens at the most.

    A text longer than that has a batch of its own.

    >>> list(length_batches([3, 100, 4, 90], batch_tokens=200))
    [[1], [3, 2], [0]]
    """
    batch: list[int] = []
    width = 0
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if batch and width * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        if not batch:
            width = rounded_up(lengths[position])
        batch.append(position)
    if batch:
        yield batch


def rounded_up(length: int) -> int:
    """Return the width of the matrix that holds a row of this length.

    >>> rounded_up(9)
    16
    """
    return -(-length // _ROUND_UP_TOKENS) * _ROUND_UP_TOKENS


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows as one matrix [n, width] filled up with ``pad``, and its mask: 1 where a row has a token."""
    width = rounded_up(max(len(row) for row in rows))
    numbers = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for target, kept, row in zip(numbers, mask, rows, strict=True):
        target[: len(row)] = row
        kept[: len(row)] = 1
    return numbers, mask
