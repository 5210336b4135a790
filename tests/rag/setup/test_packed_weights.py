"""The 4-bit file, written by hand in miniature."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BuildFailed
from rag.setup.embedder_files import ModelShape, dequantize, read_packed_weights

HIDDEN, LAYERS, INNER, VOCABULARY, POSITIONS = 32, 1, 64, 3, 4
SHAPE = ModelShape(HIDDEN, LAYERS, 2, INNER, VOCABULARY, POSITIONS, 2, 1e-12)
LAYER_MATRICES = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)} | {
    "fi": (INNER, HIDDEN),
    "fo": (HIDDEN, INNER),
}


def tensors() -> dict[str, tuple[int, int, bytes]]:
    """Name -> (type, elements, bytes): matrices in 4 bits with scale .5 and all elements 3, vectors of ones."""

    def packed(*shape: int) -> tuple[int, int, bytes]:
        elements = int(np.prod(shape))
        return 1, elements, (struct.pack("<e", 0.5) + bytes([0xEE] * 16)) * (elements // 32)

    def ones(elements: int) -> tuple[int, int, bytes]:
        return 0, elements, np.ones(elements, dtype="<f4").tobytes()

    found = {
        "emb.word": packed(VOCABULARY, HIDDEN),
        "emb.pos": packed(POSITIONS, HIDDEN),
        "emb.type": packed(2, HIDDEN),
        "emb.ln.w": ones(HIDDEN),
        "emb.ln.b": ones(HIDDEN),
    }
    for name, shape in LAYER_MATRICES.items():
        found[f"l0.{name}.w"] = packed(*shape)
        found[f"l0.{name}.b"] = ones(shape[0])
    for name in ("aln", "oln"):
        found[f"l0.{name}.w"], found[f"l0.{name}.b"] = ones(HIDDEN), ones(HIDDEN)
    return found


def write(path: Path, *, magic: bytes = b"E5S1", leave_out: str = "", cut: int | None = None) -> Path:
    head = struct.pack("<4sI7ifi", magic, 1, HIDDEN, LAYERS, 2, INNER, VOCABULARY, POSITIONS, 2, 1e-12, 32)
    pieces = [b"a", b"bc"]
    blob = b"".join(pieces)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += struct.pack("<3I", 0, 1, 3) + struct.pack("<2f", 0.5, 0.25) + blob
    head += struct.pack("<iI", 1, 7) + b"mapping"
    chosen = {name: value for name, value in tensors().items() if name != leave_out}
    directory_bytes = 4 + sum(2 + len(name) + 21 for name in chosen)
    offset = len(head) + directory_bytes
    directory, body = struct.pack("<i", len(chosen)), b""
    for name, (kind, elements, content) in chosen.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, elements, offset + len(body), len(content))
        body += content
    path.write_bytes((head + directory + body)[:cut])
    return path


def test_everything_gets_its_name_and_shape(tmp_path: Path) -> None:
    shape, weights = read_packed_weights(write(tmp_path / "e5.bin"))
    assert shape == SHAPE
    assert weights["embeddings.word_embeddings.weight"].shape == (VOCABULARY, HIDDEN)
    assert weights["encoder.layer.0.intermediate.dense.weight"].shape == (INNER, HIDDEN)
    assert weights["encoder.layer.0.output.dense.weight"].shape == (HIDDEN, INNER)
    assert weights["encoder.layer.0.output.LayerNorm.weight"].shape == (HIDDEN,)
    assert np.all(weights["encoder.layer.0.attention.self.query.weight"] == (14 - 8) * 0.5)
    assert not weights["pooler.dense.weight"].any()
    assert len(weights) == 7 + 16 * LAYERS


@pytest.mark.parametrize("damage", [{"magic": b"GGUF"}, {"leave_out": "l0.q.w"}, {"cut": 120}, {"cut": 900}])
def test_another_file_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    with pytest.raises(BuildFailed, match=r"e5\.bin"):
        read_packed_weights(write(tmp_path / "e5.bin", **damage))  # type: ignore[arg-type]


def test_nibbles_by_hand() -> None:
    block = np.frombuffer(struct.pack("<e", 2.0) + bytes([0x1F] + [0x88] * 15), dtype=np.uint8).reshape(1, 18)
    values = dequantize(block)
    assert values[0] == (15 - 8) * 2  # low nibble: element 0
    assert values[16] == (1 - 8) * 2  # high nibble: element 16
    assert not np.delete(values, [0, 16]).any()


@pytest.mark.slow
@given(st.lists(st.integers(0, 15), min_size=32, max_size=32), st.sampled_from([0.25, 1.0, 3.5]))
def test_any_block(nibbles: list[int], scale: float) -> None:
    packed = bytes(nibbles[place] | nibbles[place + 16] << 4 for place in range(16))
    block = np.frombuffer(struct.pack("<e", scale) + packed, dtype=np.uint8).reshape(1, 18)
    np.testing.assert_array_equal(dequantize(block), [(nibble - 8) * scale for nibble in nibbles])
