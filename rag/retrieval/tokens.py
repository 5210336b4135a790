"""Tokenizes for the embedder without importing torch or transformers."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from tokenizers import Tokenizer

from rag.retrieval.embedder_folder import MAX_TOKENS, TOKENIZER

_Token = TypeVar("_Token")

PAD_TOKEN = 1
_LONGEST_TEXT_CHARACTERS = 20_000  # far more than MAX_TOKENS can hold, in any language
_REMEMBERED_SENTENCES, _LONGEST_SENTENCE_CHARACTERS = 8_192, 500
"""What is found for a question was mostly found for others before, so its sentences are remembered: 10 MB at most."""


class EmbedderTokens:
    """Turns text into token numbers.  Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        # Cutting is done here: the library's truncation is a state that counting and encoding would share.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._remembered_count = lru_cache(maxsize=_REMEMBERED_SENTENCES)(self._count)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each text with ``<s>`` before and ``</s>`` behind, ``MAX_TOKENS`` at the most."""
        encodings = self._tokenizer.encode_batch_fast([text[:_LONGEST_TEXT_CHARACTERS] for text in texts])
        return [_cut(encoding.ids) for encoding in encodings]

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return where each token of ``encode`` stands in the text, [start, end); special ones are empty."""
        return tuple(_cut(self._tokenizer.encode(text[:_LONGEST_TEXT_CHARACTERS]).offsets))

    def count(self, text: str) -> int:
        """Return how many tokens the text has, without special ones and however long it is."""
        return self._count(text) if len(text) > _LONGEST_SENTENCE_CHARACTERS else self._remembered_count(text)

    def _count(self, text: str) -> int:
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)  # fast: without offsets
        return len(encoding)


def _cut(tokens: list[_Token]) -> list[_Token]:
    return tokens if len(tokens) <= MAX_TOKENS else [*tokens[: MAX_TOKENS - 1], tokens[-1]]
