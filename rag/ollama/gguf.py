"""Reads the header of a GGUF file without its weights.

Own, and small: the reader of the PyPI package ``gguf`` makes an object of each of 150,000 vocabulary entries, which
took it 77 s and 535 MB for a 0.5B model on a busy machine; this one steps over them.  The format is described in
ggml's docs/gguf.md.  ``reconstruct.py`` uses that package for what it does best, the arithmetic of quantized blocks.
"""

import mmap
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from rag.errors import ModelUnfit

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
_KEPT_ARRAY = 1024
"""Arrays up to this length are kept (heads of each layer); of longer ones (the vocabulary) only the length is."""

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 8

TENSOR_KINDS: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 39: ("MXFP4", 32, 17),
}  # fmt: skip
"""A kind's number in the file: its name, the elements of a block, the bytes of a block (ggml.h, ggml-common.h).

Those that only exist while ggml computes (Q8_1, Q8_K) are left out."""

_BLOCKS = {name: (elements, size) for name, elements, size in TENSOR_KINDS.values()}

FILE_TYPES: Mapping[int, str] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip
"""``general.file_type``: how most of the weights are kept (llama.h, llama_ftype)."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One matrix or vector: ``shape`` counts elements, those of a row first; ``offset`` is into the file's data."""

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int = 0

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes in the file, and in memory."""
        return tensor_bytes(self.kind, self.elements)


def tensor_bytes(kind: str, elements: int) -> int:
    """Return the bytes of ``elements`` numbers of a kind; an unknown kind counts as F16."""
    block, size = _BLOCKS.get(kind, (1, 2))
    return elements * size // block


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A file's header.

    ``metadata`` holds numbers, texts, short lists, and the length of long lists under ``KEY.length``.  ``entries`` are
    where in the file each key's whole entry lies, [start, end).  ``data_start`` is where the weights begin.
    """

    path: Path
    metadata: Mapping[str, object]
    entries: Mapping[str, tuple[int, int]]
    tensors: Sequence[Tensor]
    data_start: int

    @property
    def file_type(self) -> str:
        """Return the kind of most weights: ``F16``, ``Q4_K_M``; empty where the file does not say."""
        return FILE_TYPES.get(int(str(self.metadata.get("general.file_type", -1))), "")

    @property
    def kind(self) -> str:
        """Return ``model``, ``adapter`` or ``projector``."""
        return str(self.metadata.get("general.type", "model"))


def read_header(path: Path) -> GgufHeader:
    """Read a file's header.  Raises ``ModelUnfit`` where it is no whole GGUF file."""
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise ModelUnfit(model=path, reason="no_gguf")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                header = _Reader(content, path).header()
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ModelUnfit(model=path, reason="no_file", what=error.strerror or "") from error
    missing = header.data_start + max((one.offset + one.size_bytes for one in header.tensors), default=0) - size
    if missing > 0:
        raise ModelUnfit(model=path, reason="cut_off", what=f"{missing:,}")
    return header


def read_list(header: GgufHeader, key: str) -> list[Any]:
    """Return a list of the header at its full length: texts, or numbers; empty where there is none of that name.

    Long lists (the vocabulary, 150,000 texts) are not in ``metadata``: this takes a tenth of a second.
    """
    if f"{key}.length" not in header.metadata:
        return []
    start, end = header.entries[key]
    with header.path.open("rb") as file:
        file.seek(start)
        content = file.read(end - start)
    at = struct.calcsize("<Q") + len(key.encode()) + struct.calcsize("<I")
    kind, count = struct.unpack_from("<IQ", content, at)
    at += struct.calcsize("<IQ")
    if kind != _STRING:
        return list(struct.unpack_from(f"<{count}{_SCALARS[kind][1]}", content, at))
    length, texts = struct.Struct("<Q"), []
    for _ in range(count):
        end = at + 8 + length.unpack_from(content, at)[0]
        texts.append(content[at + 8 : end].decode("utf-8", "replace"))
        at = end
    return texts


class _Reader:
    """Steps through the header once."""

    def __init__(self, content: mmap.mmap, path: Path) -> None:
        self._content = content
        self._path = path
        self._at = len(MAGIC)

    def header(self) -> GgufHeader:
        try:
            return self._header()
        except (struct.error, IndexError, OverflowError, UnicodeDecodeError, KeyError) as error:
            raise ModelUnfit(model=self._path, reason="damaged") from error

    def _header(self) -> GgufHeader:
        version = self._number("<I")
        if version not in VERSIONS:
            raise ModelUnfit(model=self._path, reason="version", what=str(version))
        tensor_count, entry_count = self._number("<Q"), self._number("<Q")
        metadata: dict[str, object] = {}
        entries: dict[str, tuple[int, int]] = {}
        for _ in range(entry_count):
            start = self._at
            key, kind = self._text(), self._number("<I")
            if kind == _ARRAY:
                self._array(key, metadata)
            else:
                metadata[key] = self._value(kind)
            entries[key] = (start, self._at)
        tensors = [self._tensor() for _ in range(tensor_count)]
        alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        step = alignment if isinstance(alignment, int) and alignment > 0 else _DEFAULT_ALIGNMENT
        return GgufHeader(self._path, metadata, entries, tensors, -(-self._at // step) * step)

    def _number(self, form: str) -> int:
        return int(self._scalar(form))

    def _scalar(self, form: str) -> int | float | bool:
        found: int | float | bool = struct.unpack_from(form, self._content, self._at)[0]
        self._at += struct.calcsize(form)
        return found

    def _text(self) -> str:
        length = self._number("<Q")
        end = self._at + length
        if end > len(self._content):
            raise IndexError(end)
        found = self._content[self._at : end].decode("utf-8", "replace")
        self._at = end
        return found

    def _value(self, kind: int) -> object:
        return self._text() if kind == _STRING else self._scalar(_SCALARS[kind])

    def _array(self, key: str, metadata: dict[str, object]) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        metadata[f"{key}.length"] = count
        if count <= _KEPT_ARRAY:
            metadata[key] = [self._value(kind) for _ in range(count)]
        elif kind == _STRING:
            self._step_over_texts(count)
        else:
            self._at += count * struct.calcsize(_SCALARS[kind])
            if self._at > len(self._content):
                raise IndexError(self._at)

    def _step_over_texts(self, count: int) -> None:
        length, at, content = struct.Struct("<Q"), self._at, self._content
        for _ in range(count):
            at += 8 + length.unpack_from(content, at)[0]
        self._at = at

    def _tensor(self) -> Tensor:
        name, dimensions = self._text(), self._number("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise IndexError(dimensions)
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        kind, offset = self._number("<I"), self._number("<Q")
        return Tensor(name, TENSOR_KINDS[kind][0], shape, offset)
