"""The embedder as its makers run it, sentence-transformers on torch in float32: the yardstick, and the way to a GPU."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.protocols import FloatMatrix
from rag.retrieval.embedder_folder import PASSAGE_PREFIX, QUERY_PREFIX, read_identity
from rag.retrieval.tokens import EmbedderTokens

_BATCH = 32


class SentenceTransformersEmbedder:
    """multilingual-e5-small in float32, on a GPU if there is one.  ``threads`` 0 leaves torch's choice.

    Safe to call from several threads: they take turns.  Raises ``EmbedderMissing``.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self._identity = read_identity(folder)
        # Here and not above: ten seconds that the other embedder does without.
        import torch
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        self._model = SentenceTransformer(str(folder), local_files_only=True)
        self._tokens = EmbedderTokens(folder)
        self._lock = threading.Lock()

    @property
    def model_id(self) -> str:
        """Name of the vector space."""
        return self._identity.model_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._identity.dimension

    def embed_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return float32 [n, dimension], rows of length 1."""
        return self._encode([QUERY_PREFIX + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return float32 [n, dimension], rows of length 1."""
        return self._encode([PASSAGE_PREFIX + text for text in texts])

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text has, without prefix and special tokens."""
        return self._tokens.count(text)

    def _encode(self, texts: list[str]) -> FloatMatrix:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        with self._lock:
            rows = self._model.encode(texts, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(rows, dtype=np.float32)
