"""Models told from the files of Ollama's store."""

import json
from pathlib import Path

import pytest

from rag.settings import Settings
from rag.setup.models import store_folder, stored_models


def put_model(store: Path, name: str, *sizes: int) -> list[Path]:
    """Write a manifest and its blobs as Ollama lays them out, and return the blobs."""
    family, _, tag = name.partition(":")
    manifest = store / "manifests" / "registry.ollama.ai" / "library" / family / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    (store / "blobs").mkdir(exist_ok=True)
    layers, blobs = [], []
    for number, size in enumerate(sizes):
        digest = f"{family}{tag}{number}".encode().hex().ljust(64, "0")
        blobs.append(store / "blobs" / f"sha256-{digest}")
        blobs[-1].write_bytes(b"x" * size)
        layers.append({"digest": f"sha256:{digest}", "size": size})
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), encoding="utf-8")
    return blobs


def test_whole_models_are_listed_with_their_size(tmp_path: Path) -> None:
    put_model(tmp_path, "stand-in:0.5b", 100, 20)
    put_model(tmp_path, "deepseek-r1:1.5b", 300)
    assert [(model.name, model.size_bytes) for model in stored_models(tmp_path)] == [
        ("deepseek-r1:1.5b", 300),
        ("stand-in:0.5b", 120),
    ]


def test_a_model_with_a_missing_or_short_file_is_none(tmp_path: Path) -> None:
    put_model(tmp_path, "missing:1b", 10)[0].unlink()
    put_model(tmp_path, "short:1b", 10)[0].write_bytes(b"x")
    assert stored_models(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": [{}]}', '{"layers": 3}'])
def test_a_manifest_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    put_model(tmp_path, "stand-in:0.5b", 10)
    (tmp_path / "manifests/registry.ollama.ai/library/stand-in/0.5b").write_text(text, encoding="utf-8")
    assert stored_models(tmp_path) == []


def test_there_may_be_no_store_yet(tmp_path: Path) -> None:
    assert stored_models(tmp_path / "nowhere") == []


def test_a_named_store_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    assert store_folder(Settings()) == tmp_path
