"""Which documents say the same, word for word or nearly so.

They are told and never dropped: the small difference may be the very rule that changed.

Two texts are alike by the share of their runs of three terms that both have (Jaccard).  MinHash finds such pairs
without comparing all with all: on 238 help pages every copy with a tenth of its sentences changed was a candidate, and
one of 28,203 pairs of different pages; SimHash of the same runs found 10 % of those copies at distance 3.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.errors import StorageFull
from rag.storage.connection import Database
from rag.storage.store import VISIBLE, KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.text.terms import terms

NEARLY = 0.8
"""The least similarity that is told."""

SKETCH_NUMBERS = 64
BANDS = 16
_RUN = 3  # terms
_GENERATOR = np.random.default_rng(20)
_FACTORS = _GENERATOR.integers(1, 2**61, SKETCH_NUMBERS, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _GENERATOR.integers(0, 2**61, SKETCH_NUMBERS, dtype=np.uint64)
_PAIRS_AT_ONCE = 1 << 14
_LARGEST_CROWD = 50
"""Of more documents with one band in common only neighbours are compared: a form filled in a thousand times would
otherwise make half a million pairs."""
_TEXTS_AT_ONCE = 256  # and keys
_SKETCHES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Sketch:
    """What one document looks like.

    ``body`` are 16 bytes that equal texts share; ``numbers``, uint32 [64], tell texts that share most of their words.
    """

    document_key: int
    body: bytes
    numbers: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Sketches:
    """n documents: their keys, int64 [n], their ``bodies`` as uint64 [n, 2], and ``numbers``, uint32 [n, 64]."""

    document_keys: NDArray[np.int64]
    bodies: NDArray[np.uint64]
    numbers: NDArray[np.uint32]

    @classmethod
    def of(cls, document_keys: Sequence[int], bodies: Sequence[bytes], numbers: Sequence[bytes]) -> Self:
        """Take them as they are kept; ``numbers`` are little-endian."""
        return cls(
            np.array(document_keys, dtype=np.int64),
            np.frombuffer(b"".join(bodies), dtype="<u8").reshape(-1, 2),
            np.frombuffer(b"".join(numbers), dtype="<u4").reshape(-1, SKETCH_NUMBERS),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the documents of all parts, at least one, in their order."""
        return cls(
            np.concatenate([part.document_keys for part in parts]),
            np.concatenate([part.bodies for part in parts]),
            np.concatenate([part.numbers for part in parts]),
        )


class SketchTable:
    """The table ``document_sketch`` of a knowledge base.  A document's sketch goes when the document does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unsketched(self, generation: int) -> Iterator[list[tuple[int, str]]]:
        """Yield the keys and texts of documents of the generation that have no sketch, some hundreds at a time."""
        keys = [
            row[0]
            for row in self._database.rows(
                f"SELECT document_key FROM document INDEXED BY document_visible WHERE {VISIBLE.format('document')} "
                "AND document_key NOT IN (SELECT document_key FROM document_sketch)",
                {"generation": generation},
            )
        ]
        for begin in range(0, len(keys), _TEXTS_AT_ONCE):
            batch = sorted(keys[begin : begin + _TEXTS_AT_ONCE])
            rows = self._database.rows(
                f"SELECT document_key, text FROM document WHERE document_key IN ({_marks(batch)})", batch
            )
            yield [(row[0], row[1]) for row in rows]

    def add(self, sketches: Sequence[Sketch]) -> None:
        """Keep sketches, in one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO document_sketch VALUES (?, ?, ?)",
                [(one.document_key, one.body, one.numbers.astype("<u4").tobytes()) for one in sketches],
            )

    def all(self, generation: int) -> Sketches:
        """Return the sketches of the generation's documents, in the order of their keys."""
        parts = [Sketches.of((), (), ())]
        with self._database.reading() as connection:
            cursor = connection.execute(
                "SELECT document_key, body, numbers FROM document_sketch WHERE document_key IN (SELECT document_key "
                f"FROM document INDEXED BY document_visible WHERE {VISIBLE.format('document')}) ORDER BY document_key",
                {"generation": generation},
            )
            while rows := cursor.fetchmany(_SKETCHES_AT_ONCE):
                parts.append(Sketches.of(*zip(*rows, strict=True)))
        return Sketches.joined(parts)

    def names(self, document_keys: Sequence[int]) -> dict[int, str]:
        """Return the ids of documents by their keys."""
        found: dict[int, str] = {}
        with self._database.reading() as connection:
            for begin in range(0, len(document_keys), _TEXTS_AT_ONCE):
                batch = document_keys[begin : begin + _TEXTS_AT_ONCE]
                rows = connection.execute(
                    f"SELECT document_key, document_id FROM document WHERE document_key IN ({_marks(batch)})", batch
                )
                found.update((row[0], row[1]) for row in rows)
        return found


def _marks(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))


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
    with KnowledgeStore(folder) as store:
        generation = store.require_generation()
        table = SketchTable(store)
        kept = table.all(generation)
        fresh = [sketch(key, text) for batch in table.unsketched(generation) for key, text in batch]
        if fresh:
            numbers = [one.numbers.astype("<u4").tobytes() for one in fresh]
            keys, bodies = [one.document_key for one in fresh], [one.body for one in fresh]
            kept = Sketches.joined([kept, Sketches.of(keys, bodies, numbers)])
        return _found(table, kept, None)


def _found(table: SketchTable, sketches: Sketches, new: set[int] | None) -> Duplicates:
    keys = sketches.document_keys
    if not len(keys):
        return NO_DUPLICATES
    is_new = np.ones(len(keys), np.bool_) if new is None else np.isin(keys, list(new))
    order = np.lexsort((sketches.bodies[:, 1], sketches.bodies[:, 0]))
    starts, sizes = _crowds((sketches.bodies[order[1:]] != sketches.bodies[order[:-1]]).any(axis=1))
    groups = [order[start : start + size] for start, size in zip(starts, sizes, strict=True) if size > 1]
    same = [group.tolist() for group in groups if is_new[group].any()]
    firsts = np.sort(order[starts])  # one of each text is enough
    near, similarities = _near_places(sketches.numbers[firsts], is_new[firsts])
    near = firsts[near]
    wanted = np.unique(np.concatenate([near.ravel(), *map(np.asarray, same)])).tolist()
    names = table.names(keys[wanted].tolist())
    name = {place: names[int(keys[place])] for place in wanted}
    best_first = np.argsort(-similarities, kind="stable")
    return Duplicates(
        same=tuple(sorted(tuple(sorted(name[place] for place in group)) for group in same)),
        near=tuple(
            NearPair(*_in_order(name[int(first)], name[int(second)]), float(similarity))
            for (first, second), similarity in zip(near[best_first], similarities[best_first], strict=True)
        ),
    )


def _in_order(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _crowds(differs: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where equal rows begin and how many they are, of which ``differs`` from the one before, bool [n - 1]."""
    starts = np.concatenate([[0], np.flatnonzero(differs) + 1])
    return starts, np.diff(np.concatenate([starts, [len(differs) + 1]]))


def _near_places(
    numbers: NDArray[np.uint32], is_new: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return pairs of rows of uint32 [n, 64] that are alike and one of them new, int64 [m, 2], and their similarity."""
    found = np.empty(0, dtype=np.int64)  # both rows in one number
    width = SKETCH_NUMBERS // BANDS
    for band in range(BANDS):
        with np.errstate(over="ignore"):
            mixed = (numbers[:, band * width : (band + 1) * width].astype(np.uint64) * _FACTORS[:width]).sum(axis=1)
        near = [found]
        for pairs in _candidates(np.argsort(mixed, kind="stable"), mixed):
            asked = pairs[is_new[pairs].any(axis=1)]
            asked = asked[_similarities(numbers, asked) >= NEARLY]
            near.append(asked[:, 0] * len(numbers) + asked[:, 1])
        found = np.unique(np.concatenate(near))
    pairs = np.stack(np.divmod(found, len(numbers)), axis=1)
    return pairs, _similarities(numbers, pairs).round(2)


def _similarities(numbers: NDArray[np.uint32], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    found = np.empty(len(pairs), dtype=np.float64)
    for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
        first, second = pairs[begin : begin + _PAIRS_AT_ONCE].T
        found[begin : begin + len(first)] = (numbers[first] == numbers[second]).mean(axis=1)
    return found


def _candidates(order: NDArray[np.int64], mixed: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Yield pairs of rows of the same value, int64 [m, 2] with the smaller one first, some thousands at a time."""
    waiting, count = list[NDArray[np.int64]](), 0
    starts, sizes = _crowds(np.diff(mixed[order]) != 0)
    for crowd in np.flatnonzero(sizes > 1):
        waiting.append(order[starts[crowd] : starts[crowd] + sizes[crowd]][_places(int(sizes[crowd]))])
        count += len(waiting[-1])
        if count > _PAIRS_AT_ONCE:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _places(size: int) -> NDArray[np.int64]:
    """Return which members of a crowd are compared, int64 [m, 2]."""
    if size > _LARGEST_CROWD:
        return np.stack([np.arange(size - 1), np.arange(1, size)], axis=1)
    return _all_pairs(size)


@cache
def _all_pairs(size: int) -> NDArray[np.int64]:
    return np.stack(np.triu_indices(size, 1), axis=1)
