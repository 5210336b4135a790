"""Orders passages with a cross-encoder, which reads the question and a passage together."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.errors import SearchModelUnusable
from rag.protocols import Reranker
from rag.retrieval.model_folders import MAX_TOKENS, search_model_folder
from rag.retrieval.ranking import KEPT_CHUNKS
from rag.retrieval.transformers_runtime import LOADING_ERRORS, loading_options, prepare_transformers
from rag.settings import Settings

_BATCH = KEPT_CHUNKS


def open_reranker(settings: Settings) -> Reranker | None:
    """Return the reranker that the settings name, loaded; None if they name none.

    Raises ``SearchModelMissing`` and ``SearchModelUnusable``.
    """
    if not settings.reranker:
        return None
    folder = search_model_folder(settings, settings.reranker)
    return CrossEncoderReranker(folder, settings.reranker, settings.embedder_threads)


class CrossEncoderReranker:
    """A cross-encoder of sentence-transformers with one score.  Safe to call from several threads: they take turns.

    ``name`` is the settings' name of the model in ``folder``.  Raises ``SearchModelUnusable``.
    """

    def __init__(self, folder: Path, name: str, threads: int = 0) -> None:
        prepare_transformers(threads)
        from sentence_transformers import CrossEncoder
        from torch.nn import Identity

        try:
            self._model = CrossEncoder(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs=loading_options()
            )
            scores = self._model.num_labels
        except LOADING_ERRORS as error:
            raise SearchModelUnusable(name=name, reason="broken") from error
        if scores != 1:
            raise SearchModelUnusable(name=name, reason="scores", scores=scores)
        self._model.max_seq_length = min(self._model.max_seq_length or MAX_TOKENS, MAX_TOKENS)
        self._as_it_is = Identity()
        self._lock = threading.Lock()

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return how well each of n passages answers the question, float64 [n], higher is better."""
        if not passages:
            return np.empty(0)
        pairs = [(question, passage) for passage in passages]
        with self._lock:
            found = self._model.predict(pairs, batch_size=_BATCH, activation_fn=self._as_it_is, show_progress_bar=False)
        return np.asarray(found, dtype=np.float64)
