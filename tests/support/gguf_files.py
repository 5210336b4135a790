"""GGUF files written by hand, byte for byte as ggml's docs/gguf.md says."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

F32, F16, Q8_0 = 0, 1, 8
QWEN = {
    "general.architecture": "qwen2",
    "general.file_type": 1,
    "qwen2.block_count": 2,
    "qwen2.context_length": 512,
    "qwen2.embedding_length": 64,
    "qwen2.attention.head_count": 4,
    "qwen2.attention.head_count_kv": 2,
    "tokenizer.chat_template": "<|im_start|>user",
}


def gguf_bytes(
    metadata: Mapping[str, object], tensors: Sequence[tuple[str, int, tuple[int, ...], bytes]] = (), version: int = 3
) -> bytes:
    """Return a file of integers, texts and lists of them; a tensor is its name, kind, shape and content."""
    parts = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    parts += [_text(key) + _value(value) for key, value in metadata.items()]
    offset, contents = 0, []
    for name, kind, shape, content in tensors:
        parts.append(_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        padded = content + b"\0" * (-len(content) % 32)
        contents.append(padded)
        offset += len(padded)
    header = b"".join(parts)
    return header + b"\0" * (-len(header) % 32) + b"".join(contents)


def write_gguf(path: Path, metadata: Mapping[str, object] = QWEN, version: int = 3) -> Path:
    """Write a file with one small tensor; return its path."""
    tensor = ("blk.0.attn_q.weight", F16, (8, 2), bytes(32))
    path.write_bytes(gguf_bytes(metadata, [tensor], version))
    return path


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    assert isinstance(value, list)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_text(one) for one in value)
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
