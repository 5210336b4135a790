"""Models and adapters that are small enough to be made in a test, as others' programs would write them."""

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

_HIDDEN, _LAYERS, _HEADS, _KV_HEADS, _FORWARD = 256, 2, 4, 2, 512


def write_safetensors_folder(folder: Path) -> Path:
    """Write a Qwen2 model with random weights, as Hugging Face's libraries lay it out."""
    folder.mkdir()
    vocabulary = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    vocabulary |= {"<|im_start|>": 256, "<|im_end|>": 257, "th": 258}
    Tokenizer(BPE(vocabulary, [("t", "h")])).save(str(folder / "tokenizer.json"))
    chat = {"chat_template": "<|im_start|>{{ role }}", "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(chat), encoding="utf-8")
    configuration = {
        "architectures": ["Qwen2ForCausalLM"], "hidden_size": _HIDDEN, "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS, "num_key_value_heads": _KV_HEADS, "intermediate_size": _FORWARD,
        "vocab_size": len(vocabulary), "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
        "eos_token_id": 257, "bos_token_id": 256,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    save_file(_weights(len(vocabulary)), folder / "model.safetensors")
    return folder


def _weights(vocabulary: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    key_width = _HIDDEN // _HEADS * _KV_HEADS
    shapes = {"model.embed_tokens.weight": (vocabulary, _HIDDEN), "lm_head.weight": (vocabulary, _HIDDEN)}
    for number in range(_LAYERS):
        layer = f"model.layers.{number}"
        for name, width in (("q", _HIDDEN), ("k", key_width), ("v", key_width)):
            shapes[f"{layer}.self_attn.{name}_proj.weight"] = (width, _HIDDEN)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (_HIDDEN, _HIDDEN)
        shapes |= {f"{layer}.mlp.{name}_proj.weight": (_FORWARD, _HIDDEN) for name in ("gate", "up")}
        shapes[f"{layer}.mlp.down_proj.weight"] = (_HIDDEN, _FORWARD)
    weights = {name: chance.normal(0, 0.05, shape).astype(np.float16) for name, shape in shapes.items()}
    for number in range(_LAYERS):
        layer = f"model.layers.{number}"
        for name, width in (("q", _HIDDEN), ("k", key_width), ("v", key_width)):
            weights[f"{layer}.self_attn.{name}_proj.bias"] = np.zeros(width, np.float16)
        weights |= {f"{layer}.{name}_layernorm.weight": np.ones(_HIDDEN, np.float16) for name in _NORMS}
    return weights | {"model.norm.weight": np.ones(_HIDDEN, np.float16)}


_NORMS = ("input", "post_attention")


def write_adapter(path: Path, architecture: str, width: int, rank: int = 4) -> Path:
    """Write a LoRA adapter that turns every query of the first layer upside down, as llama.cpp's converter would."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 64.0)
    chance = np.random.default_rng(0)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", chance.normal(0, 1, (rank, width)).astype(np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", chance.normal(0, 1, (width, rank)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


VISION_TEMPLATE = "{{ range .Messages }}{{ .Content }} {{ end }}"
"""A chat format for ``write_vision_model``'s model: Ollama puts a message's pictures before its words."""

_WIDTH, _SIGHT, _PATCH, _IMAGE = 128, 64, 14, 112
_IMAGE_TOKENS = {10: "[IMG]", 12: "[IMG_BREAK]", 13: "[IMG_END]"}  # model/models/mistral3/model.go of Ollama 0.24


def write_vision_model(path: Path) -> Path:
    """Write a model of the architecture ``mistral3`` with random weights, 1 MB: it is shown pictures and speaks noise.

    Two layers for text and one for pictures.  Of all architectures that Ollama 0.24 runs by itself this one has its
    image tokens at the beginning, so a vocabulary of the letters will do.
    """
    letters = [*sorted(ByteLevel.alphabet())]
    special = ["<unk>", "<s>", "</s>", *(f"<special_{number}>" for number in range(3, 14))]
    for number, name in _IMAGE_TOKENS.items():
        special[number] = name
    tokens = [*special, *letters, "th"]
    writer = gguf.GGUFWriter(path, "mistral3")
    for name, count in _VISION_COUNTS.items():
        writer.add_uint32(f"mistral3.{name}", count)
    writer.add_float32("mistral3.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_float32("mistral3.rope.freq_base", 1e6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control] * len(special) + [normal] * (len(tokens) - len(special)))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    _write_weights(writer, _vision_shapes(len(tokens)), 0.2)
    return path


def _write_weights(writer: gguf.GGUFWriter, shapes: dict[str, tuple[int, ...]], deviation: float) -> None:
    """Draw the weights, and write the file."""
    chance = np.random.default_rng(0)
    for name, shape in shapes.items():
        weight = np.ones(shape) if name.endswith("norm.weight") else chance.normal(0, deviation, shape)
        writer.add_tensor(name, weight.astype(np.float32 if len(shape) == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_VISION_COUNTS = {
    "block_count": 2, "context_length": 4096, "embedding_length": _WIDTH, "feed_forward_length": 256,
    "attention.head_count": 2, "attention.head_count_kv": 2, "attention.key_length": 64, "attention.value_length": 64,
    "rope.dimension_count": 64, "vision.block_count": 1, "vision.embedding_length": _SIGHT,
    "vision.attention.head_count": 1, "vision.attention.key_length": 64, "vision.feed_forward_length": 128,
    "vision.image_size": _IMAGE, "vision.longest_edge": _IMAGE, "vision.patch_size": _PATCH, "vision.num_channels": 3,
    "spatial_merge_size": 2,
}  # fmt: skip


def _vision_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors' shapes, as NumPy has them: [rows, columns]."""
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, _WIDTH), "output_norm.weight": (_WIDTH,)}
    for prefix, layers, width, forward in (("", 2, _WIDTH, 256), ("v.", 1, _SIGHT, 128)):
        for number in range(layers):
            layer = f"{prefix}blk.{number}"
            shapes |= {f"{layer}.attn_{name}.weight": (width, width) for name in ("q", "k", "v", "output")}
            shapes |= {f"{layer}.ffn_{name}.weight": (forward, width) for name in ("gate", "up")}
            shapes |= {f"{layer}.ffn_down.weight": (width, forward)}
            shapes |= {f"{layer}.{name}_norm.weight": (width,) for name in ("attn", "ffn")}
    return shapes | {
        "v.patch_conv.weight": (_SIGHT, 3, _PATCH, _PATCH),
        "v.encoder_norm.weight": (_SIGHT,),
        "mm.norm.weight": (_SIGHT,),
        "mm.patch_merger.merging_layer.weight": (_SIGHT, 4 * _SIGHT),
        "mm.linear_1.weight": (_WIDTH, _SIGHT),
        "mm.linear_2.weight": (_WIDTH, _WIDTH),
    }


TUNABLE_LETTERS = sorted(ByteLevel.alphabet())
_CHAT_MARKS = {
    "qwen2": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "llama": (
        "<｜begin▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<｜end▁of▁sentence｜>",
        "<think>",
        "</think>",
    ),
}
_TUNABLE_WIDTH, _TUNABLE_FORWARD, _TUNABLE_HEADS, _TUNABLE_KV_HEADS, _TUNABLE_LAYERS = 64, 128, 4, 2, 2


def write_tunable_model(path: Path, architecture: str = "qwen2", **changes: str) -> Path:
    """Write a model of ``qwen2`` or ``llama`` with random weights and a vocabulary of letters, 400 KB.

    ``changes`` replace texts of its header.
    """
    marks = _CHAT_MARKS[architecture]
    writer = gguf.GGUFWriter(path, changes.pop("arch", architecture))
    writer.add_context_length(2048)
    writer.add_embedding_length(_TUNABLE_WIDTH)
    writer.add_feed_forward_length(_TUNABLE_FORWARD)
    writer.add_block_count(_TUNABLE_LAYERS)
    writer.add_head_count(_TUNABLE_HEADS)
    writer.add_head_count_kv(_TUNABLE_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(_TUNABLE_WIDTH // _TUNABLE_HEADS)
    writer.add_file_type(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(changes.pop("pre", {"qwen2": "qwen2", "llama": "llama-bpe"}[architecture]))
    writer.add_token_list([*TUNABLE_LETTERS, "th", "Ġth", *marks])
    normal = len(TUNABLE_LETTERS) + 2
    writer.add_token_types([gguf.TokenType.NORMAL] * normal + [gguf.TokenType.CONTROL] * len(marks))
    writer.add_token_merges(["t h", "Ġ th"])
    writer.add_bos_token_id(normal)
    writer.add_eos_token_id(normal + {"qwen2": 2, "llama": 3}[architecture])
    writer.add_chat_template({"qwen2": "<|im_start|>", "llama": "<｜Assistant｜>"}[architecture])
    for key, value in changes.items():
        writer.add_string(key.replace("__", "."), value)
    _write_weights(writer, _tunable_shapes(normal + len(marks), architecture), 0.15)
    return path


def _tunable_shapes(vocabulary: int, architecture: str) -> dict[str, tuple[int, ...]]:
    """Return the tensors' shapes, as NumPy has them: [rows, columns]; the output is the embedding again."""
    width, keys = _TUNABLE_WIDTH, _TUNABLE_WIDTH // _TUNABLE_HEADS * _TUNABLE_KV_HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, width), "output_norm.weight": (width,)}
    for number in range(_TUNABLE_LAYERS):
        layer = f"blk.{number}"
        rows = {"attn_q": width, "attn_k": keys, "attn_v": keys, "attn_output": width}
        shapes |= {f"{layer}.{name}.weight": (count, width) for name, count in rows.items()}
        if architecture == "qwen2":
            shapes |= {f"{layer}.{name}.bias": (rows[name],) for name in ("attn_q", "attn_k", "attn_v")}
        shapes |= {f"{layer}.ffn_{name}.weight": (_TUNABLE_FORWARD, width) for name in ("gate", "up")}
        shapes |= {f"{layer}.ffn_down.weight": (width, _TUNABLE_FORWARD)}
        shapes |= {f"{layer}.{name}_norm.weight": (width,) for name in ("attn", "ffn")}
    return shapes
