"""BM25 postings as arrays: for each term its passages and what it adds to each score.

A term is known by a number of 64 bits, the beginning of its BLAKE2b hash: two terms of ten million share one with a
probability of 1 in 400,000.  What a term adds (its impact) is computed when the arrays are made,

    tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length))   with k1 = 1.2 and b = 0.75,

so that a search only adds numbers up.  That is exact: no passage is left out because a term of the question is common.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

K1, B = 1.2, 0.75

_IMPACT_BITS, _ROW_BITS = np.uint64(16), np.uint64(24)
_ROWS_AT_MOST = 1 << 24
"""Passages, and terms, of one language: 24 bits of each fit into one number beside 16 bits of impact."""


def term_number(term: str) -> int:
    """Return the number of 64 bits by which a term is known."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


_remembered_number = lru_cache(maxsize=1 << 15)(term_number)  # a batch of passages shares most of its words with others


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """``terms``, uint64 [v] ascending; term number t is in ``rows[offsets[t]:offsets[t + 1]]``, uint32, ascending.

    ``impacts``, float16, go with the rows; ``count`` is that of the passages.
    """

    terms: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.uint32]
    impacts: NDArray[np.float16]
    count: int

    @classmethod
    def build(cls, texts: Iterable[str], mean_length: float) -> "Postings":
        """Index passages, each given as its terms joined by blanks; ``mean_length`` counts the terms of one.

        Raises ``ValueError`` when there are more than 16 million passages.
        """
        builder = PostingsBuilder()
        builder.add(texts)
        return builder.finish(mean_length)

    def frequencies(self, terms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return in how many passages each of the terms, uint64 [n], is: int64 [n]."""
        if not len(self.terms):
            return np.zeros(len(terms), dtype=np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        found = self.offsets[places + 1] - self.offsets[places]
        return np.where(self.terms[places] == terms, found, 0)

    def scores(self, weights: Mapping[int, float]) -> NDArray[np.float32]:
        """Return the BM25 of every passage, float32 [count], for terms with their inverse document frequencies."""
        scores = np.zeros(self.count, dtype=np.float32)
        for term, weight in weights.items():
            begin, end = self._place(term)
            if begin < end:
                scores[self.rows[begin:end]] += self.impacts[begin:end] * np.float32(weight)
        return scores

    def _place(self, term: int) -> tuple[int, int]:
        place = int(np.searchsorted(self.terms, np.uint64(term)))
        if place == len(self.terms) or self.terms[place] != term:
            return 0, 0
        return int(self.offsets[place]), int(self.offsets[place + 1])

    def changed(self, keep: NDArray[np.bool_], added: Self) -> Self:
        """Return the postings of the passages to ``keep``, bool [count], followed by the ``added`` ones."""
        row_numbers = np.cumsum(keep) - 1
        parts = [
            (self, keep, row_numbers),
            (added, np.ones(added.count, np.bool_), keep.sum() + np.arange(added.count)),
        ]
        terms = np.union1d(self.terms, added.terms)
        keys = []
        for part, kept, numbers in parts:
            of_row = kept[part.rows]
            term_numbers = np.repeat(np.searchsorted(terms, part.terms), np.diff(part.offsets))[of_row]
            keys.append(_keys(term_numbers, numbers[part.rows[of_row]]) | part.impacts[of_row].view(np.uint16))
        return type(self)(*_sorted_arrays(terms, np.concatenate(keys)), int(keep.sum()) + added.count)

    def fingerprints(self) -> NDArray[np.uint64]:
        """Return a number for every passage, uint64 [count], that depends on its terms and their impacts only."""
        sums = np.zeros(self.count, dtype=np.uint64)
        values = np.repeat(self.terms, np.diff(self.offsets)) * (self.impacts.view(np.uint16).astype(np.uint64) + 1)
        np.add.at(sums, self.rows, values)
        return sums


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Some passages' ``terms``, uint64 ascending, and ``keys``, uint64 ascending: place among them, passage, times."""

    terms: NDArray[np.uint64]
    keys: NDArray[np.uint64]

    @property
    def places(self) -> NDArray[np.int64]:
        return (self.keys >> (_IMPACT_BITS + _ROW_BITS)).astype(np.int64)

    def frequencies(self) -> NDArray[np.int64]:
        """Return in how many of the passages each of the terms is."""
        return np.bincount(self.places, minlength=len(self.terms))


class PostingsBuilder:
    """Collects passages batch by batch, so that neither their texts nor their vocabulary need be held together.

    Holds eight bytes for each term of each passage, and gives them back while it writes the six that are kept.
    """

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque()
        self._lengths: list[NDArray[np.int64]] = []
        self.count = 0
        """How many passages were added."""

    def add(self, texts: Iterable[str]) -> None:
        """Add passages, each given as its terms joined by blanks."""
        split = [text.split() for text in texts]
        if self.count + len(split) > _ROWS_AT_MOST:
            raise ValueError(f"more than {_ROWS_AT_MOST} passages")
        if not split:
            return
        lengths = np.array([len(terms) for terms in split], dtype=np.int64)
        vocabulary: defaultdict[str, int] = defaultdict()
        vocabulary.default_factory = vocabulary.__len__
        numbers = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(split)), np.int64, lengths.sum())
        hashes = np.fromiter(map(_remembered_number, vocabulary), np.uint64, len(vocabulary))
        terms, places = np.unique(hashes, return_inverse=True)
        rows = np.repeat(np.arange(self.count, self.count + len(split)), lengths)
        keys, times = np.unique(_keys(places[numbers], rows), return_counts=True)
        keys |= np.minimum(times, (1 << 16) - 1).astype(np.uint64)
        self._runs.append(_Run(terms, keys))
        self._lengths.append(lengths)
        self.count += len(split)

    @property
    def length(self) -> int:
        """How many terms there are in all."""
        return int(sum(lengths.sum() for lengths in self._lengths))

    def finish(self, mean_length: float) -> Postings:
        """Return the postings, once.  ``mean_length`` counts the terms of a passage.

        Every term's room is known before the first posting is written, so that nothing is sorted or moved.
        """
        lengths = np.concatenate([np.empty(0, np.int64), *self._lengths])
        norms = (K1 * (1 - B + B * lengths / max(mean_length, 1e-9))).astype(np.float32)
        terms = np.unique(np.concatenate([np.empty(0, np.uint64), *(run.terms for run in self._runs)]))
        offsets = np.zeros(len(terms) + 1, dtype=np.int64)
        for run in self._runs:
            offsets[np.searchsorted(terms, run.terms) + 1] += run.frequencies()
        np.cumsum(offsets, out=offsets)
        rows, impacts = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.float16)
        free = offsets[:-1].copy()
        while self._runs:
            run = self._runs.popleft()
            frequencies, places = run.frequencies(), np.searchsorted(terms, run.terms)
            begins = free[places] - (np.cumsum(frequencies) - frequencies)
            targets = begins[run.places] + np.arange(len(run.keys))
            own_rows = ((run.keys >> _IMPACT_BITS) & np.uint64(_ROWS_AT_MOST - 1)).astype(np.uint32)
            times = (run.keys & np.uint64(0xFFFF)).astype(np.float32)
            rows[targets] = own_rows
            impacts[targets] = (times * np.float32(K1 + 1) / (times + norms[own_rows])).astype(np.float16)
            free[places] += frequencies
        return Postings(terms, offsets, rows, impacts, self.count)


def _keys(terms: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return uint64 [n] that sort by term and then by row, with 16 bits of room below."""
    return (terms.astype(np.uint64) << (_IMPACT_BITS + _ROW_BITS)) | (rows.astype(np.uint64) << _IMPACT_BITS)


def _sorted_arrays(
    terms: NDArray[np.uint64], keys: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint32], NDArray[np.float16]]:
    """Return terms that occur, offsets, rows and impacts."""
    keys.sort()
    begins = np.searchsorted(keys, np.arange(len(terms) + 1, dtype=np.uint64) << (_IMPACT_BITS + _ROW_BITS))
    occurs = np.diff(begins) > 0
    offsets = np.append(begins[:-1][occurs], len(keys)).astype(np.int64)
    rows = ((keys >> _IMPACT_BITS) & np.uint64(_ROWS_AT_MOST - 1)).astype(np.uint32)
    impacts = (keys & np.uint64(0xFFFF)).astype(np.uint16).view(np.float16)
    return terms[occurs], offsets, rows, impacts
