"""Checks model files before they are imported: GGUF, safetensors folder or adapter.

Everything that Ollama would only find out after gigabytes were copied, or not at all (a model without a chat format
answers nonsense, without any error), is refused here in one sentence.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelUnfit
from rag.ollama.gguf import read_header
from rag.ollama.model_details import UNQUANTIZED
from rag.ollama.templates import FORMATS, ChatFormat, format_of

CHAT_TEMPLATE = "tokenizer.chat_template"
_SAFETENSORS_ARE = "F16"  # as what Ollama 0.24 writes them (convert/convert.go)
_ADAPTERS_FROM_SAFETENSORS = ("llama", "gemma2")  # convert.ConvertAdapter knows no others


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Files by the names that Ollama is to know, how their weights are kept, and the chat format to give the model.

    ``chat_format`` None: the file has a chat template that is none of ours, and Ollama may know it.
    """

    path: Path
    files: Mapping[str, Path]
    quantization: str
    chat_format: ChatFormat | None


def model_source(path: Path, template: str = "") -> ModelSource:
    """Inspect a model's file or folder.  ``template`` names one of ``FORMATS``; empty: read from the files.

    Raises ``ModelUnfit``.
    """
    return _folder(path, template) if path.is_dir() else _gguf(path, template)


def _gguf(path: Path, template: str) -> ModelSource:
    header = read_header(path)
    parts = header.metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise ModelUnfit(model=path, reason="split", what=str(parts))
    if header.kind == "adapter":
        raise ModelUnfit(model=path, reason="is_adapter")
    if header.kind in ("mmproj", "projector"):
        raise ModelUnfit(model=path, reason="is_projector")
    if f"{header.metadata.get('general.architecture')}.pooling_type" in header.metadata:
        raise ModelUnfit(model=path, reason="is_embedder")
    chat_format = _chat_format(path, template, str(header.metadata.get(CHAT_TEMPLATE, "")))
    return ModelSource(path, {_safe_name(path): path}, header.file_type, chat_format)


def _folder(path: Path, template: str) -> ModelSource:
    weights = sorted([*path.glob("model*.safetensors"), *path.glob("consolidated*.safetensors")])
    if not weights or not (path / "config.json").is_file():
        raise ModelUnfit(model=path, reason="no_weights")
    texts = [*sorted(path.glob("*.json")), *path.glob("tokenizer.model"), *path.glob("*.jinja")]
    chat_format = _chat_format(path, template, _template_of_folder(path))
    return ModelSource(path, {one.name: one for one in [*weights, *texts]}, _SAFETENSORS_ARE, chat_format)


def _template_of_folder(path: Path) -> str:
    try:
        return (path / "chat_template.jinja").read_text(encoding="utf-8")
    except OSError:
        pass  # older folders keep it in the tokenizer's configuration
    try:
        configuration = json.loads((path / "tokenizer_config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(configuration.get("chat_template") or "") if isinstance(configuration, dict) else ""


def _chat_format(path: Path, template: str, own: str) -> ChatFormat | None:
    if template:
        return FORMATS[template]
    if not own:
        raise ModelUnfit(model=path, reason="no_template", what="|".join(FORMATS))
    return format_of(own)


def adapter_files(path: Path, architecture: str) -> Mapping[str, Path]:
    """Check an adapter for a model of this architecture; return its files.  Raises ``ModelUnfit``."""
    if path.is_dir():
        wanted = ("adapter_config.json", "adapter_model.safetensors")
        if not all((path / name).is_file() for name in wanted):
            raise ModelUnfit(model=path, reason="adapter_folder")
        if architecture not in _ADAPTERS_FROM_SAFETENSORS:
            raise ModelUnfit(model=path, reason="adapter_format", what=architecture)
        return {name: path / name for name in wanted}
    header = read_header(path)
    if header.kind != "adapter":
        raise ModelUnfit(model=path, reason="no_adapter")
    made_for = str(header.metadata.get("general.architecture", ""))
    if made_for != architecture:
        raise ModelUnfit(model=path, reason="other_architecture", what=made_for)
    return {_safe_name(path): path}


def require_unquantized(name: str | Path, quantization: str) -> None:
    """Raise ``ModelUnfit`` unless the weights can be quantized: F16 or BF16.

    Ollama 0.24 says that it takes F32 as well, but reads that kind's number, 0, as "not known" (ggml.KV.FileType).
    """
    if quantization == "F32":
        raise ModelUnfit(model=name, reason="f32")
    if quantization not in UNQUANTIZED:
        raise ModelUnfit(model=name, reason="quantized", what=quantization or "?")


def _safe_name(path: Path) -> str:
    """Name a file as Ollama wants it: relative, and with the ending by which it knows the kind."""
    return path.name if path.name.endswith(".gguf") else "model.gguf"
