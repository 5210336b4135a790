"""Reconstructs an F16 file from a quantized one, where the original F16 is not available.

What the first quantization lost stays lost: such an F16 answers exactly as badly as the file it was made of, so the
losses measured with it are those of quantizing twice.  The file says so in its header (``RECONSTRUCTED``), Ollama
keeps that key in all that it makes of the file, and ``list``, ``size`` and the calibration tell it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnfit
from rag.ollama.gguf import MAGIC, TENSOR_KINDS, GgufHeader, Tensor, read_header
from rag.ollama.model_details import RECONSTRUCTED, UNQUANTIZED
from rag.progress import Update

_VERSION, _ALIGNMENT = 3, 32
_UINT32, _STRING = 4, 8
_F16 = 1  # both as general.file_type and as a tensor's kind
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
    partial = target.with_name(f"{target.name}.part")
    try:
        with source.open("rb") as old, partial.open("wb") as new:
            _write_header(header, old, new)
            for number, tensor in enumerate(header.tensors):
                _write_tensor(header, tensor, old, new)
                update(number + 1, len(header.tensors))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return header.file_type


def _kind(tensor: Tensor) -> str:
    """Return the new kind: what is not quantized (norms, biases) stays as it is."""
    return tensor.kind if tensor.kind in _PLAIN else "F16"


def _write_header(header: GgufHeader, old: BinaryIO, new: BinaryIO) -> None:
    copied = [span for key, span in header.entries.items() if key not in ("general.file_type", RECONSTRUCTED)]
    new.write(MAGIC + struct.pack("<IQQ", _VERSION, len(header.tensors), len(copied) + 2))
    for start, end in copied:
        old.seek(start)
        new.write(old.read(end - start))
    new.write(_text("general.file_type") + struct.pack("<II", _UINT32, _F16))
    new.write(_text(RECONSTRUCTED) + struct.pack("<I", _STRING) + _text(header.file_type or "?"))
    offset = 0
    for tensor in header.tensors:
        kind = _kind(tensor)
        new.write(_text(tensor.name) + struct.pack("<I", len(tensor.shape)))
        new.write(struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape))
        new.write(struct.pack("<IQ", _NUMBERS[kind], offset))
        size = Tensor(tensor.name, kind, tensor.shape).size_bytes
        offset += size + -size % _ALIGNMENT
    _fill_up(new)


def _write_tensor(header: GgufHeader, tensor: Tensor, old: BinaryIO, new: BinaryIO) -> None:
    old.seek(header.data_start + tensor.offset)
    if _kind(tensor) == tensor.kind:
        new.write(old.read(tensor.size_bytes))
    else:
        for rows in _dequantized(tensor, old):
            new.write(rows.tobytes())
    _fill_up(new)


def _dequantized(tensor: Tensor, old: BinaryIO) -> Iterator[NDArray[np.float16]]:
    """Yield float16 [rows, row length], some rows at a time: an embedding as float32 would be half a gigabyte."""
    import gguf  # half a second, and seldom needed

    columns = tensor.shape[0]
    rows = tensor.elements // columns
    row_bytes = tensor.size_bytes // rows
    kind = gguf.GGMLQuantizationType[tensor.kind]
    for start in range(0, rows, _ROWS_AT_ONCE):
        count = min(_ROWS_AT_ONCE, rows - start)
        raw = np.frombuffer(old.read(count * row_bytes), dtype=np.uint8).reshape(count, row_bytes)
        yield gguf.quants.dequantize(raw, kind).astype(np.float16)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _fill_up(new: BinaryIO) -> None:
    new.write(b"\0" * (-new.tell() % _ALIGNMENT))
