"""A managed model server killed under load: the stand-in for a GPU, and the real Ollama."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eval.bench.load.desk_client import desk_arm
from eval.bench.load.gpu_timed_server import DEFAULT_MODEL
from eval.bench.load.kills import Kill, Killer, is_met, kill_figures, kill_under_load
from eval.bench.load.records import LoadRecord, RecordFile
from eval.bench.load.rounds import Plan
from ingest.golden import GoldenQuestion
from rag.generation.gateway import ModelGateway
from rag.generation.ollama_generator import OllamaGenerator
from rag.ollama.hosts import choose_model
from rag.ollama.server import ensure_running, stop
from rag.settings import Settings
from rag.testing import offline_parts
from tests.conftest import REAL_MODEL, free_port
from tests.rag.command import CHECKOUT

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
ASKED = (
    "Within how many days can I send back an item?",
    "How much citric acid?",
    "信用卡退款多久到账？",
    "门锁没电怎么办？",
)
QUESTIONS = [GoldenQuestion(str(n), text, "en", True, (), (), ()) for n, text in enumerate(ASKED)]
PROGRAM = """#!{python}
import os, sys
sys.path.insert(0, {checkout!r})
import uvicorn
from eval.bench.load.gpu_timed_server import gpu_timed_application
from eval.bench.load.gpu_timing import GpuTiming
host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
uvicorn.run(gpu_timed_application(GpuTiming(slots=4, first_token_ms=100)), port=int(port), log_level="error")
"""


def survive(settings: Settings, folder: Path, kills: int, sessions: int) -> dict[str, object]:
    """Kill under load, and return what came of it."""
    parts = offline_parts(folder / "offline", slots=settings.parallel_slots)
    own = parts.settings.changed(**{name: getattr(settings, name) for name in ("ollama_host", "model", "data_dir")})
    generator = OllamaGenerator(own, lambda: choose_model(own))
    gateway = ModelGateway(generator, parts.gateway.admission, lambda: ensure_running(own))
    parts = replace(parts, settings=own, gateway=gateway)
    told: list[Kill] = []
    records: list[LoadRecord] = []
    file = RecordFile(folder / "records.jsonl")
    with file, desk_arm(parts, file, sessions, think=False) as desk:
        killer = Killer(own, desk, kills, 1, told.append)
        kill_under_load(killer, desk, QUESTIONS, Plan(0, sessions, 1500, 300), records.append)
    assert told == killer.done
    return kill_figures(killer.done, records)


@pytest.fixture
def gpu_timed_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An ``ollama`` on PATH that is the stand-in for a GPU."""
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, checkout=str(CHECKOUT)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    settings = Settings(
        data_dir=tmp_path / "data", ollama_host=f"127.0.0.1:{free_port()}", model=DEFAULT_MODEL, parallel_slots=4
    )
    ensure_running(settings, while_we_live=True)
    yield settings
    stop(settings)


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.nightly)])
def test_a_server_with_a_gpus_timing_killed_under_load(gpu_timed_program: Settings, tmp_path: Path, kills: int) -> None:
    found = survive(gpu_timed_program, tmp_path, kills=kills, sessions=8)
    assert (found["kills"], found["came_back"], found["lost"], found["unforeseen"]) == (kills, kills, 0, 0), found
    assert found["outcomes"]["answered"] > 0, found  # type: ignore[index]


@pytest.mark.nightly
def test_the_real_ollama_killed_twice(tmp_path: Path) -> None:
    patience = {"first_token_timeout_seconds": 600, "token_timeout_seconds": 300}
    settings = Settings(
        data_dir=tmp_path / "data", ollama_host=f"127.0.0.1:{free_port()}", model=REAL_MODEL, **patience
    )
    assert ensure_running(settings, while_we_live=True).managed
    try:
        found = survive(settings, tmp_path, kills=2, sessions=3)
    finally:
        stop(settings)
    assert (found["kills"], found["came_back"], found["lost"], found["unforeseen"]) == (2, 2, 0, 0), found
    assert is_met({**found, "longest_back_seconds": 0.0}, 2), "how soon is no test on a busy machine"
