"""When a GPU would have said which piece: the clock and the words of the server that stands in for one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.text.sentences import split_sentences

NOT_A_MODEL = {"en": "(Timed by a stand-in for a GPU; no model wrote this.)", "zh": "（计时替身输出，并非模型所写。）"}

_DOCUMENTS = (("Documents:\n", "\n(end of documents)"), ("资料：\n", "\n（资料到此为止）"))
_PASSAGE_NAME = re.compile(r"\[\d+\] .*")
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
_LETTERS_A_TOKEN, _IDEOGRAPHS_A_TOKEN = 4.0, 1.5


@dataclass(frozen=True, slots=True)
class GpuTiming:
    """What the server pretends to be: a GPU that is not full.

    ``slots`` answers at once; each takes ``first_token_ms`` until its first token and then gives ``tokens_per_second``.
    An answer has ``answer_tokens``, a thought before it ``thinking_tokens``.  The first request waits ``load_ms`` more.
    Raises ``ValueError`` naming what is out of range.
    """

    slots: int = 10
    first_token_ms: float = 250.0
    tokens_per_second: float = 100.0
    answer_tokens: int = 60
    thinking_tokens: int = 60
    load_ms: float = 0.0
    max_waiting: int = 512

    def __post_init__(self) -> None:
        for name in ("slots", "tokens_per_second", "answer_tokens"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("first_token_ms", "thinking_tokens", "load_ms", "max_waiting"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")

    def token_due_seconds(self, number: int) -> float:
        """Return when token ``number``, from 0, is there, in seconds since its slot was free.

        >>> GpuTiming(first_token_ms=250, tokens_per_second=100).token_due_seconds(59)
        0.84
        """
        return self.first_token_ms / 1000 + number / self.tokens_per_second


def _documents(prompt: str) -> str:
    """Return what stands between the marks of the documents; the whole prompt where there are none."""
    for opening, closing in _DOCUMENTS:
        start, end = prompt.find(opening), prompt.rfind(closing)
        if start >= 0 and start + len(opening) <= end:
            return prompt[start + len(opening) : end]
    return prompt


def answer_pieces(prompt: str, tokens: int) -> list[str]:
    r"""Return ``tokens`` pieces: whole sentences of the prompt's own documents, and that no model wrote them.

    They are about as long as that many tokens are; a short prompt gives shorter pieces, and blanks at last.

    >>> "".join(answer_pieces("Documents:\n[1] Returns\nSend it back. Pay nothing.\n(end of documents)", 30)).strip()
    'Send it back. Pay nothing. (Timed by a stand-in for a GPU; no model wrote this.)'
    """
    lines = [line for line in _documents(prompt).splitlines() if line.strip() and not _PASSAGE_NAME.fullmatch(line)]
    text = "\n".join(lines)
    is_chinese = len(_IDEOGRAPH.findall(text)) * 4 > len(text)
    label = NOT_A_MODEL["zh" if is_chinese else "en"]
    room = tokens * (_IDEOGRAPHS_A_TOKEN if is_chinese else _LETTERS_A_TOKEN) - len(label)
    kept: list[str] = []
    for span in split_sentences(text):
        sentence = text[span.start : span.end]
        if kept and sum(map(len, kept)) + len(sentence) > room:
            break
        if sentence not in kept:  # a repetition would be taken for a model that goes round in circles
            kept.append(sentence)
    pieces = cut([*kept, label], tokens, "" if is_chinese else " ")
    return pieces + [" "] * (tokens - len(pieces))


def thought_pieces(tokens: int) -> list[str]:
    """Return the pieces of a thought, none of which is like another."""
    return [f"{number}… " for number in range(tokens)]


def cut(sentences: Sequence[str], pieces: int, between: str) -> list[str]:
    """Cut joined sentences into pieces of about the same length; fewer where there are not as many characters.

    >>> cut(["abcd.", "ef."], 3, " ")
    ['abc', 'd. ', 'ef.']
    """
    text = between.join(sentences)
    ends = [round(len(text) * number / pieces) for number in range(pieces + 1)]
    return [text[start:end] for start, end in pairwise(ends) if end > start]


def token_count(text: str) -> int:
    """Return about how many tokens a model would read in a text."""
    ideographs = len(_IDEOGRAPH.findall(text))
    return round(ideographs / _IDEOGRAPHS_A_TOKEN + (len(text) - ideographs) / _LETTERS_A_TOKEN)
