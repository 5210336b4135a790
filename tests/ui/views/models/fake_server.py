"""A fake model server: models that can be listed, loaded, made and deleted, and none that speaks."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.ollama_stub import OllamaStub, Rows
from tests.rag.ollama.test_sizing import SMALL, TENSORS

R1, WHOLE, STAND_IN = "deepseek-r1:1.5b", "deepseek-r1:7b-f16", "stand-in:0.5b"
SIZES = {R1: 1_120_000_000, WHOLE: 15_200_000_000, STAND_IN: 490_000_000}


@dataclass
class _Loaded:
    context: int


class FakeModelServer(OllamaStub):
    """Long steps wait at ``gate`` after half of their bytes; ``broken`` is what it then says."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(models=SIZES, port=port)
        self.gate = threading.Event()
        self.gate.set()
        self.broken = ""
        self.in_memory: dict[str, _Loaded] = {STAND_IN: _Loaded(4096)}
        self._until = f"{datetime.now(UTC) + timedelta(minutes=30):%Y-%m-%dT%H:%M:%S}.123456789+00:00"
        tensors = [{"name": one.name, "type": one.kind, "shape": list(one.shape)} for one in TENSORS]
        self.details |= {"model_info": SMALL, "tensors": tensors, "modelfile": f"FROM {__file__}\n"}
        self.details_of[WHOLE] = {"details": {"quantization_level": "F16"}, "capabilities": ["completion", "thinking"]}
        self.answers |= {
            "/api/tags": lambda _: (200, [{"models": [self._tag(name) for name in self.models]}]),
            "/api/ps": lambda _: (200, [{"models": [self._in_memory(name) for name in self.in_memory]}]),
            "/api/generate": self._generate,
            "/api/pull": self._pull,
            "/api/create": self._make,
        }

    def asked(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that were sent to a path."""
        return [body for asked, body in self.requests if asked == path]

    def _tag(self, name: str) -> dict[str, Any]:
        kind = self.details_of.get(name, {}).get("details", self.details["details"])
        return {"name": name, "size": SIZES.get(name, 4_200_000_000), "details": kind}

    def _in_memory(self, name: str) -> dict[str, Any]:
        loaded = self.in_memory[name]
        return {"name": name, "size": 493_000_000, "context_length": loaded.context, "expires_at": self._until}

    def _generate(self, body: dict[str, Any]) -> tuple[int, Rows]:
        if self.broken:
            return 500, [{"error": self.broken}]
        if body["keep_alive"] == 0:
            self.in_memory.pop(body["model"], None)
        else:
            self.in_memory = {body["model"]: _Loaded(body["options"]["num_ctx"])}
        return 200, [{"done": True}]

    def _pull(self, body: dict[str, Any]) -> tuple[int, Rows]:
        return 200, self._steps(body["model"], "Q4_K_M")

    def _make(self, body: dict[str, Any]) -> tuple[int, Rows]:
        return 200, self._steps(body["model"], str(body.get("quantize", "F16")).upper())

    def _steps(self, name: str, kind: str) -> Iterator[dict[str, Any]]:
        yield {"status": "begun"}
        yield {"status": "half", "total": 4_200_000_000, "completed": 2_100_000_000}
        while not self.gate.wait(0.02):
            yield {"status": "half", "total": 4_200_000_000, "completed": 2_100_000_000}
        if self.broken:
            yield {"error": self.broken}
            return
        self.models.append(name)
        self.details_of[name] = {"details": {"quantization_level": kind}}
        yield {"status": "success"}
