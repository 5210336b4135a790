"""The few Ollama endpoints that manage it: one place that speaks HTTP and translates what goes wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rag.errors import OllamaRefused, OllamaUnavailable

_ANSWER_SECONDS = 10.0
_PROBE_SECONDS = 2.0
_WORK_SECONDS = 600.0  # creating a model copies and may quantize gigabytes
_UPLOAD_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that Ollama holds.  ``size_bytes`` is on disk."""

    name: str
    size_bytes: int
    parameters: str
    quantization: str


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory.  ``gpu_bytes`` is the part of ``memory_bytes`` that lies in the GPU."""

    name: str
    memory_bytes: int
    gpu_bytes: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class PullProgress:
    """News of a running download; both counts are 0 while Ollama speaks of anything but one file."""

    status: str
    completed_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """How a model is made from a file that Ollama has as a blob."""

    name: str
    file_name: str
    sha256: str
    template: str
    stop: Sequence[str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""


class OllamaClient:
    """Speaks to the Ollama at ``url``.  Every method raises ``OllamaUnavailable`` or ``OllamaRefused``."""

    def __init__(self, url: str) -> None:
        self._url = url
        here = httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}
        self._http = httpx.Client(base_url=url, timeout=_ANSWER_SECONDS, trust_env=not here)

    def __enter__(self) -> "OllamaClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def version(self) -> str:
        """Return Ollama's version; answers or raises within two seconds."""
        return str(self._json("GET", "/api/version", timeout=_PROBE_SECONDS)["version"])

    def models(self) -> list[InstalledModel]:
        """Return the installed models, newest first."""
        rows = self._json("GET", "/api/tags")["models"]
        return [
            InstalledModel(
                row["name"],
                int(row.get("size", 0)),
                str(row.get("details", {}).get("parameter_size", "")),
                str(row.get("details", {}).get("quantization_level", "")),
            )
            for row in rows
        ]

    def loaded(self) -> list[LoadedModel]:
        """Return the models in memory."""
        rows = self._json("GET", "/api/ps")["models"]
        return [
            LoadedModel(
                row["name"], int(row.get("size", 0)), int(row.get("size_vram", 0)), int(row.get("context_length", 0))
            )
            for row in rows
        ]

    def has_blob(self, sha256: str) -> bool:
        """Tell whether Ollama holds the file with this checksum."""
        with self._translated():
            return self._http.head(f"/api/blobs/sha256:{sha256}").status_code == httpx.codes.OK

    def upload_blob(self, path: Path, sha256: str) -> None:
        """Give Ollama a file; it verifies the checksum."""
        size = path.stat().st_size
        with self._translated(), path.open("rb") as file:
            response = self._http.post(
                f"/api/blobs/sha256:{sha256}",
                content=iter(lambda: file.read(_UPLOAD_PIECE_BYTES), b""),
                headers={"Content-Length": str(size)},
                timeout=_WORK_SECONDS,
            )
            self._check(response)

    def create(self, recipe: ModelRecipe) -> None:
        """Make a model from a blob, with its template and stop tokens."""
        body = {
            "model": recipe.name,
            "files": {recipe.file_name: f"sha256:{recipe.sha256}"},
            "template": recipe.template,
            "license": recipe.licence,
            "parameters": {"stop": list(recipe.stop), **recipe.parameters},
        }
        for _ in self._lines("/api/create", body, silence_seconds=_WORK_SECONDS):
            pass

    def pull(self, name: str, *, silence_seconds: float) -> Iterator[PullProgress]:
        """Download a model from the registry.  Closing the iterator stops it; what has arrived is kept by Ollama.

        Raises ``OllamaUnavailable`` when nothing is heard for ``silence_seconds``.
        """
        for row in self._lines("/api/pull", {"model": name}, silence_seconds=silence_seconds):
            yield PullProgress(str(row.get("status", "")), int(row.get("completed", 0)), int(row.get("total", 0)))

    def _json(self, method: str, path: str, *, timeout: float = _ANSWER_SECONDS) -> dict[str, Any]:
        with self._translated():
            response = self._http.request(method, path, timeout=timeout)
            self._check(response)
            value = response.json()
        if not isinstance(value, dict):
            raise OllamaUnavailable(host=self._url)
        return value

    def _lines(self, path: str, body: Mapping[str, object], *, silence_seconds: float) -> Iterator[dict[str, Any]]:
        with self._translated(), self._http.stream("POST", path, json=body, timeout=silence_seconds) as response:
            if response.is_error:
                response.read()
                self._check(response)
            for line in response.iter_lines():
                row = json.loads(line)
                if "error" in row:
                    raise OllamaRefused(reason=str(row["error"]))
                yield row

    def _check(self, response: httpx.Response) -> None:
        if not response.is_error:
            return
        try:
            reason = str(response.json()["error"])
        except (json.JSONDecodeError, KeyError, TypeError):
            reason = f"HTTP {response.status_code}"
        raise OllamaRefused(reason=reason)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
            # Another program may hold the port and answer something else: that, too, is "no Ollama here".
            raise OllamaUnavailable(host=self._url) from error
