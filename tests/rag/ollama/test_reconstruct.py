"""An F16 file of a quantized one."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from rag.errors import ModelUnfit
from rag.ollama import reconstruct
from rag.ollama.gguf import read_header
from rag.ollama.reconstruct import quantize_q4_0, reconstruct_f16
from tests.support.gguf_files import F16, F32, Q8_0, QWEN, gguf_bytes, write_gguf

WEIGHTS = np.linspace(-2, 2, 5 * 64, dtype=np.float32).reshape(5, 64)
PACKED = gguf.quants.quantize(WEIGHTS, gguf.GGMLQuantizationType.Q8_0)
NORM = np.array([1, 2, 3], dtype=np.float32)


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    path = tmp_path / "q8.gguf"
    tensors = [("norm.weight", F32, (3,), NORM.tobytes()), ("w.weight", Q8_0, (64, 5), PACKED.tobytes())]
    path.write_bytes(gguf_bytes({**QWEN, "general.file_type": 7, "tokenizer.ggml.tokens": ["x"] * 2000}, tensors))
    return path


@pytest.mark.slow
def test_the_numbers_are_those_of_the_quantized_file(
    quantized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconstruct, "_ROWS_AT_ONCE", 2)  # of five rows: the last piece is a shorter one
    target, heard = tmp_path / "f16.gguf", []
    assert reconstruct_f16(quantized, target, lambda done, total: heard.append((done, total))) == "Q8_0"
    found = {tensor.name: tensor.data for tensor in gguf.GGUFReader(target).tensors}
    expected = gguf.quants.dequantize(PACKED, gguf.GGMLQuantizationType.Q8_0).astype(np.float16)
    assert np.array_equal(found["w.weight"], expected)
    assert np.allclose(found["w.weight"], WEIGHTS, atol=0.02)
    assert np.array_equal(found["norm.weight"], NORM)
    assert heard == [(1, 2), (2, 2)]


def test_the_file_says_what_it_was_made_of(quantized: Path, tmp_path: Path) -> None:
    target = tmp_path / "f16.gguf"
    reconstruct_f16(quantized, target)
    header = read_header(target)
    assert header.file_type == "F16"
    assert header.metadata["general.reconstructed_from"] == "Q8_0"
    assert header.metadata["tokenizer.chat_template"] == QWEN["tokenizer.chat_template"]
    assert header.metadata["tokenizer.ggml.tokens.length"] == 2000


def test_what_is_not_quantized_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="F16, not quantized"):
        reconstruct_f16(write_gguf(tmp_path / "f16.gguf"), tmp_path / "again.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["f16.gguf"]


def whole_model(path: Path) -> Path:
    """Write an F16 of two layers, a row of which is 64 numbers."""
    names = ["token_embd", "output", *(f"blk.{layer}.{part}" for layer in (0, 1) for part in ("attn_q", "ffn_down"))]
    tensors = [(f"{name}.weight", F16, (64, 5), WEIGHTS.astype(np.float16).tobytes()) for name in names]
    norm = ("output_norm.weight", F32, (3,), NORM.tobytes())
    path.write_bytes(gguf_bytes({**QWEN, "general.reconstructed_from": "Q4_K_M"}, [*tensors, norm]))
    return path


def test_a_q4_0_has_8_bits_where_the_k_quants_give_more(tmp_path: Path) -> None:
    """Of two layers Q4_K_M gives the last one's ffn_down more, and the output."""
    target = tmp_path / "q4.gguf"
    quantize_q4_0(whole_model(tmp_path / "f16.gguf"), target)
    header = read_header(target)
    assert {one.name: one.kind for one in header.tensors} == {
        "token_embd.weight": "Q4_0",
        "output.weight": "Q8_0",
        "blk.0.attn_q.weight": "Q4_0",
        "blk.0.ffn_down.weight": "Q4_0",
        "blk.1.attn_q.weight": "Q4_0",
        "blk.1.ffn_down.weight": "Q8_0",
        "output_norm.weight": "F32",
    }
    assert (header.file_type, header.metadata["general.reconstructed_from"]) == ("Q4_0", "Q4_K_M")
    rounded = WEIGHTS.astype(np.float16).astype(np.float32)
    for tensor in gguf.GGUFReader(target).tensors:
        kind = gguf.GGMLQuantizationType(tensor.tensor_type)
        expected = NORM if tensor.name == "output_norm.weight" else gguf.quants.quantize(rounded, kind)
        assert np.array_equal(tensor.data, expected)


def test_a_quantized_file_is_not_quantized_again(quantized: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="already quantized"):
        quantize_q4_0(quantized, tmp_path / "q4.gguf")


def test_an_interruption_leaves_nothing(quantized: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconstruct_f16(quantized, tmp_path / "f16.gguf", interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["q8.gguf"]
