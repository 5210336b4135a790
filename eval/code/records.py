"""What is kept of an attempt: the reply, and apart from it what became of its program, which can be judged anew."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from eval.code.judging import Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """One reply of the model; ``sample`` counts the replies to one problem from 0, ``error`` is an error's class.

    ``seconds`` is from the request until the end of the reply; waiting for a slot is not counted.
    """

    task_id: str
    sample: int
    reply: str = ""
    thinking: str = ""
    truncated: bool = False
    error: str = ""
    seconds: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one attempt."""

    task_id: str
    sample: int
    outcome: Outcome
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.outcome == "passed"


ATTEMPTS = TypeAdapter(Attempt)
JUDGED = TypeAdapter(Judged)
VERDICTS_NAME = "verdicts.jsonl"
