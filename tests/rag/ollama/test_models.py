"""Which model answers on which machine."""

import os
import time
from pathlib import Path

import pytest

from rag.errors import ModelMissing, OllamaUnavailable
from rag.ollama import hardware, models
from rag.ollama.client import InstalledModel
from rag.ollama.hosts import choose_model
from rag.ollama.models import ChosenModel, choose_among, default_r1, default_stand_in, load_options
from rag.ollama.neighbours import Neighbours
from rag.ollama.state import ProcessIdentity, ServerFiles, ServerState, write_state
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


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, count in (("usable_cores", 4), ("physical_cores", 4)):
        monkeypatch.setattr(f"rag.ollama.state.{name}", lambda count=count: count)
    monkeypatch.setattr("rag.ollama.models.gpu_memory_bytes", lambda: 0)
    settings = Settings(data_dir=tmp_path, context_tokens=4096)
    ServerFiles.of(settings).folder.mkdir(parents=True)
    return settings


def _server(settings: Settings, *, goes_first: bool = False, pid: int | None = None) -> None:
    supervisor = ProcessIdentity.of(os.getpid()) if pid is None else ProcessIdentity(pid, 1.0)
    state = ServerState(
        "u", "serving", supervisor, None, time.time(), 0, neighbours=Neighbours(1.0, "backup"), goes_first=goes_first
    )
    write_state(ServerFiles.of(settings), state)


def test_a_model_beside_a_busy_program_has_a_thread_less(settings: Settings) -> None:
    assert load_options(settings) == {"num_ctx": 4096}
    _server(settings)
    assert load_options(settings) == {"num_ctx": 4096, "num_thread": 3}
    assert load_options(settings.changed(gpu_layers=0)) == {"num_ctx": 4096, "num_gpu": 0, "num_thread": 3}


def test_batch_and_threads_are_those_of_the_settings(settings: Settings) -> None:
    tuned = settings.changed(batch_tokens=1024, model_threads=2)
    assert load_options(tuned) == {"num_ctx": 4096, "num_batch": 1024, "num_thread": 2}
    _server(settings)  # beside a busy program there are 3 left
    assert load_options(tuned)["num_thread"] == 2
    assert load_options(settings.changed(model_threads=4))["num_thread"] == 3


def test_a_model_that_goes_first_has_all_threads(settings: Settings) -> None:
    _server(settings, goes_first=True)
    assert load_options(settings) == {"num_ctx": 4096}


def test_what_a_supervisor_that_died_had_seen_counts_no_more(settings: Settings) -> None:
    _server(settings, pid=os.getpid())  # created at another time than we were
    assert load_options(settings) == {"num_ctx": 4096}


def test_a_model_on_a_gpu_or_on_other_hosts_keeps_its_threads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server(settings)
    assert "num_thread" not in load_options(settings.changed(ollama_hosts="http://a:1,http://b:1"))
    monkeypatch.setattr("rag.ollama.models.gpu_memory_bytes", lambda: 8 << 30)
    assert "num_thread" not in load_options(settings)
    assert load_options(settings.changed(gpu_layers=0))["num_thread"] == 3
