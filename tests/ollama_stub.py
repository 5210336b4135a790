"""A small server that speaks Ollama's protocol, for tests of failures that the real one shows only by luck.

In a test:        with OllamaStub() as stub: ... stub.url ...
As a program:     an executable file that calls ``serve_as_program()`` stands in for ``ollama serve``.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from tests.local_server import LocalServer

Rows = Iterable[dict[str, Any]]
CUT = {"cut": True}  # a row that breaks the connection
SILENCE = {"silence": True}  # a row that never comes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: "OllamaStub"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer({})

    def do_HEAD(self) -> None:
        found = self.path.removeprefix("/api/blobs/sha256:") in self.stub.blobs
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_DELETE(self) -> None:
        self._answer(json.loads(self._body() or b"{}"))

    def do_POST(self) -> None:
        body = self._body()
        if self.path.startswith("/api/blobs/sha256:"):
            self.stub.blobs[self.path.removeprefix("/api/blobs/sha256:")] = body
            self._send(201, b"")
            return
        self._answer(json.loads(body or b"{}"))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _answer(self, body: dict[str, Any]) -> None:
        self.stub.requests.append((self.path, body))
        answer = self.stub.answers.get(self.path)
        if answer is None:
            self._send(404, b'{"error": "not found"}')
            return
        status, rows = answer(body)
        if not isinstance(rows, Iterator):  # an iterator's are sent as they come
            rows = list(rows)
            if len(rows) == 1 and CUT not in rows and SILENCE not in rows:
                self._send(status, json.dumps(rows[0]).encode())
                return
        self.send_response(status)
        self.send_header("Connection", "close")
        if isinstance(rows, list) and CUT in rows:
            self.send_header("Content-Length", str(1 << 30))  # so that the end comes too soon
        self.end_headers()
        self.close_connection = True
        for row in rows:
            if row is CUT:
                return
            if row is SILENCE:
                self.stub.released.wait(30)
                return
            self.wfile.write(json.dumps(row).encode() + b"\n")
            self.wfile.flush()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Answer = Callable[[dict[str, Any]], tuple[int, Rows]]


class OllamaStub(LocalServer):
    """``answers`` maps a path to a function from the request's body to a status and rows of JSON."""

    def __init__(self, *, models: Iterable[str] = (), port: int = 0) -> None:
        self.models = list(models)
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.released = threading.Event()
        self.details: dict[str, Any] = {
            "template": "<|im_start|>{{ .Prompt }}",
            "capabilities": ["completion"],
            "details": {"quantization_level": "Q4_K_M"},
            "model_info": {"general.architecture": "qwen2"},
        }
        self.details_of: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Answer] = {
            "/api/version": lambda _: (200, [{"version": "0.0.0-stub"}]),
            "/api/tags": lambda _: (200, [{"models": [self._row(name) for name in self.models]}]),
            "/api/ps": lambda _: (200, [{"models": []}]),
            "/api/create": self._create,
            "/api/show": self._show,
            "/api/delete": self._delete,
        }
        super().__init__(type("Handler", (_Handler,), {"stub": self}), port)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.released.set()
        super().__exit__(kind, error, traceback)

    def _create(self, body: dict[str, Any]) -> tuple[int, Rows]:
        self.models.append(body["model"])
        return 200, [{"status": "creating"}, {"status": "success"}]

    def _show(self, body: dict[str, Any]) -> tuple[int, Rows]:
        if body["model"] not in self.models:
            return 404, [{"error": f"model '{body['model']}' not found"}]
        return 200, [{**self.details, **self.details_of.get(body["model"], {})}]

    def _delete(self, body: dict[str, Any]) -> tuple[int, Rows]:
        self.models.remove(body["model"])
        return 200, [{}]

    @staticmethod
    def _row(name: str) -> dict[str, Any]:
        return {"name": name, "size": 1_000_000, "details": {"parameter_size": "0.5B", "quantization_level": "Q4_K_M"}}


def serve_as_program() -> None:
    """Behave as ``ollama serve`` with one model runner in its process group: ends it at SIGTERM, not at SIGKILL."""
    host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
    print(f"Listening on {host}:{port}", flush=True)  # noqa: T201 - the log is what is tested
    if os.environ.get("STUB_FAILS"):
        sys.exit("Error: listen tcp: address already in use")
    runner = subprocess.Popen(["sleep", "300"])

    def end(*_: object) -> None:
        runner.terminate()
        runner.wait()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    time.sleep(float(os.environ.get("STUB_DELAY", "0")))
    OllamaStub(port=int(port)).serve_forever()
