"""Deterministic fakes, shipped so that other programs can test against this one without a model.

They are named as fakes wherever they show: the generator's model is ``scripted`` and always a stand-in.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rag.protocols import (
    FloatMatrix,
    GeneratedText,
    GeneratedThinking,
    GenerationFinished,
    GenerationPart,
    Message,
)

_WORD_OR_IDEOGRAPH = re.compile(r"[a-z0-9]+|[\u4e00-\u9fff]")


class HashEmbedder:
    """A bag of hashed words and ideographs: texts that share words are near.  No model, no network.

    >>> embedder = HashEmbedder()
    >>> near, far = embedder.embed_passages(["refund within 7 days", "robot vacuum brush"])
    >>> query = embedder.embed_queries(["how many days for a refund"])[0]
    >>> bool(query @ near > query @ far)
    True
    """

    def __init__(self, dimension: int = 64) -> None:
        if dimension < 8:
            raise ValueError(f"dimension must be at least 8, not {dimension}")
        self._dimension = dimension

    @property
    def model_id(self) -> str:
        """Name of the fake vector space."""
        return f"hash-{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Return unit rows."""
        return self._embed(texts)

    def embed_passages(self, texts: Sequence[str]) -> FloatMatrix:
        """Return unit rows."""
        return self._embed(texts)

    def count_tokens(self, text: str) -> int:
        """Count words and ideographs."""
        return len(_WORD_OR_IDEOGRAPH.findall(text.lower()))

    def _embed(self, texts: Sequence[str]) -> FloatMatrix:
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _WORD_OR_IDEOGRAPH.findall(text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                slot = int.from_bytes(digest[:4], "little") % self._dimension
                vectors[row, slot] += 1.0
            if not vectors[row].any():
                vectors[row, 0] = 1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / norms, dtype=np.float32)


Script = Callable[[Sequence[Message]], Sequence[GenerationPart | Exception]]


class ScriptedGenerator:
    """Replays parts; an exception in the script is raised at its place, and a gate holds it where a test wants.

    ``script`` is given the messages and returns the parts.  Without one the generator quotes the last message's first
    evidence line.  ``gates`` maps the index of a part to an event that must be set before the part is given.
    """

    def __init__(self, script: Script | None = None, *, gates: dict[int, threading.Event] | None = None) -> None:
        self._script = script or _quote_first_line
        self._gates = gates or {}
        self.calls: list[list[Message]] = []
        self.closed = 0

    @property
    def model(self) -> str:
        """Name of the fake."""
        return "scripted"

    @property
    def stand_in(self) -> bool:
        """Always: this is no language model at all."""
        return True

    def generate(self, messages: Sequence[Message], *, think: bool, max_tokens: int) -> Iterator[GenerationPart]:
        """Yield the script's parts and a ``GenerationFinished``, if the script has none of its own."""
        self.calls.append(list(messages))
        finished = False
        try:
            for index, part in enumerate(self._script(messages)):
                if index in self._gates:
                    self._gates[index].wait(timeout=30)
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, GeneratedThinking) and not think:
                    continue
                finished = isinstance(part, GenerationFinished)
                yield part
            if not finished:
                yield GenerationFinished(prompt_tokens=1, generated_tokens=1, prompt_ms=1.0, generation_ms=1.0)
        finally:
            self.closed += 1


def _quote_first_line(messages: Sequence[Message]) -> Sequence[GenerationPart]:
    lines = [line for line in messages[-1].content.splitlines() if len(line) > 20] or [messages[-1].content]
    return [GeneratedThinking("Looking at the first passage."), GeneratedText(lines[0].strip())]
