"""The events of one answer, in this order: Retrieved, Queued*, ThinkingDelta*, AnswerDelta*, Completed."""

from dataclasses import dataclass

from rag.schema.answers import Answer, Evidence


@dataclass(frozen=True, slots=True)
class Queued:
    """The model is busy.  ``ahead`` counts the answers before this one; ``wait_seconds`` is None while unknown."""

    ahead: int
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Evidence, before the model speaks.  ``answerable`` False means that a refusal follows."""

    evidence: tuple[Evidence, ...]
    answerable: bool
    answerable_probability: float
    generation: int


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of the model's thought.  Never part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer as a whole, with its citations and times.

    ``generated_tokens`` of thought and answer took the model ``generation_ms``; both are 0 where it was not asked.
    """

    answer: Answer
    generated_tokens: int = 0
    generation_ms: float = 0.0


Event = Queued | Retrieved | ThinkingDelta | AnswerDelta | Completed
