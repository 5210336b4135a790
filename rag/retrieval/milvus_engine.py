"""Vectors in Milvus: one Milvus collection each, with an HNSW graph over inner products.  Only here is pymilvus used.

Milvus has no transactions.  A collection is complete when it has all its vectors, and only then does a manifest name
it; what a killed ingest left is recognised by its owner and deleted with the next publication.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import grpc
import numpy as np
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import ErrorCode, MilvusException

from rag.errors import VectorEngineUnavailable, VectorsMissing
from rag.protocols import FloatMatrix
from rag.retrieval.vector_engine import SEARCH_SECONDS, Batch, ChunkIds, CircuitBreaker, require_collection

_PORT = 19530
_FIELD = "vector"
_INDEX = {"index_type": "HNSW", "metric_type": "IP", "params": {"M": 16, "efConstruction": 200}}
_SEEN_AT_LEAST, _SEEN_SHARE = 400, 2
"""Neighbours that a search keeps in view (``ef``): of those at the edge some are missed."""

_STRONG, _BOUNDED = "Strong", "Bounded"
"""Strong sees every insert, and waits 200 ms for that; Bounded sees the state of a moment ago, without waiting."""

_SETTLED_SECONDS = 6.0
"""Bounded sees what is older than five seconds (``common.gracefulTime``), in each replica: enough for vectors
that never change, once they are so old."""

_PATIENCE_SECONDS = 60.0
"""For a statement while a collection is made."""
_INDEXED_WITHIN_SECONDS = 3600.0
_LOOK_SECONDS = 0.5
# A server with gRPC's defaults, as Milvus Lite, takes a ping each five minutes and ends connections that send one each
# ten seconds, as pymilvus does.  A server that is gone is seen by the time limits.
_GRPC_OPTIONS = {"grpc.keepalive_time_ms": 300_000}
_NOT_LOADED = 101

Result = TypeVar("Result")


class MilvusEngine:
    """A ``VectorEngine`` over one database of a Milvus server."""

    def __init__(
        self, url: str, search_seconds: float = SEARCH_SECONDS, settled_seconds: float = _SETTLED_SECONDS
    ) -> None:
        parts = urlsplit(url)
        self._search_seconds = search_seconds
        self._settled_seconds = settled_seconds
        self._name = f"{parts.hostname}:{parts.port or _PORT}"
        self._options = {
            "uri": f"http://{self._name}",
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "db_name": parts.path.strip("/"),
        }
        self._client: MilvusClient | None = None
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker(self._name)
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # errors are raised as our own

    @property
    def server(self) -> str:
        """Host and port."""
        return self._name

    def fill(self, collection: str, dimension: int, count: int, batches: Iterable[Batch]) -> None:
        """See ``VectorEngine.fill``; returns when the index is built and every replica has all vectors."""
        name = require_collection(collection, self.server)
        inserted_at = time.monotonic()
        with self._errors():
            client = self._connection()
            if not client.has_collection(name, timeout=_PATIENCE_SECONDS) or self._count(client, name) != count:
                client.drop_collection(name, timeout=_PATIENCE_SECONDS)
                _create_collection(client, name, dimension)
                for chunk_ids, vectors in batches:
                    rows = [
                        {"chunk_id": number, _FIELD: vector}
                        for number, vector in zip(chunk_ids.tolist(), vectors, strict=True)
                    ]
                    client.insert(name, rows, timeout=_PATIENCE_SECONDS)
                client.flush(name, timeout=_PATIENCE_SECONDS)
                inserted_at = time.monotonic()
            _wait_for_index(client, name)
            client.load_collection(name, timeout=_INDEXED_WITHIN_SECONDS)
            if (arrived := self._count(client, name)) != count:
                raise VectorsMissing(server=self.server, reason=f"{arrived} of {count} vectors arrived")
            time.sleep(max(0.0, inserted_at + self._settled_seconds - time.monotonic()))

    def count(self, collection: str) -> int | None:
        """Return the size of a collection; None if it does not exist."""
        name = require_collection(collection, self.server)

        def count_vectors(client: MilvusClient) -> int | None:
            return self._count(client, name) if client.has_collection(name, timeout=self._search_seconds) else None

        return self._run(count_vectors)

    def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
        """Return up to ``limit`` chunks near a unit query, the nearest first."""
        name = require_collection(collection, self.server)
        wanted = "" if among is None else f"chunk_id in {among.tolist()}"

        def find(client: MilvusClient) -> ChunkIds:
            def search() -> Any:  # noqa: ANN401 - pymilvus has no types
                return client.search(
                    name,
                    [query[0].tolist()],
                    filter=wanted,
                    limit=limit,
                    search_params={"metric_type": "IP", "params": {"ef": max(_SEEN_AT_LEAST, _SEEN_SHARE * limit)}},
                    anns_field=_FIELD,
                    consistency_level=_BOUNDED,
                    timeout=self._search_seconds,
                )

            [hits] = self._call_loaded(client, name, search)
            return np.asarray(hits.ids, np.int64)  # the hits themselves name the key as each version likes

        return self._run(find)

    def collections(self, owner: str) -> list[str]:
        """Return the collections of an owner."""
        names = self._run(lambda client: client.list_collections(timeout=self._search_seconds))
        return [name for name in names if name.startswith(f"vectors_{owner}_")]

    def drop(self, collection: str) -> None:
        """Delete a collection if it exists."""
        name = require_collection(collection, self.server)
        self._run(lambda client: client.drop_collection(name, timeout=_PATIENCE_SECONDS))

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _run(self, call: Callable[[MilvusClient], Result]) -> Result:
        with self._breaker.guard(), self._errors():
            return call(self._connection())

    def _call_loaded(self, client: MilvusClient, name: str, call: Callable[[], Result]) -> Result:
        """Use a collection, which is loaded again if Milvus released it, as Lite does at a restart."""
        try:
            return call()
        except MilvusException as error:
            if error.code != _NOT_LOADED:
                raise
        client.load_collection(name, timeout=_PATIENCE_SECONDS)
        return call()

    def _connection(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                self._client = MilvusClient(**self._options, timeout=self._search_seconds, grpc_options=_GRPC_OPTIONS)
            return self._client

    def _count(self, client: MilvusClient, name: str) -> int:
        def count() -> Any:  # noqa: ANN401 - pymilvus has no types
            return client.query(name, output_fields=["count(*)"], consistency_level=_STRONG, timeout=_PATIENCE_SECONDS)

        [row] = self._call_loaded(client, name, count)
        return int(row["count(*)"])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate what pymilvus raises, and gRPC below it."""
        try:
            yield
        except MilvusException as error:
            reason = " ".join(str(error.message).split())
            if _is_missing(error):
                raise VectorsMissing(server=self.server, reason=reason) from error
            raise VectorEngineUnavailable(server=self.server, reason=reason) from error
        except (grpc.RpcError, grpc.FutureTimeoutError) as error:
            reason = error.details() if isinstance(error, grpc.Call) else type(error).__name__
            raise VectorEngineUnavailable(server=self.server, reason=str(reason)) from error


def _create_collection(client: MilvusClient, name: str, dimension: int) -> None:
    schema: Any = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("chunk_id", DataType.INT64, is_primary=True)
    schema.add_field(_FIELD, DataType.FLOAT_VECTOR, dim=dimension)
    index: Any = client.prepare_index_params()
    index.add_index(_FIELD, **_INDEX)
    client.create_collection(
        name, schema=schema, index_params=index, consistency_level=_STRONG, timeout=_PATIENCE_SECONDS
    )


def _wait_for_index(client: MilvusClient, name: str) -> None:
    """Wait until all vectors are in the graph: until then a search compares the rest one by one."""
    ends = time.monotonic() + _INDEXED_WITHIN_SECONDS
    while time.monotonic() < ends:
        found: Any = client.describe_index(name, _FIELD, timeout=_PATIENCE_SECONDS)
        if not int((found or {}).get("pending_index_rows", 0)):
            return
        time.sleep(_LOOK_SECONDS)


def _is_missing(error: MilvusException) -> bool:
    """Tell whether the server answered that it lacks the collection, or has one of another dimension."""
    message = str(error.message).lower()
    return error.code in (ErrorCode.COLLECTION_NOT_FOUND, _NOT_LOADED) or any(
        words in message for words in ("not found", "not exist", "not loaded", "dimension", "dim ")
    )
