"""Which documents say the same, word for word or nearly so.

They are told and never dropped: the small difference may be the very rule that changed.

Two texts are alike by the share of their runs of three terms that both have (Jaccard).  MinHash finds such pairs
without comparing all with all: on 238 help pages every copy with a tenth of its sentences changed was a candidate, and
one of 28,203 pairs of different pages; SimHash of the same runs found 10 % of those copies at distance 3.
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import StorageFull
from rag.retrieval.terms import terms
from rag.storage.sketches import BANDS, SKETCH_NUMBERS, Sketch, Sketches, SketchTable
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter

NEARLY = 0.8
"""The least similarity that is told."""

_RUN = 3  # terms
_GENERATOR = np.random.default_rng(20)
_FACTORS = _GENERATOR.integers(1, 2**61, SKETCH_NUMBERS, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _GENERATOR.integers(0, 2**61, SKETCH_NUMBERS, dtype=np.uint64)
_LARGEST_CROWD = 50
"""Of more documents with one band in common only neighbours are compared: a form filled in a thousand times would
otherwise make half a million pairs."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two documents and their similarity in [0.8, 1), estimated to about 0.05."""

    first: str
    second: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """``same`` are groups of documents with one text between them, ``near`` pairs of nearly the same."""

    same: tuple[tuple[str, ...], ...] = ()
    near: tuple[NearPair, ...] = ()


NO_DUPLICATES = Duplicates()


def sketch(document_key: int, text: str) -> Sketch:
    """Return what a document looks like; white space does not count."""
    body = hashlib.blake2b(" ".join(text.split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    words = terms(text)
    windows: Iterable[Sequence[str]] = [words]
    if len(words) > _RUN:
        windows = zip(*(words[start:] for start in range(_RUN)), strict=False)
    runs = {zlib.crc32("\x1f".join(window).encode()) for window in windows}
    hashes = np.fromiter(runs, np.uint64, len(runs))
    with np.errstate(over="ignore"):
        mixed = (_FACTORS[:, None] * hashes[None, :] + _OFFSETS[:, None]) >> np.uint64(32)
    return Sketch(document_key, body, mixed.min(axis=1).astype(np.uint32))


def sketch_new(writer: KnowledgeWriter, generation: int, between: Callable[[], None]) -> list[int]:
    """Sketch the generation's documents that are new and return their keys; ``between`` is called after some hundreds.

    A disk too full for that is no failure: there is nothing to tell then.
    """
    table, new = SketchTable(writer.database), list[int]()
    with suppress(StorageFull):
        for batch in table.unsketched(generation):
            table.add([sketch(key, text) for key, text in batch])
            new += [key for key, _ in batch]
            between()
        return new
    return []


def duplicates_of(table: SketchTable, generation: int, new: Iterable[int] | None = None) -> Duplicates:
    """Find the generation's duplicates among the sketches that are kept; only those with one of the ``new``, if given.

    Memory grows by 400 bytes a document, whatever the length of its text.
    """
    return _found(table, table.all(generation), None if new is None else set(new))


def new_duplicates(writer: KnowledgeWriter, generation: int, sketched: Sequence[int]) -> Duplicates:
    """Find the duplicates that came with a generation, with the documents that ``sketch_new`` returned."""
    return duplicates_of(SketchTable(writer.database), generation, sketched) if sketched else NO_DUPLICATES


def find_duplicates(folder: Path) -> Duplicates:
    """Find all duplicates of the current generation; reads only.  Raises ``KnowledgeBaseMissing``."""
    store = KnowledgeStore(folder)
    try:
        generation = store.require_generation()
        table = SketchTable(store)
        kept = table.all(generation)
        fresh = [sketch(key, text) for batch in table.unsketched(generation) for key, text in batch]
        if fresh:
            kept = Sketches(
                np.concatenate([kept.document_keys, np.array([one.document_key for one in fresh], dtype=np.int64)]),
                [*kept.bodies, *(one.body for one in fresh)],
                np.concatenate([kept.numbers, np.stack([one.numbers for one in fresh])]),
            )
        return _found(table, kept, None)
    finally:
        store.close()


def _found(table: SketchTable, sketches: Sketches, new: set[int] | None) -> Duplicates:
    keys = sketches.document_keys.tolist()
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place, body in enumerate(sketches.bodies):
        groups[body].append(place)
    same = [group for group in groups.values() if len(group) > 1 and _touches(group, keys, new)]
    firsts = np.array([group[0] for group in groups.values()], dtype=np.int64)  # one of each text is enough
    near = _near_places(sketches.numbers[firsts]) if len(firsts) else {}
    pairs = {
        (int(firsts[first]), int(firsts[second])): similarity
        for (first, second), similarity in near.items()
        if _touches((int(firsts[first]), int(firsts[second])), keys, new)
    }
    wanted = sorted({place for group in (*same, *pairs) for place in group})
    names = table.names([keys[place] for place in wanted])
    return Duplicates(
        same=tuple(sorted(tuple(sorted(names[keys[place]] for place in group)) for group in same)),
        near=tuple(
            NearPair(*_in_order(names[keys[first]], names[keys[second]]), similarity)
            for (first, second), similarity in sorted(pairs.items(), key=lambda item: -item[1])
        ),
    )


def _in_order(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _touches(group: Sequence[int], keys: Sequence[int], new: set[int] | None) -> bool:
    return new is None or any(keys[place] in new for place in group)


def _near_places(numbers: NDArray[np.uint32]) -> dict[tuple[int, int], float]:
    """Return pairs of rows of uint32 [n, 64] that are alike, with their similarity."""
    candidates: set[tuple[int, int]] = set()
    width = SKETCH_NUMBERS // BANDS
    for band in range(BANDS):
        with np.errstate(over="ignore"):
            mixed = (numbers[:, band * width : (band + 1) * width].astype(np.uint64) * _FACTORS[:width]).sum(axis=1)
        order = np.argsort(mixed, kind="stable")
        ends = np.flatnonzero(np.diff(mixed[order])) + 1
        starts = np.concatenate([[0], ends])
        sizes = np.diff(np.concatenate([starts, [len(order)]]))
        for crowd in np.flatnonzero(sizes > 1):
            candidates.update(_pairs(order[starts[crowd] : starts[crowd] + sizes[crowd]].tolist()))
    alike: dict[tuple[int, int], float] = {}
    for first, second in sorted(candidates):
        similarity = float(np.mean(numbers[first] == numbers[second]))
        if similarity >= NEARLY:
            alike[first, second] = round(similarity, 2)
    return alike


def _pairs(members: Sequence[int]) -> Iterable[tuple[int, int]]:
    if len(members) > _LARGEST_CROWD:
        return pairwise(members)
    return ((first, second) for place, first in enumerate(members) for second in members[place + 1 :])
