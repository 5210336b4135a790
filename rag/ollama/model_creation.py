"""Creates models in Ollama: import, quantize, adapter.  The server's side is server/create.go (0.24).

Files go over as blobs, named by their sha256; then ``/api/create`` says what is made of them.  Nothing is written over:
Ollama would replace a model of the same name without a word.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelMissing, ModelUnfit
from rag.ollama.client import InstalledModel, OllamaClient
from rag.ollama.model_details import ModelDetails
from rag.ollama.model_files import ModelSource, adapter_files, require_unquantized
from rag.ollama.models import STAND_IN_PREFIX, find_installed, is_stand_in
from rag.terminal import Update

KINDS = ("q8_0", "q4_K_M", "q4_K_S")
"""Quantizations that Ollama can make (fs/ggml/type.go, ParseFileType)."""

OWN_KINDS = ("q4_0",)
"""Quantizations that are written here, since Ollama refuses to make them."""

_NAME = re.compile(r"(?=.{1,120}$)[A-Za-z0-9][\w.-]*(/[\w.-]+){0,2}(:[\w.-]+)?", re.ASCII)
_UNQUANTIZED_END = re.compile(r"-(?:fp16|f16|bf16|fp32|f32)$", re.IGNORECASE)
_PIECE_BYTES = 1 << 20

Shown = Callable[[str, str], AbstractContextManager[Update]]
"""Shows progress: called with a key of ``words`` and what it is about."""


def known_kind(kind: str, of: str | Path, kinds: Sequence[str] = KINDS) -> str:
    """Return the kind of quantization as Ollama spells it.

    Raises ``ModelUnfit``, which names ``of``, for any that cannot be made.
    """
    found = next((one for one in kinds if one.lower() == kind.lower()), None)
    if found is None:
        raise ModelUnfit(model=of, reason="kind", what=kind)
    return found


def variant_name(name: str, kind: str) -> str:
    """Name a quantized model after its source.

    >>> variant_name("deepseek-r1:7b-f16", "q8_0"), variant_name("team", "q4_K_M")
    ('deepseek-r1:7b-q8_0', 'team:q4_K_M')
    """
    base, colon, tag = name.partition(":")
    tag = _UNQUANTIZED_END.sub("", f"-{tag}")[1:] if tag != "latest" else ""
    return f"{base}:{tag}-{kind}" if colon and tag else f"{base}:{kind}"


@dataclass(frozen=True, slots=True)
class ModelMaker:
    """Makes models in the Ollama behind ``client``; ``shown`` shows the progress of each long step."""

    client: OllamaClient
    shown: Shown

    def import_files(self, source: ModelSource, name: str, kind: str = "") -> ModelDetails:
        """Make a model of files, quantized to ``kind`` unless that is empty.

        Raises ``ModelUnfit``, also where Ollama finds no chat format in a file that we did not know either; then
        nothing is left behind.
        """
        if kind:
            kind = known_kind(kind, source.path)
            require_unquantized(source.path, source.quantization)
        self.require_free(name)
        files = {file_name: f"sha256:{self.send(path)}" for file_name, path in source.files.items()}
        body: dict[str, object] = {"model": name, "files": files}
        if source.chat_format is not None:
            chat_format = source.chat_format
            body["template"] = chat_format.template
            body["parameters"] = {"stop": list(chat_format.stop), **chat_format.parameters}
        if kind:
            body["quantize"] = kind
        self._make(name, body)
        details = self.client.show(name)
        if not details.has_template:
            self.client.delete(name)
            raise ModelUnfit(model=source.path, reason="no_template", what="r1|chatml|chatml-think")
        return details

    def quantize(self, name: str, kind: str, new_name: str = "") -> str:
        """Make a quantized model of an installed one, with its template and parameters; return its name."""
        kind = known_kind(kind, name, (*KINDS, *OWN_KINDS))
        source = self._require_installed(name)
        details = self.client.show(source.name)
        require_unquantized(source.name, details.quantization)
        made = new_name or variant_name(source.name, kind)
        self.require_free(made, of=source.name)
        if kind in OWN_KINDS:
            self._write_and_send(source.name, details, made)
        else:
            self._make(made, {"model": made, "from": source.name, "quantize": kind})
        return made

    def _write_and_send(self, name: str, details: ModelDetails, made: str) -> None:
        """Write the Q4_0 from the file in Ollama's store, which has to be readable here."""
        from rag.ollama.reconstruct import quantize_q4_0  # numpy, which no other command needs

        file = Path(details.file)
        if not details.file or not os.access(file, os.R_OK):
            raise ModelUnfit(model=name, reason="blob", what=details.file or "?")
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "q4_0.gguf"
            with self.shown("making", made) as update:
                quantize_q4_0(file, written, update)
            files = {"model.gguf": f"sha256:{self.send(written)}"}
        body = {"files": files, "template": details.template, "parameters": dict(details.parameters)}
        self._make(made, {"model": made, **body})

    def attach(self, name: str, adapter: Path, new_name: str) -> None:
        """Make a model of an installed one and a LoRA adapter."""
        source = self._require_installed(name)
        details = self.client.show(source.name)
        if not details.has_template:
            raise ModelUnfit(model=source.name, reason="installed_without_template")
        files = adapter_files(adapter, str(details.metadata.get("general.architecture", "")))
        self.require_free(new_name, of=source.name)
        sent: Mapping[str, str] = {file_name: f"sha256:{self.send(path)}" for file_name, path in files.items()}
        self._make(new_name, {"model": new_name, "from": source.name, "adapters": sent})

    def _require_installed(self, name: str) -> InstalledModel:
        found = find_installed(self.client.models(), name)
        if found is None:  # Ollama would begin to pull it
            raise ModelMissing(model=name)
        return found

    def require_free(self, name: str, of: str = "") -> None:
        """Raise ``ModelUnfit`` where a model made ``of`` another one cannot be called so: no name, or it is taken."""
        if _NAME.fullmatch(name) is None:
            raise ModelUnfit(model=name, reason="name")
        if is_stand_in(of) and not is_stand_in(name):
            raise ModelUnfit(model=name, reason="stand_in_name", what=STAND_IN_PREFIX)
        if find_installed(self.client.models(), name) is not None:
            raise ModelUnfit(model=name, reason="taken")

    def send(self, path: Path) -> str:
        """Send Ollama a file unless it has it; return its sha256."""
        with self.shown("checking", path.name) as update:
            sha256 = _sha256(path, update)
        if not self.client.has_blob(sha256):
            with self.shown("sending", path.name) as update:
                self.client.upload_blob(path, sha256, update)
        return sha256

    def _make(self, name: str, body: Mapping[str, object]) -> None:
        with self.shown("making", name) as update:
            for one in self.client.make(body):
                update(one.completed_bytes, one.total_bytes)


def _sha256(path: Path, update: Update) -> str:
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            done += len(piece)
            update(done, size)
    return digest.hexdigest()
