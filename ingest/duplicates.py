"""Finds documents with the same or nearly the same text, and boilerplate: lines that stand on many pages of a folder.

Duplicates are reported and never dropped: the small difference may be the very rule that changed.

The similarity of two texts is the share of their runs of three terms that both have (Jaccard).  MinHash finds similar
pairs without comparing all with all: on 238 help pages every copy with a tenth of its sentences changed was a
candidate, and one of 28,203 pairs of different pages; SimHash of these runs found 10 % of those copies at distance 3.
"""

import hashlib
import zlib
from collections import Counter, defaultdict
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
"""The least similarity that is reported."""

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
    """One document's sketch: ``body``, 16 bytes that equal texts share, and its MinHash ``numbers``, uint32 [64]."""

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
        """Build them from stored rows; ``numbers`` are little-endian."""
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
    """Return a text's sketch; white space does not count."""
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

    A full disk is no failure: nothing is reported then.
    """
    table, new = SketchTable(writer.database), list[int]()
    with suppress(StorageFull):
        for batch in table.unsketched(generation):
            table.add([sketch(key, text) for key, text in batch])
            new += [key for key, _ in batch]
            between()
        return new
    return []


def new_duplicates(writer: KnowledgeWriter, generation: int, sketched: Sequence[int]) -> Duplicates:
    """Find the duplicates that came with a generation: those with one of the documents that ``sketch_new`` returned.

    Memory grows by 400 bytes a document, whatever the length of its text.
    """
    table = SketchTable(writer.database)
    return _duplicates_among(table, table.all(generation), set(sketched)) if sketched else NO_DUPLICATES


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
        return _duplicates_among(table, kept, None)


def _duplicates_among(table: SketchTable, sketches: Sketches, new: set[int] | None) -> Duplicates:
    keys = sketches.document_keys
    if not len(keys):
        return NO_DUPLICATES
    is_new = np.ones(len(keys), np.bool_) if new is None else np.isin(keys, list(new))
    order = np.lexsort((sketches.bodies[:, 1], sketches.bodies[:, 0]))
    starts, sizes = _runs_of_equal_rows((sketches.bodies[order[1:]] != sketches.bodies[order[:-1]]).any(axis=1))
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
            NearPair(*_ordered_pair(name[int(first)], name[int(second)]), float(similarity))
            for (first, second), similarity in zip(near[best_first], similarities[best_first], strict=True)
        ),
    )


def _ordered_pair(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _runs_of_equal_rows(differs: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts and lengths of runs of equal rows; ``differs`` from the row before is bool [n - 1]."""
    starts = np.concatenate([[0], np.flatnonzero(differs) + 1])
    return starts, np.diff(np.concatenate([starts, [len(differs) + 1]]))


def _near_places(
    numbers: NDArray[np.uint32], is_new: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return pairs of similar rows of uint32 [n, 64], one of them new, as int64 [m, 2], and their similarity."""
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
    starts, sizes = _runs_of_equal_rows(np.diff(mixed[order]) != 0)
    for crowd in np.flatnonzero(sizes > 1):
        waiting.append(order[starts[crowd] : starts[crowd] + sizes[crowd]][_pairs_of_group(int(sizes[crowd]))])
        count += len(waiting[-1])
        if count > _PAIRS_AT_ONCE:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _pairs_of_group(size: int) -> NDArray[np.int64]:
    """Return the pairs of a large group to compare, int64 [m, 2]."""
    if size > _LARGEST_CROWD:
        return np.stack([np.arange(size - 1), np.arange(1, size)], axis=1)
    return _all_pairs(size)


@cache
def _all_pairs(size: int) -> NDArray[np.int64]:
    return np.stack(np.triu_indices(size, 1), axis=1)


FEWEST_PAGES = 5
SMALLEST_SHARE = 0.5
"""A line on half of a folder's pages, and on five at least, is boilerplate."""

_SHORTEST_LINE = 12  # characters: shorter ones are headings, cells and marks that many pages have of their own accord
_COUNTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class RepeatedLine:
    """A line, and on how many of a folder's ``pages`` it stands."""

    folder: str
    text: str
    on_pages: int
    pages: int


def find_boilerplate(folder: Path) -> tuple[RepeatedLine, ...]:
    """Find the repeated lines of the current generation, the most frequent first; reads only.

    The documents are read twice: first every line is counted in a table of fixed size by its hash, where lines may
    collide and be counted too high; then the frequent ones are counted exactly.  Raises ``KnowledgeBaseMissing``.
    """
    with KnowledgeStore(folder) as store:
        generation = store.require_generation()
        counters = np.zeros(_COUNTERS, dtype=np.uint32)
        pages: Counter[str] = Counter()
        for place, lines in _page_lines(store, generation):
            pages[place] += 1
            counters[[_counter(place, line) for line in lines]] += 1
        counted: dict[tuple[str, str], int] = defaultdict(int)
        for place, lines in _page_lines(store, generation):
            least = _required_pages(pages[place])
            for line in lines:
                if counters[_counter(place, line)] >= least:
                    counted[place, line] += 1
    found = [
        RepeatedLine(place, line, count, pages[place])
        for (place, line), count in counted.items()
        if count >= _required_pages(pages[place])
    ]
    return tuple(sorted(found, key=lambda one: (-one.on_pages, one.folder, one.text)))


def _required_pages(pages: int) -> float:
    return max(FEWEST_PAGES, SMALLEST_SHARE * pages)


def _page_lines(store: KnowledgeStore, generation: int) -> Iterator[tuple[str, set[str]]]:
    """Yield each document's folder and its distinct lines, with single blanks."""
    last = 0
    while True:
        rows = store.rows(
            f"SELECT document_key, path, text FROM document WHERE document_key > :last "
            f"AND {VISIBLE.format('document')} ORDER BY document_key LIMIT 256",
            {"generation": generation, "last": last},
        )
        if not rows:
            return
        last = rows[-1]["document_key"]
        for row in rows:
            lines = {" ".join(line.split()) for line in row["text"].splitlines()}
            yield str(Path(row["path"]).parent), {line for line in lines if len(line) >= _SHORTEST_LINE}


def _counter(place: str, line: str) -> int:
    digest = hashlib.blake2b(f"{place}\0{line}".encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") % _COUNTERS
