"""The embedder on CPUs: OpenVINO with 8-bit weights and activations, and tokens from ``tokenizers``.

Neither torch nor transformers is imported: both together take ten seconds of a cold start.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov

from rag.protocols import FloatMatrix
from rag.retrieval.embedder_folder import OPENVINO_MODEL, PASSAGE_PREFIX, QUERY_PREFIX, read_identity
from rag.retrieval.length_batches import length_batches, padded
from rag.retrieval.micro_batching import MicroBatcher
from rag.retrieval.tokens import PAD_TOKEN, EmbedderTokens

_ACTIVATIONS_PER_SCALE = 384


class OpenVinoEmbedder:
    """multilingual-e5-small in 8 bits.  ``threads`` is the number of cores to use, 0 for all that this process has.

    Safe to call from several threads: an inference request belongs to one thread at a time, so each thread has its own,
    and questions of several threads are encoded together.  Raises ``EmbedderMissing``.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self._identity = read_identity(folder)
        self._tokens = EmbedderTokens(folder)
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or len(os.sched_getaffinity(0)),
            "INFERENCE_PRECISION_HINT": "f32",  # of what is not in 8 bits: same result on every CPU
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _ACTIVATIONS_PER_SCALE,
        }
        self._model = ov.Core().compile_model(folder / OPENVINO_MODEL, "CPU", options)
        self._local = threading.local()
        self._questions = MicroBatcher(self._encode)

    @property
    def model_id(self) -> str:
        """Name of the vector space."""
        return self._identity.model_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._identity.dimension

    def embed_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return float32 [n, dimension], rows of length 1; shares a batch with other threads' questions."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._questions.encode([QUERY_PREFIX + text for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return float32 [n, dimension], rows of length 1."""
        return self._encode([PASSAGE_PREFIX + text for text in texts])

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text has, without prefix and special tokens."""
        return self._tokens.count(text)

    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        numbers = self._tokens.encode(texts)
        request = self._request()
        for positions in length_batches([len(row) for row in numbers]):
            ids, mask = padded([numbers[position] for position in positions], PAD_TOKEN)
            request.infer({"input_ids": ids, "attention_mask": mask})
            rows[positions] = request.get_output_tensor(0).data
        return rows

    def _request(self) -> ov.InferRequest:
        request: ov.InferRequest | None = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._model.create_infer_request()
        return request
