"""``python -m api --grpc-port``: both faces in one process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from api.grpc import answerdesk_pb2 as wire
from api.grpc.answerdesk_pb2_grpc import DocumentsStub
from tests.conftest import free_port

pytestmark = [pytest.mark.real, pytest.mark.slow]


def _command(folder: Path, *options: str) -> "subprocess.Popen[str]":
    places = {"ANSWERDESK_DATA_DIR": str(folder), "ANSWERDESK_CACHE_DIR": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "api", *options],
        env=os.environ | places | {"ANSWERDESK_OLLAMA_HOST": "ollama.invalid:9", "LANG": "en_GB.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_both_faces_are_served_and_end_together(tmp_path: Path) -> None:
    port, grpc_port = free_port(), free_port()
    served = _command(tmp_path, "--port", str(port), "--grpc-port", str(grpc_port))
    try:
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            health = health_pb2_grpc.HealthStub(channel).Check
            answer = health(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            listed = DocumentsStub(channel).List(wire.ListDocumentsRequest())  # nobody signs in: no key
            assert (listed.knowledge_base, listed.total, listed.generation) == ("default", 0, 0)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
        served.send_signal(signal.SIGTERM)
        output, errors = served.communicate(timeout=20)
    finally:
        served.kill()
    assert f"localhost:{grpc_port}" in output
    assert "Traceback" not in errors


@pytest.mark.parametrize("options", [("--host", "0.0.0.0"), ("--grpc-certificate", "no.pem")])
def test_what_cannot_be_served_is_said_in_one_sentence(tmp_path: Path, options: tuple[str, ...]) -> None:
    served = _command(tmp_path, "--port", str(free_port()), "--grpc-port", str(free_port()), *options)
    output, errors = served.communicate(timeout=60)
    assert (served.returncode, output) == (2, "")
    assert len(errors.strip().splitlines()) == 1
    assert "ertificate" in errors
