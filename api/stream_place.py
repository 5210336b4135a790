"""How much of a turn a client was told, and what is news to it."""

from collections.abc import Iterator
from typing import Literal

from rag.turns import TurnSnapshot

NewsName = Literal["retrieved", "queued", "thinking", "answer"]


class StreamPlace:
    """How much of a turn a client has: the characters of the thought and of the answer, in an event's id.

    ``evidence`` is one more than the passages it has: none may have been found.  A second search adds some, and all are
    told again.
    """

    def __init__(self, thinking: int = 0, text: int = 0, *, evidence: int = 0) -> None:
        self.thinking = thinking
        self.text = text
        self.evidence = evidence

    @classmethod
    def parsed(cls, event_id: str | None) -> "StreamPlace":
        """Return the place that an event's id names; the beginning, where it names none of ours."""
        if not event_id:
            return cls()
        numbers = event_id.split("-")
        if len(numbers) != 3 or not all(one.isascii() and one.isdigit() for one in numbers):
            return cls()
        evidence, thinking, text = map(int, numbers)
        return cls(thinking, text, evidence=evidence)

    def __str__(self) -> str:
        return f"{self.evidence}-{self.thinking}-{self.text}"

    def news(self, turn: TurnSnapshot) -> Iterator[tuple[NewsName, str]]:
        """Yield what this client does not have yet of a turn, but for its end, each with its new words.

        The place moves on with each.
        """
        if turn.answerable is not None and self.evidence <= len(turn.evidence):
            self.evidence = len(turn.evidence) + 1
            yield "retrieved", ""
        if turn.state == "queued":
            yield "queued", ""
        if len(turn.thinking) > self.thinking:
            words, self.thinking = turn.thinking[self.thinking :], len(turn.thinking)
            yield "thinking", words
        if len(turn.text) > self.text and not turn.final:
            words, self.text = turn.text[self.text :], len(turn.text)
            yield "answer", words
