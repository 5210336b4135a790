"""Builds the pipelines of the desk's knowledge bases, when the first question asks for them."""

import threading

from rag.protocols import Embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.turns import AnswerPipeline


class PipelineBuilder:
    """Builds pipelines that share one embedder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None

    def __call__(self, name: str) -> AnswerPipeline:
        """Return the pipeline of a knowledge base: seconds, that the page must not wait."""
        from rag.factory import build_pipeline  # brings the embedder's and the indexes' libraries

        settings = self._settings.changed(knowledge_base=name)
        KnowledgeStore(settings.knowledge_dir).require_generation()  # before the embedder, which takes seconds
        return build_pipeline(settings, embedder=self.embedder())

    def embedder(self) -> Embedder:
        """Return the one embedder, loaded when it is first asked for.  Raises ``EmbedderMissing``."""
        from rag.retrieval.embedder import open_embedder

        with self._lock:
            self._embedder = self._embedder or open_embedder(self._settings)
            return self._embedder
