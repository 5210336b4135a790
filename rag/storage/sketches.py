"""Stores MinHash sketches of documents, one row each, for finding near-duplicates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.storage.connection import Database
from rag.storage.store import VISIBLE

SKETCH_NUMBERS = 64
BANDS = 16
_TEXTS_AT_ONCE = 256
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
