"""Writes and verifies index files: a manifest with checksums, and no pickle.

Files are never changed once their folder has its name.  A generation that shares a part with the one before has a hard
link to the same file, so a part lives as long as any generation has it.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.schema import Language

MANIFEST_NAME = "index.json"
STATE_NAME = "state.npz"
FORMER_MANIFEST_NAME = "vectors.json"
"""In the folders that were written before an index had parts."""

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class PartEntry:
    """A part in the manifest: how many chunks, how many clusters a search looks into (0: all), and sha256 by file."""

    count: int
    probes: int
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class LanguageEntry:
    """Of one language, the part that many generations share and the part that is this one's; None: nothing in it."""

    base: PartEntry | None
    fresh: PartEntry | None


@dataclass(frozen=True, slots=True)
class IndexManifest:
    """What a generation's index holds.  ``mean_length`` counts a chunk's terms, ``state`` is that file's sha256."""

    model_id: str
    dimension: int
    metric: Literal["inner_product"]
    count: int
    mean_length: float
    passages: int
    state: str
    languages: dict[Language, LanguageEntry] = field(default_factory=dict)


def write_manifest(folder: Path, manifest: IndexManifest) -> None:
    """Write the manifest; it has reached the disk on return.  Raises ``OSError``."""
    content = TypeAdapter(IndexManifest).dump_json(manifest, indent=1) + b"\n"
    write_file(folder / MANIFEST_NAME, lambda path: path.write_bytes(content))


def read_manifest(folder: Path, model_id: str) -> IndexManifest:
    """Read it.  Raises ``EmbedderMismatch`` where it is of another model, ``IndexDamaged`` where it is not there."""
    path = folder / MANIFEST_NAME
    try:
        manifest = TypeAdapter(IndexManifest).validate_json(path.read_bytes())
    except OSError as error:
        raise IndexDamaged(reason=f"{error.filename}: {error.strerror}") from error
    except ValidationError as error:
        raise IndexDamaged(reason=f"{path} is not a manifest") from error
    if manifest.model_id != model_id:
        raise EmbedderMismatch(found=manifest.model_id, expected=model_id)
    return manifest


def write_file(path: Path, write: Callable[[Path], object]) -> str:
    """Let ``write`` make the file, bring it to the disk, and return its sha256 in hexadecimal digits."""
    write(path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str) -> None:
    """Raise ``IndexDamaged`` unless the file is there and has the checksum."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise IndexDamaged(reason=f"{error.filename}: {error.strerror}") from error
    if found != sha256:
        raise IndexDamaged(reason=f"{path} has sha256 {found[:12]}…, not {sha256[:12]}…")


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> str:
    """Write arrays to one file, uncompressed; return its sha256."""
    return write_file(path, lambda place: np.savez(place, allow_pickle=False, **arrays))


def load_arrays(path: Path, sha256: str) -> dict[str, Array]:
    """Read what ``save_arrays`` wrote.  Raises ``IndexDamaged``."""
    verify(path, sha256)
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise IndexDamaged(reason=f"{path} does not hold arrays") from error


def share_file(source: Path, target: Path) -> None:
    """Give a file a second name; where the file system has no hard links, copy it.  Raises ``OSError``."""
    try:
        os.link(source, target)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        write_file(target, lambda path: shutil.copyfile(source, path))
