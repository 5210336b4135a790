"""The embedder's tokens, without importing torch or transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tokenizers import Tokenizer

from rag.retrieval.embedder_folder import MAX_TOKENS, TOKENIZER

_Token = TypeVar("_Token")

PAD_TOKEN = 1
_LONGEST_TEXT_CHARACTERS = 20_000  # far more than MAX_TOKENS can hold, in any language


class EmbedderTokens:
    """Turns text into token numbers.  Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        # Cutting is done here: the library's truncation is a state that counting and encoding would share.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each text with ``<s>`` before and ``</s>`` behind, ``MAX_TOKENS`` at the most."""
        encodings = self._tokenizer.encode_batch_fast([text[:_LONGEST_TEXT_CHARACTERS] for text in texts])
        return [_cut(encoding.ids) for encoding in encodings]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each token of ``encode`` stands in the text, [start, end); special ones are empty."""
        return _cut(self._tokenizer.encode(text[:_LONGEST_TEXT_CHARACTERS]).offsets)

    def count(self, text: str) -> int:
        """Return how many tokens the text has, without special ones and however long it is."""
        (encoding,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)  # fast: without offsets
        return len(encoding)


def _cut(tokens: list[_Token]) -> list[_Token]:
    return tokens if len(tokens) <= MAX_TOKENS else [*tokens[: MAX_TOKENS - 1], tokens[-1]]
