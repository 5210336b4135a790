"""Fixtures that several rooms' tests share: the real model server on a port of its own."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from rag.ollama.models import find_installed, installed_models
from rag.ollama.server import ServerStatus, ensure_running, stop
from rag.settings import Settings

REAL_MODEL = "stand-in:0.5b"

# No deadlines: on a busy machine they measure the others.  The gate draws the same many examples every time, so that
# what it says of a commit stays true; `make test-fast` draws few, and others each time, for what the gate misses.
hypothesis_settings.register_profile("fast", deadline=None, max_examples=25)
hypothesis_settings.register_profile("whole", deadline=None, max_examples=200, derandomize=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

MEMORY = Path("/dev/shm")  # Linux's disk in memory
MEMORY_NEEDED_BYTES = 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of tests in memory: each commit of a database would wait for the disk, which others use too.

    Tests marked ``real`` have a real disk, and so has every run that takes them along.
    """
    there_is_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED_BYTES
    if "not real" in config.option.markexpr and there_is_room:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def real_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a data folder and a port of their own, the shared caches, and the small stand-in."""
    data_dir: Path = tmp_path_factory.mktemp("data")
    return Settings(data_dir=data_dir, ollama_host=f"127.0.0.1:{free_port()}", model=REAL_MODEL)


@pytest.fixture(scope="session")
def real_ollama(real_settings: Settings) -> Iterator[ServerStatus]:
    """Start the real Ollama, managed by the product itself, and stop it at the end."""
    server = ensure_running(real_settings, while_we_live=True)
    assert server.managed, f"{real_settings.ollama_url} answered before the test started it"
    try:
        assert find_installed(installed_models(real_settings), REAL_MODEL), (
            f"{REAL_MODEL} is missing; fetch it with: python -m rag.setup model {REAL_MODEL}"
        )
        yield server
    finally:
        stop(real_settings)
