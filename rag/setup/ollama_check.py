"""Verifies that a built Ollama uses its CPU kernels: without them it answers several times slower."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from rag.setup.log_files import open_log

_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.1
_PROOF = b"load_backend: loaded CPU backend"


def loads_cpu_kernels(program: Path, log: Path) -> bool:
    """Start a model runner without a model, ask it for its devices, and look for its line about the kernels.

    What it says is appended to ``log``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    libraries = str(program.parent.parent / "lib" / "ollama")
    environment = {**os.environ, "OLLAMA_LIBRARY_PATH": libraries, "LD_LIBRARY_PATH": libraries}
    command = [str(program), "runner", "--ollama-engine", "--port", str(port)]
    before = log.stat().st_size if log.exists() else 0
    with open_log(log) as output:
        runner = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            _ask_for_devices(port, runner)
        finally:
            if runner.poll() is None:
                os.killpg(runner.pid, signal.SIGKILL)
            runner.wait()
    return _PROOF in log.read_bytes()[before:]


def _ask_for_devices(port: int, runner: "subprocess.Popen[bytes]") -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and runner.poll() is None:
        try:
            with opener.open(f"http://127.0.0.1:{port}/info", timeout=_SECONDS) as answer:
                answer.read()
                return
        except (URLError, OSError):
            time.sleep(_LOOK_EVERY_SECONDS)  # it does not listen yet
