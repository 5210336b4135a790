"""Nearest passages by meaning: FAISS on disk, beside a manifest that says what it holds.

Vectors are compared one by one (a flat inner product): exact, with nothing to tune or train.  FAISS's own
format is read, nothing is unpickled, and only after its checksum was verified.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.protocols import FloatMatrix
from rag.schema import Hit
from rag.storage.connection import storage_errors
from rag.storage.embeddings import UNIT_TOLERANCE

INDEX_NAME = "vectors.faiss"
MANIFEST_NAME = "vectors.json"


@dataclass(frozen=True, slots=True)
class VectorManifest:
    """What an index file holds.  ``sha256`` is the index file's, in hexadecimal digits."""

    model_id: str
    dimension: int
    metric: Literal["inner_product"]
    count: int
    sha256: str


class FaissVectorIndex:
    """Cosine over unit vectors.  Safe to search from several threads.

    >>> index = FaissVectorIndex.build(np.array([7, 8]), np.eye(2, dtype=np.float32))
    >>> index.search(np.array([[0.6, 0.8]], dtype=np.float32), limit=1)
    [Hit(chunk_id=8, score=0.800000011920929)]
    """

    def __init__(self, index: faiss.IndexIDMap) -> None:
        self._index = index
        numbers = faiss.vector_to_array(index.id_map)
        self._order = np.argsort(numbers)
        self._numbers = numbers[self._order]

    @classmethod
    def build(cls, chunk_ids: NDArray[np.int64], vectors: FloatMatrix) -> Self:
        """Index float32 [n, dimension], rows of length 1, under n distinct chunk numbers, int64 [n].

        Raises ``ValueError`` when the shapes do not fit, a number is there twice, or a row is not of length 1.
        """
        if vectors.ndim != 2 or chunk_ids.shape != vectors.shape[:1]:
            raise ValueError(f"{chunk_ids.shape} chunk numbers do not fit {vectors.shape} vectors")
        if len(np.unique(chunk_ids)) != len(chunk_ids):
            raise ValueError(f"{len(chunk_ids) - len(np.unique(chunk_ids))} chunk numbers are there twice")
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.all(np.abs(lengths - 1) < UNIT_TOLERANCE):  # also refuses NaN
            raise ValueError(f"vectors must be of length 1; they are between {lengths.min()} and {lengths.max()}")
        index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
        index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), chunk_ids.astype(np.int64))
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def write(self, folder: Path, model_id: str) -> VectorManifest:
        """Write the index and then its manifest into an existing folder; both have reached the disk on return.

        Raises ``StorageFull``.
        """
        content = faiss.serialize_index(self._index).tobytes()
        manifest = VectorManifest(
            model_id, int(self._index.d), "inner_product", len(self), hashlib.sha256(content).hexdigest()
        )
        with storage_errors(folder):
            _write_to_disk(folder / INDEX_NAME, content)
            _write_to_disk(folder / MANIFEST_NAME, TypeAdapter(VectorManifest).dump_json(manifest, indent=1) + b"\n")
        return manifest

    @classmethod
    def read(cls, folder: Path, model_id: str) -> Self:
        """Read what ``write`` wrote.

        Raises ``EmbedderMismatch`` when it was built by another model than ``model_id``, and ``IndexDamaged`` when a
        file is missing, fails its checksum, or is not what the manifest says.
        """
        try:
            manifest = TypeAdapter(VectorManifest).validate_json((folder / MANIFEST_NAME).read_bytes())
            if manifest.model_id != model_id:
                raise EmbedderMismatch(found=manifest.model_id, expected=model_id)
            content = (folder / INDEX_NAME).read_bytes()
        except OSError as error:
            raise IndexDamaged(reason=f"{error.filename}: {error.strerror}") from error
        except ValidationError as error:
            raise IndexDamaged(reason=f"{folder / MANIFEST_NAME} is not a manifest") from error
        found = hashlib.sha256(content).hexdigest()
        if found != manifest.sha256:
            raise IndexDamaged(reason=f"{folder / INDEX_NAME} has sha256 {found[:12]}…, not {manifest.sha256[:12]}…")
        return cls(_deserialized(content, manifest, folder / INDEX_NAME))

    def search(self, query: FloatMatrix, limit: int) -> list[Hit]:
        """Return up to ``limit`` hits for a unit query, float32 [1, dimension], best first; the score is the cosine."""
        if query.shape != (1, self._index.d):
            raise ValueError(f"the query must be [1, {self._index.d}], not {query.shape}")
        wanted = min(limit, len(self))
        if wanted < 1:
            return []
        # One question is too little work to share: beside a busy model server a team of threads waits 11 ms for itself.
        faiss.omp_set_num_threads(1)
        scores, chunk_ids = self._index.search(np.ascontiguousarray(query), wanted)
        return [
            Hit(int(chunk_id), float(np.clip(score, -1.0, 1.0)))
            for chunk_id, score in zip(chunk_ids[0], scores[0], strict=True)
        ]

    def cosines(self, query: FloatMatrix, chunk_ids: Sequence[int]) -> list[float]:
        """Return the cosine of a unit query, float32 [1, dimension], with each of the chunks.

        Raises ``IndexDamaged`` where one is not there.
        """
        if not chunk_ids:
            return []
        missing = np.setdiff1d(chunk_ids, self._numbers)
        if len(missing):
            raise IndexDamaged(reason=f"chunk {missing[0]} has no vector")
        places = self._order[np.searchsorted(self._numbers, chunk_ids)]
        cosines: list[float] = np.clip(self._index.index.reconstruct_batch(places) @ query[0], -1.0, 1.0).tolist()
        return cosines

    def contents(self) -> tuple[NDArray[np.int64], FloatMatrix]:
        """Return the chunk numbers, int64 [n], and vectors, float32 [n, dimension], in the order of ``build``."""
        if len(self) == 0:  # FAISS's reconstruct_n refuses an empty range
            return np.empty(0, np.int64), np.empty((0, self._index.d), np.float32)
        return faiss.vector_to_array(self._index.id_map), self._index.index.reconstruct_n(0, len(self))


def _deserialized(content: bytes, manifest: VectorManifest, path: Path) -> faiss.IndexIDMap:
    try:
        index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    except RuntimeError as error:  # FAISS has no class of its own for a file that is not an index
        raise IndexDamaged(reason=f"{path} is not a FAISS index") from error
    if not isinstance(index, faiss.IndexIDMap):
        raise IndexDamaged(reason=f"{path} is a {type(index).__name__}, not an IndexIDMap")
    if (index.d, index.ntotal) != (manifest.dimension, manifest.count):
        raise IndexDamaged(reason=f"{path} holds {index.ntotal} vectors of {index.d} dimensions")
    return index


def _write_to_disk(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
