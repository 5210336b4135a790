"""Stores vectors by text hash, so that a chunk is embedded once and an index can be rebuilt.

Beside a passage's own vector are its tokens' signs, which the ranking reads for its candidates.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix, PassageVectors
from rag.schema import Chunk
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


def embedding_hash(chunk: Chunk) -> bytes:
    """Return the 32 bytes by which the chunk's vector is kept: SHA-256 of the text that is embedded."""
    return hashlib.sha256(chunk.embedded_text.encode()).digest()


class EmbeddingTable:
    """The table ``embedding`` of a knowledge base: float32 vectors of one embedder's space, and signs of tokens.

    ``dimension`` is checked against what is stored: a vector of another length raises ``IndexDamaged``.  Rows from
    before tokens were kept count as missing, so that they are embedded anew by the next ingest that publishes.
    """

    def __init__(self, database: Database, model_id: str, dimension: int) -> None:
        self._database = database
        self._model_id = model_id
        self._dimension = dimension

    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Return those of the hashes that have a vector and tokens."""
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
        """Keep n passages under n hashes, in one transaction; what is known with its tokens stays unless replaced."""
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
        """Return the visible chunks whose tokens are kept and cannot be theirs, whatever their text is."""
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
