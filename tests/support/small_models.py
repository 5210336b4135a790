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
