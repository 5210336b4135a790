"""Keeps a small model's reply within bounds: length of the thought, loops, language, and that there is an answer.

- A thought that exceeds its budget or loops is closed for the model, which then continues from it; the prefix cache
  makes that cheap.  A thought that the model never closes is kept as a thought, and the answer is requested.  An empty
  answer is never passed on.
- The first words of an answer are held back until its language is certain.  If it is the wrong one, nothing has been
  shown yet, and the model is asked once more with the language demanded last; that reply is shown in any language.
- An answer that repeats itself is cut where the repetition begins; one that used up its budget, after its last whole
  sentence.
"""

import re
from collections.abc import Generator as GeneratorObject
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum, auto

from rag.errors import ModelSaidNothing
from rag.generation.prompt import insist_on_language
from rag.protocols import (
    GeneratedText,
    GeneratedThinking,
    GenerationFinished,
    GenerationPart,
    Generator,
    Message,
)
from rag.text.characters import ideographs, without_invisible
from rag.text.language import is_certainly_not_in, text_language
from rag.text.sentences import split_sentences

HELD_CHARACTERS = {"zh": 12, "en": 32, "ja": 12, "ko": 12, "th": 12}
_HELD_OF_OTHERS = 48
"""Characters of an answer's beginning after which its language is judged, unless a sentence ends before."""

_LOOK_FOR_LOOPS_EVERY_PARTS = 8
_WRONG_IDEOGRAPHS = 4
_WRONG_IDEOGRAPHS_A_WORD = 0.5
"""An English sentence may contain a Chinese name or word, even a short sentence."""
_WRONG_LATIN_WORDS = 4
_LATIN_WORD = re.compile("[A-Za-z]{2,}")
_SENTENCE_ENDS = "。！？!?\n"
_WHOLE_ENDS = '。！？.!?)）"”|'


@dataclass(frozen=True, slots=True)
class Budget:
    """The most tokens of a thought and of an answer."""

    thinking_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class GuardedReply:
    """The last part: the final reply.  ``text`` is never blank; counts and times are sums over all calls.

    ``text`` is shorter than the parts yielded before if a repetition was cut; ``finished.reason`` is then "repetition".
    """

    text: str
    thinking: str
    finished: GenerationFinished


class _End(Enum):
    DONE = auto()
    THOUGHT_STOPPED = auto()
    LOOPED = auto()
    WRONG_LANGUAGE = auto()


@dataclass(frozen=True, slots=True)
class _RawReply:
    end: _End
    text: str
    thinking: str
    finished: GenerationFinished


def guard_reply(
    generator: Generator, messages: Sequence[Message], *, think: bool, language: str, budget: Budget
) -> GeneratorObject[GeneratedThinking | GeneratedText | GuardedReply, None, None]:
    """Yield the reply as it comes and ``GuardedReply`` last.

    A last message of the assistant is the beginning of the reply: it is yielded as a part of it, and dropped if the
    model has to be asked again.  Empty text parts are the generator's heartbeat.  Closing the iterator cancels the
    generation.  Raises the generator's errors, and ``ModelSaidNothing`` if there is no answer in the end.
    """
    total = GenerationFinished()
    thought = closed_thought = ""
    insisted = retried_without_thought = False
    opening = messages[-1].content if messages[-1].role == "assistant" else ""
    base = messages[:-1] if opening else messages
    while True:
        prompt = insist_on_language(base, language) if insisted else list(base)
        if closed_thought or opening:
            prompt.append(Message("assistant", opening, thinking=closed_thought))
        call = _Call(generator, prompt, think=think, wanted=None if insisted else language, budget=budget)
        raw = yield from call.run()
        total = add_counts(total, raw.finished)
        thought = thought or raw.thinking.strip()
        if raw.end is _End.WRONG_LANGUAGE:
            insisted, think, closed_thought, opening = True, False, thought, ""
        elif raw.text.strip():
            yield _trimmed(raw.text.strip(), thought, total)
            return
        elif raw.thinking and think:
            think, closed_thought = False, thought
        elif not retried_without_thought:
            retried_without_thought, think, closed_thought, opening = True, False, "", ""
        else:
            raise ModelSaidNothing


class _Call:
    """One call of the generator, checked while it streams."""

    def __init__(
        self, generator: Generator, prompt: list[Message], *, think: bool, wanted: str | None, budget: Budget
    ) -> None:
        self._generator = generator
        self._prompt = prompt
        self._think = think
        self._wanted = wanted
        self._budget = budget
        last = prompt[-1]
        self._opening = last.content if last.role == "assistant" else ""
        self._thinking: list[str] = []
        self._text: list[str] = []
        self._shown = 0
        self._finished = GenerationFinished()

    def run(self) -> GeneratorObject[GeneratedThinking | GeneratedText, None, _RawReply]:
        """Yield the parts that may be shown and return the whole reply."""
        tokens = self._budget.answer_tokens + (self._budget.thinking_tokens if self._think else 0)
        parts = self._generator.generate(self._prompt, think=self._think, max_tokens=tokens)
        end = _End.DONE
        with closing(parts):
            for part in parts:
                yield from self._take(part)
                end = self._verdict()
                if end is not _End.DONE:
                    break
        if end is _End.DONE and self._is_wrong_language():
            end = _End.WRONG_LANGUAGE
        text = self._reply()
        if end is not _End.WRONG_LANGUAGE and self._shown < len(text):
            yield GeneratedText(text[self._shown :])
        spoken_text = "" if end is _End.WRONG_LANGUAGE else without_invisible(text)
        return _RawReply(end, spoken_text, "".join(self._thinking), self._finished)

    def _take(self, part: GenerationPart) -> Iterator[GeneratedThinking | GeneratedText]:
        if isinstance(part, GenerationFinished):
            self._finished = part
        elif isinstance(part, GeneratedThinking):
            if not self._text:  # a thought after the beginning of the answer is useless
                self._thinking.append(part.text)
                yield part
        elif not part.text:
            yield part
        else:
            is_within_words = bool(self._text) or self._opening[-1:].isalnum()
            self._text.append(part.text if is_within_words else part.text.lstrip())
            if not self._text[0]:
                self._text.clear()
            yield from self._show()

    def _reply(self) -> str:
        """Return the reply so far with its opening; empty until the model writes."""
        return self._opening + "".join(self._text) if self._text else ""

    def _show(self) -> Iterator[GeneratedText]:
        text = self._reply()
        if self._shown or (self._may_judge("".join(self._text)) and not self._is_wrong_language()):
            yield GeneratedText(text[self._shown :])
            self._shown = len(text)

    def _may_judge(self, text: str) -> bool:
        if self._wanted is None:
            return bool(text)
        return len(text) >= HELD_CHARACTERS.get(self._wanted, _HELD_OF_OTHERS) or any(
            mark in text for mark in _SENTENCE_ENDS
        )

    def _is_wrong_language(self) -> bool:
        text = "".join(self._text)
        return self._wanted is not None and not self._shown and is_in_other_language(text, self._wanted)

    def _verdict(self) -> _End:
        if self._text:
            if self._may_judge("".join(self._text)) and self._is_wrong_language():
                return _End.WRONG_LANGUAGE
            return _End.LOOPED if _is_looping(self._text) else _End.DONE
        over_budget = len(self._thinking) >= self._budget.thinking_tokens  # a part is a token, as Ollama streams
        return _End.THOUGHT_STOPPED if over_budget or _is_looping(self._thinking) else _End.DONE


def _is_looping(parts: Sequence[str]) -> bool:
    due = len(parts) > 0 and len(parts) % _LOOK_FOR_LOOPS_EVERY_PARTS == 0
    return due and repetition_start("".join(parts)) is not None


def is_in_other_language(text: str, wanted: str) -> bool:
    """Tell whether a text is certainly in another language; codes, prices and names alone are in none.

    A Chinese sentence is Chinese, however many English names and terms it contains.

    >>> is_in_other_language("GBP 30 (EUR 35).", "zh"), is_in_other_language("You have thirty days to", "zh")
    (False, True)
    >>> is_in_other_language("Drift R3 是 UK version，可以加入 Matter", "en")
    True
    >>> is_in_other_language("保修 is a warranty", "en")
    False
    >>> is_in_other_language("You have thirty days to", "de"), is_in_other_language("Drift R3: 30 Tage", "de")
    (True, False)
    """
    if wanted not in ("zh", "en"):
        return is_certainly_not_in(text, wanted)
    if wanted == "en":
        characters = len(ideographs(text))
        words = len(_LATIN_WORD.findall(text))
        return characters >= max(_WRONG_IDEOGRAPHS, _WRONG_IDEOGRAPHS_A_WORD * words)
    if text_language(text) == wanted:
        return False
    return sum(word.isalpha() and word.islower() for word in text.split()) >= _WRONG_LATIN_WORDS


def _trimmed(text: str, thought: str, finished: GenerationFinished) -> GuardedReply:
    """Return the reply without its repetition, and without a last sentence cut off by the budget."""
    repeats_from = repetition_start(text)
    if repeats_from is not None:
        finished = replace(finished, reason="repetition")
    if finished.reason in ("length", "repetition"):
        text = _whole_sentences(text, repeats_from)
    return GuardedReply(text, thought, finished)


def _whole_sentences(text: str, repeats_from: int | None) -> str:
    end, seen = 0, set()
    for sentence in split_sentences(text):
        words = text[sentence.start : sentence.end]
        again = repeats_from is not None and (sentence.start >= repeats_from or words in seen)
        if again or words[-1] not in _WHOLE_ENDS:
            break
        seen.add(words)
        end = sentence.end
    return text[:end] if end else text[:repeats_from].rstrip()


def add_counts(total: GenerationFinished, more: GenerationFinished) -> GenerationFinished:
    """Return the sums of two calls' tokens and times, and the reason why the second ended."""
    return replace(
        total,
        prompt_tokens=total.prompt_tokens + more.prompt_tokens,
        generated_tokens=total.generated_tokens + more.generated_tokens,
        load_ms=total.load_ms + more.load_ms,
        prompt_ms=total.prompt_ms + more.prompt_ms,
        generation_ms=total.generation_ms + more.generation_ms,
        reason=more.reason,
    )


_TOKEN = re.compile(r"[^\W_]+|\S", re.ASCII)
_LONGEST_PERIOD_CHARACTERS = 120
_PERIODIC_CHARACTERS = 48
_PERIODS = 4
_RUN_TOKENS = 14
_RUN_TIMES = 3


def repetition_start(text: str) -> int | None:
    """Return the offset at which a text begins to repeat itself; None if it does not.

    Either it ends with the same piece four times, or it contains a run of fourteen tokens (words, ideographs, marks)
    three times; lists of similar short lines do not count.

    >>> repetition_start("Yes. " + "It is free. " * 6), repetition_start("It is free. It is free of charge.")
    (15, None)
    """
    periodic = _periodic_end(text)
    return periodic if periodic is not None else _repeated_run(text)


def _periodic_end(text: str) -> int | None:
    for period in range(1, min(_LONGEST_PERIOD_CHARACTERS, len(text) // _PERIODS) + 1):
        length = period
        while length < len(text) and text[-length - 1] == text[-length - 1 + period]:
            length += 1
        if length >= max(_PERIODS * period, _PERIODIC_CHARACTERS):
            return len(text) - length + period
    return None


def _repeated_run(text: str) -> int | None:
    tokens = list(_TOKEN.finditer(text.lower()))
    seen: dict[tuple[str, ...], list[int]] = {}
    words = [token.group() for token in tokens]
    for index in range(len(words) - _RUN_TOKENS + 1):
        starts = seen.setdefault(tuple(words[index : index + _RUN_TOKENS]), [])
        if not starts or index >= starts[-1] + _RUN_TOKENS:
            starts.append(index)
        if len(starts) == _RUN_TIMES:
            return tokens[starts[1]].start()
    return None
