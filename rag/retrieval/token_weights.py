"""Inverse document frequency of the embedder's tokens in a knowledge base."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TokenWeights:
    """In how many of ``passages`` passages each token is: ``numbers``, ascending, and ``frequencies``, int64 [v]."""

    numbers: NDArray[np.int32]
    frequencies: NDArray[np.int64]
    passages: int

    @classmethod
    def count(cls, numbers: NDArray[np.int32], passages: int) -> Self:
        """Count the distinct tokens of each of ``passages`` passages, one passage after another."""
        return cls.none().changed(numbers, passages)

    @classmethod
    def none(cls) -> Self:
        """Return the weights where there are no passages."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64), 0)

    def changed(self, numbers: NDArray[np.int32], passages: int, sign: int = 1) -> Self:
        """Count further passages' tokens as well, or, where ``sign`` is -1, those of passages that are gone no more."""
        found, times = np.unique(numbers, return_counts=True)
        every = np.union1d(self.numbers, found)
        frequencies = np.zeros(len(every), dtype=np.int64)
        frequencies[np.searchsorted(every, self.numbers)] = self.frequencies
        frequencies[np.searchsorted(every, found)] += sign * times
        held = frequencies > 0
        return type(self)(every[held].astype(np.int32), frequencies[held], self.passages + sign * passages)

    def of(self, numbers: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the inverse document frequency of each token, ln(1 + (N - df + .5) / (df + .5)), float64 [n]."""
        places = np.searchsorted(self.numbers, numbers)
        inside = np.minimum(places, max(0, len(self.numbers) - 1))
        if len(self.numbers):
            frequencies = np.where(self.numbers[inside] == numbers, self.frequencies[inside], 0)
        else:
            frequencies = np.zeros(len(numbers), dtype=np.int64)
        return np.asarray(np.log1p((self.passages - frequencies + 0.5) / (frequencies + 0.5)), dtype=np.float64)
