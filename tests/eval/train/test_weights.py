"""Weights come into torch as they are in the file, and an adapter goes back in the file's order of rows."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from eval.train.weights import load_model, low_rank_factors, require_architecture, to_halves, to_pairs
from rag.errors import ModelUnfit
from rag.ollama.gguf import read_header
from rag.ollama.reconstruct import merge_f16, write_adapter
from tests.support.small_models import write_tunable_model

pytestmark = pytest.mark.slow  # torch takes seconds to import


def test_other_architectures_are_refused() -> None:
    with pytest.raises(ModelUnfit, match="qwen3"):
        require_architecture("m", {"general.architecture": "qwen3"})
    with pytest.raises(ModelUnfit, match="yarn"):
        require_architecture("m", {"general.architecture": "llama", "llama.rope.scaling.type": "yarn"})


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_the_model_computes_from_the_files_numbers(architecture: str, tmp_path: Path) -> None:
    path = write_tunable_model(tmp_path / "m.gguf", architecture)
    model = load_model(read_header(path))
    stored = {one.name: np.asarray(one.data, np.float32) for one in gguf.GGUFReader(path).tensors}
    state = {name: value.float().numpy() for name, value in model.state_dict().items()}
    keys = stored["blk.1.attn_k.weight"]
    wanted = to_halves(keys, heads=2) if architecture == "llama" else keys
    assert np.allclose(state["model.layers.1.self_attn.k_proj.weight"], wanted, rtol=0.01)
    assert np.allclose(state["model.layers.0.mlp.down_proj.weight"], stored["blk.0.ffn_down.weight"], rtol=0.01)
    assert np.array_equal(state["lm_head.weight"], state["model.embed_tokens.weight"])


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_merging_adds_the_product_in_the_files_order_of_rows(architecture: str, tmp_path: Path) -> None:
    path = write_tunable_model(tmp_path / "m.gguf", architecture)
    header, chance = read_header(path), np.random.default_rng(0)
    inner, outer = (chance.normal(0, 1, shape).astype(np.float32) for shape in ((4, 64), (64, 4)))
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_{}.default.weight"
    factors = low_rank_factors(header, {name.format("A"): inner, name.format("B"): outer})
    assert list(factors) == ["blk.1.attn_q.weight"]
    merge_f16(path, tmp_path / "merged.gguf", factors, 0.5, "team:1", lambda done, total: None)
    before, after = (
        {one.name: np.asarray(one.data, np.float32) for one in gguf.GGUFReader(file).tensors}
        for file in (path, tmp_path / "merged.gguf")
    )
    added = after["blk.1.attn_q.weight"] - before["blk.1.attn_q.weight"]
    product = 0.5 * outer @ inner
    assert np.allclose(added, to_pairs(product, heads=4) if architecture == "llama" else product, atol=0.01)
    assert np.array_equal(after["blk.0.attn_q.weight"], before["blk.0.attn_q.weight"])
    merged = read_header(tmp_path / "merged.gguf")
    assert merged.metadata["answerdesk.merged_from"] == "team:1"
    assert "general.reconstructed_from" not in merged.metadata


def test_an_adapter_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_tunable_model(tmp_path / "m.gguf")
    wrong = {"blk.0.attn_k.weight": (np.ones((4, 64), np.float32), np.ones((64, 4), np.float32))}
    with pytest.raises(ModelUnfit, match=r"blk\.0\.attn_k\.weight"):
        merge_f16(path, tmp_path / "merged.gguf", wrong, 1.0, "m", lambda done, total: None)
    assert [one.name for one in tmp_path.iterdir()] == ["m.gguf"]


def test_the_adapters_file_is_as_llama_cpp_reads_it(tmp_path: Path) -> None:
    factors = {"blk.0.attn_q.weight": (np.ones((4, 64), np.float32), np.zeros((64, 4), np.float32))}
    write_adapter(tmp_path / "a.gguf", "qwen2", factors, 16)
    header = read_header(tmp_path / "a.gguf")
    assert header.kind == "adapter"
    assert header.metadata["adapter.lora.alpha"] == 16.0
    assert {one.name: one.shape for one in header.tensors} == {
        "blk.0.attn_q.weight.lora_a": (64, 4),
        "blk.0.attn_q.weight.lora_b": (4, 64),
    }
    read = {one.name: one.data for one in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    assert np.array_equal(read["blk.0.attn_q.weight.lora_a"], factors["blk.0.attn_q.weight"][0])
