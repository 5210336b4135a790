"""An ``ollama`` on PATH that is the stub, and settings for it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.ollama.server import stop
from rag.ollama.state import ProcessIdentity, ServerFiles, ServerState, group_members, read_state
from rag.settings import Settings
from tests.conftest import free_port

CHECKOUT = Path(__file__).resolve().parent.parent.parent.parent


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for a condition; fail the test when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not come true within {seconds} s"
        time.sleep(0.02)


def state_of(settings: Settings) -> ServerState:
    """Return the supervisor's record, which must exist."""
    state = read_state(ServerFiles.of(settings))
    assert state is not None
    return state


def serving_leader(settings: Settings) -> ProcessIdentity:
    """Wait until Ollama serves, and return the leader of its process group."""
    files = ServerFiles.of(settings)

    def serving() -> bool:
        state = read_state(files)
        return state is not None and state.phase == "serving"

    until(serving)
    leader = state_of(settings).ollama
    assert leader is not None
    return leader


def gone(leader: ProcessIdentity) -> bool:
    """Tell whether nothing is left of a process group."""
    return not group_members(leader)


@pytest.fixture
def stub_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an ``ollama`` on PATH that is the stub."""
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from tests.ollama_stub import serve_as_program\nserve_as_program()\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("OLLAMA_HOST", "OLLAMA_MODELS", "ANSWERDESK_OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    return program


@pytest.fixture
def stub_settings(stub_program: Path, tmp_path: Path) -> Iterator[Settings]:
    """Return settings whose Ollama is the stub; whatever was started is stopped at the end."""
    settings = Settings(
        data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", ollama_host=f"127.0.0.1:{free_port()}"
    )
    yield settings
    stop(settings)
