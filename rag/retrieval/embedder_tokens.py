"""The embedder's tokens of a text: their numbers, without importing torch or transformers, and their vectors.

Only the vectors of a text's own tokens are kept, a passage's at one bit a dimension.  A question's are projected: the
model was trained on whole texts, and a linear map fitted on customers' questions brings each token nearer to those that
answer it.
"""

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from tokenizers import Tokenizer

from rag.protocols import FloatMatrix, PassageTokens, QueryTokens
from rag.retrieval.model_folders import MAX_TOKENS, PASSAGE_PREFIX, TOKENIZER

_Token = TypeVar("_Token")

PAD_TOKEN = 1
_LONGEST_TEXT_CHARACTERS = 20_000  # far more than MAX_TOKENS can hold, in any language
_REMEMBERED_TEXTS, _LONGEST_REMEMBERED_CHARACTERS = 16_384, 300
"""Most texts found for a question were found for others before, and most words of new texts are known: the counts of
sentences and words are cached, in 12 MB at most."""

_WORD = re.compile(r"[^\t\n\f\r \u00a0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2581\u3000\ufeff\ufffd]+")
"""A word between blanks, as the tokenizer normalises them: no token goes beyond it."""


class EmbedderTokens:
    """Turns text into token numbers.  Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        # Cutting is done here: the library's truncation is a state that counting and encoding would share.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._remembered_count = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._count)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each text with ``<s>`` before and ``</s>`` after, ``MAX_TOKENS`` at the most."""
        encodings = self._tokenizer.encode_batch_fast([text[:_LONGEST_TEXT_CHARACTERS] for text in texts])
        return [_cut(encoding.ids) for encoding in encodings]

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return the span of each token of ``encode`` in the text, [start, end); special ones are empty."""
        return tuple(_cut(self._tokenizer.encode(text[:_LONGEST_TEXT_CHARACTERS]).offsets))

    def count(self, text: str) -> int:
        """Return how many tokens the text has, without special ones and however long it is."""
        return self._count(text) if len(text) > _LONGEST_REMEMBERED_CHARACTERS else self._remembered_count(text)

    def _count(self, text: str) -> int:
        words = _WORD.findall(text)
        if len(words) > 1:
            is_short = len(text) <= _LONGEST_REMEMBERED_CHARACTERS  # and so is each word
            count = self._remembered_count if is_short else self.count
            return sum(map(count, words)) + (not text.endswith(words[-1]))  # a blank at the end is a token
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)  # fast: without offsets
        return len(encoding)


def _cut(tokens: list[_Token]) -> list[_Token]:
    return tokens if len(tokens) <= MAX_TOKENS else [*tokens[: MAX_TOKENS - 1], tokens[-1]]


CENTRE_PATH = Path(__file__).with_name("token_centre.json")
"""The mean token of multilingual-e5-small; ``python -m eval.commands.retrieval_centre`` computes and writes it."""

PROJECTION_PATH = Path(__file__).with_name("query_projection.json")
"""The map of the tokens of a question to multilingual-e5-small; ``python -m eval.commands.query_projection`` fits and
writes it.  Stored tokens do not depend on it."""

_LARGEST_INT8 = 127

_BEFORE_QUERY = 4  # <s> and the three tokens of "query:"
_BEFORE_PASSAGE = 3  # <s> and the two tokens of "passage:"
_BEHIND_TEXT = 1  # </s>
_SMALLEST_LENGTH = 1e-9


class TokenKeeper:
    """Selects and centres a text's own tokens, and projects a question's.

    ``centre`` is the mean token, float32 [dimension]; ``projection`` is that of ``project``, None: none.
    """

    def __init__(self, centre: FloatMatrix, projection: FloatMatrix | None = None) -> None:
        self._centre = centre
        self._projection = projection

    @classmethod
    def shipped(cls) -> "TokenKeeper":
        """Return one with the shipped centre and projection."""
        packed = json.loads(PROJECTION_PATH.read_text(encoding="utf-8"))["projection"]
        return cls(_shipped_centre(), unpack_projection(packed))

    @classmethod
    def unprojected(cls) -> "TokenKeeper":
        """Return one with the shipped centre alone."""
        return cls(_shipped_centre())

    def projecting(self, projection: FloatMatrix) -> "TokenKeeper":
        """Return one with the same centre and another projection."""
        return TokenKeeper(self._centre, projection)

    def of_query(self, numbers: Sequence[int], states: FloatMatrix) -> QueryTokens:
        """Return a question's own tokens, of all its ``numbers`` [n] and ``states`` [n, dimension]."""
        own = own_tokens(len(numbers), _BEFORE_QUERY)
        tokens = query_tokens(numbers[own], states[own], self._centre)
        if self._projection is None:
            return tokens
        return QueryTokens(tokens.numbers, project(tokens.vectors, self._projection))

    def of_passage(self, numbers: Sequence[int], states: FloatMatrix) -> PassageTokens:
        """Return a passage's own tokens, of all its ``numbers`` [n] and ``states`` [n, dimension]."""
        own = own_tokens(len(numbers))
        return passage_tokens(numbers[own], states[own], self._centre)


def _shipped_centre() -> FloatMatrix:
    return np.array(json.loads(CENTRE_PATH.read_text(encoding="utf-8"))["centre"], dtype=np.float32)


def project(vectors: FloatMatrix, projection: FloatMatrix) -> FloatMatrix:
    """Return the vectors plus their projection, float32 [n, dimension], rows of length 1.

    ``vectors`` are rows of length 1, ``projection`` is [dimension, dimension]; of zeros it changes nothing.
    """
    return _unit_rows(vectors + vectors @ projection)


def _unit_rows(rows: FloatMatrix) -> FloatMatrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, _SMALLEST_LENGTH), dtype=np.float32)


def pack_projection(projection: FloatMatrix) -> dict[str, object]:
    """Return a square projection for a JSON file: whole numbers of 8 bits, in base64, and their ``scale``."""
    scale = float(np.abs(projection).max()) / _LARGEST_INT8 or 1.0
    numbers = np.rint(projection / scale).astype(np.int8)
    return {"scale": scale, "int8": base64.b64encode(numbers.tobytes()).decode("ascii")}


def unpack_projection(packed: Mapping[str, object]) -> FloatMatrix:
    """Return the projection of ``pack_projection``, float32 [dimension, dimension].

    >>> unpack_projection(pack_projection(np.array([[0.0, 0.5], [-1.0, 1.0]]))).round(2).tolist()
    [[0.0, 0.5], [-1.0, 1.0]]
    """
    numbers = np.frombuffer(base64.b64decode(str(packed["int8"])), dtype=np.int8)
    dimension = math.isqrt(len(numbers))
    return np.asarray(numbers.reshape(dimension, dimension) * np.float32(str(packed["scale"])), dtype=np.float32)


def query_tokens(numbers: Sequence[int], states: FloatMatrix, centre: FloatMatrix) -> QueryTokens:
    """Return a question's tokens from its own ``numbers`` [n] and ``states`` [n, dimension]."""
    return QueryTokens(np.array(numbers, dtype=np.int32), _unit_rows(states - centre))


def passage_tokens(numbers: Sequence[int], states: FloatMatrix, centre: FloatMatrix) -> PassageTokens:
    """Return a passage's tokens from its own ``numbers`` [n] and ``states`` [n, dimension]."""
    return PassageTokens(np.array(numbers, dtype=np.int32), np.packbits(states > centre, axis=1))


def passage_spans(tokens: EmbedderTokens, passage: str) -> list[tuple[int, int]]:
    """Return the span of each of the passage's own tokens in it, [start, end) in characters."""
    spans = tokens.spans(PASSAGE_PREFIX + passage)
    before = len(PASSAGE_PREFIX)
    return [(max(0, start - before), max(0, end - before)) for start, end in spans[own_tokens(len(spans))]]


def own_tokens(count: int, before: int = _BEFORE_PASSAGE) -> slice:
    """Return which of a passage's ``count`` tokens are its own: without prefix and special ones."""
    return slice(before, max(before, count - _BEHIND_TEXT))
