"""Builds multilingual-e5-small as an OpenVINO graph, operation by operation, from its weights.

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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.protocols import FloatMatrix
from rag.retrieval.model_folders import ATTENTION_MASK, EMBEDDING, INPUT_IDS, TOKEN_VECTORS
from rag.retrieval.openvino_runtime import opset13 as ops
from rag.retrieval.openvino_runtime import ov
from rag.setup.packed_weights import ModelShape

_Node = Any  # openvino has no type hints for what its operations return
_SQUARED_SUM_FLOOR = 1e-12
_LARGEST_INT8 = 127
_FAR_BELOW = 65504.0  # the largest float16, so that no precision overflows


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
        results = {EMBEDDING: ops.result(_mean_of_length_one(hidden, keep)), TOKEN_VECTORS: ops.result(hidden)}
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


def _mean_of_length_one(hidden: _Node, keep: _Node) -> _Node:
    """Average over the kept tokens and scale to length 1; the mean's divisor would cancel out, so it is left away."""
    total = ops.reduce_sum(ops.multiply(hidden, ops.unsqueeze(keep, _axes(2))), _axes(1))
    return ops.normalize_l2(total, _axes(1), _SQUARED_SUM_FLOOR, "add")


def _axes(*values: int) -> _Node:
    return ops.constant(np.array(values, dtype=np.int64))


def _integer(value: int) -> _Node:
    return ops.constant(np.int64(value))


def _scalar(value: float) -> _Node:
    return ops.constant(np.float32(value))
