"""Fetches the embedding model and the reranker that the settings name from the model hub, once.

A model is kept as a folder with its weights in safetensors.  Weights that the hub has only as a pickle are read with
torch's ``weights_only``, which runs nothing of what is in it, and code that comes with a model is not run either.
"""

import errno
import importlib.util
import os
from pathlib import Path

import httpx

from rag.errors import DownloadFailed, TorchMissing
from rag.retrieval.model_folders import (
    embedding_model_folder,
    hub_model_folder,
    is_hub_name,
    search_model_folder,
)
from rag.retrieval.transformers_runtime import LOADING_ERRORS
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.embedder import fill_folder


def provide_embedding_model(settings: Settings, console: Console) -> Outcome:
    """Fetch the embedding model unless it is here; say what it takes.

    Raises ``DownloadFailed``, ``TorchMissing``, and ``SearchModelUnusable`` where it is no model of
    sentence-transformers.
    """
    name = settings.embedding_model
    what = console.words("embedding_model", name=name)
    if not _fetch(settings, name, console, "SentenceTransformer"):
        embedding_model_folder(settings, name)
        return Outcome(what, "here")
    from rag.retrieval.search_model_embedder import SearchModelEmbedder

    found = SearchModelEmbedder(embedding_model_folder(settings, name), name)
    way = "embedding_model_fetched" if found.has_late_interaction else "embedding_model_without_tokens"
    details = {"millions": found.parameters / 1e6, "megabytes": found.parameters * 4 / 1e6}
    return Outcome(what, way, {**details, "dimension": found.dimension})


def provide_reranker(settings: Settings, console: Console) -> Outcome:
    """Fetch the reranker unless it is here.  Raises ``DownloadFailed``, ``TorchMissing`` or ``SearchModelUnusable``."""
    fetched = _fetch(settings, settings.reranker, console, "CrossEncoder")
    search_model_folder(settings, settings.reranker)
    return Outcome(console.words("reranker", name=settings.reranker), "fetched" if fetched else "here")


def _fetch(settings: Settings, name: str, console: Console, kind: str) -> bool:
    """Bring a model of the hub, by a class of sentence-transformers; return whether that was necessary."""
    folder = hub_model_folder(settings, name)
    if not is_hub_name(name) or folder.is_dir():
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with console.progress("downloading", name, in_bytes=False):
        try:
            fill_folder(folder, lambda partial: _save(name, partial, kind))
        except (*LOADING_ERRORS, httpx.HTTPError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise DownloadFailed(what=name, reason="absent", remedy="other_search_model") from error
    return True


def _save(name: str, folder: Path, kind: str) -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if importlib.util.find_spec("torch") is None:
        raise TorchMissing
    import sentence_transformers

    model = getattr(sentence_transformers, kind)(name, trust_remote_code=False, device="cpu")
    model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
