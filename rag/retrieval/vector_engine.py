"""Dense candidates from a vector engine, for an index that is larger than a desk's memory.

An engine keeps a language's large base (``generation_index.py``) as a *collection*: chunk numbers and vectors, no text.
A collection is filled once, is complete or absent, and never changes; generations name it in their manifests as they
name files.  So a search sees one generation, whatever is published meanwhile: chunks added since are in the small part
that every desk has in memory, and removed ones are left out here.

The engine only names near chunks.  Access is decided here, and cosines are computed from the vectors in the knowledge
base's own database, so that neither rounding nor the engine affects a score.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from rag.errors import ExtraMissing, IndexDamaged, VectorEngineUnavailable, VectorsMissing
from rag.protocols import FloatMatrix
from rag.retrieval.vector_index import Selection, is_among
from rag.schema import Hit
from rag.settings import Settings
from rag.storage.embeddings import IndexSource

ChunkIds = NDArray[np.int64]
Batch = tuple[ChunkIds, FloatMatrix]

SEARCH_SECONDS = 2.0
"""How long a search waits for an engine; lexical search alone then still shows evidence in time."""

_OPEN_SECONDS = 5.0
"""After a failure, searches skip the engine for so long: a question may take ten searches."""

_FEW_ENOUGH_TO_COMPARE = 1_000
"""Up to so many permitted chunks are compared here one by one, which takes 15 ms; no engine is better at it."""

_MOST_TO_COMPARE = 20_000
"""The same if an engine returned fewer chunks than there are."""

_RESCORED_SHARE = 1.2
"""Exact cosines are computed for so many times the wanted candidates: an engine's scores are rounded."""

_MOST_REQUESTED = 10_000
_SPARE_SHARE, _SPARE = 1.2, 10
"""With a filter, so many times the expected number of candidates is requested, and so many more."""
_REQUEST_GROWTH = 4

_COLLECTION = re.compile(r"vectors_[0-9a-f]{12}_[0-9a-f]{16}")


class VectorEngine(Protocol):
    """A vector server.  Safe to call from several threads.

    All methods raise ``VectorEngineUnavailable`` if it does not answer in time, and ``VectorsMissing`` if it lacks the
    collection.
    """

    @property
    def server(self) -> str:
        """Its address for messages, without secrets."""

    def fill(self, collection: str, dimension: int, count: int, batches: Iterable[Batch]) -> None:
        """Create a collection of so many unit vectors, which becomes visible as a whole.

        An existing one of the same size is left as it is, without reading ``batches``.
        """

    def count(self, collection: str) -> int | None:
        """Return the size of a collection; None if it does not exist."""

    def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
        """Return up to ``limit`` chunks near a unit query, float32 [1, dimension], nearest first.

        ``among`` restricts the chunks; an engine may then return fewer than there are.
        """

    def collections(self, owner: str) -> list[str]:
        """Return the collections of an owner, including unfinished ones."""

    def drop(self, collection: str) -> None:
        """Delete a collection if it exists."""


def collection_name(owner: str, digest: str) -> str:
    """Return the name of a collection, from its owner and its content.

    >>> collection_name("0123456789ab", "00ff" * 16)
    'vectors_0123456789ab_00ff00ff00ff00ff'
    """
    return f"vectors_{owner}_{digest[:16]}"


def require_collection(name: str, server: str) -> str:
    """Return the name, or raise ``VectorsMissing`` if it does not have the form of ``collection_name``."""
    if not _COLLECTION.fullmatch(name):
        raise VectorsMissing(server=server, reason=f"{name!r} is no name of a collection")
    return name


class CircuitBreaker:
    """Keeps searches from waiting for an engine that has just failed."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._until = 0.0
        self._reason = ""

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Use the engine within the block.  Raises ``VectorEngineUnavailable`` at once while open."""
        if time.monotonic() < self._until:
            raise VectorEngineUnavailable(server=self._server, reason=self._reason)
        try:
            yield
        except VectorEngineUnavailable as error:
            self._until = time.monotonic() + _OPEN_SECONDS
            self._reason = str(error.details["reason"])
            raise


class EngineVectorIndex:
    """A ``VectorIndex`` over a base in an engine.

    ``vectors_of`` returns the vectors of ascending chunks from the knowledge base's database, without missing ones.
    """

    def __init__(
        self,
        engine: VectorEngine,
        collection: str,
        chunk_ids: ChunkIds,
        vectors_of: Callable[[Sequence[int]], FloatMatrix],
    ) -> None:
        self._engine = engine
        self._collection = collection
        self._vectors_of = vectors_of
        self.chunk_ids = chunk_ids

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def search(self, query: FloatMatrix, limit: int, among: Selection | None = None) -> list[Hit]:
        """Return up to ``limit`` hits for a unit query, float32 [1, dimension], best first; the score is the cosine.

        Raises ``VectorEngineUnavailable`` and ``VectorsMissing``.
        """
        wanted = min(limit, len(self) if among is None else among.count)
        if wanted < 1:
            return []
        rescored = min(int(wanted * _RESCORED_SHARE) + 1, len(self) if among is None else among.count)
        rows = self._nearest_rows(query, rescored) if among is None else self._nearest_permitted(query, rescored, among)
        chunk_ids = self.chunk_ids[rows[:rescored]]
        cosines = np.asarray(self.cosines(query, chunk_ids.tolist()))
        best = np.argsort(-cosines, kind="stable")[:wanted]
        return [
            Hit(chunk_id, score)
            for chunk_id, score in zip(chunk_ids[best].tolist(), cosines[best].tolist(), strict=True)
        ]

    def holds(self, chunk_ids: Sequence[int] | ChunkIds) -> NDArray[np.bool_]:
        """Return for each chunk whether it is here, bool [n]."""
        return is_among(self.chunk_ids, chunk_ids)

    def vectors(self, chunk_ids: Sequence[int] | ChunkIds) -> FloatMatrix:
        """Return the vectors of chunks, float32 [n, dimension].  Raises ``IndexDamaged`` where one is not there."""
        wanted = np.asarray(chunk_ids, dtype=np.int64)
        ascending = np.unique(wanted)
        rows = self._vectors_of(ascending.tolist())
        if len(rows) != len(ascending) or not self.holds(ascending).all():
            raise IndexDamaged(reason=f"of {len(ascending)} chunks {len(rows)} have a vector")
        return rows[np.searchsorted(ascending, wanted)]

    def cosines(self, query: FloatMatrix, chunk_ids: Sequence[int]) -> list[float]:
        """Return the cosine of a unit query with each of the chunks.  Raises ``IndexDamaged`` where one is missing."""
        if not chunk_ids:
            return []
        cosines: list[float] = np.clip(self.vectors(chunk_ids) @ query[0], -1.0, 1.0).tolist()
        return cosines

    def verify(self) -> None:
        """Raise ``VectorsMissing`` unless the engine has as many vectors as there are chunks."""
        found = self._engine.count(self._collection)
        if found != len(self):
            raise VectorsMissing(server=self._engine.server, reason=f"{found or 0} of {len(self)} vectors are there")

    def _nearest_rows(self, query: FloatMatrix, count: int) -> ChunkIds:
        """Return the rows of about so many nearest chunks, nearest first."""
        found = self._engine.nearest(self._collection, query, count)
        if 2 * len(found) < min(count, len(self)):
            reason = f"it found {len(found)} of the {min(count, len(self))} nearest"
            raise VectorsMissing(server=self._engine.server, reason=reason)
        return self._rows(found)

    def _nearest_permitted(self, query: FloatMatrix, wanted: int, among: Selection) -> ChunkIds:
        """Return the rows of the nearest permitted chunks.

        Engines filter after their search and may return too few, or none; so more are requested until there are enough.
        """
        if among.count <= _FEW_ENOUGH_TO_COMPARE:
            return self._nearest_by_comparison(query, among)
        requested = int(wanted * len(self) / among.count * _SPARE_SHARE) + _SPARE
        while requested <= _MOST_REQUESTED:
            rows = self._nearest_rows(query, requested)
            rows = rows[is_among(among.rows, rows)]
            if len(rows) >= wanted or requested >= len(self):
                return rows
            requested *= _REQUEST_GROWTH
        found = self._engine.nearest(self._collection, query, wanted, self.chunk_ids[among.rows])
        if not len(found):
            raise VectorsMissing(server=self._engine.server, reason=f"it found none of {among.count}")
        if len(found) < wanted and among.count <= _MOST_TO_COMPARE:
            return self._nearest_by_comparison(query, among)
        return self._rows(found)

    def _nearest_by_comparison(self, query: FloatMatrix, among: Selection) -> ChunkIds:
        """Return the permitted rows, nearest first."""
        cosines = self.vectors(self.chunk_ids[among.rows]) @ query[0]
        rows: ChunkIds = among.rows[np.argsort(-cosines, kind="stable")]
        return rows

    def _rows(self, chunk_ids: ChunkIds) -> ChunkIds:
        if not self.holds(chunk_ids).all():
            raise VectorsMissing(server=self._engine.server, reason=f"{self._collection} holds other passages")
        return np.searchsorted(self.chunk_ids, chunk_ids)


@dataclass(frozen=True, slots=True)
class EngineReader:
    """Opens the parts whose vectors are in the engine of the settings."""

    engine: VectorEngine
    source: IndexSource

    def open(self, collection: str, chunk_ids: ChunkIds) -> EngineVectorIndex:
        """Return a part's vectors without using the engine yet."""
        return EngineVectorIndex(self.engine, collection, chunk_ids, self.source.vectors_of)


_engines: dict[str, VectorEngine] = {}
_engines_lock = threading.Lock()


def engine_of(settings: Settings) -> VectorEngine | None:
    """Return the engine named in the settings, not connected yet; None if they name none.

    Raises ``ExtraMissing`` if its client is not installed, and ``SettingsError``.
    """
    url = settings.vector_url
    if not url:
        return None
    with _engines_lock:
        if url not in _engines:
            _engines[url] = _open_engine(url)
        return _engines[url]


def _open_engine(url: str) -> VectorEngine:
    is_milvus = urlsplit(url).scheme == "milvus"
    try:
        if is_milvus:
            from rag.retrieval.milvus_engine import MilvusEngine

            return MilvusEngine(url)
        from rag.retrieval.pgvector_engine import PgVectorEngine
    except ModuleNotFoundError as error:
        extra = "milvus" if is_milvus else "postgres"
        raise ExtraMissing(what="Milvus" if is_milvus else "PostgreSQL", extra=extra) from error
    return PgVectorEngine(url)
