"""Dense search with FAISS: exact for few chunks, clustered for many.

``VectorIndex`` is the interface of a search; ``vector_engine.py`` has its other implementation.

A flat inner product over half a million vectors takes 200 ms of one core, a clustered search 1 ms.  A clustered index
stores the vectors unchanged, so its cosines are exact.  It searches 128 clusters, or as many as found 99 % of the ten
nearest vectors when it was built.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix
from rag.schema import Hit
from rag.storage.embeddings import UNIT_TOLERANCE

TUNING_RECALL = 0.99
_TUNING_QUERIES, _TUNING_NEIGHBOURS = 200, 10
_FEWEST_PROBES, _MORE_PROBES = 128, 1.5
"""Questions lie further from the passages than these from each other: for .99 they need 128 of 894 clusters, not 16."""

_FEW_ENOUGH_TO_COMPARE = 5_000
"""Up to so many permitted rows of a clustered index are compared one by one, which takes 5 ms."""

_CLUSTERS_PER_ROOT = 4  # clusters are four times the square root of the vectors, as FAISS's authors advise
_SAMPLED_PER_CLUSTER = 40
_TRAINING_ROUNDS = 10


def clusters_for(count: int) -> int:
    """Return the number of clusters for so many vectors."""
    return max(1, int(_CLUSTERS_PER_ROOT * count**0.5))


def sample_size(count: int) -> int:
    """Return the size of the training sample for so many vectors."""
    return min(count, _SAMPLED_PER_CLUSTER * clusters_for(count))


class Selection:
    """The permitted rows of an index (``rows``, int64, ascending), with the bitmap for FAISS."""

    def __init__(self, kept: NDArray[np.bool_]) -> None:
        self.rows = np.flatnonzero(kept)
        self.count = len(self.rows)
        self._bits = np.packbits(kept, bitorder="little")
        self.selector = faiss.IDSelectorBitmap(len(self._bits), faiss.swig_ptr(self._bits))


class VectorIndex(Protocol):
    """The vectors of a part: of length 1, under ascending chunk numbers.  Safe to search from several threads."""

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """Chunk numbers, int64 [n]."""

    def __len__(self) -> int:
        """Return how many vectors there are."""

    def search(self, query: FloatMatrix, limit: int, among: Selection | None = None) -> list[Hit]:
        """Return up to ``limit`` hits for a unit query, float32 [1, dimension], best first; the score is the cosine."""

    def holds(self, chunk_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each chunk whether it is here, bool [n]."""

    def vectors(self, chunk_ids: Sequence[int] | NDArray[np.int64]) -> FloatMatrix:
        """Return the vectors of chunks, float32 [n, dimension].  Raises ``IndexDamaged`` where one is not there."""

    def cosines(self, query: FloatMatrix, chunk_ids: Sequence[int]) -> list[float]:
        """Return the cosine of a unit query with each of the chunks.  Raises ``IndexDamaged`` where one is missing."""


class FaissVectorIndex:
    """Cosine over unit vectors.  Safe to search from several threads.

    >>> index = FaissVectorIndex.build(np.array([7, 8]), np.eye(2, dtype=np.float32))
    >>> index.search(np.array([[0.6, 0.8]], dtype=np.float32), limit=1)
    [Hit(chunk_id=8, score=0.800000011920929)]
    """

    def __init__(self, index: faiss.Index, chunk_ids: NDArray[np.int64], probes: int = 0) -> None:
        self._index = index
        self.chunk_ids = chunk_ids
        self.probes = probes
        self._order = np.argsort(chunk_ids, kind="stable")
        self._numbers = chunk_ids[self._order]
        if isinstance(index, faiss.IndexIVF):
            index.make_direct_map()

    @classmethod
    def build(cls, chunk_ids: NDArray[np.int64], vectors: FloatMatrix) -> "FaissVectorIndex":
        """Index float32 [n, dimension], rows of length 1, one by one, under n distinct chunk numbers, int64 [n].

        Raises ``ValueError`` when the shapes do not fit, a number is there twice, or a row is not of length 1.
        """
        if vectors.ndim != 2:
            raise ValueError(f"{chunk_ids.shape} chunk numbers do not fit {vectors.shape} vectors")
        builder = VectorIndexBuilder(vectors.shape[1])
        builder.add(chunk_ids, vectors)
        return builder.finish()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def write(self, path: Path) -> None:
        """Write FAISS's own file.  Raises ``OSError``."""
        with path.open("wb") as file:
            try:
                faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]
            except RuntimeError as error:  # how FAISS tells of an exception in its writer
                raise error.__cause__ or error from None

    @classmethod
    def read(cls, path: Path, chunk_ids: NDArray[np.int64], probes: int) -> Self:
        """Read what ``write`` wrote; the caller has verified the file.  Raises ``IndexDamaged``."""
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:  # FAISS has no class of its own for a file that is not an index
            raise IndexDamaged(reason=f"{path} is not a FAISS index") from error
        if not isinstance(index, faiss.IndexIVFFlat if probes else faiss.IndexFlatIP):
            raise IndexDamaged(reason=f"{path} is of the type {type(index).__name__}")
        if index.ntotal != len(chunk_ids):
            raise IndexDamaged(reason=f"{path} holds {index.ntotal} vectors for {len(chunk_ids)} chunks")
        return cls(index, chunk_ids, probes)

    def search(self, query: FloatMatrix, limit: int, among: Selection | None = None) -> list[Hit]:
        """Return up to ``limit`` hits for a unit query, float32 [1, dimension], best first; the score is the cosine."""
        if query.shape != (1, self._index.d):
            raise ValueError(f"the query must be [1, {self._index.d}], not {query.shape}")
        wanted = min(limit, len(self) if among is None else among.count)
        if wanted < 1:
            return []
        if among is not None and self.probes and among.count <= _FEW_ENOUGH_TO_COMPARE:
            return self._compare_exactly(query, wanted, among.rows)
        # One question is too little work to share: beside a busy model server a team of threads waits 11 ms for itself.
        faiss.omp_set_num_threads(1)
        selected = {} if among is None else {"sel": among.selector}
        parameters = (
            faiss.SearchParametersIVF(nprobe=self.probes, **selected)  # type: ignore[call-arg]
            if self.probes
            else faiss.SearchParameters(**selected)
        )
        scores, rows = self._index.search(np.ascontiguousarray(query), wanted, params=parameters)
        found = rows[0] >= 0  # the searched clusters may have fewer
        return _hits(self.chunk_ids[rows[0][found]], scores[0][found])

    def _compare_exactly(self, query: FloatMatrix, wanted: int, rows: NDArray[np.int64]) -> list[Hit]:
        """Compare the few permitted rows one by one: the searched clusters might contain none of them."""
        cosines = self._index.reconstruct_batch(rows) @ query[0]
        best = np.argsort(-cosines, kind="stable")[:wanted]
        return _hits(self.chunk_ids[rows[best]], cosines[best])

    def holds(self, chunk_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each chunk whether it is here, bool [n]."""
        return is_among(self._numbers, chunk_ids)

    def vectors(self, chunk_ids: Sequence[int] | NDArray[np.int64]) -> FloatMatrix:
        """Return the vectors of chunks, float32 [n, dimension].  Raises ``IndexDamaged`` where one is not there."""
        if not len(chunk_ids):
            return np.empty((0, self.dimension), np.float32)
        here = self.holds(chunk_ids)
        if not here.all():
            raise IndexDamaged(reason=f"chunk {np.asarray(chunk_ids)[~here].min()} has no vector")
        rows: FloatMatrix = self._index.reconstruct_batch(self._order[np.searchsorted(self._numbers, chunk_ids)])
        return rows

    def cosines(self, query: FloatMatrix, chunk_ids: Sequence[int]) -> list[float]:
        """Return the cosine of a unit query, float32 [1, dimension], with each of the chunks.

        Raises ``IndexDamaged`` where one is not there.
        """
        cosines: list[float] = np.clip(self.vectors(chunk_ids) @ query[0], -1.0, 1.0).tolist()
        return cosines

    def contents(self) -> tuple[NDArray[np.int64], FloatMatrix]:
        """Return the chunk numbers, int64 [n], and vectors, float32 [n, dimension], in the order of ``build``."""
        if len(self) == 0:  # FAISS's reconstruct_n refuses an empty range
            return self.chunk_ids, np.empty((0, self.dimension), np.float32)
        return self.chunk_ids, self._index.reconstruct_n(0, len(self))


def is_among(numbers: NDArray[np.int64], wanted: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each wanted number whether it is among others, which ascend.

    >>> is_among(np.array([2, 5, 9]), [9, 3]).tolist()
    [True, False]
    """
    looked_for = np.asarray(wanted, dtype=np.int64)
    places = np.searchsorted(numbers, looked_for)  # np.isin would sort or hash all numbers for a handful
    inside = places < len(numbers)
    found = np.zeros(len(looked_for), dtype=np.bool_)
    found[inside] = numbers[places[inside]] == looked_for[inside]
    return found


@dataclass(slots=True)
class _Nearest:
    """The exact nearest rows of some queries, found while the vectors are streamed."""

    queries: FloatMatrix
    scores: FloatMatrix
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, sample: FloatMatrix) -> Self:
        """Use points between sampled vectors as queries, since a question lies between passages."""
        count = min(_TUNING_QUERIES, len(sample))
        pairs = np.random.default_rng(0).integers(0, len(sample), (2, count))
        queries = 0.7 * sample[pairs[0]] + 0.3 * sample[pairs[1]]
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        nothing = np.full((count, _TUNING_NEIGHBOURS), -2, np.float32)
        return cls(queries.astype(np.float32), nothing, np.full(nothing.shape, -1, np.int64))

    def compare(self, vectors: FloatMatrix, begin: int) -> None:
        """Compare vectors that start at row ``begin``."""
        wanted = min(_TUNING_NEIGHBOURS, len(vectors))
        scores, rows = faiss.knn(self.queries, vectors, wanted, metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([self.scores, scores]), np.hstack([self.rows, rows + begin])
        best = np.argsort(-scores, axis=1)[:, :_TUNING_NEIGHBOURS]
        self.scores = np.take_along_axis(scores, best, axis=1)
        self.rows = np.take_along_axis(rows, best, axis=1)

    def recall(self, found: NDArray[np.int64]) -> float:
        """Return the share of the nearest rows that are among those found for the same query."""
        return float(np.mean([np.isin(rows, others).mean() for rows, others in zip(self.rows, found, strict=True)]))


class VectorIndexBuilder:
    """Takes vectors batch by batch, so that only one copy is in memory.

    With a ``sample`` of them, float32 [s, dimension], the index is clustered, for ``count`` vectors in all.  If all are
    passed to ``make_room`` before they are added, no cluster has to grow, which would take twice the memory.
    """

    def __init__(self, dimension: int, sample: FloatMatrix | None = None, count: int = 0) -> None:
        self._flat = faiss.IndexFlatIP(dimension)  # or the clusters' centres
        self._clustered: faiss.IndexIVFFlat | None = None
        self._nearest: _Nearest | None = None
        self._chunk_ids: list[NDArray[np.int64]] = []
        self._clusters = np.empty(0, np.int64)  # of the rows that room was made for
        if sample is not None:
            faiss.omp_set_num_threads(os.cpu_count() or 1)
            clusters = min(clusters_for(count), len(sample))
            self._clustered = faiss.IndexIVFFlat(self._flat, dimension, clusters, faiss.METRIC_INNER_PRODUCT)
            self._clustered.cp.niter = _TRAINING_ROUNDS
            self._clustered.cp.min_points_per_centroid = 1  # silences a warning on the terminal
            self._clustered.train(sample)
            self._nearest = _Nearest.of(sample)

    @property
    def is_clustered(self) -> bool:
        """Whether ``make_room`` is of use."""
        return self._clustered is not None

    def make_room(self, batches: Iterable[FloatMatrix]) -> None:
        """Reserve room for all vectors, batch by batch, that will be added in the same order."""
        if self._clustered is None:
            return
        found = [self._flat.search(rows, 1)[1][:, 0] for rows in batches]
        self._clusters = np.concatenate([self._clusters, *found])
        lists: Any = self._clustered.invlists  # faiss says that it may be None
        for number, size in enumerate(np.bincount(self._clusters, minlength=self._clustered.nlist).tolist()):
            lists.resize(number, size)
            lists.resize(number, 0)  # keeps its room

    def add(self, chunk_ids: NDArray[np.int64], vectors: FloatMatrix) -> None:
        """Add n rows of length 1 under n chunk numbers.  Raises ``ValueError`` for anything else."""
        if chunk_ids.shape != vectors.shape[:1] or vectors.shape[1:] != (self._flat.d,):
            raise ValueError(f"{chunk_ids.shape} chunk numbers do not fit {vectors.shape} vectors")
        if not len(chunk_ids):
            return
        require_unit_rows(vectors)
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if self._clustered is None or self._nearest is None:
            self._flat.add(rows)
        else:
            begin = int(self._clustered.ntotal)
            self._nearest.compare(rows, begin)
            _add_to_clusters(self._clustered, rows, self._clusters[begin : begin + len(rows)])
        self._chunk_ids.append(chunk_ids.astype(np.int64))

    def finish(self) -> FaissVectorIndex:
        """Return the index.  Raises ``ValueError`` for a repeated chunk number."""
        chunk_ids = np.concatenate([np.empty(0, np.int64), *self._chunk_ids])
        if len(np.unique(chunk_ids)) != len(chunk_ids):
            raise ValueError(f"{len(chunk_ids) - len(np.unique(chunk_ids))} chunk numbers are there twice")
        if self._clustered is None or self._nearest is None:
            return FaissVectorIndex(self._flat, chunk_ids)
        return FaissVectorIndex(self._clustered, chunk_ids, _needed_probes(self._clustered, self._nearest))


def require_unit_rows(vectors: FloatMatrix) -> None:
    """Raise ``ValueError`` unless there is at least one row and all have length 1."""
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1) < UNIT_TOLERANCE):  # also refuses NaN
        raise ValueError(f"vectors must be of length 1; they are between {lengths.min()} and {lengths.max()}")


def _add_to_clusters(index: faiss.IndexIVFFlat, rows: FloatMatrix, clusters: NDArray[np.int64]) -> None:
    """Add rows to their clusters, int64 [n], which are searched for if not given."""
    if len(clusters) < len(rows):
        index.add(rows)
        return
    places = np.ascontiguousarray(clusters, dtype=np.int64)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(places))


def _needed_probes(index: faiss.IndexIVFFlat, nearest: _Nearest) -> int:
    """Return how many clusters a search must probe."""
    probes = _FEWEST_PROBES
    while probes < index.nlist:
        index.nprobe = probes
        if nearest.recall(index.search(nearest.queries, _TUNING_NEIGHBOURS)[1]) >= TUNING_RECALL:
            return probes
        probes = int(probes * _MORE_PROBES)
    return int(index.nlist)


def _hits(chunk_ids: NDArray[np.int64], cosines: NDArray[np.float32]) -> list[Hit]:
    within = np.clip(cosines, -1.0, 1.0)  # rounding may lead a little beyond
    return [Hit(chunk_id, cosine) for chunk_id, cosine in zip(chunk_ids.tolist(), within.tolist(), strict=True)]
