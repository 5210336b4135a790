"""Whether a prompt and its reply fit into the model's context: told before it is sent, for Ollama would cut silently.

Ollama drops a conversation's oldest messages, and then the prompt's beginning, without a word in its reply.
"""

from collections.abc import Callable, Sequence

from rag.errors import PromptTooLong
from rag.protocols import Message

_MODEL_TOKENS_A_TOKEN = 1.3
"""Of the embedder's tokens, by which prompts are counted, a language model needs up to so many (digits one by one)."""
_TOKENS_A_MESSAGE = 8
_READERS_TOKENS = 40
_USUAL_QUESTION_TOKENS = 700
"""Embedder tokens of a long mail and of what all requests begin with."""


class ContextFit:
    """Counts prompts by ``count_tokens``, the embedder's; what all requests begin with is counted once.

    ``context_tokens`` is asked each time, for it may shrink.
    """

    def __init__(self, context_tokens: Callable[[], int], count_tokens: Callable[[str], int]) -> None:
        self._context_tokens = context_tokens
        self._count_tokens = count_tokens
        self._counted: dict[str, int] = {}

    def require(self, messages: Sequence[Message], question: str, reply_tokens: int) -> None:
        """Raise ``PromptTooLong`` where ``messages`` and ``reply_tokens`` more are more than the context holds.

        It says how long the question may be that is among them.
        """
        *beginning, last = messages
        begins_with = sum(self._once(message.content) for message in beginning)
        asked = self._count_tokens(last.content)
        needed = (begins_with + asked) * _MODEL_TOKENS_A_TOKEN + _TOKENS_A_MESSAGE * len(messages) + _READERS_TOKENS
        over = needed + reply_tokens - self._context_tokens()
        if over > 0:
            own = self._count_tokens(question) * _MODEL_TOKENS_A_TOKEN
            raise PromptTooLong(tokens=round(own), limit=max(0, int(own - over)))

    def _once(self, text: str) -> int:
        if text not in self._counted:
            self._counted[text] = self._count_tokens(text)
        return self._counted[text]


def evidence_room(context_tokens: int, reply_tokens: int) -> int:
    """Return how many embedder tokens of passages surely fit into a context beside a question and a reply."""
    return int((context_tokens - reply_tokens) / _MODEL_TOKENS_A_TOKEN) - _USUAL_QUESTION_TOKENS
