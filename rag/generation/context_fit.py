"""Whether a prompt and its reply fit into the model's context: told before it is sent, for Ollama would cut silently.

Ollama drops a conversation's oldest messages, and then the prompt's beginning, without a word in its reply.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from rag.errors import PromptTooLong
from rag.protocols import Message

_MODEL_TOKENS_A_TOKEN = 1.3
"""Of the embedder's tokens, by which prompts are counted, a language model needs up to so many (digits one by one)."""
_TOKENS_A_MESSAGE = 8
_READERS_TOKENS = 40
_USUAL_QUESTION_TOKENS = 700
"""Embedder tokens of a long mail and of what all requests begin with."""
_COUNTED_TEXTS = 64
"""A prompt is counted when its passages are chosen and again when it is sent: so many texts' counts are kept."""


class ContextFit:
    """Counts prompts by ``count_tokens``, the embedder's.  Safe to use from many threads.

    ``context_tokens`` is asked each time, for it may shrink.
    """

    def __init__(self, context_tokens: Callable[[], int], count_tokens: Callable[[str], int]) -> None:
        self._context_tokens = context_tokens
        self.count_tokens = lru_cache(_COUNTED_TEXTS)(count_tokens)

    def require(self, messages: Sequence[Message], question: str, reply_tokens: int) -> None:
        """Raise ``PromptTooLong`` where ``messages`` and ``reply_tokens`` more are more than the context holds.

        It says how long the question may be that is among them.
        """
        over = self._over(messages, reply_tokens)
        if over > 0:
            own = self.count_tokens(question) * _MODEL_TOKENS_A_TOKEN
            raise PromptTooLong(tokens=round(own), limit=max(0, int(own - over)))

    def excess_tokens(self, messages: Sequence[Message], reply_tokens: int) -> int:
        """Return how many embedder tokens must go for ``messages`` to fit; 0 where they do."""
        return max(0, math.ceil(self._over(messages, reply_tokens) / _MODEL_TOKENS_A_TOKEN))

    def _over(self, messages: Sequence[Message], reply_tokens: int) -> float:
        """Return how many of the model's tokens are too many; negative where there is room."""
        told = sum(self.count_tokens(message.content) for message in messages)
        needed = told * _MODEL_TOKENS_A_TOKEN + _TOKENS_A_MESSAGE * len(messages) + _READERS_TOKENS
        return needed + reply_tokens - self._context_tokens()


def evidence_room(context_tokens: int, reply_tokens: int) -> int:
    """Return how many embedder tokens of passages surely fit into a context beside a question and a reply."""
    return int((context_tokens - reply_tokens) / _MODEL_TOKENS_A_TOKEN) - _USUAL_QUESTION_TOKENS
