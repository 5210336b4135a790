"""The seams that have two implementations: a real one and a shipped, deterministic fake (``rag/testing.py``)."""

from collections.abc import Generator as GeneratorObject
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class QueryTokens:
    """A question's own tokens, without prefix and special ones.

    ``numbers``, int32 [tokens], are the vocabulary's; ``vectors`` are float32 [tokens, dimension], rows of length 1.
    """

    numbers: NDArray[np.int32]
    vectors: FloatMatrix


@dataclass(frozen=True, slots=True, eq=False)
class PassageTokens:
    """A passage's own tokens, without prefix and special ones.

    ``numbers``, int32 [tokens], are the vocabulary's; ``signs``, uint8 [tokens, dimension / 8 rounded up], are
    ``numpy.packbits`` of where each token's vector is positive.
    """

    numbers: NDArray[np.int32]
    signs: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class QueryVectors:
    """Questions as vectors: float32 [n, dimension], rows of length 1, and the tokens of each."""

    vectors: FloatMatrix
    tokens: tuple[QueryTokens, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PassageVectors:
    """Passages as vectors: float32 [n, dimension], rows of length 1, and the tokens of each."""

    vectors: FloatMatrix
    tokens: tuple[PassageTokens, ...]


class Embedder(Protocol):
    """Turns text into unit vectors, and its tokens as well in the same pass.  Safe to call from several threads."""

    @property
    def model_id(self) -> str:
        """Name of the vector space, e.g. ``multilingual-e5-small``; two embedders that agree share it."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        """Return the vectors of n questions."""

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return the vectors of n passages."""

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        """Return where in the passage, [start, end) in characters, each of its ``PassageTokens`` stands."""

    def count_tokens(self, text: str) -> int:
        """Return how many of the embedder's tokens the text has, without special tokens."""

    def is_word(self, word: str) -> bool:
        """Tell whether a word in small letters is surely one, whatever the knowledge base has: no typing error."""


class Reranker(Protocol):
    """Reads a question and a passage together, and says how well the one answers the other.

    Safe to call from several threads.
    """

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return a score for each of n passages, float64 [n], higher is better and comparable within one question."""


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message.  ``thinking`` is only for a last assistant message that the model is to go on from.

    ``pictures`` are PNG files that a user's message shows.
    """

    role: Literal["system", "user", "assistant"]
    content: str
    thinking: str = ""
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GeneratedThinking:
    """A piece of the thought."""

    text: str


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    """The last part.  Counts are tokens, durations milliseconds as the server measured them; 0 where unknown.

    ``reason`` is why it ended: "stop" is the model's own end, "length" the limit of tokens, and "repetition" a loop
    that ``rag/generation/guard.py`` cut.  ``first_token`` has the likeliest candidates for the first token and their
    probabilities, where they were asked for.
    """

    prompt_tokens: int = 0
    generated_tokens: int = 0
    load_ms: float = 0.0
    prompt_ms: float = 0.0
    generation_ms: float = 0.0
    reason: str = "stop"
    first_token: tuple[tuple[str, float], ...] = ()


GenerationPart = GeneratedThinking | GeneratedText | GenerationFinished


class Generator(Protocol):
    """A chat model.  Closing the iterator cancels the generation and frees the server's slot."""

    @property
    def model(self) -> str:
        """Name of the model that will answer."""

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""

    @property
    def continues_replies(self) -> bool:
        """True when the model goes on from a last message of the assistant, instead of beginning a new one."""

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield thinking and text as they come, then one ``GenerationFinished``; raise a ``ServingError``.

        ``candidates``: so many for the first token are returned with their probabilities.
        """
