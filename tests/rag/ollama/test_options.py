"""The options with which a model is loaded."""

import os
import time
from pathlib import Path

import pytest

from rag.ollama.neighbours import Neighbours
from rag.ollama.options import load_options
from rag.ollama.processes import ProcessIdentity
from rag.ollama.state import ServerFiles, ServerState, write_state
from rag.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, count in (("usable_cores", 4), ("physical_cores", 4)):
        monkeypatch.setattr(f"rag.ollama.state.{name}", lambda count=count: count)
    monkeypatch.setattr("rag.ollama.options.gpu_memory_bytes", lambda: 0)
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
    monkeypatch.setattr("rag.ollama.options.gpu_memory_bytes", lambda: 8 << 30)
    assert "num_thread" not in load_options(settings)
    assert load_options(settings.changed(gpu_layers=0))["num_thread"] == 3
