"""Stores vectors by text hash, so that a chunk is embedded once, and reads the rows that indexes are built from.

Beside a passage's own vector are its tokens' signs, which the ranking reads for its candidates.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix, PassageVectors
from rag.schema import Chunk, Language
from rag.storage.connection import Database
from rag.storage.store import CHUNK_COLUMNS, VISIBLE, chunk_from_row

Signs = NDArray[np.uint8]

UNIT_TOLERANCE = 1e-3
_PARAMETERS = 500  # SQLite allows 999 in old builds
_VISIBLE_VECTORS = (
    "FROM chunk CROSS JOIN embedding ON content_hash = embedding_hash AND model_id = :model "
    f"WHERE {VISIBLE.format('chunk')}"
)

_TOKENS_DAMAGED = (  # torn signs, torn numbers, or more distinct tokens than tokens; NULL is no damage
    "(length(token_signs) % :width <> 0 OR length(token_numbers) % 4 <> 0 "
    "OR length(token_numbers) / 4 > length(token_signs) / :width "
    "OR (length(token_signs) = 0) <> (length(token_numbers) = 0))"
)

_EMBEDDED = "CROSS JOIN embedding ON content_hash = embedding_hash AND model_id = :model"
_INDEX_ROWS = f"SELECT chunk_id, language, vector, token_numbers, terms FROM chunk {_EMBEDDED}"
_OF_LANGUAGE = f"WHERE {VISIBLE.format('chunk')} AND language = :language ORDER BY chunk_id"
_ADDED = "chunk.first_generation = :generation AND chunk.last_generation IS NULL"
_ROWS_AT_ONCE = 1024  # some megabytes


def embedding_hash(chunk: Chunk) -> bytes:
    """Return the 32-byte key of the chunk's vector: SHA-256 of the embedded text."""
    return hashlib.sha256(chunk.embedded_text.encode()).digest()


class EmbeddingTable:
    """The table ``embedding`` of a knowledge base: float32 vectors of one embedder's space, and signs of tokens.

    ``dimension`` is checked against what is stored: a vector of another length raises ``IndexDamaged``.  Rows from
    before tokens were kept count as missing, so that they are embedded again by the next ingest that publishes.
    """

    def __init__(self, database: Database, model_id: str, dimension: int) -> None:
        self._database = database
        self._model_id = model_id
        self._dimension = dimension

    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Return the hashes that have a vector and tokens."""
        found: set[bytes] = set()
        wanted = sorted(set(hashes))
        with self._database.reading() as connection:
            for begin in range(0, len(wanted), _PARAMETERS):
                batch = wanted[begin : begin + _PARAMETERS]
                rows = connection.execute(
                    "SELECT content_hash FROM embedding WHERE model_id = ? AND token_signs IS NOT NULL "
                    f"AND content_hash IN ({', '.join('?' * len(batch))})",
                    (self._model_id, *batch),
                )
                found.update(row[0] for row in rows)
        return found

    def add(self, hashes: Sequence[bytes], passages: PassageVectors, *, replace: bool = False) -> None:
        """Store n passages under n hashes, in one transaction; complete ones stay unless ``replace``."""
        vectors = passages.vectors
        if vectors.shape != (len(hashes), self._dimension):
            raise ValueError(f"{len(hashes)} hashes need [{len(hashes)}, {self._dimension}], not {vectors.shape}")
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        values = [
            (
                digest,
                self._model_id,
                row.tobytes(),
                np.unique(tokens.numbers).astype("<i4").tobytes(),
                tokens.signs.tobytes(),
            )
            for digest, row, tokens in zip(hashes, rows, passages.tokens, strict=True)
        ]
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO embedding (content_hash, model_id, vector, token_numbers, token_signs) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET vector = excluded.vector, "
                "token_numbers = excluded.token_numbers, token_signs = excluded.token_signs "
                f"WHERE token_signs IS NULL OR {replace:d}",
                values,
            )

    def forget_damaged(self) -> int:
        """Delete this embedder's vectors that are not of length 1, or whose tokens are damaged; return how many."""
        parameters = {"model": self._model_id, "width": self._sign_bytes}
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT rowid, vector FROM embedding WHERE model_id = :model", parameters)
            damaged = [(number,) for number, vector in rows if not self._is_unit(vector)]
            damaged += connection.execute(
                f"SELECT rowid FROM embedding WHERE model_id = :model AND {_TOKENS_DAMAGED}", parameters
            ).fetchall()
            connection.executemany("DELETE FROM embedding WHERE rowid = ?", damaged)
        return len(damaged)

    def damaged_tokens(self, generation: int) -> list[int]:
        """Return the visible chunks whose stored tokens are damaged."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT chunk_id {_VISIBLE_VECTORS} AND {_TOKENS_DAMAGED}",
                {"generation": generation, "model": self._model_id, "width": self._sign_bytes},
            )
            return [row[0] for row in rows]

    @property
    def _sign_bytes(self) -> int:
        """Bytes of one token's signs."""
        return -(-self._dimension // 8)

    def _is_unit(self, vector: bytes) -> bool:
        if len(vector) != 4 * self._dimension:
            return False
        return bool(abs(np.linalg.norm(np.frombuffer(vector, dtype="<f4")) - 1) < UNIT_TOLERANCE)

    def forget_others(self) -> None:
        """Delete the vectors of every other embedder."""
        with self._database.transaction() as connection:
            # through the narrow index: the table itself is gigabytes wide, and there is hardly ever anything to delete
            connection.execute(
                "DELETE FROM embedding WHERE rowid IN (SELECT rowid FROM embedding "
                "INDEXED BY sqlite_autoindex_embedding_1 WHERE model_id <> ?)",
                (self._model_id,),
            )

    def missing(self, generation: int, limit: int) -> list[Chunk]:
        """Return up to ``limit`` visible chunks that have no vector or no tokens."""
        rows = self._database.rows(
            f"SELECT {CHUNK_COLUMNS} FROM chunk JOIN document USING (document_key) "
            f"WHERE {VISIBLE.format('chunk')} AND NOT EXISTS (SELECT 1 FROM embedding "
            "WHERE content_hash = chunk.embedding_hash AND model_id = :model AND token_signs IS NOT NULL) "
            "LIMIT :limit",
            {"generation": generation, "model": self._model_id, "limit": limit},
        )
        return [chunk_from_row(row) for row in rows]

    def visible(self, generation: int) -> tuple[NDArray[np.int64], FloatMatrix]:
        """Return the chunk numbers, int64 [n] ascending, and vectors, float32 [n, dimension], of a generation.

        Chunks without a vector are left out: see ``missing``.
        """
        parameters = {"generation": generation, "model": self._model_id}
        with self._database.reading() as connection:
            connection.execute("BEGIN")  # both statements must see the same rows
            try:
                (count,) = connection.execute(f"SELECT count(*) {_VISIBLE_VECTORS}", parameters).fetchone()
                numbers = np.empty(count, dtype=np.int64)
                vectors = np.empty((count, self._dimension), dtype=np.float32)
                rows = connection.execute(f"SELECT chunk_id, vector {_VISIBLE_VECTORS} ORDER BY chunk_id", parameters)
                for position, (number, vector) in enumerate(rows):
                    if len(vector) != 4 * self._dimension:
                        raise IndexDamaged(reason=f"vector of chunk {number} has {len(vector)} bytes")
                    numbers[position] = number
                    vectors[position] = np.frombuffer(vector, dtype="<f4")
            finally:
                connection.execute("COMMIT")
        return numbers, vectors

    def token_signs(self, chunk_ids: Iterable[int]) -> dict[int, Signs]:
        """Return the signs of chunks' tokens, uint8 [tokens, dimension / 8 rounded up], by their number.

        A chunk whose tokens are not kept is left out.  Raises ``IndexDamaged`` where there are bytes too many.
        """
        width = self._sign_bytes
        rows = self._database.rows(
            "SELECT chunk_id, token_signs FROM chunk JOIN embedding ON content_hash = embedding_hash "
            "AND model_id = :model WHERE chunk_id IN (SELECT value FROM json_each(:ids)) "
            "AND token_signs IS NOT NULL",
            {"model": self._model_id, "ids": json.dumps([int(chunk_id) for chunk_id in chunk_ids])},
        )
        found: dict[int, Signs] = {}
        for chunk_id, signs in rows:
            if len(signs) % width:
                raise IndexDamaged(reason=f"tokens of chunk {chunk_id} have {len(signs)} bytes")
            found[chunk_id] = np.frombuffer(signs, dtype=np.uint8).reshape(-1, width)
        return found

    def token_numbers(self, chunk_ids: Iterable[int]) -> NDArray[np.int32]:
        """Return the distinct tokens of each chunk, one chunk after another, int32 [n]: a token counts its chunks."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT token_numbers FROM chunk JOIN embedding ON content_hash = embedding_hash "
                "AND model_id = :model WHERE chunk_id IN (SELECT value FROM json_each(:ids)) "
                "AND token_signs IS NOT NULL",
                {"model": self._model_id, "ids": json.dumps([int(chunk_id) for chunk_id in chunk_ids])},
            )
            return np.frombuffer(b"".join(row[0] for row in rows), dtype="<i4")


@dataclass(frozen=True, slots=True, eq=False)
class IndexRows:
    """The rows of n chunks of one language: numbers, int64 [n], and vectors, float32 [n, dimension].

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
    """Reads the rows that the indexes are built from, in one embedder's space."""

    def __init__(self, database: Database, model_id: str, dimension: int) -> None:
        self._database = database
        self._model_id = model_id
        self._dimension = dimension

    @property
    def folder(self) -> Path:
        """The knowledge base's folder."""
        return self._database.path.parent

    def index_rows(self, generation: int) -> Iterator[IndexRows]:
        """Yield the generation's rows, some thousand chunks at a time, ascending in each language.

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
        """Yield the chunks that are new in the generation, in time proportional to them."""
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
        """Return the count of the generation's chunks and the sum of their numbers: two sets hardly agree in both."""
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
    return np.frombuffer(b"".join(_valid_numbers(row["token_numbers"]) for row in rows), dtype="<i4")


def _valid_numbers(token_numbers: bytes | None) -> bytes:
    """Return the numbers, none if missing or damaged: see ``EmbeddingTable.damaged_tokens``."""
    return b"" if token_numbers is None or len(token_numbers) % 4 else token_numbers
