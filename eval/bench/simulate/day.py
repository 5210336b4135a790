"""One day, question by question: a desk's processors, the database's turns, the queue before the model servers.

Each stage serves in the order of arrival, a question with whichever of its servers is free first, and none is
interrupted: so the moment at which a question is served follows from the moments before, without a calendar of events.
The product's queue is fair among users, which changes who waits and not how long all wait together: an answer's length
is not known beforehand.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.bench.simulate.inputs import HOURS, WORKING_DAY, Inputs

_HOUR_SECONDS = 3600.0
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a day: what was asked in it.  Seconds; ``queue_mean`` and ``queue_most`` are questions that wait."""

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
        """Return what was asked within an hour."""
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
