"""The reference embedder: sentence-transformers on torch in float32, also for GPUs."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from rag.protocols import FloatMatrix, PassageVectors, QueryVectors
from rag.retrieval.embedder_tokens import EmbedderTokens, TokenKeeper, passage_spans
from rag.retrieval.model_folders import PASSAGE_PREFIX, QUERY_PREFIX, read_identity
from rag.retrieval.transformers_runtime import prepare_transformers

_BATCH = 32
_Tokens = TypeVar("_Tokens")


class SentenceTransformersEmbedder:
    """multilingual-e5-small in float32, on a GPU if there is one.  ``threads`` 0 leaves torch's choice.

    ``keeper`` is the shipped one where it is None.  Safe to call from several threads: they take turns.  Raises
    ``EmbedderMissing``.
    """

    def __init__(self, folder: Path, threads: int = 0, keeper: TokenKeeper | None = None) -> None:
        self._identity = read_identity(folder)
        # Here and not above: ten seconds that the other embedder does without.
        prepare_transformers(threads)
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(folder), local_files_only=True)
        self._tokens = EmbedderTokens(folder)
        self._keeper = keeper or TokenKeeper.shipped()
        self._lock = threading.Lock()

    @property
    def model_id(self) -> str:
        """Name of the vector space."""
        return self._identity.model_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._identity.dimension

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        """Return the vectors of n questions."""
        return QueryVectors(*self._encode([QUERY_PREFIX + text for text in texts], self._keeper.of_query))

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return the vectors of n passages."""
        return PassageVectors(*self._encode([PASSAGE_PREFIX + text for text in texts], self._keeper.of_passage))

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        """Return the span of each of the passage's tokens in it, [start, end) in characters."""
        return passage_spans(self._tokens, passage)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text has, without prefix and special tokens."""
        return self._tokens.count(text)

    def is_word(self, word: str) -> bool:
        """Tell whether a word in small letters is one of its tokens."""
        return self.count_tokens(word) == 1

    def _encode(
        self, texts: list[str], keep: Callable[[Sequence[int], FloatMatrix], _Tokens]
    ) -> tuple[FloatMatrix, tuple[_Tokens, ...]]:
        """Return the vectors of the texts, and what ``keep`` makes of the tokens of each."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        tokens: list[_Tokens] = []
        with self._lock:
            found = self._model.encode(texts, batch_size=_BATCH, show_progress_bar=False, output_value=None)
        for vector, one in zip(vectors, found, strict=True):
            vector[:] = one["sentence_embedding"].cpu().numpy()
            own = one["attention_mask"].cpu().numpy().astype(bool)
            tokens.append(keep(one["input_ids"].cpu().numpy()[own], one["token_embeddings"].cpu().numpy()[own]))
        return vectors, tuple(tokens)
