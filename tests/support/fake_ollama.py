"""An HTTP server on this machine that speaks as much of Ollama's chat as the generator hears, from a script."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Break:
    """Close the connection without the last chunk."""


@dataclass(frozen=True)
class Raw:
    """Send a line as it is."""

    line: str


Step = dict[str, Any] | Pause | Break | Raw


def thinking(text: str) -> Step:
    return {"message": {"role": "assistant", "content": "", "thinking": text}, "done": False}


def content(text: str) -> Step:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def done(reason: str = "stop") -> Step:
    return {
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": reason,
        "total_duration": 5_000_000_000,
        "load_duration": 1_500_000_000,
        "prompt_eval_count": 12,
        "prompt_eval_duration": 250_000_000,
        "eval_count": 3,
        "eval_duration": 750_000_000,
    }


@dataclass
class FakeOllama:
    """``steps`` answer every chat; ``requests`` are the bodies; ``hung_up`` is set when a client left early,
    and ``unloaded`` when a client asked for that.

    ``capabilities`` are what ``/api/show`` tells of every model; None: it has none of that name.
    """

    steps: Sequence[Step] = ()
    status: int = 200
    capabilities: Sequence[str] | None = ("completion",)
    requests: list[dict[str, Any]] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    unloaded: threading.Event = field(default_factory=threading.Event)
    host: str = ""

    @contextmanager
    def serving(self) -> Iterator["FakeOllama"]:
        fake = self

        class Handler(_Handler):
            ollama = fake

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.host = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    ollama: FakeOllama
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            known = self.ollama.capabilities
            self._reply(404, {"error": "not found"}) if known is None else self._reply(200, {"capabilities": known})
            return
        if self.path == "/api/generate":
            assert body["keep_alive"] == 0
            self.ollama.unloaded.set()
            self._reply(200, {"done": True})
            return
        self.ollama.requests.append(body)
        if self.ollama.status != 200:
            self._refuse()
            return
        try:
            self._stream()
        except OSError:
            self.ollama.hung_up.set()
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _refuse(self) -> None:
        self._reply(self.ollama.status, {"error": f"model said no with {self.ollama.status}"})

    def _reply(self, status: int, said: object) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        begun = False
        for step in self.ollama.steps:
            if isinstance(step, Pause):
                self._pause(step.seconds)
                continue
            if not begun:  # as Ollama does: no header before the first token
                begun = True
                self._begin()
            if isinstance(step, Break):
                self.close_connection = True
                return
            fixed = {"model": "fake", "created_at": "2026-01-01T00:00:00Z"}
            line = (step.line if isinstance(step, Raw) else json.dumps(fixed | step)).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        if not begun:
            self._begin()
        self.wfile.write(b"0\r\n\r\n")

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _pause(self, seconds: float) -> None:
        """Sleep, but notice when the client hangs up, as Ollama's request context does."""
        self.connection.settimeout(0.01)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.connection.recv(1) == b"":
                    raise BrokenPipeError
            except TimeoutError:
                continue
        self.connection.settimeout(None)
