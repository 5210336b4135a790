"""Token vectors of a text: selects the tokens that count, and stores a passage's at one bit a dimension.

They are the last hidden states of the pass that gives the text's own vector, so they cost next to nothing.  All of them
lie to one side of the origin; less the mean token of all texts, the sign of each dimension says as much as the number,
and of a passage only the signs are kept: 48 bytes a token.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.protocols import FloatMatrix, PassageTokens, QueryTokens
from rag.retrieval.embedder_folder import PASSAGE_PREFIX
from rag.retrieval.tokens import EmbedderTokens

CENTRE_PATH = Path(__file__).with_name("token_centre.json")
"""The mean token of multilingual-e5-small; ``python -m eval.commands.retrieval_centre`` computes and writes it."""

_BEFORE_QUERY = 4  # <s> and the three tokens of "query:"
_BEFORE_PASSAGE = 3  # <s> and the two tokens of "passage:"
_BEHIND_TEXT = 1  # </s>
_SMALLEST_LENGTH = 1e-9


class TokenKeeper:
    """Makes what is kept of a text's tokens.  ``centre`` is the mean token, float32 [dimension]."""

    def __init__(self, centre: FloatMatrix) -> None:
        self._centre = centre

    @classmethod
    def shipped(cls) -> "TokenKeeper":
        """Return one with the centre that comes with the program."""
        return cls(np.array(json.loads(CENTRE_PATH.read_text(encoding="utf-8"))["centre"], dtype=np.float32))

    def of_query(self, numbers: Sequence[int], states: FloatMatrix) -> QueryTokens:
        """Return a question's own tokens, of all its ``numbers`` [n] and ``states`` [n, dimension]."""
        own = own_tokens(len(numbers), _BEFORE_QUERY)
        return query_tokens(numbers[own], states[own], self._centre)

    def of_passage(self, numbers: Sequence[int], states: FloatMatrix) -> PassageTokens:
        """Return a passage's own tokens, of all its ``numbers`` [n] and ``states`` [n, dimension]."""
        own = own_tokens(len(numbers))
        return passage_tokens(numbers[own], states[own], self._centre)


def query_tokens(numbers: Sequence[int], states: FloatMatrix, centre: FloatMatrix) -> QueryTokens:
    """Return what is kept of a question's own tokens, ``numbers`` [n] and ``states`` [n, dimension]."""
    rows = states - centre
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.asarray(rows / np.maximum(lengths, _SMALLEST_LENGTH), dtype=np.float32)
    return QueryTokens(np.array(numbers, dtype=np.int32), unit)


def passage_tokens(numbers: Sequence[int], states: FloatMatrix, centre: FloatMatrix) -> PassageTokens:
    """Return what is kept of a passage's own tokens, ``numbers`` [n] and ``states`` [n, dimension]."""
    return PassageTokens(np.array(numbers, dtype=np.int32), np.packbits(states > centre, axis=1))


def passage_spans(tokens: EmbedderTokens, passage: str) -> list[tuple[int, int]]:
    """Return where in the passage, [start, end) in characters, each of its own tokens stands."""
    spans = tokens.spans(PASSAGE_PREFIX + passage)
    before = len(PASSAGE_PREFIX)
    return [(max(0, start - before), max(0, end - before)) for start, end in spans[own_tokens(len(spans))]]


def own_tokens(count: int, before: int = _BEFORE_PASSAGE) -> slice:
    """Return which of a passage's ``count`` tokens are its own: without prefix and special ones."""
    return slice(before, max(before, count - _BEHIND_TEXT))
