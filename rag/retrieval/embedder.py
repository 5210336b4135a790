"""Opens the embedder named in the settings, and that of a generation embedded with another one."""

import contextlib
import logging
import threading

from rag.errors import EmbedderMismatch, EmbedderMissing
from rag.protocols import Embedder, Reranker
from rag.retrieval.model_folders import (
    embedding_model_folder,
    known_name,
    model_id_of,
    openvino_folder,
    read_identity,
    reference_folder,
    remember,
)
from rag.retrieval.reranker import open_reranker
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

logger = logging.getLogger(__name__)


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder: the model named in the settings, or the built-in one.

    The built-in one runs on OpenVINO in 8 bits, unless the settings ask for sentence-transformers.  ``auto`` means
    OpenVINO on every machine: it needs no torch, and leaves a GPU to the language model.  Both share a vector space, so
    a large folder may be ingested on a GPU with one and searched with the other.  Raises ``EmbedderMissing`` if the
    model's folder is not on this machine.
    """
    # Each brings its own engine along, which costs time and memory.
    if settings.embedding_model:
        from rag.retrieval.search_model_embedder import SearchModelEmbedder

        folder = embedding_model_folder(settings, settings.embedding_model)
        chosen = SearchModelEmbedder(folder, settings.embedding_model, settings.embedder_threads)
        remember(settings, chosen.model_id, settings.embedding_model)
        return chosen
    if settings.embedder == "sentence-transformers":
        from rag.retrieval.reference_embedder import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(reference_folder(settings), settings.embedder_threads)
    from rag.retrieval.openvino_embedder import OpenVinoEmbedder

    return OpenVinoEmbedder(openvino_folder(settings), settings.embedder_threads)


def chosen_model_id(settings: Settings) -> str:
    """Return the vector space of ``open_embedder`` without loading a model.  Raises ``EmbedderMissing``."""
    if settings.embedding_model:
        return model_id_of(embedding_model_folder(settings, settings.embedding_model), settings.embedding_model)
    of_reference = settings.embedder == "sentence-transformers"
    return read_identity(reference_folder(settings) if of_reference else openvino_folder(settings)).model_id


class SearchModels:
    """The reranker and the embedders of one process, by vector space; loaded when first needed, and kept.

    If a knowledge base was embedded with another model than the settings name, its questions are embedded with that
    model until an ingest has published a generation of the new one.  Safe to call from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: dict[str, Embedder] = {}
        self._reranker: Reranker | None = None

    def chosen(self) -> Embedder:
        """Return the settings' embedder.  Raises ``EmbedderMissing``."""
        with self._lock:
            return self._open(self._settings, chosen_model_id(self._settings))

    def reranker(self) -> Reranker | None:
        """Return the settings' reranker, None if they name none.  Raises what ``open_reranker`` raises."""
        with self._lock:
            self._reranker = self._reranker or open_reranker(self._settings)
            return self._reranker

    def of_knowledge_base(self, store: KnowledgeStore) -> Embedder:
        """Return the embedder of the current generation.  Raises what ``of`` raises, and ``KnowledgeBaseMissing``."""
        return self.of(store.generation_info(store.require_generation()).embedder_model)

    def of(self, model_id: str) -> Embedder:
        """Return the embedder of a vector space.

        Raises ``EmbedderMismatch`` if it is not the settings' and its model is no longer on this machine, and
        ``EmbedderMissing`` if the settings' own model is missing.
        """
        with self._lock:
            if model_id in self._opened:
                return self._opened[model_id]
            chosen = chosen_model_id(self._settings)
            if model_id == chosen:
                return self._open(self._settings, model_id)
            found = self._settings_of(model_id)
            if found is None:
                raise EmbedderMismatch(found=model_id, expected=chosen)
            logger.warning("searched with %s, which embedded the knowledge base, and not with %s", model_id, chosen)
            return self._open(found, model_id)

    def _open(self, settings: Settings, model_id: str) -> Embedder:
        if model_id not in self._opened:
            self._opened[model_id] = open_embedder(settings)
        return self._opened[model_id]

    def _settings_of(self, model_id: str) -> Settings | None:
        """Return settings that choose the model of a vector space; None if it is not on this machine."""
        name = known_name(self._settings, model_id) or ""
        other = self._settings.changed(embedding_model=name)
        with contextlib.suppress(EmbedderMissing):
            return other if chosen_model_id(other) == model_id else None
        return None
