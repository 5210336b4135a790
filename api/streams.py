"""A turn streamed to a program: server-sent events, what a client has already, and which words may be sent early.

The desk shows a draft and replaces it where the finished answer differs: a refusal instead of a reply that no passage
supports, a sentence that was taken out.  A program cannot take back what it has passed on.  So ``SettledText`` sends a
sentence once a passage supports it and every sentence before it.  From the first one without support, repeated, with an
unconfirmed address, or that may show a picture, the rest waits for the end, and for ``as_markdown``.
"""

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Literal

from fastapi.responses import StreamingResponse

from api.markdown_turns import loading_start
from rag.generation.output_filter import repeated_sentences
from rag.grounding.citations import ground
from rag.grounding.confirmation import unconfirmed_sentences
from rag.text.sentences import split_sentences
from rag.turns import TurnSnapshot

STILL_HERE = ": still here\n\n"
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_SENTENCE_ENDS = "。！？.!?\n"


def event_stream(events: AsyncIterator[str]) -> StreamingResponse:
    """Return a response of server-sent events that no proxy keeps back."""
    return StreamingResponse(events, media_type="text/event-stream", headers=_STREAM_HEADERS)


def waiting_comment(turn: TurnSnapshot) -> str:
    """Return a line that clients skip: how many answers come first, and how long that takes.

    >>> from datetime import datetime
    >>> turn = TurnSnapshot("t", "s", datetime(2026, 1, 1), "?", "en", ahead=3, wait_seconds=19.6)
    >>> print(waiting_comment(turn).strip())
    : waiting, 3 before you, about 20 s
    """
    about = "" if turn.wait_seconds is None else f", about {turn.wait_seconds:.0f} s"
    return f": waiting, {turn.ahead or 0} before you{about}\n\n"


NewsName = Literal["retrieved", "queued", "thinking", "answer"]


class StreamPlace:
    """The part of a turn that a client has: the characters of the thought and of the answer, in an event's id.

    ``evidence`` is one more than the passages it has: none may have been found.  A second search adds some, and all are
    told again.  A place in the queue is told when it, or the whole seconds of its wait, have changed.
    """

    def __init__(self, thinking: int = 0, text: int = 0, *, evidence: int = 0) -> None:
        self.thinking = thinking
        self.text = text
        self.evidence = evidence
        self._queued: tuple[int | None, int | None] | None = None

    @classmethod
    def parse(cls, event_id: str | None) -> "StreamPlace":
        """Return the place of an event's id; the beginning for unknown ids."""
        if not event_id:
            return cls()
        numbers = event_id.split("-")
        if len(numbers) != 3 or not all(one.isascii() and one.isdigit() for one in numbers):
            return cls()
        evidence, thinking, text = map(int, numbers)
        return cls(thinking, text, evidence=evidence)

    def __str__(self) -> str:
        return f"{self.evidence}-{self.thinking}-{self.text}"

    def new_parts(self, turn: TurnSnapshot) -> Iterator[tuple[NewsName, str]]:
        """Yield the parts of a turn that this client lacks, except its end, each with its new words.

        The place moves on with each.
        """
        if turn.answerable is not None and self.evidence <= len(turn.evidence):
            self.evidence = len(turn.evidence) + 1
            yield "retrieved", ""
        if turn.state == "queued" and self._queued != (place := _place_in_queue(turn)):
            self._queued = place
            yield "queued", ""
        if len(turn.thinking) > self.thinking:
            words, self.thinking = turn.thinking[self.thinking :], len(turn.thinking)
            yield "thinking", words
        if len(turn.text) > self.text and not turn.final:
            words, self.text = turn.text[self.text :], len(turn.text)
            yield "answer", words


def _place_in_queue(turn: TurnSnapshot) -> tuple[int | None, int | None]:
    return turn.ahead, None if turn.wait_seconds is None else math.ceil(turn.wait_seconds)


class SettledText:
    """The part of an answer sent so far.  One caller, one thread at a time."""

    def __init__(self) -> None:
        self.told = ""
        self._judged = 0
        self._is_open = True

    def new_words(self, snapshot: TurnSnapshot) -> str:
        """Return the words that may be sent now, after those sent before; the rest once the turn is final.

        A final text that does not begin with what was sent adds nothing: see ``is_withdrawn``.
        """
        if snapshot.final:
            end = len(snapshot.text) if not self.is_withdrawn(snapshot) else len(self.told)
        else:
            end = self._settled_end(snapshot)
        more = snapshot.text[len(self.told) : end]
        self.told += more
        return more

    def settled_turn(self, snapshot: TurnSnapshot) -> TurnSnapshot:
        """Return a turn with no more of its text than may be sent; one that is final as it is."""
        if snapshot.final:
            return snapshot
        self.new_words(snapshot)
        return replace(snapshot, text=self.told)

    def is_withdrawn(self, snapshot: TurnSnapshot) -> bool:
        """Tell whether a final text differs from the one that was sent."""
        return snapshot.final and not snapshot.text.startswith(self.told)

    def _settled_end(self, snapshot: TurnSnapshot) -> int:
        text = snapshot.text
        news = text[self._judged :]
        self._judged = len(text)
        if not self._is_open or not any(mark in news for mark in _SENTENCE_ENDS):
            return len(self.told)
        end = len(self.told)
        calm_end, repeated = loading_start(text), repeated_sentences(text)
        for sentence in split_sentences(text)[:-1]:  # the last one may go on
            if sentence.end <= end:
                continue
            is_calm = sentence.end <= calm_end and sentence not in repeated
            if not is_calm or not _will_stay(text[sentence.start : sentence.end], snapshot):
                self._is_open = False
                break
            end = sentence.end
        return end


def _will_stay(sentence: str, snapshot: TurnSnapshot) -> bool:
    """Tell whether a sentence is final: a passage supports it, and it will get no mark."""
    citations = ground(sentence, snapshot.evidence, snapshot.question).citations
    return bool(citations) and not unconfirmed_sentences(sentence, citations, snapshot.evidence)
