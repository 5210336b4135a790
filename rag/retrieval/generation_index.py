"""The index of one generation, derived from the previous one while sharing its unchanged parts.

A part is immutable: chunks of one language with their vectors and postings.  Each language has a base, frozen and
shared by many generations, a fresh part that is small, and the rows of the base that are retired.  What the search
needs to know of all chunks together (moments of the vectors, frequencies of the tokens) is kept, and changed by what
came and went.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.protocols import FloatMatrix
from rag.retrieval.index_files import (
    FORMER_MANIFEST_NAME,
    MANIFEST_NAME,
    STATE_NAME,
    IndexManifest,
    LanguageEntry,
    PartEntry,
    load_arrays,
    read_manifest,
    save_arrays,
    share_file,
    verify,
    write_file,
    write_manifest,
)
from rag.retrieval.late_interaction import TokenWeights
from rag.retrieval.postings import Postings
from rag.retrieval.vector_index import FaissVectorIndex
from rag.schema import Language
from rag.storage.index_source import IndexRows

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


AnyPart = Part | StoredPart


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of n vectors: their number, their sum, float64 [dimension], and the sum of their products with themselves."""

    count: int
    total: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def none(cls, dimension: int) -> Self:
        """Return those of no vectors."""
        return cls(0, np.zeros(dimension), np.zeros((dimension, dimension)))

    def changed(self, vectors: FloatMatrix, sign: int = 1) -> Self:
        """Return them with the vectors, float32 [n, dimension], or without them where ``sign`` is -1."""
        total = self.total + sign * vectors.sum(axis=0, dtype=np.float64)
        return type(self)(self.count + sign * len(vectors), total, self.products + sign * (vectors.T @ vectors))


@dataclass(frozen=True, slots=True, eq=False)
class LanguageIndex:
    """One language's chunks: all of ``fresh``, and of ``base`` those whose row is not ``retired``, int64 ascending."""

    base: AnyPart
    fresh: AnyPart
    retired: NDArray[np.int64]
    moments: Moments

    @property
    def count(self) -> int:
        """How many chunks the generation shows."""
        return self.base.count - len(self.retired) + self.fresh.count

    @property
    def changes(self) -> int:
        """How many chunks came and went since the base was made."""
        return self.fresh.count + len(self.retired)

    def chunk_ids(self) -> NDArray[np.int64]:
        """Return the chunks that the generation shows, int64 [count]."""
        return np.concatenate([np.delete(self.base.chunk_ids, self.retired), self.fresh.chunk_ids])


@dataclass(frozen=True, slots=True, eq=False)
class GenerationIndex:
    """All languages' chunks; ``mean_length`` counts the terms of a chunk when the bases were made."""

    model_id: str
    dimension: int
    languages: dict[Language, LanguageIndex]
    weights: TokenWeights
    mean_length: float

    @property
    def count(self) -> int:
        """How many chunks the generation shows."""
        return sum(one.count for one in self.languages.values())

    def chunk_ids(self) -> NDArray[np.int64]:
        """Return the chunks that the generation shows, int64 [count], in no order."""
        return np.concatenate([np.empty(0, np.int64), *(one.chunk_ids() for one in self.languages.values())])

    @property
    def base_count(self) -> int:
        """How many chunks are in the bases, retired ones among them."""
        return sum(one.base.count for one in self.languages.values())

    @property
    def changes(self) -> int:
        """How many chunks came and went since the bases were made."""
        return sum(one.changes for one in self.languages.values())

    def loaded(self, known: Mapping[str, Part]) -> "GenerationIndex":
        """Return the index with all parts in memory; those whose key is ``known`` are taken from there."""
        languages = {
            language: replace(one, base=one.base.loaded(known), fresh=one.fresh.loaded(known))
            for language, one in self.languages.items()
        }
        return replace(self, languages=languages)

    def parts(self) -> list[tuple[AnyPart, AnyPart]]:
        """Return base and fresh part of every language."""
        return [(one.base, one.fresh) for one in self.languages.values()]

    def changed(
        self,
        added: Iterable[IndexRows],
        removed: Sequence[int],
        removed_vectors: FloatMatrix,
        tokens: NDArray[np.int32],
    ) -> "GenerationIndex":
        """Return the index with the added chunks and without the removed ones, ascending; bases stay as they are.

        ``removed_vectors``, float32 [n, dimension], and ``tokens``, the distinct ones of each, are theirs.  Raises
        ``IndexDamaged`` where a removed chunk is not here.
        """
        gone = np.asarray(removed, dtype=np.int64)
        unseen = np.ones(len(gone), np.bool_)
        rows = _by_language(added)
        empty = LanguageIndex(*(empty_part(self.dimension),) * 2, np.empty(0, np.int64), Moments.none(self.dimension))
        languages = {}
        for language in sorted({*self.languages, *rows}):
            one = self.languages.get(language, empty)
            in_base, in_fresh = np.isin(gone, one.base.chunk_ids), np.isin(gone, one.fresh.chunk_ids)
            unseen &= ~(in_base | in_fresh)
            languages[language] = _changed_language(
                one, rows.get(language), gone, (in_base, in_fresh), removed_vectors, self.mean_length
            )
        if len(removed_vectors) != len(gone) or unseen.any():
            raise IndexDamaged(reason=f"{int(unseen.sum())} chunks that are retired were not in the index")
        added_tokens = [part.token_numbers for parts in rows.values() for part in parts]
        added_count = sum(len(part.chunk_ids) for parts in rows.values() for part in parts)
        weights = self.weights.changed(np.concatenate([np.empty(0, np.int32), *added_tokens]), added_count)
        weights = weights.changed(tokens, len(gone), sign=-1)
        return replace(self, languages=languages, weights=weights)

    def write(self, folder: Path) -> None:
        """Write the index into an existing folder, sharing the files of parts that are on the disk already.

        All has reached the disk on return.  Raises ``OSError``.
        """
        state: dict[str, NDArray[np.generic]] = {
            "tokens": self.weights.numbers,
            "frequencies": self.weights.frequencies,
        }
        entries: dict[Language, LanguageEntry] = {}
        for language, one in self.languages.items():
            state[f"{language}_retired"] = one.retired
            state[f"{language}_total"] = one.moments.total
            state[f"{language}_products"] = one.moments.products
            entries[language] = LanguageEntry(
                one.base.write(folder, f"{language}-base"), one.fresh.write(folder, f"{language}-fresh")
            )
        sha256 = save_arrays(folder / STATE_NAME, state)
        write_manifest(
            folder,
            IndexManifest(
                model_id=self.model_id,
                dimension=self.dimension,
                metric="inner_product",
                count=self.count,
                mean_length=self.mean_length,
                passages=self.weights.passages,
                state=sha256,
                languages=entries,
            ),
        )

    @classmethod
    def open(cls, folder: Path, model_id: str) -> Self:
        """Read what ``write`` wrote, except for the parts themselves: see ``loaded``.

        Raises ``EmbedderMismatch`` when it was built by another model than ``model_id``, and ``IndexDamaged`` when a
        file is missing, fails its checksum, or is not what the manifest says.
        """
        manifest = read_manifest(folder, model_id)
        state = load_arrays(folder / STATE_NAME, manifest.state)
        try:
            languages = {
                language: _opened(folder, language, entry, state, manifest.dimension)
                for language, entry in manifest.languages.items()
            }
            weights = TokenWeights(state["tokens"], state["frequencies"], manifest.passages)  # type: ignore[arg-type]
        except KeyError as error:
            raise IndexDamaged(reason=f"{folder / STATE_NAME} has no {error}") from error
        index = cls(model_id, manifest.dimension, languages, weights, manifest.mean_length)
        if index.count != manifest.count:
            raise IndexDamaged(reason=f"{folder} holds {index.count} chunks, not {manifest.count}")
        return index


def is_of_former_format(folder: Path) -> bool:
    """Whether the folder holds an index from before it had parts."""
    return (folder / FORMER_MANIFEST_NAME).is_file() and not (folder / MANIFEST_NAME).exists()


def empty_part(dimension: int) -> Part:
    """Return a part without chunks."""
    vectors = FaissVectorIndex.build(np.empty(0, np.int64), np.empty((0, dimension), np.float32))
    return Part(vectors, Postings.build([], 1.0))


def _by_language(rows: Iterable[IndexRows]) -> dict[Language, list[IndexRows]]:
    found: dict[Language, list[IndexRows]] = {}
    for one in rows:
        found.setdefault(one.language, []).append(one)
    return found


def _changed_language(
    one: LanguageIndex,
    added: list[IndexRows] | None,
    gone: NDArray[np.int64],
    gone_from: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    gone_vectors: FloatMatrix,
    mean_length: float,
) -> LanguageIndex:
    in_base, in_fresh = gone_from
    moments = one.moments.changed(gone_vectors[in_base | in_fresh], sign=-1)
    retired = np.union1d(one.retired, np.searchsorted(one.base.chunk_ids, gone[in_base]))
    if added is None and not in_fresh.any():
        return replace(one, retired=retired, moments=moments)
    fresh = one.fresh.loaded({})
    keep = ~np.isin(fresh.chunk_ids, gone)
    new = added or []
    old_ids, old_vectors = fresh.vectors.contents()
    vectors = np.concatenate([old_vectors[keep], *(rows.vectors for rows in new)])
    chunk_ids = np.concatenate([old_ids[keep], *(rows.chunk_ids for rows in new)])
    new_postings = Postings.build((terms for rows in new for terms in rows.terms), mean_length)
    part = Part(FaissVectorIndex.build(chunk_ids, vectors), fresh.postings.changed(keep, new_postings))
    for rows in new:
        moments = moments.changed(rows.vectors)
    return LanguageIndex(one.base, part, retired, moments)


def _opened(
    folder: Path, language: Language, entry: LanguageEntry, state: Mapping[str, NDArray[np.generic]], dimension: int
) -> LanguageIndex:
    base, fresh = (
        _part(folder, f"{language}-{name}", part, dimension)
        for name, part in (("base", entry.base), ("fresh", entry.fresh))
    )
    retired = state[f"{language}_retired"].astype(np.int64)
    count = base.count - len(retired) + fresh.count
    total, products = (state[f"{language}_{name}"].astype(np.float64) for name in ("total", "products"))
    if total.shape != (dimension,) or products.shape != (dimension, dimension):
        raise IndexDamaged(reason=f"{folder / STATE_NAME} is not of {dimension} dimensions")
    return LanguageIndex(base, fresh, retired, Moments(count, total, products))


def _part(folder: Path, name: str, entry: PartEntry | None, dimension: int) -> AnyPart:
    return StoredPart.open(folder, name, entry) if entry is not None else empty_part(dimension)
