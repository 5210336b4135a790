"""A server that speaks Milvus's wire, of a test run's own: Milvus Lite's, on a port of 127.0.0.1."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

from tests.support.waiting import until_suspended

_STARTED_WITHIN_SECONDS = 60.0


class MilvusServer:
    """A server in a folder of its own, without a password."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.folder = tempfile.mkdtemp(prefix="answerdesk-milvus-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"milvus://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", self.folder]  # else on all addresses
        self._process = subprocess.Popen(
            [sys.executable, "-m", "milvus_lite", "server", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        ends = time.monotonic() + _STARTED_WITHIN_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None and time.monotonic() < ends, "Milvus does not start"
            time.sleep(0.05)

    def freeze(self, *, frozen: bool) -> None:
        """Let it stand still, as on a machine that hangs, or go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)
            if frozen:
                until_suspended(self._process.pid)

    def stop(self) -> None:
        """Stop it; its folder stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
