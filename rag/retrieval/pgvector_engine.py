"""Vectors in PostgreSQL with pgvector 0.8 or newer: a collection is a table, made in one transaction with its index.

Vectors are stored in half precision (``halfvec``): half the room, and no score is computed from them.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain

import numpy as np
import psycopg

from rag.errors import DatabaseUnavailable, VectorEngineUnavailable, VectorsMissing
from rag.protocols import FloatMatrix
from rag.retrieval.vector_engine import SEARCH_SECONDS, Batch, ChunkIds, CircuitBreaker, require_collection
from rag.storage.postgres import Lease, Pool, ServerConnection

OLDEST_VERSION = (0, 8)
"""Of pgvector: from here on a search continues until it has as many as requested (``hnsw.iterative_scan``)."""

# A plan for any LIMIT would read the whole table.  strict_order: nearest first, as many as requested.
_SEARCHING = (
    "SET statement_timeout = {0}; SET lock_timeout = {0}; SET plan_cache_mode = force_custom_plan; "
    "SET hnsw.ef_search = 200; SET hnsw.iterative_scan = strict_order; SET hnsw.max_scan_tuples = 200000; "
    "SET hnsw.scan_mem_multiplier = 8"
)
_GRAPH = "m = 16, ef_construction = 200"
"""Of 100,000 vectors as crowded as real ones (``eval/bench/large``) a search with 200 neighbours in view found .997 of
the nearest ten and .996 of the nearest fifty; with pgvector's own 64 in place of the second number .967 and .974, and
with 400 in view .985 and .989.  It takes three times as long to make."""

_SERVER_SHARE_MS = 900  # of a second: the server gives up before the client times out
_FILLING = "SET statement_timeout = 0; SET lock_timeout = 60000; SET idle_in_transaction_session_timeout = 0"

_GRAPH_BYTES = 700
"""Memory that a vector's node takes beside it while the index is made; without enough of it that takes many times as
long."""
_MOST_MEMORY_MB = 2048

_COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_FIELDS = 2


class PgVectorEngine:
    """A ``VectorEngine`` over one database of a PostgreSQL server."""

    def __init__(self, url: str, search_seconds: float = SEARCH_SECONDS) -> None:
        self._pool = _SearchPool(url, search_seconds)
        self._pool.join(self)
        self._breaker = CircuitBreaker(self.server)
        self._schema = ""

    @property
    def server(self) -> str:
        """Host, port and database."""
        return self._pool.server

    def fill(self, collection: str, dimension: int, count: int, batches: Iterable[Batch]) -> None:
        """See ``VectorEngine.fill``; in one transaction, so that a killed process leaves nothing."""
        name = require_collection(collection, self.server)
        with self._errors(), self._pool.errors(), closing(self._pool.connect()) as connection:
            connection.answer_seconds = None
            connection.execute(_FILLING)
            schema = self._require_extension(connection)
            if _count(connection, name) == count:
                return
            with connection.transaction():
                connection.execute(f"DROP TABLE IF EXISTS {name}")
                connection.execute(
                    f"CREATE TABLE {name} (chunk_id BIGINT NOT NULL, vector {schema}.halfvec({dimension}) NOT NULL)"
                )
                with connection.cursor().copy(f"COPY {name} (chunk_id, vector) FROM STDIN (FORMAT BINARY)") as copy:
                    for piece in _copy_stream(dimension, batches):
                        copy.write(piece)
                if (arrived := _count(connection, name)) != count:
                    raise VectorsMissing(server=self.server, reason=f"{arrived} of {count} vectors arrived")
                connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (chunk_id)")
                connection.execute(f"SET LOCAL maintenance_work_mem = '{_memory_mb(dimension, count)}MB'")
                connection.execute(
                    f"CREATE INDEX ON {name} USING hnsw (vector {schema}.halfvec_ip_ops) WITH ({_GRAPH})"
                )
            connection.execute(f"ANALYZE {name}")

    def count(self, collection: str) -> int | None:
        """Return the size of a collection; None if it does not exist."""
        name = require_collection(collection, self.server)
        with self._lease() as lease:
            return _count(lease.connection, name)

    def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
        """Return up to ``limit`` chunks near a unit query, the nearest first."""
        name = require_collection(collection, self.server)
        vector = "[" + ",".join(map(str, query[0].tolist())) + "]"
        with self._lease() as lease:
            schema = self._schema or self._require_extension(lease.connection)
            order = f"ORDER BY vector OPERATOR({schema}.<#>) %s::{schema}.halfvec LIMIT {limit:d}"
            if among is None:
                found = lease.ask(f"SELECT chunk_id FROM {name} {order}", (vector,))
            else:
                few = f"SELECT chunk_id, vector FROM {name} WHERE chunk_id = ANY(%s::bigint[])"
                statement = f"WITH few AS MATERIALIZED ({few}) SELECT chunk_id FROM few {order}"
                found = lease.ask(statement, (among.tolist(), vector))
            return np.fromiter((row[0] for row in found), np.int64)

    def collections(self, owner: str) -> list[str]:
        """Return the collections of an owner."""
        with self._lease() as lease:
            rows = lease.ask(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND starts_with(tablename, %s)",
                (f"vectors_{owner}_",),
            )
            return [str(row[0]) for row in rows]

    def drop(self, collection: str) -> None:
        """Delete a collection if it exists."""
        name = require_collection(collection, self.server)
        with self._lease() as lease:
            lease.ask(f"DROP TABLE IF EXISTS {name}")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._pool.close()

    @contextmanager
    def _lease(self) -> Iterator[Lease]:
        with self._breaker.guard(), self._errors(), self._pool.lease() as lease:
            yield lease

    def _require_extension(self, connection: ServerConnection) -> str:
        """Return the schema of pgvector, which is made if need be and if this user may."""
        found = connection.execute(
            "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
            "WHERE extname = 'vector'"
        ).fetchone()
        if found is None:
            try:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            except psycopg.NotSupportedError as error:
                raise VectorEngineUnavailable(server=self.server, reason="pgvector is not installed there") from error
            return self._require_extension(connection)
        version = str(found[0])
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
            reason = f"it has pgvector {version}, and {OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} is needed"
            raise VectorEngineUnavailable(server=self.server, reason=reason)
        self._schema = '"' + str(found[1]).replace('"', '""') + '"'
        return self._schema

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate the errors of psycopg and of its pool."""
        try:
            yield
        except DatabaseUnavailable as error:
            raise VectorEngineUnavailable(server=self.server, reason=error.details["reason"]) from error
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError) as error:
            # no such table, a column of another type, vectors of another dimension
            reason = str(error).strip().partition("\n")[0]
            raise VectorsMissing(server=self.server, reason=reason) from error


class _SearchPool(Pool):
    """Connections for searching, beside those of the databases: searches time out earlier."""

    def __init__(self, url: str, search_seconds: float) -> None:
        super().__init__(url)
        self._search_seconds = search_seconds
        self._parameters["connect_timeout"] = int(search_seconds)

    def connect(self) -> ServerConnection:
        """Open a connection of its own."""
        connection = super().connect()
        connection.answer_seconds = self._search_seconds
        connection.execute(_SEARCHING.format(int(self._search_seconds * _SERVER_SHARE_MS)))
        return connection


def _count(connection: ServerConnection, name: str) -> int | None:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    if found is None or not found[0]:
        return None
    counted = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    return int(counted[0]) if counted is not None else None


def _copy_stream(dimension: int, batches: Iterable[Batch]) -> Iterator[bytes]:
    """Yield the binary format of COPY, https://www.postgresql.org/docs/current/sql-copy.html."""
    row = np.dtype(
        [
            *(("fields", ">i2"), ("id_bytes", ">i4"), ("chunk_id", ">i8")),
            *(("vector_bytes", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f2", (dimension,))),
        ]
    )

    def pack_batch(chunk_ids: ChunkIds, vectors: FloatMatrix) -> bytes:
        rows = np.zeros(len(chunk_ids), row)
        rows["fields"], rows["id_bytes"], rows["vector_bytes"] = _FIELDS, 8, 4 + 2 * dimension
        rows["chunk_id"], rows["dimension"], rows["vector"] = chunk_ids, dimension, vectors
        return rows.tobytes()

    yield from chain([_COPY_BEGIN], (pack_batch(*batch) for batch in batches), [_COPY_END])


def _memory_mb(dimension: int, count: int) -> int:
    """Return the megabytes for building the index: all of it, up to a limit."""
    return min(_MOST_MEMORY_MB, 64 + count * (2 * dimension + _GRAPH_BYTES) // 2**20)
