"""Writes a model's file anew: an F16 of a quantized one, where the original is not available, and a Q4_0.

What the first quantization lost stays lost: such an F16 answers exactly as badly as the file it was made of, so the
losses measured with it are those of quantizing twice.  The file says so in its header (``RECONSTRUCTED``), Ollama
keeps that key in all that it makes of the file, and ``list``, ``size`` and the calibration tell it.

Ollama makes no Q4_0, the simplest kind of four bits and on a CPU with AMX by far the quickest (docs/serving.md).  Here
the matrices that Q4_K_M gives more bits get 8, which AMX multiplies more quickly than Q6_K's six.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnfit
from rag.ollama.gguf import MAGIC, TENSOR_KINDS, GgufHeader, Tensor, read_header
from rag.ollama.model_details import RECONSTRUCTED, UNQUANTIZED
from rag.ollama.model_files import require_unquantized
from rag.ollama.sizing import ModelShape, requantized
from rag.progress import Update

_VERSION, _ALIGNMENT = 3, 32
_UINT32, _STRING = 4, 8
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


@dataclass(frozen=True, slots=True)
class _Content:
    """What the new file holds: its ``general.file_type``, the kind of each tensor, and other entries."""

    file_type: int
    kinds: Mapping[str, str]
    entries: Sequence[bytes]


def _write(header: GgufHeader, target: Path, content: _Content, update: Update) -> None:
    partial = target.with_name(f"{target.name}.part")
    try:
        with header.path.open("rb") as old, partial.open("wb") as new:
            _write_header(header, content, old, new)
            for number, tensor in enumerate(header.tensors):
                _write_tensor(header, tensor, content.kinds[tensor.name], (old, new))
                update(number + 1, len(header.tensors))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _write_header(header: GgufHeader, content: _Content, old: BinaryIO, new: BinaryIO) -> None:
    # without an entry of its own, the file keeps what it says of its origin
    replaced = {"general.file_type", *([RECONSTRUCTED] if content.entries else [])}
    copied = [span for key, span in header.entries.items() if key not in replaced]
    new.write(MAGIC + struct.pack("<IQQ", _VERSION, len(header.tensors), len(copied) + 1 + len(content.entries)))
    for start, end in copied:
        old.seek(start)
        new.write(old.read(end - start))
    new.write(_text("general.file_type") + struct.pack("<II", _UINT32, content.file_type))
    new.write(b"".join(content.entries))
    offset = 0
    for tensor in header.tensors:
        kind = content.kinds[tensor.name]
        new.write(_text(tensor.name) + struct.pack("<I", len(tensor.shape)))
        new.write(struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape))
        new.write(struct.pack("<IQ", _NUMBERS[kind], offset))
        size = Tensor(tensor.name, kind, tensor.shape).size_bytes
        offset += size + -size % _ALIGNMENT
    _fill_up(new)


def _write_tensor(header: GgufHeader, tensor: Tensor, kind: str, files: tuple[BinaryIO, BinaryIO]) -> None:
    import gguf  # half a second, and seldom needed

    old, new = files
    old.seek(header.data_start + tensor.offset)
    if kind == tensor.kind:
        new.write(old.read(tensor.size_bytes))
    else:
        for rows in _dequantized(tensor, old):
            new.write(gguf.quants.quantize(rows, gguf.GGMLQuantizationType[kind]).tobytes())
    _fill_up(new)


def _dequantized(tensor: Tensor, old: BinaryIO) -> Iterator[NDArray[np.float32]]:
    """Yield float32 [rows, row length], some rows at a time: a whole embedding would be half a gigabyte."""
    import gguf

    columns = tensor.shape[0]
    rows = tensor.elements // columns
    row_bytes = tensor.size_bytes // rows
    kind = gguf.GGMLQuantizationType[tensor.kind]
    for start in range(0, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - start)
        raw = np.frombuffer(old.read(count * row_bytes), dtype=np.uint8).reshape(count, row_bytes)
        yield gguf.quants.dequantize(raw, kind)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _fill_up(new: BinaryIO) -> None:
    new.write(b"\0" * (-new.tell() % _ALIGNMENT))
