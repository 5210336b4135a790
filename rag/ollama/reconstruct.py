"""Writes a model's file again: an F16 of a quantized one, where the original is not available, and a Q4_0.

What the first quantization lost stays lost: such an F16 answers exactly as badly as the file it was made of, so the
losses measured with it are those of quantizing twice.  The file says so in its header (``RECONSTRUCTED``), Ollama
keeps that key in all that it makes of the file, and ``list``, ``size`` and the calibration tell it.

Ollama makes no Q4_0, the simplest kind of four bits and on a CPU with AMX by far the quickest (docs/serving.md).  Here
the matrices that Q4_K_M gives more bits get 8, which AMX multiplies more quickly than Q6_K's six.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnfit
from rag.ollama.gguf import MAGIC, TENSOR_KINDS, GgufHeader, Tensor, read_header
from rag.ollama.model_details import MERGED_FROM, RECONSTRUCTED, UNQUANTIZED
from rag.ollama.model_files import require_unquantized
from rag.ollama.sizing import ModelShape, requantized
from rag.terminal import Update

_VERSION, _ALIGNMENT = 3, 32
_UINT32, _FLOAT32, _STRING = 4, 6, 8
_F16, _Q4_0 = 1, 2  # general.file_type
_NUMBERS = {name: number for number, (name, _, _) in TENSOR_KINDS.items()}
_ROWS_AT_ONCE = 4096
_PLAIN = {"F32", "F16", "BF16", "F64"}


def reconstruct_f16(source: Path, target: Path, update: Update = lambda done, total: None) -> str:
    """Write ``source``'s weights as F16 to ``target``; return what they were before (``Q4_K_M``).

    ``update`` hears how many of the tensors are written.  Raises ``ModelUnfit`` where the source is F16 already or no
    GGUF file; then, and when the work is interrupted, no ``target`` is left.
    """
    header = read_header(source)
    if header.file_type in UNQUANTIZED:
        raise ModelUnfit(model=source, reason="unquantized", what=header.file_type)
    # what is not quantized (norms, biases) stays as it is
    kinds = {one.name: one.kind if one.kind in _PLAIN else "F16" for one in header.tensors}
    origin = _text(RECONSTRUCTED) + struct.pack("<I", _STRING) + _text(header.file_type or "?")
    _write(header, target, _Content(_F16, kinds, [origin]), update)
    return header.file_type


def quantize_q4_0(source: Path, target: Path, update: Update = lambda done, total: None) -> None:
    """Write ``source``'s matrices in 4 and 8 bits (``rag.ollama.sizing.requantized``) to ``target``.

    ``update`` hears how many of the tensors are written.  Raises ``ModelUnfit`` where the source is quantized already
    or no GGUF file; then, and when the work is interrupted, no ``target`` is left.
    """
    header = read_header(source)
    require_unquantized(source, header.file_type)
    shape = ModelShape.of(source.name, header.metadata, header.tensors, header.file_type)
    kinds = {one.name: one.kind for one in requantized(shape, "q4_0").tensors}
    _write(header, target, _Content(_Q4_0, kinds, []), update)


LowRank = tuple[NDArray[np.float32], NDArray[np.float32]]
"""A [rank, inputs] and B [outputs, rank] of a LoRA adapter for one matrix."""


def merge_f16(
    source: Path,
    target: Path,
    factors: Mapping[str, LowRank],
    scale: float,
    origin: str,
    update: Update = lambda done, total: None,
) -> None:
    """Write ``source``'s weights as F16 to ``target``, to each matrix of ``factors`` ``scale`` * B A added.

    ``origin`` is the model's name, which the header keeps (``MERGED_FROM``).  ``update`` hears how many of the tensors
    are written.  Raises ``ModelUnfit`` where ``source`` is no GGUF file, or lacks one of the matrices, or has it in
    another shape; then, and when the work is interrupted, no ``target`` is left.
    """
    header = read_header(source)
    shapes = {one.name: one.shape for one in header.tensors}
    for name, (inner, outer) in factors.items():
        if shapes.get(name) != (inner.shape[1], outer.shape[0]):
            raise ModelUnfit(model=source, reason="merge_shape", what=name)
    kinds = {one.name: one.kind if one.kind in _PLAIN and one.name not in factors else "F16" for one in header.tensors}
    entries = [_text(MERGED_FROM) + struct.pack("<I", _STRING) + _text(origin)]
    if header.file_type not in UNQUANTIZED:
        entries.append(_text(RECONSTRUCTED) + struct.pack("<I", _STRING) + _text(header.file_type or "?"))
    added = {name: (inner, outer * np.float32(scale)) for name, (inner, outer) in factors.items()}
    _write(header, target, _Content(_F16, kinds, entries, added), update)


def write_adapter(target: Path, architecture: str, factors: Mapping[str, LowRank], alpha: float) -> None:
    """Write a LoRA adapter as llama.cpp reads it (llama-adapter.cpp); Ollama attaches it to a model of that kind."""
    entries = [
        _text("general.architecture") + struct.pack("<I", _STRING) + _text(architecture),
        _text("general.type") + struct.pack("<I", _STRING) + _text("adapter"),
        _text("adapter.type") + struct.pack("<I", _STRING) + _text("lora"),
        _text("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, alpha),
    ]
    matrices = {f"{name}.lora_{half}": pair[at] for name, pair in factors.items() for at, half in enumerate("ab")}
    with target.open("wb") as new:
        new.write(MAGIC + struct.pack("<IQQ", _VERSION, len(matrices), len(entries)) + b"".join(entries))
        _write_index(new, [Tensor(name, "F32", one.shape[::-1]) for name, one in matrices.items()])
        for one in matrices.values():
            new.write(np.ascontiguousarray(one, dtype=np.float32).tobytes())
            _pad(new)


@dataclass(frozen=True, slots=True)
class _Content:
    """The new file: its ``general.file_type``, the kind of each tensor, other entries, and added ones."""

    file_type: int
    kinds: Mapping[str, str]
    entries: Sequence[bytes]
    added: Mapping[str, LowRank] = field(default_factory=dict)


def _write(header: GgufHeader, target: Path, content: _Content, update: Update) -> None:
    partial = target.with_name(f"{target.name}.part")
    try:
        with header.path.open("rb") as old, partial.open("wb") as new:
            _write_header(header, content, old, new)
            for number, tensor in enumerate(header.tensors):
                _write_tensor(header, tensor, content, (old, new))
                update(number + 1, len(header.tensors))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write_header(header: GgufHeader, content: _Content, old: BinaryIO, new: BinaryIO) -> None:
    # without an entry of its own, the file keeps what it says of its origin
    said = b"".join(content.entries)
    replaced = {"general.file_type", *(key for key in (RECONSTRUCTED, MERGED_FROM) if _text(key) in said)}
    copied = [span for key, span in header.entries.items() if key not in replaced]
    new.write(MAGIC + struct.pack("<IQQ", _VERSION, len(header.tensors), len(copied) + 1 + len(content.entries)))
    for start, end in copied:
        old.seek(start)
        new.write(old.read(end - start))
    new.write(_text("general.file_type") + struct.pack("<II", _UINT32, content.file_type))
    new.write(b"".join(content.entries))
    _write_index(new, [Tensor(one.name, content.kinds[one.name], one.shape) for one in header.tensors])


def _write_index(new: BinaryIO, tensors: Sequence[Tensor]) -> None:
    """Write where each tensor will lie, and fill up to where the first one begins."""
    offset = 0
    for tensor in tensors:
        new.write(_text(tensor.name) + struct.pack("<I", len(tensor.shape)))
        new.write(struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape))
        new.write(struct.pack("<IQ", _NUMBERS[tensor.kind], offset))
        offset += tensor.size_bytes + -tensor.size_bytes % _ALIGNMENT
    _pad(new)


def _write_tensor(header: GgufHeader, tensor: Tensor, content: _Content, files: tuple[BinaryIO, BinaryIO]) -> None:
    import gguf  # half a second, and seldom needed

    old, new = files
    kind, added = content.kinds[tensor.name], content.added.get(tensor.name)
    old.seek(header.data_start + tensor.offset)
    if kind == tensor.kind and added is None:
        new.write(old.read(tensor.size_bytes))
        _pad(new)
        return
    start = 0
    for rows in dequantized_rows(tensor, old):
        if added is not None:
            inner, outer = added
            rows = rows + outer[start : start + len(rows)] @ inner
        new.write(gguf.quants.quantize(rows, gguf.GGMLQuantizationType[kind]).tobytes())
        start += len(rows)
    _pad(new)


def dequantized_rows(tensor: Tensor, file: BinaryIO) -> Iterator[NDArray[np.float32]]:
    """Yield float32 [rows, row length] from where the file stands, some rows at a time.

    A whole embedding would be half a gigabyte.
    """
    import gguf

    columns = tensor.shape[0]
    rows = tensor.elements // columns
    row_bytes = tensor.size_bytes // rows
    kind = gguf.GGMLQuantizationType[tensor.kind]
    for start in range(0, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - start)
        raw = np.frombuffer(file.read(count * row_bytes), dtype=np.uint8).reshape(count, row_bytes)
        yield gguf.quants.dequantize(raw, kind)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _pad(new: BinaryIO) -> None:
    new.write(b"\0" * (-new.tell() % _ALIGNMENT))
