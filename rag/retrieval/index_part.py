"""An immutable part of an index: chunks of one language with their vectors and postings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.retrieval.index_files import PartEntry, load_arrays, save_arrays, share_file, verify, write_file
from rag.retrieval.postings import Postings
from rag.retrieval.vector_index import FaissVectorIndex

_ARRAYS = ("terms", "offsets", "rows", "impacts")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part in memory.  Row r of the postings, and of the vectors, is the chunk ``chunk_ids[r]``; they ascend."""

    vectors: FaissVectorIndex
    postings: Postings

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """Chunk numbers, int64 [n]."""
        return self.vectors.chunk_ids

    @property
    def count(self) -> int:
        """How many chunks."""
        return len(self.vectors)

    def loaded(self, known: Mapping[str, "Part"]) -> "Part":
        """Return itself."""
        del known
        return self

    def write(self, folder: Path, name: str) -> PartEntry | None:
        """Write the files ``name.*``; they have reached the disk on return.  None, and no file, where it is empty."""
        if not self.count:
            return None
        files = write_vectors(folder, name, self.vectors) | write_postings(folder, name, self.postings)
        return PartEntry(self.count, self.vectors.probes, files)


@dataclass(frozen=True, slots=True, eq=False)
class StoredPart:
    """A part on the disk, of which only the chunk numbers were read."""

    folder: Path
    name: str
    entry: PartEntry
    chunk_ids: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, name: str, entry: PartEntry) -> "StoredPart":
        """Read and verify the chunk numbers.  Raises ``IndexDamaged``."""
        chunk_ids = _arrays(folder, f"{name}.chunks.npz", entry).get("chunk_ids")
        if chunk_ids is None or chunk_ids.shape != (entry.count,) or chunk_ids.dtype != np.int64:
            raise IndexDamaged(reason=f"{folder / name} does not have {entry.count} chunk numbers")
        return cls(folder, name, entry, chunk_ids.view(np.int64))

    @property
    def count(self) -> int:
        """How many chunks."""
        return self.entry.count

    @property
    def key(self) -> str:
        """What all generations that share the part know it by."""
        return "".join(self.entry.files.values())

    def loaded(self, known: Mapping[str, Part]) -> Part:
        """Return the part whose key is known already, or read and verify it.  Raises ``IndexDamaged``."""
        if self.key in known:
            return known[self.key]
        postings = _arrays(self.folder, f"{self.name}.postings.npz", self.entry)
        if set(postings) != set(_ARRAYS):
            raise IndexDamaged(reason=f"{self.folder / self.name} has the arrays {sorted(postings)}")
        index = self.folder / f"{self.name}.faiss"
        verify(index, self.entry.files.get(index.name, ""))
        return Part(
            FaissVectorIndex.read(index, self.chunk_ids, self.entry.probes),
            Postings(**postings, count=self.count),  # type: ignore[arg-type]  # verified: what was saved
        )

    def write(self, folder: Path, name: str) -> PartEntry | None:
        """Share the files with another generation's folder, unless they are there.  Raises ``OSError``."""
        if (folder, name) == (self.folder, self.name):
            return self.entry
        files = {}
        for file, sha256 in self.entry.files.items():
            shared = name + file.removeprefix(self.name)
            share_file(self.folder / file, folder / shared)
            files[shared] = sha256
        return PartEntry(self.count, self.entry.probes, files)


def write_vectors(folder: Path, name: str, vectors: FaissVectorIndex) -> dict[str, str]:
    """Write a part's vectors and chunk numbers; return each file's sha256 once it has reached the disk."""
    return {
        f"{name}.faiss": write_file(folder / f"{name}.faiss", vectors.write),
        f"{name}.chunks.npz": save_arrays(folder / f"{name}.chunks.npz", {"chunk_ids": vectors.chunk_ids}),
    }


def write_postings(folder: Path, name: str, postings: Postings) -> dict[str, str]:
    """Write a part's postings; return the file's sha256 once it has reached the disk."""
    arrays = {key: getattr(postings, key) for key in _ARRAYS}
    return {f"{name}.postings.npz": save_arrays(folder / f"{name}.postings.npz", arrays)}


def _arrays(folder: Path, name: str, entry: PartEntry) -> dict[str, NDArray[np.generic]]:
    return load_arrays(folder / name, entry.files.get(name, ""))
