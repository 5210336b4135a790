"""A measurement that is ended from outside ends as it does at Ctrl-C."""

import signal
import subprocess
import sys

import pytest


@pytest.mark.real
def test_what_runs_ends_without_a_traceback() -> None:
    command = [sys.executable, "-m", "eval", "load", "gpu-timed-server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=30)
    assert "Traceback" not in complaints
    assert process.returncode in (0, 130)
