"""A model's weights from its GGUF file, as torch and transformers want them, and back.

Two architectures: ``qwen2`` (Qwen2.5, DeepSeek-R1's Qwen distills) and ``llama`` (its Llama distills).  Their tensors
have other names in a GGUF file, and llama's queries and keys another order of rows: llama.cpp turns neighbouring
numbers, transformers those of two halves (``LlamaModel.permute`` in convert_hf_to_gguf.py).
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnfit
from rag.ollama.gguf import GgufHeader, Tensor
from rag.ollama.reconstruct import dequantized_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ARCHITECTURES = ("qwen2", "llama")

_OF_MODEL = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_OF_LAYER = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}  # fmt: skip
TUNED = ("attn_q", "attn_k", "attn_v", "attn_output")
"""What LoRA adds to: the attention's four matrices of every layer."""

TUNED_MODULES = tuple(_OF_LAYER[name].rpartition(".")[2] for name in TUNED)
_LAYER_TENSOR = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")
_TUNED_PARAMETER = re.compile(r"layers\.(\d{1,5})\.(\w{1,40}\.\w{1,40})\.lora_([AB])\.")
_ROPE_FACTORS = "rope_freqs.weight"


def require_architecture(model: str, metadata: Mapping[str, object]) -> str:
    """Return a model's architecture.  Raises ``ModelUnfit`` where it cannot be trained here."""
    architecture = str(metadata.get("general.architecture", ""))
    if architecture not in ARCHITECTURES:
        raise ModelUnfit(model=model, reason="train_architecture", what=architecture or "?")
    scaling = str(metadata.get(f"{architecture}.rope.scaling.type", "none"))
    if scaling != "none":
        raise ModelUnfit(model=model, reason="train_architecture", what=f"{architecture}, {scaling}")
    return architecture


def training_memory_bytes(header: GgufHeader) -> int:
    """Return the memory that training needs, roughly.

    Two bytes a weight, as many again of the largest matrix while it is read, and 2.5 GB for torch, the activations and
    the optimizer: 4 GB at 0.5 billion weights.
    """
    weights = sum(tensor.elements for tensor in header.tensors)
    largest = max(tensor.elements for tensor in header.tensors)
    return 2 * weights + 4 * largest + 2_500_000_000


def load_model(header: GgufHeader) -> "PreTrainedModel":
    """Return the model in bfloat16.

    Raises ``ModelUnfit`` where the architecture or one of its tensors is not known.
    """
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM

    architecture = require_architecture(header.path.name, header.metadata)
    with init_empty_weights(include_buffers=False):
        kinds: Any = AutoModelForCausalLM  # untyped
        model = kinds.from_config(_configuration(architecture, header))
    heads = {"attn_q": _number(header, "attention.head_count"), "attn_k": _number(header, "attention.head_count_kv")}
    state: dict[str, torch.Tensor] = {}
    factors = None
    with header.path.open("rb") as file:
        for tensor in header.tensors:
            file.seek(header.data_start + tensor.offset)
            values = np.concatenate(list(dequantized_rows(tensor, file)))
            values = values.reshape(tensor.shape[::-1])
            name, part = _transformers_name(header, tensor)
            if tensor.name == _ROPE_FACTORS:
                factors = torch.from_numpy(values)
            elif architecture == "llama" and part in heads:
                values = to_halves(values, heads[part])
            if name:
                state[name] = torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16)
    if "lm_head.weight" not in state:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, assign=True)
    if factors is not None:
        model.model.rotary_emb.inv_freq = model.model.rotary_emb.inv_freq / factors
    found: PreTrainedModel = model
    return found


def _configuration(architecture: str, header: GgufHeader) -> Any:  # noqa: ANN401 - transformers imports it when asked
    from transformers import LlamaConfig, Qwen2Config

    embedding, heads = _number(header, "embedding_length"), _number(header, "attention.head_count")
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    head_width = header.metadata.get(f"{architecture}.attention.key_length", embedding // heads)
    return {"qwen2": Qwen2Config, "llama": LlamaConfig}[architecture](
        vocab_size=shapes["token_embd.weight"][-1],
        hidden_size=embedding,
        intermediate_size=_number(header, "feed_forward_length"),
        num_hidden_layers=_number(header, "block_count"),
        num_attention_heads=heads,
        num_key_value_heads=_number(header, "attention.head_count_kv"),
        head_dim=head_width,
        max_position_embeddings=_number(header, "context_length"),
        rms_norm_eps=header.metadata[f"{architecture}.attention.layer_norm_rms_epsilon"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": header.metadata.get(f"{architecture}.rope.freq_base", 10_000.0),
        },
        tie_word_embeddings="output.weight" not in shapes,
        use_cache=False,
    )


def _number(header: GgufHeader, name: str) -> int:
    value = header.metadata.get(f"{header.metadata['general.architecture']}.{name}")
    if not isinstance(value, int):
        raise ModelUnfit(model=header.path.name, reason="shape", what=name)
    return value


def _transformers_name(header: GgufHeader, tensor: Tensor) -> tuple[str, str]:
    """Return a tensor's name in transformers, empty where it has none there, and its part of a layer."""
    if tensor.name == _ROPE_FACTORS:
        return "", ""
    found = _LAYER_TENSOR.fullmatch(tensor.name)
    if found is not None and found[2] in _OF_LAYER:
        return f"model.layers.{found[1]}.{_OF_LAYER[found[2]]}.{found[3]}", found[2]
    name, _, kind = tensor.name.rpartition(".")
    if name not in _OF_MODEL:
        raise ModelUnfit(model=header.path.name, reason="train_architecture", what=tensor.name)
    return f"{_OF_MODEL[name]}.{kind}", name


def to_halves(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return llama's rows [heads x width, ...] in transformers' order: of each head the even ones, then the odd ones.

    >>> to_halves(np.arange(8.0, dtype=np.float32), heads=2).astype(int).tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    width = rows.shape[0] // heads
    return rows.reshape(heads, width // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def to_pairs(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return transformers' rows in llama.cpp's order; inverts ``to_halves``.

    >>> to_pairs(to_halves(np.arange(8.0, dtype=np.float32), heads=2), heads=2).astype(int).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def low_rank_factors(
    header: GgufHeader, parameters: Mapping[str, NDArray[np.float32]]
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return A [rank, inputs] and B [outputs, rank] of each tuned tensor by its name in the file, in its order of rows.

    ``parameters`` are those of ``eval.train.lora``, by PEFT's names.
    """
    parts = {module: part for part, module in _OF_LAYER.items()}
    halves: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in parameters.items():
        found = _TUNED_PARAMETER.search(name)
        if found is None:
            raise ValueError(f"no LoRA matrix of a layer: {name}")
        halves.setdefault(f"blk.{found[1]}.{parts[found[2]]}.weight", {})[found[3]] = values
    is_llama = header.metadata["general.architecture"] == "llama"
    heads = {"attn_q": "attention.head_count", "attn_k": "attention.head_count_kv"}
    factors = {}
    for tensor, pair in halves.items():
        part = tensor.split(".")[2]
        outputs = to_pairs(pair["B"], _number(header, heads[part])) if is_llama and part in heads else pair["B"]
        factors[tensor] = (pair["A"], outputs)
    return factors
