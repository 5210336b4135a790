"""What a simulated day is made of; each figure names where it comes from, and is an option of the command."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

HOURS = 24
WORKING_DAY = (0, 0, 0, 0, 0, 0, 0, 0, 4, 10, 15, 13, 8, 9, 13, 12, 9, 5, 2, 0, 0, 0, 0, 0)
"""Questions of each hour in a hundred of a day's: a working day with its peak from ten to eleven.  Assumed."""

Kind = Literal["measured", "assumed", "yours"]
"""``measured``: by this project's benchmarks, on a machine of two cores; ``yours``: of the machines that you plan."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a figure comes from: its unit, its kind, and the page or command that has it."""

    unit: str
    kind: Kind
    source: str


def _given(default: float, unit: str, kind: Kind, source: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"origin": Origin(unit, kind, source)})


@dataclass(frozen=True, slots=True)
class Inputs:
    """All figures.  Raises ``ValueError`` naming one that is out of range.

    A host's figures are those with all of its slots busy.  What asks the database takes turns there: the queue's two
    transactions of a question among themselves, and those that write it among themselves.
    """

    agents: int = _given(1000, "agents", "yours", "--agents")
    questions_per_agent: float = _given(60, "a day", "assumed", "one in eight minutes of eight hours")
    without_model_share: float = _given(0, "share", "yours", "curated, cached, quoted and refused; 0: the worst case")
    slots: int = _given(10, "a host", "yours", "python -m eval calibrate model; docs/load.md: the stand-in for a GPU")
    first_token_seconds: float = _given(0.25, "s", "yours", "as above, all slots busy")
    tokens_per_second: float = _given(100, "a slot", "yours", "as above, all slots busy")
    answer_tokens: float = _given(60, "tokens", "yours", "as above; python -m rag latency")
    thinking_tokens: float = _given(0, "tokens", "yours", "at most ANSWERDESK_THINKING_BUDGET_TOKENS")
    expanded_share: float = _given(0, "share", "yours", "questions searched again in the model's words first")
    expand_seconds: float = _given(0.85, "s", "yours", "such a search at the model; docs/retrieval.md")
    answer_variation: float = _given(0.38, "std / mean", "measured", "53 answers, tests/support/queue_simulation.py")
    desk_cores: int = _given(1, "a desk", "assumed", "one process of Python: one core at a time")
    desk_gigabytes: float = _given(16, "GB a desk", "yours", "memory for pages that are open")
    session_megabytes: float = _given(12.9, "MB an agent", "measured", "docs/load.md, memory a session")
    database_connections: int = _given(100, "connections", "yours", "max_connections of PostgreSQL")
    desk_connections: int = _given(18, "a desk", "measured", "docs/scale.md: 17, and one to listen")
    desk_processor_ms: float = _given(105, "ms a question", "measured", "docs/load.md, the page included")
    evidence_ms: float = _given(21, "ms", "measured", "docs/load.md, everything but the model, p50")
    queue_ms: float = _given(4.4, "ms a question", "measured", "docs/scale.md: enter 2.5, leave 1.9 (p50)")
    write_ms: float = _given(2.6, "ms a question", "measured", "docs/scale.md: add 0.7, write the answer 1.9 (p50)")
    max_waiting: int = _given(64, "questions", "yours", "ANSWERDESK_MAX_WAITING")
    wait_seconds: float = _given(10, "s", "yours", "nine of ten questions of the peak hour wait no longer")
    evidence_seconds: float = _given(1, "s", "measured", "docs/latency.md: the objective, 99 of 100")

    def __post_init__(self) -> None:
        for name in (
            "agents",
            "questions_per_agent",
            "slots",
            "tokens_per_second",
            "desk_cores",
            "max_waiting",
            "desk_gigabytes",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name):g}")
        for one in fields(self):
            if getattr(self, one.name) < 0:
                raise ValueError(f"{one.name} must not be negative, not {getattr(self, one.name):g}")
        if self.without_model_share >= 1:
            raise ValueError(f"without_model_share must be below 1, not {self.without_model_share:g}")

    @property
    def answer_seconds(self) -> float:
        """Return for how long an answer holds its slot, on average."""
        writing = self.first_token_seconds + (self.answer_tokens + self.thinking_tokens) / self.tokens_per_second
        return writing + self.expanded_share * self.expand_seconds

    @property
    def questions_a_day(self) -> float:
        """Return how many questions all agents ask."""
        return self.agents * self.questions_per_agent

    def peak_per_second(self, hourly: tuple[float, ...] = WORKING_DAY) -> float:
        """Return the questions a second of the busiest hour."""
        return self.questions_a_day * max(hourly) / sum(hourly) / 3600


def origins() -> dict[str, Origin]:
    """Return where each figure comes from, by its name."""
    return {one.name: one.metadata["origin"] for one in fields(Inputs)}
