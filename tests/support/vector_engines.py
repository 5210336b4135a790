"""Engines for vectors that tests put a knowledge base's vectors into: one in memory, and ways to break a real one."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from rag.errors import AnswerdeskError, VectorsMissing
from rag.protocols import FloatMatrix
from rag.retrieval import vector_engine
from rag.retrieval.vector_engine import Batch, ChunkIds, VectorEngine

PATIENCE_SECONDS = 60.0
"""What a test of results gives an engine: the machine may be busy with other tests."""


@dataclass
class MemoryEngine:
    """A ``VectorEngine`` that compares everything.  It fails while ``failing`` is set, and counts what it is asked."""

    server: str = "memory"
    held: dict[str, Batch] = field(default_factory=dict)
    failing: AnswerdeskError | None = None
    asked: list[int] = field(default_factory=list)
    filled: int = 0

    def fill(self, collection: str, dimension: int, count: int, batches: Iterable[Batch]) -> None:
        self._fail()
        if self.count(collection) == count:
            return
        self.filled += 1
        ids, vectors = zip(*batches, strict=True)
        self.held[collection] = np.concatenate(ids), np.concatenate(vectors)
        assert self.held[collection][1].shape == (count, dimension)

    def count(self, collection: str) -> int | None:
        self._fail()
        return len(self.held[collection][0]) if collection in self.held else None

    def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
        self._fail()
        self.asked.append(limit)
        if collection not in self.held:
            raise VectorsMissing(server=self.server, reason=f"there is no {collection}")
        ids, vectors = self.held[collection]
        if among is not None:
            kept = np.isin(ids, among)
            ids, vectors = ids[kept], vectors[kept]
        return ids[np.argsort(-(vectors @ query[0]), kind="stable")[:limit]]

    def collections(self, owner: str) -> list[str]:
        self._fail()
        return [name for name in self.held if name.startswith(f"vectors_{owner}_")]

    def drop(self, collection: str) -> None:
        self._fail()
        self.held.pop(collection, None)

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


def crowd(count: int, dimension: int = 32, seed: int = 0) -> FloatMatrix:
    """Return unit vectors that lie in groups, close to each other as an embedder's are, float32 [count, dimension]."""
    numbers = np.random.default_rng(seed)
    centres = numbers.standard_normal((max(4, count // 50), dimension))
    rows = 3 + centres[numbers.integers(0, len(centres), count)] + 0.6 * numbers.standard_normal((count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@contextmanager
def opened(request: pytest.FixtureRequest) -> Iterator[VectorEngine]:
    """Give the engine that a fixture's parameter names: ``memory``, ``pgvector`` or ``milvus``."""
    if request.param == "memory":
        yield MemoryEngine()
    elif request.param == "pgvector":
        from rag.retrieval.pgvector_engine import PgVectorEngine

        with closing(
            PgVectorEngine(request.getfixturevalue("postgres_server").make_room(), PATIENCE_SECONDS)
        ) as postgres:
            yield postgres
    else:
        from rag.retrieval.milvus_engine import MilvusEngine

        with closing(
            MilvusEngine(request.getfixturevalue("milvus_server").url, PATIENCE_SECONDS, settled_seconds=0.0)
        ) as milvus:
            yield milvus


def close_engines() -> None:
    """Close what ``engine_of`` opened in this process."""
    for engine in vector_engine._engines.values():
        if not isinstance(engine, MemoryEngine):
            engine.close()  # type: ignore[attr-defined]  # every real one has it
    vector_engine._engines.clear()
