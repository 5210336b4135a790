"""Dense candidates from an engine, for an index that is larger than a desk's memory.

An engine keeps the large part of a language, its base (``generation_index.py``), as a *collection*: chunk numbers and
vectors, no word of a document.  A collection is filled once, is whole or not there, and never changes; generations name
it in their manifests as they name files.  So a search sees one generation whatever is published meanwhile: what came
since the base was made is in the small part that every desk has in memory, and what went is left out here.

The engine only says which chunks are near.  Who may find which is decided here, and their cosines come from the vectors
in the knowledge base's own database, so that neither rounding nor a foreign engine's word gets into a score.
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
"""What a search waits for an engine: a question that is searched by words alone is still answered within the time in
which people wait for evidence."""

_REST_SECONDS = 5.0
"""For how long nobody else is kept waiting after an engine failed: a question may be ten searches."""

_FEW_ENOUGH_TO_COMPARE = 1_000
"""Where only so many chunks may be found, they are compared here one by one: 15 ms, and no engine is better at it."""

_MOST_TO_COMPARE = 20_000
"""So many are, where an engine has named fewer than there are."""

_LOOKED_AT_SHARE = 1.2
"""How many more than are wanted get their cosine computed: an engine's own is rounded, and so is its last place."""

_MOST_ASKED = 10_000
_SPARE_SHARE, _SPARE = 1.2, 10
"""How many more are asked for than their share says, where not all may be found, and that many besides."""
_MORE = 4

_COLLECTION = re.compile(r"vectors_[0-9a-f]{12}_[0-9a-f]{16}")


class VectorEngine(Protocol):
    """A server of vectors.  Safe to call from several threads.

    All methods raise ``VectorEngineUnavailable`` where it is away or does not answer in time, and ``VectorsMissing``
    where it does not hold what it is asked about.
    """

    @property
    def server(self) -> str:
        """What people are told of its address: nothing secret."""

    def fill(self, collection: str, dimension: int, count: int, batches: Iterable[Batch]) -> None:
        """Make a collection of so many unit vectors; once it is seen at all, every search sees all of it.

        One that is there with as many stays as it is, and ``batches`` are not read.
        """

    def count(self, collection: str) -> int | None:
        """Return how many vectors a collection has; None where there is none of that name."""

    def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
        """Return up to ``limit`` chunks near a unit query, float32 [1, dimension], the nearest first.

        ``among``: no others are found; an engine may find fewer than there are.
        """

    def collections(self, owner: str) -> list[str]:
        """Return the collections of an owner, unfinished ones among them."""

    def drop(self, collection: str) -> None:
        """Delete a collection, where it is there."""


def collection_name(owner: str, digest: str) -> str:
    """Return the name of a collection: whose it is, and what is in it.

    >>> collection_name("0123456789ab", "00ff" * 16)
    'vectors_0123456789ab_00ff00ff00ff00ff'
    """
    return f"vectors_{owner}_{digest[:16]}"


def require_collection(name: str, server: str) -> str:
    """Return the name, or raise ``VectorsMissing`` where it is not one that ``collection_name`` makes."""
    if not _COLLECTION.fullmatch(name):
        raise VectorsMissing(server=server, reason=f"{name!r} is no name of a collection")
    return name


class Rest:
    """Lets nobody wait for an engine that has just failed somebody else."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._until = 0.0
        self._reason = ""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask the engine in the block.  Raises ``VectorEngineUnavailable`` at once while it rests."""
        if time.monotonic() < self._until:
            raise VectorEngineUnavailable(server=self._server, reason=self._reason)
        try:
            yield
        except VectorEngineUnavailable as error:
            self._until = time.monotonic() + _REST_SECONDS
            self._reason = str(error.details["reason"])
            raise


class EngineVectorIndex:
    """The vectors of a base whose nearest neighbours an engine finds: a ``VectorIndex``.

    ``vectors_of`` gives the vectors of ascending chunks from the knowledge base's database, but for those it lacks.
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
        looked_at = min(int(wanted * _LOOKED_AT_SHARE) + 1, len(self) if among is None else among.count)
        rows = self._near(query, looked_at) if among is None else self._near_among(query, looked_at, among)
        chunk_ids = self.chunk_ids[rows[:looked_at]]
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

    def _near(self, query: FloatMatrix, count: int) -> ChunkIds:
        """Return the rows of the nearest chunks, ascending in distance, about so many."""
        found = self._engine.nearest(self._collection, query, count)
        if 2 * len(found) < min(count, len(self)):
            reason = f"it found {len(found)} of the {min(count, len(self))} nearest"
            raise VectorsMissing(server=self._engine.server, reason=reason)
        return self._rows(found)

    def _near_among(self, query: FloatMatrix, wanted: int, among: Selection) -> ChunkIds:
        """Return the rows of the nearest chunks among those that may be found.

        Engines leave out after they have searched, and may then return too few, or none: so more are asked for, and
        more again, until there are enough.
        """
        if among.count <= _FEW_ENOUGH_TO_COMPARE:
            return self._compared(query, among)
        asked = int(wanted * len(self) / among.count * _SPARE_SHARE) + _SPARE
        while asked <= _MOST_ASKED:
            rows = self._near(query, asked)
            rows = rows[is_among(among.rows, rows)]
            if len(rows) >= wanted or asked >= len(self):
                return rows
            asked *= _MORE
        found = self._engine.nearest(self._collection, query, wanted, self.chunk_ids[among.rows])
        if not len(found):
            raise VectorsMissing(server=self._engine.server, reason=f"it found none of {among.count}")
        if len(found) < wanted and among.count <= _MOST_TO_COMPARE:
            return self._compared(query, among)
        return self._rows(found)

    def _compared(self, query: FloatMatrix, among: Selection) -> ChunkIds:
        """Return the rows that may be found, the nearest first."""
        cosines = self.vectors(self.chunk_ids[among.rows]) @ query[0]
        rows: ChunkIds = among.rows[np.argsort(-cosines, kind="stable")]
        return rows

    def _rows(self, chunk_ids: ChunkIds) -> ChunkIds:
        if not self.holds(chunk_ids).all():
            raise VectorsMissing(server=self._engine.server, reason=f"{self._collection} holds other passages")
        return np.searchsorted(self.chunk_ids, chunk_ids)


@dataclass(frozen=True, slots=True)
class EngineReader:
    """Opens the parts that lie in the engine of the settings."""

    engine: VectorEngine
    source: IndexSource

    def open(self, collection: str, chunk_ids: ChunkIds) -> EngineVectorIndex:
        """Return a part's vectors; the engine is not asked yet."""
        return EngineVectorIndex(self.engine, collection, chunk_ids, self.source.vectors_of)


_engines: dict[str, VectorEngine] = {}
_engines_lock = threading.Lock()


def engine_of(settings: Settings) -> VectorEngine | None:
    """Return this process's way to the engine that the settings name; None where they name none.

    Nothing is connected yet.  Raises ``ExtraMissing`` where its client is not installed, and ``SettingsError``.
    """
    url = settings.vector_url
    if not url:
        return None
    with _engines_lock:
        if url not in _engines:
            _engines[url] = _opened(url)
        return _engines[url]


def _opened(url: str) -> VectorEngine:
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
