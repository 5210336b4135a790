"""The embedder on CPUs: OpenVINO with 8-bit weights and activations, tokens from ``tokenizers``.

Neither torch nor transformers is imported: both together take ten seconds of a cold start.  Texts of similar length
are embedded together, to minimize padding.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.errors import EmbedderTooLarge
from rag.priority import usable_cores
from rag.protocols import FloatMatrix, PassageVectors, QueryVectors
from rag.retrieval.embedder_tokens import PAD_TOKEN, EmbedderTokens, TokenKeeper, passage_spans
from rag.retrieval.micro_batching import MicroBatcher
from rag.retrieval.model_folders import (
    ATTENTION_MASK,
    EMBEDDING,
    INPUT_IDS,
    OPENVINO_MODEL,
    PASSAGE_PREFIX,
    QUERY_PREFIX,
    TOKEN_VECTORS,
    read_identity,
)
from rag.retrieval.openvino_runtime import ov

BATCH_TOKENS = 2048
"""Tokens of a batch with its padding: eight passages of the usual kind at their longest."""

_ROUND_UP_TOKENS = 8  # few different shapes: the engine prepares each one by itself

_MOST_PADDING_TOKENS = 8
"""What another call costs, in tokens of a text: 1.2 ms, on two cores of a Xeon with AMX.  The texts of a mail, from 11
to 136 tokens, take 67 instead of 161 ms if none is padded to the length of the longest."""


def length_batches(lengths: Sequence[int], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Yield the positions of all texts, longest texts first, in batches of ``batch_tokens`` padded tokens at the most.

    The texts of a batch have similar lengths, and a text longer than ``batch_tokens`` has a batch of its own.

    >>> list(length_batches([3, 100, 4, 98, 99], batch_tokens=250))
    [[1, 4], [3], [2, 0]]
    """
    batch: list[int] = []
    width = 0
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        own_width = rounded_up(lengths[position])
        if batch and (width * (len(batch) + 1) > batch_tokens or width - own_width > _MOST_PADDING_TOKENS):
            yield batch
            batch = []
        if not batch:
            width = own_width
        batch.append(position)
    if batch:
        yield batch


def rounded_up(length: int) -> int:
    """Return the width of the matrix that holds a row of this length.

    >>> rounded_up(9)
    16
    """
    return -(-length // _ROUND_UP_TOKENS) * _ROUND_UP_TOKENS


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows as one matrix [n, width] filled up with ``pad``, and its mask: 1 where a row has a token."""
    width = rounded_up(max(len(row) for row in rows))
    numbers = np.full((len(rows), width), pad, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for target, kept, row in zip(numbers, mask, rows, strict=True):
        target[: len(row)] = row
        kept[: len(row)] = 1
    return numbers, mask


_Tokens = TypeVar("_Tokens")

_NO_MEMORY = re.compile("cannot allocate memory|bad_alloc|failed to map segment|start new thread", re.IGNORECASE)
"""What OpenVINO, the loader of libraries and Python say where memory or address space is short."""


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise ``EmbedderTooLarge`` where memory is short, of which OpenVINO tells in words alone."""
    try:
        yield
    except MemoryError as error:
        raise EmbedderTooLarge from error
    except RuntimeError as error:
        if _NO_MEMORY.search(str(error)) is None:
            raise
        raise EmbedderTooLarge from error


# OpenVINO (2026.4) makes its table of NumPy's types when one is first asked for, and gives the interpreter's lock away
# meanwhile: where two threads ask first, one waits for the table with that lock, the other for the lock, forever.
ov.Type.f32.to_dtype()

_ACTIVATIONS_PER_SCALE = 384
_PASSAGE_BATCH_TOKENS = 512
"""What a core works on at a time stays in its cache: of 1,024 and 2,048 it takes 5 and 12 % longer for each token."""


class OpenVinoEmbedder:
    """multilingual-e5-small in 8 bits.  ``threads`` is the number of cores to use, 0 for all that this process has.

    A question gets all of them at once; passages are many, so each thread that embeds some is served by one core, and
    ``threads`` threads keep all busy without ever waiting for each other.  Safe to call from several threads: questions
    of several threads are encoded together.  Each is compiled at its first text.  Raises ``EmbedderMissing``; embedding
    raises ``EmbedderTooLarge``.  ``keeper`` is the shipped one where it is None.
    """

    def __init__(self, folder: Path, threads: int = 0, keeper: TokenKeeper | None = None) -> None:
        self._identity = read_identity(folder)
        self._tokens = EmbedderTokens(folder)
        cores = threads or usable_cores()
        model = folder / OPENVINO_MODEL
        self._at_once = _Engine(model, {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores})
        self._side_by_side = _Engine(
            model,
            {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": cores, "NUM_STREAMS": cores},
            may_halve=True,
        )
        self._keeper = keeper or TokenKeeper.shipped()
        self._questions = MicroBatcher(
            lambda texts: self._encode(texts, self._keeper.of_query, self._at_once, BATCH_TOKENS)
        )

    @property
    def model_id(self) -> str:
        """Name of the vector space."""
        return self._identity.model_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._identity.dimension

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        """Return the vectors of n questions; shares a batch with other threads' questions."""
        encoded = self._questions.encode([QUERY_PREFIX + text for text in texts]) if texts else ()
        return QueryVectors(self._matrix([vector for vector, _ in encoded]), tuple(tokens for _, tokens in encoded))

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return the vectors of n passages."""
        encoded = self._encode_passages(texts, self._keeper.of_passage)
        return PassageVectors(self._matrix([vector for vector, _ in encoded]), tuple(tokens for _, tokens in encoded))

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        """Return the span of each of the passage's tokens in it, [start, end) in characters."""
        return passage_spans(self._tokens, passage)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens the text has, without prefix and special tokens."""
        return self._tokens.count(text)

    def is_word(self, word: str) -> bool:
        """Tell whether a word in small letters is one of its tokens."""
        return self.count_tokens(word) == 1

    def states(self, texts: Sequence[str]) -> list[FloatMatrix]:
        """Return the last hidden states of passages, float32 [tokens, dimension], as the model gives them."""
        return [rows for _, rows in self._encode_passages(texts, lambda _, rows: rows.copy())]

    def _encode_passages(
        self, texts: Sequence[str], keep: Callable[[Sequence[int], FloatMatrix], _Tokens]
    ) -> list[tuple[FloatMatrix, _Tokens]]:
        return self._encode([PASSAGE_PREFIX + text for text in texts], keep, self._side_by_side, _PASSAGE_BATCH_TOKENS)

    def _encode(
        self,
        texts: Sequence[str],
        keep: Callable[[Sequence[int], FloatMatrix], _Tokens],
        engine: "_Engine",
        batch_tokens: int,
    ) -> list[tuple[FloatMatrix, _Tokens]]:
        """Return for each text its vector, float32 [dimension], and what ``keep`` makes of its tokens."""
        numbers = self._tokens.encode(texts)
        encoded: dict[int, tuple[FloatMatrix, _Tokens]] = {}
        with memory_errors():
            request = engine.request()
        for positions in length_batches([len(row) for row in numbers], batch_tokens):
            ids, mask = padded([numbers[position] for position in positions], PAD_TOKEN)
            with memory_errors():
                request.infer({INPUT_IDS: ids, ATTENTION_MASK: mask}, share_inputs=True)
            # both are overwritten by the next batch
            vectors, states = request.get_tensor(EMBEDDING).data, request.get_tensor(TOKEN_VECTORS).data
            for position, vector, rows in zip(positions, vectors, states, strict=True):
                own = numbers[position]
                encoded[position] = vector.copy(), keep(own, rows[: len(own)])
        return [encoded[position] for position in range(len(texts))]

    def _matrix(self, rows: Sequence[FloatMatrix]) -> FloatMatrix:
        return np.stack(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)


class _Engine:
    """The model, compiled with some options at its first use; an inference request for each thread.

    ``may_halve``: what is not in 8 bits may be in bfloat16.  Beside the 8 bits' own error that is nothing: a passage's
    cosine to its vector in float32 is .9994 with and without it.
    """

    def __init__(self, model: Path, options: Mapping[str, str | int], *, may_halve: bool = False) -> None:
        self._path = model
        self._options = options
        self._may_halve = may_halve
        self._lock = threading.Lock()
        self._model: ov.CompiledModel | None = None
        self._local = threading.local()

    def request(self) -> ov.InferRequest:
        """Return the calling thread's own: a request belongs to one thread at a time."""
        request: ov.InferRequest | None = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled().create_infer_request()
        return request

    def _compiled(self) -> ov.CompiledModel:
        """Return the model, which a thread of its own has compiled.

        OpenVINO's CPU plugin gives the thread that loads it a stack for signals, and takes it away with the plugin.  A
        second plugin restores that of the first, which is gone by then, and the next Ctrl-C ended the process with a
        segmentation fault.
        """
        with self._lock:
            if self._model is None:
                with ThreadPoolExecutor(1, "embedder") as loader:
                    self._model = loader.submit(self._compile).result()
            return self._model

    def _compile(self) -> ov.CompiledModel:
        core = ov.Core()
        # of what is not in 8 bits; in 16, where the CPU multiplies these, attention takes a third less time
        halved = self._may_halve and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        options = {
            **self._options,
            "INFERENCE_PRECISION_HINT": "bf16" if halved else "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _ACTIVATIONS_PER_SCALE,
        }
        return core.compile_model(self._path, "CPU", options)
