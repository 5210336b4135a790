"""Which model answers on which machine."""

from pathlib import Path

import pytest

from rag.errors import ModelMissing, OllamaUnavailable
from rag.ollama import hardware, models
from rag.ollama.client import InstalledModel
from rag.ollama.hosts import choose_model
from rag.ollama.models import ChosenModel, choose_among, default_r1, default_stand_in
from rag.settings import Settings
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub


def having(**sizes: int) -> list[InstalledModel]:
    names = {"r7": "deepseek-r1:7b", "r1": "deepseek-r1:1.5b", "r14": "deepseek-r1:14b", "s1": "stand-in:1.5b"}
    names |= {"s0": "stand-in:0.5b", "own": "team-model:latest"}
    return [InstalledModel(names[key], size, "", "") for key, size in sizes.items()]


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "gpu_memory_bytes", lambda: 0)
    monkeypatch.setattr(models, "memory_bytes", lambda: 24_000_000_000)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (having(s0=1, s1=2, r1=3, r7=4), "deepseek-r1:1.5b"),
        (having(s0=1, s1=2, r14=9, r7=4), "deepseek-r1:7b"),
        (having(s0=1, s1=2, own=3), "stand-in:1.5b"),
        (having(s0=1), "stand-in:0.5b"),
    ],
)
def test_without_a_gpu(installed: list[InstalledModel], chosen: str) -> None:
    assert choose_among(installed, "") == ChosenModel(chosen, stand_in=chosen.startswith("stand-in"))


def test_a_gpu_of_8_gb_prefers_7b(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "gpu_memory_bytes", lambda: 8188 << 20)  # what an "8 GB" card reports
    assert choose_among(having(r1=1, r7=4), "").name == default_r1() == "deepseek-r1:7b"
    assert choose_among(having(r1=1), "").name == "deepseek-r1:1.5b"


def test_little_memory_prefers_the_small_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "memory_bytes", lambda: 4_000_000_000)
    assert choose_among(having(s0=1, s1=2), "").name == default_stand_in() == "stand-in:0.5b"


def test_a_named_model_is_taken_or_missing() -> None:
    assert choose_among(having(own=1, r1=2), "team-model") == ChosenModel("team-model:latest", stand_in=False)
    with pytest.raises(ModelMissing, match="absent:7b"):
        choose_among(having(own=1, r1=2), "absent:7b")


def test_nothing_usable_names_the_default() -> None:
    with pytest.raises(ModelMissing, match=r"deepseek-r1:1\.5b"):
        choose_among(having(own=1), "")


def test_choose_asks_the_server() -> None:
    with OllamaStub(models=["stand-in:0.5b"]) as stub:
        assert choose_model(Settings(ollama_host=stub.url)) == ChosenModel("stand-in:0.5b", stand_in=True)
    with pytest.raises(OllamaUnavailable):
        choose_model(Settings(ollama_host=f"127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 8188; echo 24564", 24564 << 20),
        ("echo '[N/A]'", 0),
        ("echo 8188; exit 9", 0),
        ("exit 127", 0),
    ],
)
def test_gpu_memory_is_what_the_driver_says(
    script: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    hardware.gpu_memory_bytes.cache_clear()
    try:
        assert hardware.gpu_memory_bytes() == expected
    finally:
        hardware.gpu_memory_bytes.cache_clear()
