"""The header's reader, against bytes written by hand and against the format's own library."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelUnfit
from rag.ollama.gguf import FILE_TYPES, TENSOR_KINDS, Tensor, read_header, tensor_bytes
from tests.support.gguf_files import F16, F32, QWEN, gguf_bytes, write_gguf

HEADER = gguf_bytes({**QWEN, "tokenizer.ggml.tokens": ["a", "b"]})


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    long, heads = [f"w{number}" for number in range(1500)], [4, 2]
    metadata = {**QWEN, "tokenizer.ggml.tokens": long, "qwen2.heads": heads, "tokenizer.types": list(range(2000))}
    first, second = ("a.weight", F32, (3,), bytes(12)), ("b.weight", F16, (4, 2), bytes(16))
    path.write_bytes(gguf_bytes(metadata, [first, second]))
    header = read_header(path)
    assert header.file_type == "F16"
    assert header.kind == "model"
    assert header.metadata["qwen2.heads"] == heads
    assert header.metadata["tokenizer.ggml.tokens.length"] == 1500
    assert "tokenizer.ggml.tokens" not in header.metadata  # too long to keep
    assert header.tensors == [Tensor("a.weight", "F32", (3,), 0), Tensor("b.weight", "F16", (4, 2), 32)]
    assert header.data_start == len(path.read_bytes()) - 64
    start, end = header.entries["general.file_type"]
    assert path.read_bytes()[start:end].endswith(b"\x04\0\0\0\x01\0\0\0")


def test_the_formats_own_library_writes_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "library.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(7)
    writer.add_float32("qwen2.rope.freq_base", 1e6)
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
    writer.add_tensor("token_embd.weight", np.ones((5, 8), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    assert header.metadata["qwen2.block_count"] == 7
    assert header.metadata["qwen2.rope.freq_base"] == 1e6
    assert header.metadata["tokenizer.ggml.add_bos_token"] is False
    assert header.metadata["tokenizer.ggml.scores"] == [0.5, 1.5]
    assert header.tensors == [Tensor("token_embd.weight", "F16", (8, 5), 0)]
    assert header.data_start == gguf.GGUFReader(path).tensors[0].data_offset


def test_kinds_are_those_of_the_library() -> None:
    for number, (name, block, size) in TENSOR_KINDS.items():
        assert gguf.GGMLQuantizationType(number).name == name
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(number)] == (block, size)
    for number, name in FILE_TYPES.items():
        assert gguf.LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_") == name


def test_bytes_of_a_kind() -> None:
    assert tensor_bytes("Q4_K", 512) == 288
    assert tensor_bytes("F32", 3) == 12


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 a zip", "not a GGUF file"),
        (b"", "not a GGUF file"),
        (gguf_bytes(QWEN, version=1), "version 1"),
        (HEADER[:200], "damaged"),
        (gguf_bytes(QWEN, [("a", F16, (64, 64), bytes(100))]), "8,064 bytes are missing"),
    ],
)
def test_what_is_no_whole_model_is_one_sentence(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelUnfit, match=reason):
        read_header(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match="No such file"):
        read_header(tmp_path / "absent.gguf")


@pytest.mark.slow
@given(at=st.integers(4, len(HEADER) - 1), byte=st.integers(0, 255), length=st.integers(5, len(HEADER)))
def test_no_damage_is_worse_than_a_sentence(
    at: int, byte: int, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes((HEADER[:at] + bytes([byte]) + HEADER[at + 1 :])[:length])
    try:
        read_header(path)
    except ModelUnfit as error:
        assert error.details["reason"] in {"damaged", "version", "cut_off"}


def test_versions_2_and_3_are_alike(tmp_path: Path) -> None:
    assert (
        read_header(write_gguf(tmp_path / "2.gguf", version=2)).tensors
        == read_header(write_gguf(tmp_path / "3.gguf")).tensors
    )
