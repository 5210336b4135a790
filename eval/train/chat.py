"""The text and the tokens that Ollama feeds a model: its chat format and its tokenizer, from the model's own file.

Training and later requests must agree token for token: ``tests/eval/train`` compares both with Ollama's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import ModelUnfit
from rag.ollama.gguf import GgufHeader, read_list
from rag.protocols import Message

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA = _QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True, slots=True)
class _Splitting:
    """How a text is cut before pairs are merged; ``whole_words``: a word of the vocabulary is never cut."""

    pattern: str
    whole_words: bool = False
    begins_with_mark: bool = False


_SPLITTINGS: Mapping[str, _Splitting] = {
    "qwen2": _Splitting(_QWEN),
    "deepseek-r1-qwen": _Splitting(_QWEN),
    "llama-bpe": _Splitting(_LLAMA, whole_words=True, begins_with_mark=True),
}
"""``tokenizer.ggml.pre`` of the models that can be trained (llama.cpp's llama-vocab.cpp, in Ollama 0.24)."""

_CONTROL, _USER_DEFINED = 3, 4  # tokenizer.ggml.token_type


@dataclass(frozen=True, slots=True)
class ChatText:
    """One request and its reply as text; ``end`` is the mark by which the model ends its reply."""

    prompt: str
    reply: str
    end: str


def chatml(messages: Sequence[Message], *, closes_thought: bool) -> str:
    """Return what ``rag.ollama.templates`` makes of messages in the format of Qwen and others.

    ``closes_thought``: the reply comes after an empty thought, as where a thinking model is told not to think.
    """
    begun, turns = _split_reply(messages)
    text = "".join(f"<|im_start|>{one.role}\n{one.content}<|im_end|>\n" for one in turns)
    opened = "<|im_start|>assistant\n"
    return text + opened + (begun.content if begun else "<think>\n\n</think>\n\n" if closes_thought else "")


def r1(messages: Sequence[Message], *, closes_thought: bool) -> str:
    """Return what ``rag.ollama.templates`` makes of messages in DeepSeek-R1's format."""
    begun, turns = _split_reply(messages)
    marks = {"system": "{}", "user": "<｜User｜>{}", "assistant": "<｜Assistant｜>{}<｜end▁of▁sentence｜>"}
    text = "".join(marks[one.role].format(one.content) for one in turns)
    return text + "<｜Assistant｜>" + (begun.content if begun else "<think>\n\n</think>\n\n" if closes_thought else "")


def _split_reply(messages: Sequence[Message]) -> tuple[Message | None, Sequence[Message]]:
    """Return the reply to continue, if any, and the turns before it."""
    last = messages[-1]
    return (last, messages[:-1]) if last.role == "assistant" else (None, messages)


@dataclass(frozen=True, slots=True)
class ChatStyle:
    """A model's chat format, read from its template in Ollama."""

    name: str
    closes_thought: bool

    @classmethod
    def of(cls, model: str, template: str) -> "ChatStyle":
        """Detect a model's format.  Raises ``ModelUnfit`` where it is neither ChatML nor DeepSeek's."""
        thinks = ".Thinking" in template
        if "<｜Assistant｜>" in template:
            return cls("r1", thinks)
        if "<|im_start|>" in template:
            return cls("chatml", thinks)
        raise ModelUnfit(model=model, reason="train_format")

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the prompt; a last message of the assistant is the beginning of the reply."""
        render = r1 if self.name == "r1" else chatml
        return render(messages, closes_thought=self.closes_thought)

    @property
    def end(self) -> str:
        """The mark by which the model ends its reply."""
        return "<｜end▁of▁sentence｜>" if self.name == "r1" else "<|im_end|>"


@dataclass(frozen=True, slots=True)
class ModelTokenizer:
    """A model's tokenizer; ``beginning`` are the tokens that Ollama puts before every prompt."""

    tokenizer: "Tokenizer"
    beginning: tuple[int, ...]

    @classmethod
    def of(cls, header: GgufHeader) -> "ModelTokenizer":
        """Build it from a file's header.  Raises ``ModelUnfit`` where text is cut in a way that is not known here."""
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

        pre = str(header.metadata.get("tokenizer.ggml.pre", ""))
        splitting = _SPLITTINGS.get(pre)
        if header.metadata.get("tokenizer.ggml.model") != "gpt2" or splitting is None:
            raise ModelUnfit(model=header.path.name, reason="train_tokenizer", what=pre or "?")
        tokens: list[str] = read_list(header, "tokenizer.ggml.tokens")
        kinds = read_list(header, "tokenizer.ggml.token_type")
        merges = [tuple(one.split(" ", 1)) for one in read_list(header, "tokenizer.ggml.merges")]
        numbers = {token: number for number, token in enumerate(tokens)}
        made = Tokenizer(models.BPE(numbers, merges, ignore_merges=splitting.whole_words))
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(splitting.pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        made.decoder = decoders.ByteLevel()
        special = [token for token, kind in zip(tokens, kinds, strict=True) if kind in (_CONTROL, _USER_DEFINED)]
        made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
        begins = header.metadata.get("tokenizer.ggml.add_bos_token", splitting.begins_with_mark)
        mark = header.metadata.get("tokenizer.ggml.bos_token_id")
        return cls(made, (mark,) if begins and isinstance(mark, int) else ())

    def tokens(self, text: str) -> list[int]:
        """Return a text's tokens, chat marks as what they are."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def training(self, text: ChatText) -> tuple[list[int], list[int]]:
        """Return the tokens of the prompt and those of the reply, which end with the mark."""
        return [*self.beginning, *self.tokens(text.prompt)], self.tokens(text.reply) + self.tokens(text.end)

    def count(self, text: str) -> int:
        """Return how many tokens a reply has."""
        return len(self.tokens(text))
