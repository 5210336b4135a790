"""Lists the models in Ollama's store without starting Ollama."""

import json
from collections.abc import Iterator
from pathlib import Path

from rag.ollama.client import InstalledModel
from rag.ollama.install import models_folder
from rag.settings import Settings

_REGISTRY = Path("registry.ollama.ai") / "library"  # of names without a namespace


def store_folder(settings: Settings) -> Path:
    """Return where the Ollama that would be started keeps its models."""
    return models_folder(settings) or Path.home() / ".ollama" / "models"


def stored_models(store: Path) -> list[InstalledModel]:
    """Return the models of a store whose files are all there.  Parameters and quantization stay empty."""
    return list(_whole_models(store))


def _whole_models(store: Path) -> Iterator[InstalledModel]:
    library = store / "manifests" / _REGISTRY
    for manifest in sorted(library.glob("*/*")):
        try:
            layers = json.loads(manifest.read_bytes())["layers"]
            blobs = {store / "blobs" / str(layer["digest"]).replace(":", "-"): int(layer["size"]) for layer in layers}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half-written, or of another kind: to Ollama, too, it is no model
        if all(blob.is_file() and blob.stat().st_size == size for blob, size in blobs.items()):
            name = f"{manifest.parent.name}:{manifest.name}"
            yield InstalledModel(name, sum(blobs.values()), "", "")
