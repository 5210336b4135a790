"""The arithmetic of memory, against numbers worked out by hand and those of a published model."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelUnfit
from rag.ollama.gguf import Tensor
from rag.ollama.sizing import (
    ModelShape,
    Serving,
    buffer_bytes,
    kv_bytes,
    memory_of,
    requantized,
    slots_that_fit,
)

SMALL = {
    "general.architecture": "qwen2",
    "qwen2.block_count": 2,
    "qwen2.context_length": 2048,
    "qwen2.embedding_length": 512,
    "qwen2.attention.head_count": 8,
    "qwen2.attention.head_count_kv": 2,
}
TENSORS = (
    Tensor("token_embd.weight", "F16", (512, 1000)),
    Tensor("output.weight", "F16", (512, 1000)),
    Tensor("output_norm.weight", "F32", (512,)),
    Tensor("blk.0.attn_v.weight", "F16", (512, 128)),
    Tensor("blk.1.ffn_down.weight", "F16", (1024, 512)),
    Tensor("blk.1.attn_norm.weight", "F32", (512,)),
)


def shape(tensors: tuple[Tensor, ...] = TENSORS, **changes: object) -> ModelShape:
    return ModelShape.of("small", {**SMALL, **changes}, tensors, "F16")


def test_the_shape_is_the_headers() -> None:
    found = shape()
    assert (found.layers, found.heads, found.kv_heads, found.key_length) == (2, 8, (2, 2), 64)
    assert found.vocabulary == 1000
    assert found.parameters == 2 * 512_000 + 512 + 512 * 128 + 1024 * 512 + 512
    assert shape(**{"qwen2.attention.key_length": 128}).key_length == 128
    assert shape(**{"qwen2.attention.head_count_kv": [1, 4]}).kv_heads == (1, 4)


@pytest.mark.parametrize("missing", ["qwen2.block_count", "qwen2.embedding_length", "qwen2.attention.head_count"])
def test_a_number_that_is_missing_is_named(missing: str) -> None:
    metadata = {key: value for key, value in SMALL.items() if key != missing}
    with pytest.raises(ModelUnfit, match=missing):
        ModelShape.of("small", metadata, TENSORS, "F16")
    with pytest.raises(ModelUnfit, match="token_embd"):
        shape(TENSORS[1:])


def test_the_cache_is_keys_and_values_of_every_slot() -> None:
    serving = Serving(context_tokens=1024, slots=3)
    assert kv_bytes(shape(), serving) == 2 * 2 * 2 * 64 * 1024 * 3 * 2
    assert kv_bytes(shape(), replace(serving, kv_type="q8_0")) == 2 * 2 * 2 * 64 * 1024 * 3 * 34 // 32
    assert kv_bytes(shape(**{"qwen2.attention.head_count_kv": [1, 4]}), serving) == 2 * 5 * 64 * 1024 * 3 * 2


def test_no_context_is_longer_than_the_trained_one() -> None:
    long, trained = Serving(100_000, 1), Serving(2048, 1)
    assert kv_bytes(shape(), long) == kv_bytes(shape(), trained)


def test_buffers_hold_a_batchs_outputs_or_its_scores() -> None:
    serving = Serving(2048, 2)
    assert buffer_bytes(shape(), serving) == 4 * (512 * (512 + 1000) + 2 * 1000)
    scores = buffer_bytes(shape(), replace(serving, flash_attention=False))
    assert scores == 4 * (512 * 2048 * 2 * 8 + 2 * 1000)


def test_what_ps_says_leaves_out_the_input_embedding_on_a_cpu() -> None:
    serving = Serving(1024, 1)
    memory = memory_of(shape(), serving)
    assert memory.weights_bytes - (memory.ps_bytes - memory.kv_bytes) == 512_000 * 2
    assert memory.total_bytes == memory.weights_bytes + memory.kv_bytes + memory.buffer_bytes
    tied = shape(tuple(tensor for tensor in TENSORS if tensor.name != "output.weight"))
    assert memory_of(tied, serving).ps_bytes == tied.weights_bytes + memory.kv_bytes


def test_a_gpus_figure_has_ollamas_own_estimate_of_the_graph() -> None:
    serving = Serving(1024, 2, on_gpu=True)
    graph = memory_of(shape(), serving).ps_bytes - memory_of(shape(), replace(serving, on_gpu=False)).ps_bytes
    assert graph == 4 * 512 * (1 + 2 * 512 + 2048 * 9)


def test_kinds_by_tensor() -> None:
    kinds = {tensor.name: tensor.kind for tensor in requantized(shape(), "q4_K_M").tensors}
    assert kinds == {
        "token_embd.weight": "Q4_K",
        "output.weight": "Q6_K",
        "output_norm.weight": "F32",
        "blk.0.attn_v.weight": "Q4_K",  # layer 0 of 2: neither the first nor the last eighth
        "blk.1.ffn_down.weight": "Q6_K",
        "blk.1.attn_norm.weight": "F32",
    }
    narrow = shape((Tensor("token_embd.weight", "F16", (96, 10)), Tensor("blk.0.ffn_up.weight", "F16", (96, 8))))
    assert [tensor.kind for tensor in requantized(narrow, "q4_K_M").tensors] == ["Q8_0", "Q5_0"]
    assert {tensor.kind for tensor in requantized(shape(), "q8_0").tensors} == {"Q8_0", "F32"}


def deepseek_r1_7b() -> ModelShape:
    """The tensors of Qwen2-7B, of which DeepSeek-R1's 7B is a distill (config.json: 28 layers, 3584, 18944, 152064)."""
    layer = {"attn_q": (3584, 3584), "attn_k": (3584, 512), "attn_v": (3584, 512), "attn_output": (3584, 3584)}
    layer |= {"ffn_gate": (3584, 18944), "ffn_up": (3584, 18944), "ffn_down": (18944, 3584)}
    tensors = [Tensor(name, "F16", (3584, 152064)) for name in ("token_embd.weight", "output.weight")]
    tensors += [Tensor(f"blk.{n}.{name}.weight", "F16", size) for n in range(28) for name, size in layer.items()]
    metadata = {
        "general.architecture": "qwen2",
        "qwen2.block_count": 28,
        "qwen2.context_length": 131072,
        "qwen2.embedding_length": 3584,
        "qwen2.attention.head_count": 28,
        "qwen2.attention.head_count_kv": 4,
    }
    return ModelShape.of("deepseek-r1:7b", metadata, tensors, "F16")


def test_published_sizes_of_a_7b_are_met() -> None:
    """Ollama's registry shows 15, 8.1 and 4.7 GB for the 7B in fp16, q8_0 and q4_K_M."""
    whole = deepseek_r1_7b()
    assert whole.parameters == pytest.approx(7.615e9, rel=0.001)
    assert whole.weights_bytes == pytest.approx(15.2e9, rel=0.01)
    assert requantized(whole, "q8_0").weights_bytes == pytest.approx(8.1e9, rel=0.01)
    assert requantized(whole, "q4_K_M").weights_bytes == pytest.approx(4.68e9, rel=0.01)
    assert kv_bytes(whole, Serving(4096, 4)) == 2 * 28 * 4 * 128 * 4096 * 4 * 2


@pytest.mark.slow
@given(budget=st.integers(0, 10**9), context=st.integers(512, 2048))
def test_as_many_slots_as_fit_and_no_more(budget: int, context: int) -> None:
    serving = Serving(context, 1)
    slots = slots_that_fit(shape(), serving, budget)
    if slots:
        assert memory_of(shape(), replace(serving, slots=slots)).total_bytes <= budget
    assert memory_of(shape(), replace(serving, slots=slots + 1)).total_bytes > budget
