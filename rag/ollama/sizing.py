"""Computes a model's memory and how many slots fit, from the numbers of its header.

    weights   the sum of its tensors
    KV cache  2 (keys and values) x layers x KV heads x numbers a head x context x slots x bytes a number
    buffers   4 bytes x tokens of a batch x (embedding + vocabulary), which is what llama.cpp sets aside with flash
              attention; without it, also the attention scores of a batch: 4 x batch x context x slots x heads

What ``/api/ps`` says is less on a CPU: Ollama 0.24 counts neither the input embedding nor the buffers there
(llm/server.go, llamaServer.Load).  Both figures are given, so that the arithmetic can be checked against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.errors import ModelUnfit
from rag.ollama.gguf import Tensor

BATCH_TOKENS = 512  # Ollama's num_batch
_FLOAT_BYTES = 4
KV_BYTES: Mapping[str, float] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32, "f32": 4.0}
"""Bytes a number of the KV cache, by OLLAMA_KV_CACHE_TYPE; quantized ones are blocks of 32 with a scale."""

_K_BLOCK = 256
_FALLBACK = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}  # where a row is no multiple of a K block


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The shape of a model.  ``kv_heads`` has one number a layer; ``quantization`` as Ollama names it."""

    name: str
    architecture: str
    quantization: str
    layers: int
    heads: int
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    embedding: int
    vocabulary: int
    trained_context: int
    tensors: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, name: str, metadata: Mapping[str, object], tensors: Sequence[Tensor], quantization: str
    ) -> "ModelShape":
        """Read a header's numbers.  Raises ``ModelUnfit`` naming the one that is missing."""
        architecture = str(metadata.get("general.architecture", ""))
        numbers = _Numbers(name, architecture, metadata)
        layers, embedding = numbers.of("block_count"), numbers.of("embedding_length")
        heads = max(numbers.list_of("attention.head_count"))
        shared = numbers.list_of("attention.head_count_kv", heads)
        by_name = {tensor.name: tensor for tensor in tensors}
        if "token_embd.weight" not in by_name:
            raise ModelUnfit(model=name, reason="shape", what="token_embd.weight")
        return cls(
            name=name,
            architecture=architecture,
            quantization=quantization,
            layers=layers,
            heads=heads,
            kv_heads=tuple(shared) if len(shared) == layers else tuple([shared[0]] * layers),
            key_length=numbers.of("attention.key_length", embedding // heads),
            value_length=numbers.of("attention.value_length", embedding // heads),
            embedding=embedding,
            vocabulary=by_name["token_embd.weight"].shape[-1],
            trained_context=numbers.of("context_length", 0),
            tensors=tuple(tensors),
        )

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def weights_bytes(self) -> int:
        """All tensors, in the file and in memory."""
        return sum(tensor.size_bytes for tensor in self.tensors)

    @property
    def counted_weights_bytes(self) -> int:
        """The tensors that ``/api/ps`` counts: layers, the last norm, and the output, or the embedding in its place."""
        names = {tensor.name for tensor in self.tensors}
        output = "output.weight" if "output.weight" in names else "token_embd.weight"
        return sum(
            tensor.size_bytes
            for tensor in self.tensors
            if tensor.name.startswith(("blk.", "output_norm.")) or tensor.name == output
        )


@dataclass(frozen=True, slots=True)
class _Numbers:
    name: str
    architecture: str
    metadata: Mapping[str, object]

    def of(self, key: str, otherwise: int | None = None) -> int:
        found = self.list_of(key, otherwise)
        return found[0]

    def list_of(self, key: str, otherwise: int | None = None) -> list[int]:
        found = self.metadata.get(f"{self.architecture}.{key}", otherwise)
        values = found if isinstance(found, list) else [found]
        if not values or not all(isinstance(one, int) and one >= 0 for one in values):
            raise ModelUnfit(model=self.name, reason="shape", what=f"{self.architecture or '?'}.{key}")
        return [int(str(one)) for one in values]


@dataclass(frozen=True, slots=True)
class Serving:
    """How the server is set: tokens of one slot's context, slots, the KV cache's numbers, flash attention, on a GPU."""

    context_tokens: int
    slots: int
    kv_type: str = "f16"
    flash_attention: bool = True
    on_gpu: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a served model, in bytes; ``ps_bytes`` is the size in ``/api/ps``."""

    weights_bytes: int
    kv_bytes: int
    buffer_bytes: int
    ps_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.kv_bytes + self.buffer_bytes


def memory_of(shape: ModelShape, serving: Serving) -> Memory:
    """Return the memory of a served model; a context beyond the trained one is cut to it, as Ollama does."""
    kv = kv_bytes(shape, serving)
    buffers = buffer_bytes(shape, serving)
    counted = shape.counted_weights_bytes + kv + (_counted_graph_bytes(shape, serving) if serving.on_gpu else 0)
    return Memory(shape.weights_bytes, kv, buffers, counted)


def context_of(shape: ModelShape, serving: Serving) -> int:
    """Return the tokens of a slot: no more than the model was trained for."""
    return min(serving.context_tokens, shape.trained_context or serving.context_tokens)


def kv_bytes(shape: ModelShape, serving: Serving) -> int:
    """Return the bytes of the KV cache of all slots."""
    numbers = sum(shape.kv_heads) * (shape.key_length + shape.value_length)
    return int(numbers * context_of(shape, serving) * serving.slots * KV_BYTES.get(serving.kv_type, 2.0))


def buffer_bytes(shape: ModelShape, serving: Serving) -> int:
    """Return the memory for computing a batch, and for the slots' outputs."""
    batch = min(BATCH_TOKENS, context_of(shape, serving))
    scores = 0 if serving.flash_attention else batch * context_of(shape, serving) * serving.slots * shape.heads
    outputs = serving.slots * shape.vocabulary
    return _FLOAT_BYTES * (max(batch * (shape.embedding + shape.vocabulary), scores) + outputs)


def _counted_graph_bytes(shape: ModelShape, serving: Serving) -> int:
    """Return Ollama's own estimate of a GPU's computing memory, without flash attention, as in ``/api/ps``.

    Its formulas for llama and qwen2 (fs/ggml/ggml.go, GraphSize); for others a sixth of the cache for each query head
    that shares a KV head.
    """
    batch, context = min(BATCH_TOKENS, context_of(shape, serving)), context_of(shape, serving) * serving.slots
    embedding, heads = shape.embedding, shape.heads
    vocabulary = _FLOAT_BYTES * batch * (embedding + shape.vocabulary)
    if shape.architecture == "qwen2":
        return max(vocabulary, _FLOAT_BYTES * batch * (1 + 2 * embedding + context * (1 + heads)))
    if shape.architecture == "llama":
        return max(vocabulary, _FLOAT_BYTES * batch * (1 + 4 * embedding + context * (1 + heads)))
    return heads // max(min(shape.kv_heads), 1) * kv_bytes(shape, serving) // 6


def slots_that_fit(shape: ModelShape, serving: Serving, budget_bytes: int) -> int:
    """Return the number of slots of this context that fit into the budget, at least 0."""
    one = memory_of(shape, _with_slots(serving, 1)).total_bytes
    two = memory_of(shape, _with_slots(serving, 2)).total_bytes
    return 0 if one > budget_bytes else 1 + (budget_bytes - one) // (two - one)


def _with_slots(serving: Serving, slots: int) -> Serving:
    return Serving(serving.context_tokens, slots, serving.kv_type, serving.flash_attention, serving.on_gpu)


def requantized(shape: ModelShape, kind: str) -> ModelShape:
    """Return the shape of the same model when Ollama makes ``kind`` of it: ``F16``, ``q8_0``, ``q4_K_M``, ``q4_K_S``.

    The rules are server/quantization.go's, for dense models: some tensors get more bits, rows that are no multiple of
    a block get a simpler kind.  ``q4_0`` is ours (``rag.ollama.reconstruct``): 8 bits where Q4_K_M gives more than 4.
    """
    tensors = tuple(
        Tensor(tensor.name, _new_kind(tensor, shape, kind.upper()), tensor.shape) for tensor in shape.tensors
    )
    values = {name: getattr(shape, name) for name in ModelShape.__slots__}
    return ModelShape(**{**values, "tensors": tensors, "quantization": kind.upper()})


def _new_kind(tensor: Tensor, shape: ModelShape, kind: str) -> str:
    if len(tensor.shape) < 2 or not tensor.name.endswith("weight") or "_norm" in tensor.name:
        return tensor.kind
    if kind in ("F16", "BF16"):
        return kind
    if kind == "Q4_0" and tensor.shape[0] % 32 == 0:
        return "Q4_0" if _k_kind(tensor.name, shape, "Q4_K_M") == "Q4_K" else "Q8_0"
    wanted = "Q8_0" if kind == "Q8_0" else _k_kind(tensor.name, shape, kind)
    if wanted != "Q8_0" and tensor.shape[0] % _K_BLOCK:
        wanted = _FALLBACK[wanted]
    return wanted if tensor.shape[0] % 32 == 0 else "F16"


def _k_kind(name: str, shape: ModelShape, kind: str) -> str:
    has_output = any(tensor.name == "output.weight" for tensor in shape.tensors)
    if name == "output.weight" or (not has_output and name == "token_embd.weight"):
        return "Q6_K"
    layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
    sensitive = "attn_v.weight" in name or "ffn_down" in name
    if kind == "Q4_K_M" and sensitive and _gets_more_bits(layer, shape.layers):
        return "Q6_K"
    if kind == "Q4_K_M" and "attn_qkv.weight" in name:
        return "Q5_K"
    first = 4 if "attn_v.weight" in name else shape.layers // 8
    return "Q5_K" if kind == "Q4_K_S" and sensitive and layer < first else "Q4_K"


def _gets_more_bits(layer: int, layers: int) -> bool:
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
