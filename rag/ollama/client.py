"""HTTP client for Ollama's management endpoints; translates failures into our errors.

With the standard library's client: importing httpx takes longer than all that ``python -m rag.ollama status`` does.
"""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from rag.errors import DownloadFailed, NotOllama, OllamaRefused, OllamaSilent, OllamaUnavailable
from rag.ollama.model_details import ModelDetails
from rag.terminal import Update

_ANSWER_SECONDS = 10.0
_PROBE_SECONDS = 2.0
_WORK_SECONDS = 600.0  # creating a model copies and may quantize gigabytes
_SHOW_SECONDS = 30.0  # it reads the model's header
_PIECE_BYTES = 1 << 20
_JSON = {"Content-Type": "application/json"}
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})

_FIRST_WORD_SECONDS = 8.0
_SILENCE_SECONDS = 120.0  # Ollama says nothing while it checks the sum of gigabytes
_NO_CONNECTION = ("no such host", "dial tcp", "timeout", "connection re", "unreachable", "TLS", "EOF")
_NO_MODEL = ("file does not exist", "not found")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that Ollama holds.  ``size_bytes`` is on disk."""

    name: str
    size_bytes: int
    parameters: str
    quantization: str


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory.  ``gpu_bytes`` is the part of ``memory_bytes`` that lies in the GPU.

    ``expires_at`` is when Ollama lets it go unless it is asked again: ISO 8601 with its zone, empty if it is not told.
    """

    name: str
    memory_bytes: int
    gpu_bytes: int
    context_tokens: int
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """News of a running download or quantization; both counts are 0 while Ollama speaks of anything but one file."""

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


def _progress(row: Mapping[str, Any]) -> Progress:
    return Progress(str(row.get("status", "")), int(row.get("completed", 0)), int(row.get("total", 0)))


class _ReportingFile:
    """A file that reports the bytes read."""

    def __init__(self, file: IO[bytes], size: int, update: Update) -> None:
        self._file, self._size, self._update = file, size, update

    def read(self, count: int = -1) -> bytes:
        """Read on, in larger pieces than the 8 KiB that http.client asks for, which make gigabytes slow."""
        del count
        piece = self._file.read(_PIECE_BYTES)
        self._update(self._file.tell(), self._size)
        return piece


class OllamaClient:
    """Speaks to the Ollama at ``url``.  Every method raises ``OllamaUnavailable`` or ``OllamaRefused``.

    ``OllamaSilent`` is raised where a connection is made and brings no answer, or half of one.
    ``version``, ``models``, ``loaded`` and ``show`` raise ``NotOllama`` where another program answers.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._opener: OpenerDirector = (
            build_opener(ProxyHandler({})) if urlsplit(url).hostname in _HERE else build_opener()
        )

    def version(self) -> str:
        """Return Ollama's version; answers or raises within two seconds."""
        return str(self._value("/api/version", "version", timeout=_PROBE_SECONDS))

    def models(self, *, timeout_seconds: float = _ANSWER_SECONDS) -> list[InstalledModel]:
        """Return the installed models, newest first."""
        rows = self._value("/api/tags", "models", timeout=timeout_seconds)
        with self._ollamas_fields():
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
        rows = self._value("/api/ps", "models")
        with self._ollamas_fields():
            return [
                LoadedModel(
                    row["name"],
                    int(row.get("size", 0)),
                    int(row.get("size_vram", 0)),
                    int(row.get("context_length", 0)),
                    str(row.get("expires_at", "")),
                )
                for row in rows
            ]

    def has_blob(self, sha256: str) -> bool:
        """Tell whether Ollama holds the file with this checksum."""
        try:
            with self._open(Request(self._address(f"/api/blobs/sha256:{sha256}"), method="HEAD"), _ANSWER_SECONDS):
                return True
        except OllamaRefused as error:
            if error.details["status"] == HTTPStatus.NOT_FOUND:
                return False
            raise

    def upload_blob(self, path: Path, sha256: str, update: Update = lambda done, total: None) -> None:
        """Send Ollama a file; it verifies the checksum.  ``update`` gets the bytes sent and their total."""
        size = path.stat().st_size
        with path.open("rb") as opened:
            file = _ReportingFile(opened, size, update)
            headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
            request = Request(self._address(f"/api/blobs/sha256:{sha256}"), data=file, headers=headers, method="POST")
            with self._open(request, _WORK_SECONDS):
                pass

    def create(self, recipe: ModelRecipe) -> None:
        """Make a model from a blob, with its template and stop tokens."""
        body = {
            "model": recipe.name,
            "files": {recipe.file_name: f"sha256:{recipe.sha256}"},
            "template": recipe.template,
            "license": recipe.licence,
            "parameters": {"stop": list(recipe.stop), **recipe.parameters},
        }
        for _ in self.make(body):
            pass

    def make(self, body: Mapping[str, object]) -> Iterator[Progress]:
        """Make a model as ``/api/create`` describes it (server/create.go), and yield how far it has come."""
        for row in self._lines("/api/create", body, silence_seconds=_WORK_SECONDS):
            yield _progress(row)

    def show(self, name: str) -> ModelDetails:
        """Return a model's details."""
        body = json.dumps({"model": name}).encode()
        request = Request(self._address("/api/show"), data=body, headers=_JSON, method="POST")
        with self._open(request, _SHOW_SECONDS) as response:
            whole = response.read()
        with self._ollamas_fields():
            return ModelDetails.of(json.loads(whole))

    def delete(self, name: str) -> None:
        """Delete a model; files that another one shares stay."""
        body = json.dumps({"model": name}).encode()
        with self._open(Request(self._address("/api/delete"), body, _JSON, method="DELETE"), _ANSWER_SECONDS):
            pass

    def generate(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Return ``/api/generate``'s one object for a request that is not streamed."""
        whole = json.dumps({**body, "stream": False}).encode()
        request = Request(self._address("/api/generate"), data=whole, headers=_JSON, method="POST")
        with self._open(request, _WORK_SECONDS) as response:
            found: dict[str, Any] = json.loads(response.read())
            return found

    def unload(self, name: str) -> None:
        """Ask for a model to be unloaded as soon as nobody uses it."""
        self.generate({"model": name, "keep_alive": 0})

    def render(self, name: str, messages: Sequence[Mapping[str, str]], options: Mapping[str, object]) -> str:
        """Return the prompt's text for a chat without thinking; empty where the server does not tell.

        ``_debug_render_only`` (server/routes.go) renders and generates nothing; a server that does not know it writes
        one token.
        """
        body = {"model": name, "messages": list(messages), "think": False, "options": {**options, "num_predict": 1}}
        whole = json.dumps({**body, "stream": False, "_debug_render_only": True}).encode()
        with self._open(Request(self._address("/api/chat"), whole, _JSON, method="POST"), _WORK_SECONDS) as response:
            found: dict[str, Any] = json.loads(response.read())
        return str(found.get("_debug_info", {}).get("rendered_template", ""))

    def pull(self, name: str, *, silence_seconds: float) -> Iterator[Progress]:
        """Download a model from the registry.  Closing the iterator stops it; what has arrived is kept by Ollama.

        Raises ``OllamaUnavailable`` when nothing is heard for ``silence_seconds``.
        """
        for row in self._lines("/api/pull", {"model": name}, silence_seconds=silence_seconds):
            yield _progress(row)

    def _value(self, path: str, key: str, *, timeout: float = _ANSWER_SECONDS) -> Any:  # noqa: ANN401 - JSON
        with self._open(Request(self._address(path)), timeout) as response:
            whole = response.read()
        with self._ollamas_fields():
            return json.loads(whole)[key]

    @contextmanager
    def _ollamas_fields(self) -> Iterator[None]:
        """Raise ``NotOllama`` where a whole answer is none of Ollama's, as another program's at its port is."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise NotOllama(host=self._url) from error

    def _lines(self, path: str, body: Mapping[str, object], *, silence_seconds: float) -> Iterator[dict[str, Any]]:
        request = Request(self._address(path), data=json.dumps(body).encode(), headers=_JSON, method="POST")
        with self._open(request, silence_seconds) as response:
            for line in response:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise OllamaUnavailable(host=self._url)
                if "error" in row:
                    raise OllamaRefused(reason=str(row["error"]), status=HTTPStatus.OK)
                yield row

    def _address(self, path: str) -> str:
        return f"{self._url}{path}"

    @contextmanager
    def _open(self, request: Request, timeout: float) -> Iterator[IO[bytes]]:
        """Send a request and translate its errors, also while the caller reads."""
        try:
            with self._opener.open(request, timeout=timeout) as response:
                yield response
        except HTTPError as error:
            with error:
                reason = _reason(error)
            if reason is None and request.get_method() == "GET":  # which no Ollama refuses without a word
                raise NotOllama(host=self._url) from error
            raise OllamaRefused(reason=reason or f"HTTP {error.code}", status=error.code) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failure_of(error)(host=self._url) from error


def _failure_of(error: Exception) -> type[OllamaUnavailable]:
    """Return what an error says about the other end: urllib wraps only those from before the request was sent."""
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
        return NotOllama
    return OllamaUnavailable if isinstance(error, URLError | ValueError) else OllamaSilent


def _reason(error: HTTPError) -> str | None:
    """Return Ollama's words; None where there are none."""
    try:
        said = json.loads(error.read())["error"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) else None


def pull(client: OllamaClient, name: str, update: Update, *, remedy: str = "other_model") -> None:
    """Pull from the registry; one that is silent at the beginning is given up sooner than a running download.

    Raises ``DownloadFailed``.
    """
    arriving = False
    for silence_seconds in (_FIRST_WORD_SECONDS, _SILENCE_SECONDS):
        try:
            for news in client.pull(name, silence_seconds=silence_seconds):
                arriving = arriving or news.completed_bytes > 0
                update(news.completed_bytes, news.total_bytes)
                if news.status == "success":
                    return
        except OllamaRefused as error:
            raise DownloadFailed(what=name, reason=_pull_failure(error), remedy=remedy) from error
        except OllamaUnavailable as error:
            if not arriving:
                raise DownloadFailed(what=name, reason="silent", remedy=remedy) from error
    raise DownloadFailed(what=name, reason="broken", remedy="again")


def _pull_failure(error: OllamaRefused) -> str:
    """Translate Ollama's own words, which have no codes."""
    said = str(error.details["reason"])
    if any(words in said for words in _NO_MODEL):
        return "absent"
    return "silent" if any(words in said for words in _NO_CONNECTION) else said
