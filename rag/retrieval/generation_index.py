"""The index of one generation, which shares unchanged parts with the previous one.

A part is immutable: chunks of one language with their vectors and postings.  Each language has a large base, shared by
many generations, the retired rows of that base, and a small fresh part.  Statistics over all chunks (moments of the
vectors, frequencies of the tokens) are stored and updated by the difference.

A large base may keep its vectors in an engine (``vector_engine.py``); everything else is here.

On disk an index is a folder: a manifest with checksums, arrays, and FAISS's own format, without pickle.  Files never
change once their folder has its name.  Generations share a part by hard links to the same file, so a part exists as
long as any generation uses it.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from rag.errors import EmbedderMismatch, IndexDamaged, VectorEngineUnset
from rag.protocols import FloatMatrix
from rag.retrieval.late_interaction import TokenWeights
from rag.retrieval.postings import Postings
from rag.retrieval.vector_engine import ChunkIds, EngineReader
from rag.retrieval.vector_index import FaissVectorIndex, VectorIndex
from rag.schema import Language
from rag.storage.embeddings import IndexRows

MANIFEST_NAME = "index.json"
STATE_NAME = "state.npz"
FORMER_MANIFEST_NAME = "vectors.json"
"""In folders from before an index had parts."""

_ARRAYS = ("terms", "offsets", "rows", "impacts")
"""Those of postings."""

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class PartEntry:
    """A part in the manifest: its number of chunks, the clusters to search (0: all), and sha256 by file.

    ``collection`` is an engine's collection with its vectors; empty: they are in a file.
    """

    count: int
    probes: int
    files: dict[str, str]
    collection: str = ""


@dataclass(frozen=True, slots=True)
class LanguageEntry:
    """One language's shared base and this generation's fresh part; None for an empty part."""

    base: PartEntry | None
    fresh: PartEntry | None


@dataclass(frozen=True, slots=True)
class IndexManifest:
    """A generation's index.  ``mean_length`` counts terms a chunk, ``state`` is the sha256 of the state's file."""

    model_id: str
    dimension: int
    metric: Literal["inner_product"]
    count: int
    mean_length: float
    passages: int
    state: str
    languages: dict[Language, LanguageEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part in memory.  Row r of the postings and of the vectors is the chunk ``chunk_ids[r]``; the ids ascend."""

    vectors: VectorIndex
    postings: Postings

    @property
    def chunk_ids(self) -> NDArray[np.int64]:
        """Chunk numbers, int64 [n]."""
        return self.vectors.chunk_ids

    @property
    def count(self) -> int:
        """How many chunks."""
        return len(self.vectors)

    def loaded(self, known: Mapping[str, "Part"], reader: EngineReader | None = None) -> "Part":
        """Return itself."""
        del known, reader
        return self

    def write(self, folder: Path, name: str) -> PartEntry | None:
        """Write the files ``name.*`` and sync them.  Returns None and writes no file if the part is empty."""
        if not self.count:
            return None
        assert isinstance(self.vectors, FaissVectorIndex)  # a part in an engine is written before it is opened
        files = write_vectors(folder, name, self.vectors) | write_postings(folder, name, self.postings)
        return PartEntry(self.count, self.vectors.probes, files)


@dataclass(frozen=True, slots=True, eq=False)
class StoredPart:
    """A part on disk, of which only the chunk numbers have been read."""

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

    def require_files(self) -> None:
        """Raise ``IndexDamaged`` where a file is missing that ``open`` does not read."""
        for path in (self.folder / file for file in self.entry.files):
            if not path.is_file():
                raise IndexDamaged(reason=f"{path} is missing")

    @property
    def key(self) -> str:
        """The key by which generations recognise a shared part."""
        return self.entry.collection + "".join(self.entry.files.values())

    def loaded(self, known: Mapping[str, Part], reader: EngineReader | None = None) -> Part:
        """Return the known part with this key, or read and verify it.

        Raises ``IndexDamaged``, and ``VectorEngineUnset`` if its vectors are in an engine and none is set.
        """
        if self.key in known:
            return known[self.key]
        postings = _arrays(self.folder, f"{self.name}.postings.npz", self.entry)
        if set(postings) != set(_ARRAYS):
            raise IndexDamaged(reason=f"{self.folder / self.name} has the arrays {sorted(postings)}")
        return Part(
            self._vectors(reader),
            Postings(**postings, count=self.count),  # type: ignore[arg-type]  # verified: what was saved
        )

    def _vectors(self, reader: EngineReader | None) -> VectorIndex:
        if self.entry.collection:
            if reader is None:
                raise VectorEngineUnset
            return reader.open(self.entry.collection, self.chunk_ids)
        index = self.folder / f"{self.name}.faiss"
        _verify(index, self.entry.files.get(index.name, ""))
        return FaissVectorIndex.read(index, self.chunk_ids, self.entry.probes)

    def write(self, folder: Path, name: str) -> PartEntry | None:
        """Share the files with another generation's folder, unless it has them.  Raises ``OSError``."""
        if (folder, name) == (self.folder, self.name):
            return self.entry
        files = {}
        for file, sha256 in self.entry.files.items():
            shared = name + file.removeprefix(self.name)
            _share_file(self.folder / file, folder / shared)
            files[shared] = sha256
        return replace(self.entry, files=files)


def write_vectors(folder: Path, name: str, vectors: FaissVectorIndex) -> dict[str, str]:
    """Write and sync a part's vectors and chunk numbers; return the sha256 of each file."""
    index = {f"{name}.faiss": _write_file(folder / f"{name}.faiss", vectors.write)}
    return index | write_chunk_ids(folder, name, vectors.chunk_ids)


def write_chunk_ids(folder: Path, name: str, chunk_ids: ChunkIds) -> dict[str, str]:
    """Write and sync a part's chunk numbers; return the file's sha256."""
    return {f"{name}.chunks.npz": _save_arrays(folder / f"{name}.chunks.npz", {"chunk_ids": chunk_ids})}


def write_postings(folder: Path, name: str, postings: Postings) -> dict[str, str]:
    """Write and sync a part's postings; return the file's sha256."""
    arrays = {key: getattr(postings, key) for key in _ARRAYS}
    return {f"{name}.postings.npz": _save_arrays(folder / f"{name}.postings.npz", arrays)}


def _arrays(folder: Path, name: str, entry: PartEntry) -> dict[str, Array]:
    return _load_arrays(folder / name, entry.files.get(name, ""))


AnyPart = Part | StoredPart


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The moments of n vectors: count, sum, float64 [dimension], and sum of outer products."""

    count: int
    total: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def none(cls, dimension: int) -> Self:
        """Return the moments of no vectors."""
        return cls(0, np.zeros(dimension), np.zeros((dimension, dimension)))

    def changed(self, vectors: FloatMatrix, sign: int = 1) -> Self:
        """Return the moments with the vectors, float32 [n, dimension], added, or removed if ``sign`` is -1."""
        total = self.total + sign * vectors.sum(axis=0, dtype=np.float64)
        return type(self)(self.count + sign * len(vectors), total, self.products + sign * (vectors.T @ vectors))


@dataclass(frozen=True, slots=True, eq=False)
class LanguageIndex:
    """One language's chunks: all of ``fresh``, and the rows of ``base`` that are not ``retired`` (int64, ascending)."""

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
        """How many chunks were added and removed since the base was made."""
        return self.fresh.count + len(self.retired)

    def chunk_ids(self) -> NDArray[np.int64]:
        """Return the chunks that the generation shows, int64 [count]."""
        return np.concatenate([np.delete(self.base.chunk_ids, self.retired), self.fresh.chunk_ids])


@dataclass(frozen=True, slots=True, eq=False)
class GenerationIndex:
    """The chunks of all languages; ``mean_length`` is the mean number of terms when the bases were made."""

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
        """Return the chunks of the generation, int64 [count], in no order."""
        return np.concatenate([np.empty(0, np.int64), *(one.chunk_ids() for one in self.languages.values())])

    @property
    def base_count(self) -> int:
        """How many chunks are in the bases, including retired ones."""
        return sum(one.base.count for one in self.languages.values())

    @property
    def changes(self) -> int:
        """How many chunks were added and removed since the bases were made."""
        return sum(one.changes for one in self.languages.values())

    def loaded(self, known: Mapping[str, Part], reader: EngineReader | None = None) -> "GenerationIndex":
        """Return the index with all parts in memory; ``known`` parts are reused.

        ``reader`` opens parts with their vectors in an engine.
        """
        languages = {
            language: replace(one, base=one.base.loaded(known, reader), fresh=one.fresh.loaded(known, reader))
            for language, one in self.languages.items()
        }
        return replace(self, languages=languages)

    def parts(self) -> list[tuple[AnyPart, AnyPart]]:
        """Return the base and fresh parts of all languages."""
        return [(one.base, one.fresh) for one in self.languages.values()]

    def changed(
        self,
        added: Iterable[IndexRows],
        removed: Sequence[int],
        removed_vectors: FloatMatrix,
        tokens: NDArray[np.int32],
    ) -> "GenerationIndex":
        """Return the index with the added chunks and without the removed ones, ascending; the bases are unchanged.

        ``removed_vectors``, float32 [n, dimension], and ``tokens``, the distinct ones of each, belong to these.  Raises
        ``IndexDamaged`` if a removed chunk is not in the index.
        """
        gone = np.asarray(removed, dtype=np.int64)
        unseen = np.ones(len(gone), np.bool_)
        rows = _group_by_language(added)
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
        """Write and sync the index in an existing folder, sharing the files of parts that are already on disk.

        Raises ``OSError``.
        """
        state: dict[str, Array] = {
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
        sha256 = _save_arrays(folder / STATE_NAME, state)
        _write_manifest(
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
        """Open an index without reading its parts: see ``loaded``.

        Raises ``EmbedderMismatch`` if it was built with another model than ``model_id``, and ``IndexDamaged`` if a file
        is missing, fails its checksum, or differs from the manifest.
        """
        manifest = _read_manifest(folder, model_id)
        state = _load_arrays(folder / STATE_NAME, manifest.state)
        try:
            languages = {
                language: _open_language(folder, language, entry, state, manifest.dimension)
                for language, entry in manifest.languages.items()
            }
            weights = TokenWeights(state["tokens"], state["frequencies"], manifest.passages)  # type: ignore[arg-type]
        except KeyError as error:
            raise IndexDamaged(reason=f"{folder / STATE_NAME} has no {error}") from error
        index = cls(model_id, manifest.dimension, languages, weights, manifest.mean_length)
        if index.count != manifest.count:
            raise IndexDamaged(reason=f"{folder} holds {index.count} chunks, not {manifest.count}")
        return index

    def require_files(self) -> None:
        """Raise ``IndexDamaged`` where a file is missing that ``open`` does not read."""
        for one in self.languages.values():
            for part in (one.base, one.fresh):
                if isinstance(part, StoredPart):
                    part.require_files()


def collections_of(folder: Path) -> set[str]:
    """Return the engine collections named in a generation's index.  Raises ``IndexDamaged``."""
    languages = _parsed_manifest(folder).languages.values()
    entries = (part for one in languages for part in (one.base, one.fresh))
    return {part.collection for part in entries if part is not None and part.collection}


def is_of_former_format(folder: Path) -> bool:
    """Whether the folder holds an index from before it had parts."""
    return (folder / FORMER_MANIFEST_NAME).is_file() and not (folder / MANIFEST_NAME).exists()


def empty_part(dimension: int) -> Part:
    """Return a part without chunks."""
    vectors = FaissVectorIndex.build(np.empty(0, np.int64), np.empty((0, dimension), np.float32))
    return Part(vectors, Postings.build([], 1.0))


def _group_by_language(rows: Iterable[IndexRows]) -> dict[Language, list[IndexRows]]:
    grouped: dict[Language, list[IndexRows]] = {}
    for row in rows:
        grouped.setdefault(row.language, []).append(row)
    return grouped


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
    old_ids, old_vectors = fresh.chunk_ids, fresh.vectors.vectors(fresh.chunk_ids)
    vectors = np.concatenate([old_vectors[keep], *(rows.vectors for rows in new)])
    chunk_ids = np.concatenate([old_ids[keep], *(rows.chunk_ids for rows in new)])
    new_postings = Postings.build((terms for rows in new for terms in rows.terms), mean_length)
    part = Part(FaissVectorIndex.build(chunk_ids, vectors), fresh.postings.changed(keep, new_postings))
    for rows in new:
        moments = moments.changed(rows.vectors)
    return LanguageIndex(one.base, part, retired, moments)


def _open_language(
    folder: Path, language: Language, entry: LanguageEntry, state: Mapping[str, Array], dimension: int
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


@cache
def _manifests() -> TypeAdapter[IndexManifest]:
    """Return what checks a manifest and writes it: made once, in milliseconds, and not at import."""
    return TypeAdapter(IndexManifest)


def _write_manifest(folder: Path, manifest: IndexManifest) -> None:
    """Write and sync the manifest.  Raises ``OSError``."""
    content = _manifests().dump_json(manifest, indent=1) + b"\n"
    _write_file(folder / MANIFEST_NAME, lambda path: path.write_bytes(content))


def _read_manifest(folder: Path, model_id: str) -> IndexManifest:
    """Read the manifest.  Raises ``EmbedderMismatch`` if another model made it, ``IndexDamaged`` if it is missing."""
    manifest = _parsed_manifest(folder)
    if manifest.model_id != model_id:
        raise EmbedderMismatch(found=manifest.model_id, expected=model_id)
    return manifest


def _parsed_manifest(folder: Path) -> IndexManifest:
    path = folder / MANIFEST_NAME
    try:
        return _manifests().validate_json(path.read_bytes())
    except OSError as error:
        raise IndexDamaged(reason=f"{error.filename}: {error.strerror}") from error
    except ValidationError as error:
        raise IndexDamaged(reason=f"{path} is not a manifest") from error


def _write_file(path: Path, write: Callable[[Path], object]) -> str:
    """Let ``write`` make the file, sync it, and return its sha256 in hexadecimal."""
    write(path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(path: Path, sha256: str) -> None:
    """Raise ``IndexDamaged`` unless the file is there and has the checksum."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise IndexDamaged(reason=f"{error.filename}: {error.strerror}") from error
    if found != sha256:
        raise IndexDamaged(reason=f"{path} has sha256 {found[:12]}…, not {sha256[:12]}…")


def _save_arrays(path: Path, arrays: Mapping[str, Array]) -> str:
    """Write arrays to one file, uncompressed; return its sha256."""
    return _write_file(path, lambda place: np.savez(place, allow_pickle=False, **arrays))


def _load_arrays(path: Path, sha256: str) -> dict[str, Array]:
    """Read the arrays of ``_save_arrays``.  Raises ``IndexDamaged``."""
    _verify(path, sha256)
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise IndexDamaged(reason=f"{path} does not hold arrays") from error


def _share_file(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it if the file system has no hard links.  Raises ``OSError``."""
    try:
        os.link(source, target)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        _write_file(target, lambda path: shutil.copyfile(source, path))
