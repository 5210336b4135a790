"""The stand-in for a GPU in a thread, fast enough for tests."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn

from eval.bench.load.gpu_timed_server import gpu_timed_application
from eval.bench.load.gpu_timing import GpuTiming

Serving = Callable[[GpuTiming], str]


@contextmanager
def _served(timing: GpuTiming, ending: ExitStack) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(gpu_timed_application(timing), log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    ending.callback(listening.close)
    ending.callback(thread.join, timeout=10)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True


@pytest.fixture(scope="session")
def ending() -> Iterator[ExitStack]:
    """Wait at the end of all tests for the servers that end: each takes a fifth of a second."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serving(ending: ExitStack) -> Iterator[Serving]:
    """Start a server with these times and return its address."""
    with ExitStack() as stack:
        yield lambda timing: stack.enter_context(_served(timing, ending))
