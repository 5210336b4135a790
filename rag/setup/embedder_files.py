"""Writes the embedder, multilingual-e5-small, as files: of a package's 4 bits, for sentence-transformers, for OpenVINO.

A package's format, ``E5S1``, is little-endian: a header, a tokenizer and a normaliser map (skipped: the original
``tokenizer.json`` is used), a directory of tensors, then the tensors.  A tensor is float32, or ``Q4``: blocks of 18
bytes for 32 elements, a float16 scale d and 16 bytes whose low nibble j is element j and whose high nibble is element
j + 16; the value is (nibble - 8) * d.  Weights are [out, in], as in PyTorch.

OpenVINO's graph is built operation by operation from the float32 weights:

    input_ids, attention_mask, int64 [batch, tokens]  ->  embedding, float32 [batch, hidden], rows of length 1
                                                          token_vectors, float32 [batch, tokens, hidden]

``token_vectors`` are the states of the last layer, of which ``embedding`` is the mean; those of padding mean nothing.

Matrices are kept in 8 bits, symmetric, with a scale of each output row.  OpenVINO multiplies them with activations that
it puts into 8 bits token by token as they come (``DYNAMIC_QUANTIZATION_GROUP_SIZE``): no calibration texts are needed,
and no text's scales depend on its neighbours in the batch.  The kernels chosen for another batch size round differently
all the same: a text alone and in a batch agree at a cosine of .998, not to the bit.

BERT as in J. Devlin et al., https://arxiv.org/abs/1810.04805: post-norm layers, learned positions from 0, erf GELU;
then the mean over the tokens that the mask keeps, and unit length.  Tracing the PyTorch model would give the same graph
at the price of importing torch, and of whatever its tracer deprecates next.
"""

import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from rag.errors import BuildFailed
from rag.protocols import FloatMatrix
from rag.retrieval.model_folders import ATTENTION_MASK, EMBEDDING, INPUT_IDS, MAX_TOKENS, TOKEN_VECTORS, WEIGHTS
from rag.retrieval.openvino_runtime import opset13 as ops
from rag.retrieval.openvino_runtime import ov

_MAGIC = b"E5S1"
_BLOCK_ELEMENTS = 32
_BLOCK_BYTES = 18
_HEADER = struct.Struct("<4sI7ifi")
_TOKENIZER = struct.Struct("<5iQ")
_NORMALISER = struct.Struct("<iI")
_ENTRY = struct.Struct("<BIQQ")

_Node = Any  # openvino has no type hints for what its operations return
_SQUARED_SUM_FLOOR = 1e-12
_LARGEST_INT8 = 127
_FAR_BELOW = 65504.0  # the largest float16, so that no precision overflows


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


E5_SMALL_SHAPE = ModelShape(
    hidden_size=384,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=1536,
    vocab_size=250037,
    max_position_embeddings=512,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
)


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


def write_weights(folder: Path, tensors: dict[str, FloatMatrix]) -> None:
    """Write float32 tensors, by their names in ``BertModel``, as ``model.safetensors``."""
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def write_configuration(folder: Path, shape: ModelShape) -> None:
    """Write the small files beside the weights and ``tokenizer.json``: BERT, mean pooling, unit vectors."""
    bert = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 0,  # as in the published model: no row of the embedding is masked by it
        "position_embedding_type": "absolute",
        "tokenizer_class": "XLMRobertaTokenizer",
        "dtype": "float32",
        **asdict(shape),
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_TOKENS,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    pooling = {"word_embedding_dimension": shape.hidden_size, "pooling_mode_mean_tokens": True}
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(
            (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")),
        )
    ]
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    for name, value in (
        ("config.json", bert),
        ("tokenizer_config.json", tokenizer),
        ("sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False}),
        ("modules.json", modules),
        ("1_Pooling/config.json", pooling),
    ):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


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


def build_encoder(shape: ModelShape, weights: dict[str, FloatMatrix]) -> ov.Model:
    """Return the model.  ``weights`` has the names of a Hugging Face ``BertModel``; a missing one is a ``KeyError``."""
    return _Builder(shape, weights).model()


def to_8_bits(matrix: FloatMatrix) -> tuple[NDArray[np.int8], FloatMatrix]:
    """Return whole numbers in [-127, 127] and scales [rows, 1] whose product is the matrix, to half a scale."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / _LARGEST_INT8, 1.0).astype(np.float32)
    return np.rint(matrix / scales).astype(np.int8), scales


class _Builder:
    def __init__(self, shape: ModelShape, weights: dict[str, FloatMatrix]) -> None:
        self._shape = shape
        self._weights = weights

    def model(self) -> ov.Model:
        ids = ops.parameter([-1, -1], np.int64, "input_ids")
        mask = ops.parameter([-1, -1], np.int64, "attention_mask")
        keep = ops.convert(mask, "f32")
        hidden = self._embed(ids)
        # added to the attention scores [batch, heads, tokens, tokens]: 0 where a key counts, far below where not
        bias = ops.multiply(ops.subtract(ops.unsqueeze(keep, _axes(1, 2)), _scalar(1.0)), _scalar(_FAR_BELOW))
        for layer in range(self._shape.num_hidden_layers):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, bias)
        results = {EMBEDDING: ops.result(_unit_mean(hidden, keep)), TOKEN_VECTORS: ops.result(hidden)}
        for name, node in {INPUT_IDS: ids, ATTENTION_MASK: mask, **results}.items():
            node.output(0).get_tensor().set_names({name})
        return ov.Model(list(results.values()), [ids, mask], "multilingual-e5-small")

    def _embed(self, ids: _Node) -> _Node:
        words = ops.gather(self._matrix("embeddings.word_embeddings.weight"), ids, _integer(0))
        tokens = ops.gather(ops.shape_of(ids), _integer(1), _integer(0))
        positions = ops.range(_integer(0), tokens, _integer(1), output_type="i64")
        placed = ops.gather(self._constant("embeddings.position_embeddings.weight"), positions, _integer(0))
        kind = ops.constant(self._weights["embeddings.token_type_embeddings.weight"][0])  # a single text is of type 0
        return self._norm("embeddings.LayerNorm", ops.add(ops.add(words, kind), placed))

    def _layer(self, name: str, hidden: _Node, bias: _Node) -> _Node:
        query, key, value = map(self._heads, self._query_key_value(f"{name}.attention.self", hidden))
        attended = ops.scaled_dot_product_attention(query, key, value, bias)
        joined = ops.reshape(ops.transpose(attended, _axes(0, 2, 1, 3)), _axes(0, 0, self._shape.hidden_size), True)
        projected = self._linear(f"{name}.attention.output.dense", joined)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", ops.add(projected, hidden))
        inner = ops.gelu(self._linear(f"{name}.intermediate.dense", hidden), "erf")
        return self._norm(f"{name}.output.LayerNorm", ops.add(self._linear(f"{name}.output.dense", inner), hidden))

    def _heads(self, projected: _Node) -> _Node:
        """[batch, tokens, hidden] -> [batch, heads, tokens, hidden / heads]."""
        heads = self._shape.num_attention_heads
        split = ops.reshape(projected, _axes(0, 0, heads, self._shape.hidden_size // heads), True)
        return ops.transpose(split, _axes(0, 2, 1, 3))

    def _query_key_value(self, name: str, hidden: _Node) -> list[_Node]:
        """Multiply once, so that the activations are put into 8 bits once; each row keeps its own scale."""
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        weight, bias = (
            np.concatenate([self._weights[f"{part}.{kind}"] for part in parts]) for kind in ("weight", "bias")
        )
        product = ops.matmul(hidden, _in_8_bits(weight, f"{name}.weight"), False, True, name=name)
        split = ops.split(ops.add(product, ops.constant(bias, name=f"{name}.bias")), _integer(2), len(parts))
        return [split.output(number) for number in range(len(parts))]

    def _linear(self, name: str, hidden: _Node) -> _Node:
        product = ops.matmul(hidden, self._matrix(f"{name}.weight"), False, True, name=name)
        return ops.add(product, self._constant(f"{name}.bias"))

    def _norm(self, name: str, hidden: _Node) -> _Node:
        normal = ops.mvn(hidden, _axes(-1), True, self._shape.layer_norm_eps, "inside_sqrt")
        return ops.add(ops.multiply(normal, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def _constant(self, name: str) -> _Node:
        return ops.constant(self._weights[name], name=name)

    def _matrix(self, name: str) -> _Node:
        return _in_8_bits(self._weights[name], name)


def _in_8_bits(matrix: FloatMatrix, name: str) -> _Node:
    """[rows, columns] as float32, kept as int8 and a scale of each row."""
    whole, scales = to_8_bits(matrix)
    return ops.multiply(ops.convert(ops.constant(whole, name=name), "f32"), ops.constant(scales))


def _unit_mean(hidden: _Node, keep: _Node) -> _Node:
    """Average over the kept tokens and scale to length 1; the mean's divisor cancels out, so it is omitted."""
    total = ops.reduce_sum(ops.multiply(hidden, ops.unsqueeze(keep, _axes(2))), _axes(1))
    return ops.normalize_l2(total, _axes(1), _SQUARED_SUM_FLOOR, "add")


def _axes(*values: int) -> _Node:
    return ops.constant(np.array(values, dtype=np.int64))


def _integer(value: int) -> _Node:
    return ops.constant(np.int64(value))


def _scalar(value: float) -> _Node:
    return ops.constant(np.float32(value))
