"""What a simulated day is made of, and the day, question by question: desks, the database's turns, the model's queue.

Each figure names where it comes from, and is an option of the command.

Each stage serves in the order of arrival, a question with whichever of its servers is free first, and none is
interrupted: so the moment at which a question is served follows from the moments before, without a calendar of events.
The product's queue is fair among users, which changes who waits and not how long all wait together: an answer's length
is not known beforehand.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

HOURS = 24
WORKING_DAY = (0, 0, 0, 0, 0, 0, 0, 0, 4, 10, 15, 13, 8, 9, 13, 12, 9, 5, 2, 0, 0, 0, 0, 0)
"""Questions of each hour in a hundred of a day's: a working day with its peak from ten to eleven.  Assumed."""

Kind = Literal["measured", "assumed", "yours"]
"""``measured``: by this project's benchmarks, on a machine of two cores; ``yours``: of the machines that you plan."""

_HOUR_SECONDS = 3600.0
Times = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a day and its questions.  Seconds; ``queue_mean`` and ``queue_most`` are questions that wait."""

    hour: int
    questions: int
    refused: int
    evidence_p99: float | None
    wait_p50: float | None
    wait_p90: float | None
    wait_most: float
    queue_mean: float
    queue_most: int


def begins(arrivals: Times, seconds: Times, servers: int, room: int | None = None) -> Times:
    """Return when each of n arrivals, float64 [n] ascending, is served; NaN where ``room`` others waited already.

    ``seconds`` is how long each holds one of the ``servers``.

    >>> begins(np.array([0.0, 1.0, 1.0]), np.array([5.0, 5.0, 5.0]), servers=1, room=1).tolist()
    [0.0, 5.0, nan]
    """
    free_at = [0.0] * servers
    waiting: deque[float] = deque()  # when those who wait will be served, ascending
    served = np.empty(len(arrivals))
    for number, (arrival, lasts) in enumerate(zip(arrivals.tolist(), seconds.tolist(), strict=True)):
        while waiting and waiting[0] <= arrival:
            waiting.popleft()
        if room is not None and len(waiting) >= room:
            served[number] = math.nan
            continue
        begin = max(arrival, free_at[0])
        heapq.heapreplace(free_at, begin + lasts)
        if begin > arrival:
            waiting.append(begin)
        served[number] = begin
    return served


def arrivals_of_day(questions: float, hourly: Sequence[float], draw: np.random.Generator) -> Times:
    """Return the moments of a day's questions, in seconds: by chance, as many an hour on average as its share says."""
    shares = np.asarray(hourly, dtype=float) / sum(hourly)
    counts = draw.poisson(questions * shares)
    return np.concatenate([(hour + np.sort(draw.random(count))) * _HOUR_SECONDS for hour, count in enumerate(counts)])


def answer_seconds(count: int, inputs: Inputs, draw: np.random.Generator) -> Times:
    """Return for how long each answer holds its slot: log-normal, with the mean and the variation of the inputs."""
    if inputs.answer_variation == 0:
        return np.full(count, inputs.answer_seconds)
    spread = math.sqrt(math.log1p(inputs.answer_variation**2))
    return draw.lognormal(math.log(inputs.answer_seconds) - spread**2 / 2, spread, count)


@dataclass(frozen=True, slots=True)
class Day:
    """A simulated day, question by question, float64 [n]: when it came, its evidence, and its wait, NaN: refused."""

    arrivals: Times
    evidence_seconds: Times
    queued_at: Times
    waits: Times
    asks_model: NDArray[np.bool_]

    def hour(self, hour: int) -> Hour:
        """Return one hour of the day."""
        within = (self.arrivals // _HOUR_SECONDS) == hour
        asked = within & self.asks_model
        waits = self.waits[asked & ~np.isnan(self.waits)]
        return Hour(
            hour=hour,
            questions=int(within.sum()),
            refused=int(np.isnan(self.waits[asked]).sum()),
            evidence_p99=_quantile(self.evidence_seconds[within], 0.99),
            wait_p50=_quantile(waits, 0.5),
            wait_p90=_quantile(waits, 0.9),
            wait_most=float(waits.max(initial=0.0)),
            queue_mean=float(waits.sum()) / _HOUR_SECONDS,  # Little's law
            queue_most=self._longest_queue(asked),
        )

    def _longest_queue(self, asked: NDArray[np.bool_]) -> int:
        waits = np.nan_to_num(self.waits[asked])
        came, went = self.queued_at[asked][waits > 0], (self.queued_at[asked] + waits)[waits > 0]
        moments = np.concatenate([came, went])
        steps = np.concatenate([np.ones(len(came)), -np.ones(len(went))])
        lengths = np.cumsum(steps[np.argsort(moments, kind="stable")])
        return int(lengths.max(initial=0))


def simulate_day(inputs: Inputs, *, hosts: int, desks: int, seed: int, hourly: tuple[float, ...] = WORKING_DAY) -> Day:
    """Return a day drawn by the seed: the same seed, the same day, whatever the numbers of hosts and desks."""
    draw = np.random.default_rng(seed)
    arrivals = arrivals_of_day(inputs.questions_a_day, hourly, draw)
    count = len(arrivals)
    homes = draw.random(count)  # a browser stays at its desk, and the balancer spreads browsers evenly
    asks_model = draw.random(count) >= inputs.without_model_share
    lasts = answer_seconds(count, inputs, draw)

    searched = np.empty(count)
    for desk in range(desks):
        own = np.floor(homes * desks) == desk
        work = np.full(int(own.sum()), inputs.desk_processor_ms / 1000)
        searched[own] = begins(arrivals[own], work, inputs.desk_cores)
    evidence = searched - arrivals + inputs.evidence_ms / 1000
    entered = np.sort(arrivals + evidence)  # of alike questions it does not matter which is which
    queued = begins(entered, np.full(count, inputs.queue_ms / 1000), 1) + inputs.queue_ms / 1000
    order = np.argsort(arrivals + evidence, kind="stable")
    asks, held = asks_model[order], lasts[order]
    waits = np.zeros(count)
    waits[asks] = begins(queued[asks], held[asks], hosts * inputs.slots, inputs.max_waiting) - queued[asks]
    back = np.empty(count, dtype=np.int64)
    back[order] = np.arange(count)
    return Day(arrivals, evidence, queued[back], waits[back], asks_model)


def hours_of(days: Sequence[Day]) -> list[Hour]:
    """Return the hours of several days: questions and refusals added up, ``most`` the largest, else the means."""
    return [_together([day.hour(hour) for day in days]) for hour in range(HOURS)]


def _together(hours: Sequence[Hour]) -> Hour:
    return Hour(
        hour=hours[0].hour,
        questions=sum(one.questions for one in hours),
        refused=sum(one.refused for one in hours),
        evidence_p99=_mean([one.evidence_p99 for one in hours]),
        wait_p50=_mean([one.wait_p50 for one in hours]),
        wait_p90=_mean([one.wait_p90 for one in hours]),
        wait_most=max(one.wait_most for one in hours),
        queue_mean=sum(one.queue_mean for one in hours) / len(hours),
        queue_most=max(one.queue_most for one in hours),
    )


def _quantile(values: Times, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
