"""Reads the rows an index is built from: a whole generation, or what changed since the previous one."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix
from rag.schema import Language
from rag.storage.connection import Database
from rag.storage.store import VISIBLE

_EMBEDDED = "CROSS JOIN embedding ON content_hash = embedding_hash AND model_id = :model"
_INDEX_ROWS = f"SELECT chunk_id, language, vector, token_numbers, terms FROM chunk {_EMBEDDED}"
_OF_LANGUAGE = f"WHERE {VISIBLE.format('chunk')} AND language = :language ORDER BY chunk_id"
_ADDED = "chunk.first_generation = :generation AND chunk.last_generation IS NULL"
_ROWS_AT_ONCE = 1024  # some megabytes


@dataclass(frozen=True, slots=True, eq=False)
class IndexRows:
    """What the indexes need of n chunks of one language: numbers, int64 [n], and vectors, float32 [n, dimension].

    ``terms`` are each chunk's, joined by blanks; ``token_numbers`` its distinct tokens, one chunk after another, int32.
    """

    language: Language
    chunk_ids: NDArray[np.int64]
    vectors: FloatMatrix
    terms: tuple[str, ...]
    token_numbers: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class VectorRows:
    """Numbers of n chunks, int64 [n], their vectors, float32 [n, dimension], and the distinct tokens of each, int32."""

    chunk_ids: NDArray[np.int64]
    vectors: FloatMatrix
    token_numbers: NDArray[np.int32]


class IndexSource:
    """Reads chunks with what the indexes need of them, in one embedder's space."""

    def __init__(self, database: Database, model_id: str, dimension: int) -> None:
        self._database = database
        self._model_id = model_id
        self._dimension = dimension

    @property
    def folder(self) -> Path:
        """The knowledge base's folder."""
        return self._database.path.parent

    def index_rows(self, generation: int) -> Iterator[IndexRows]:
        """Yield everything that the generation shows, some thousand chunks at a time, ascending in each language.

        Chunks without a vector are left out: see ``EmbeddingTable.missing``.  Raises ``IndexDamaged`` at a vector of
        another length.
        """
        yield from self._index_rows(f"WHERE {VISIBLE.format('chunk')} ORDER BY chunk_id", generation)

    def vectors(self, generation: int, language: Language) -> Iterator[VectorRows]:
        """Yield the generation's vectors of one language, some at a time, ascending by chunk.

        Chunks without a vector are left out.  Raises ``IndexDamaged`` at a vector of another length.
        """
        parameters = {"generation": generation, "model": self._model_id, "language": language}
        with self._database.reading() as connection:
            cursor = connection.execute(
                f"SELECT chunk_id, vector, token_numbers FROM chunk {_EMBEDDED} {_OF_LANGUAGE}", parameters
            )
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield VectorRows(_numbers(rows), self._matrix(rows), _tokens(rows))

    def digest(self, generation: int, language: Language) -> str:
        """Return the SHA-256 of the chunks that ``vectors`` yields, and of what their vectors were made from."""
        parameters = {"generation": generation, "model": self._model_id, "language": language}
        digest = hashlib.sha256(f"{self._model_id}\n{self._dimension}\n{language}\n".encode())
        with self._database.reading() as connection:
            cursor = connection.execute(
                f"SELECT chunk_id, content_hash FROM chunk {_EMBEDDED} {_OF_LANGUAGE}", parameters
            )
            for chunk_id, content_hash in cursor:
                digest.update(chunk_id.to_bytes(8, "big") + content_hash)
        return digest.hexdigest()

    def terms(self, generation: int, language: Language) -> Iterator[tuple[str, ...]]:
        """Yield the terms, joined by blanks, of the chunks whose ``vectors`` are yielded, in the same order."""
        parameters = {"generation": generation, "model": self._model_id, "language": language}
        with self._database.reading() as connection:
            cursor = connection.execute(f"SELECT terms FROM chunk {_EMBEDDED} {_OF_LANGUAGE}", parameters)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield tuple(row["terms"] for row in rows)

    def added_rows(self, generation: int) -> Iterator[IndexRows]:
        """Yield what the generation shows and the one before did not; as fast as it is little."""
        yield from self._index_rows(f"WHERE {_ADDED} ORDER BY chunk_id", generation)

    def counts(self, generation: int) -> dict[Language, int]:
        """Return how many chunks of each language the generation shows."""
        return self._counts(VISIBLE.format("chunk"), generation)

    def added_counts(self, generation: int) -> dict[Language, int]:
        """Return how many chunks of each language the generation shows that the one before did not."""
        return self._counts(_ADDED, generation)

    def _counts(self, condition: str, generation: int) -> dict[Language, int]:
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT language, count(*) FROM chunk WHERE {condition} GROUP BY language", {"generation": generation}
            )
            return {row[0]: row[1] for row in rows}

    def count_and_sum(self, generation: int) -> tuple[int, int]:
        """Return how many chunks the generation shows, and the sum of their numbers: two sets hardly agree in both."""
        [(count, total)] = self._database.rows(
            f"SELECT count(*), total(chunk_id) FROM chunk WHERE {VISIBLE.format('chunk')}",
            {"generation": generation},
        )
        return count, int(total)

    def spread_ids(self, generation: int, language: Language, count: int) -> list[int]:
        """Return up to ``count`` of the generation's chunks of a language, evenly spread."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT chunk_id FROM chunk WHERE {VISIBLE.format('chunk')} AND language = :language "
                "ORDER BY chunk_id",
                {"generation": generation, "language": language},
            )
            chunk_ids = np.fromiter((row[0] for row in rows), np.int64)
        places = np.linspace(0, len(chunk_ids) - 1, min(count, len(chunk_ids))).round().astype(np.int64)
        chosen: list[int] = chunk_ids[places].tolist()
        return chosen

    def removed_ids(self, generation: int) -> list[int]:
        """Return the chunks that the generation before showed and this one does not, ascending."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT chunk_id FROM document CROSS JOIN chunk USING (document_key) "
                "WHERE document.last_generation = :generation AND document.first_generation < :generation "
                "ORDER BY chunk_id",
                {"generation": generation},
            )
            return [row[0] for row in rows]

    def vectors_of(self, chunk_ids: Sequence[int]) -> FloatMatrix:
        """Return the vectors of chunks, float32 [n, dimension], ascending by chunk; those without one are left out."""
        rows = self._database.rows(
            "SELECT chunk_id, vector FROM json_each(:ids) CROSS JOIN chunk ON chunk_id = value "
            "CROSS JOIN embedding ON content_hash = embedding_hash AND model_id = :model ORDER BY chunk_id",
            {"model": self._model_id, "ids": json.dumps([int(chunk_id) for chunk_id in chunk_ids])},
        )
        return self._matrix(rows)

    def _index_rows(self, condition: str, generation: int) -> Iterator[IndexRows]:
        parameters = {"generation": generation, "model": self._model_id}
        with self._database.reading() as connection:
            cursor = connection.execute(f"{_INDEX_ROWS} {condition}", parameters)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                languages: tuple[Language, ...] = tuple(dict.fromkeys(row["language"] for row in rows))
                for language in languages:
                    own = [row for row in rows if row["language"] == language]
                    yield IndexRows(
                        language=language,
                        chunk_ids=_numbers(own),
                        vectors=self._matrix(own),
                        terms=tuple(row["terms"] for row in own),
                        token_numbers=_tokens(own),
                    )

    def _matrix(self, rows: Sequence[sqlite3.Row]) -> FloatMatrix:
        for row in rows:
            if len(row["vector"]) != 4 * self._dimension:
                raise IndexDamaged(reason=f"vector of chunk {row['chunk_id']} has {len(row['vector'])} bytes")
        content = b"".join(row["vector"] for row in rows)
        return np.frombuffer(content, dtype="<f4").reshape(len(rows), self._dimension)


def _numbers(rows: Sequence[sqlite3.Row]) -> NDArray[np.int64]:
    return np.array([row["chunk_id"] for row in rows], dtype=np.int64)


def _tokens(rows: Sequence[sqlite3.Row]) -> NDArray[np.int32]:
    return np.frombuffer(b"".join(_sound(row["token_numbers"]) for row in rows), dtype="<i4")


def _sound(token_numbers: bytes | None) -> bytes:
    """Return the numbers, none where they are not kept or torn: see ``EmbeddingTable.damaged_tokens``."""
    return b"" if token_numbers is None or len(token_numbers) % 4 else token_numbers
