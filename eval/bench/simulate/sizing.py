"""How many model hosts and desks a day needs, what is used up first, and what a large knowledge base takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.bench.simulate.day import WORKING_DAY, Day, Hour, Inputs, hours_of, simulate_day

MOST_OF_A_KIND = 4096
REFUSED_SHARE = 0.001
"""So few of the peak hour's questions may find the queue full."""

INDEX_LIMIT = 1 << 24
"""Passages of one language that an index of the product holds (``rag/retrieval/postings.py``)."""

Resource = str
"""``model``, ``desks``, ``memory``, ``connections``, ``queue`` or ``writing``."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a resource the peak hour takes: ``share`` of ``questions_per_second``, what it does at the most.

    Memory and connections are taken by agents and desks: theirs is the rate at which they would be used up if agents,
    or desks, grew as questions do.
    """

    resource: Resource
    questions_per_second: float
    share: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is enough for a day, and how that day goes, hour by hour; ``uses`` begins with what is used up first.

    ``waits_p90`` are the peak hour's of each simulated day, in seconds.
    """

    hosts: int
    desks: int
    hours: tuple[Hour, ...]
    uses: tuple[Use, ...]
    waits_p90: tuple[float, ...]

    @property
    def peak(self) -> Hour:
        """Return the hour with the longest waits."""
        return max(self.hours, key=lambda hour: (hour.wait_p90 or 0.0, hour.questions))


def plan_for(
    inputs: Inputs,
    *,
    hosts: int = 0,
    desks: int = 0,
    days: int = 3,
    seed: int = 0,
    hourly: tuple[float, ...] = WORKING_DAY,
    told: Callable[[], object] = lambda: None,
) -> Plan | None:
    """Return the fewest hosts and desks that meet the inputs' targets, or what so many of either are good for.

    0 hosts or desks: the fewest.  None where ``MOST_OF_A_KIND`` are not enough.  ``told`` is called after each try.
    """

    def days_with(hosts: int, desks: int) -> list[Day]:
        made = [simulate_day(inputs, hosts=hosts, desks=desks, seed=seed + day, hourly=hourly) for day in range(days)]
        told()
        return made

    peak = int(np.argmax(hourly))
    busy = inputs.peak_per_second(hourly)
    open_pages = math.ceil(inputs.agents * inputs.session_megabytes / (1000 * inputs.desk_gigabytes))
    desks = desks or _fewest(
        max(open_pages, _least(busy * inputs.desk_processor_ms / 1000, inputs.desk_cores)),
        lambda count: _evidence(days_with(1, count), peak) <= inputs.evidence_seconds,
    )
    if not desks:
        return None
    hosts = hosts or _fewest(
        _least(busy * (1 - inputs.without_model_share) * inputs.answer_seconds, inputs.slots),
        lambda count: _is_quick(days_with(count, desks), peak, inputs),
    )
    if not hosts:
        return None
    made = days_with(hosts, desks)
    waits = tuple(day.hour(peak).wait_p90 or 0.0 for day in made)
    return Plan(hosts, desks, tuple(hours_of(made)), uses_of(inputs, hosts, desks, hourly), waits)


def uses_of(inputs: Inputs, hosts: int, desks: int, hourly: tuple[float, ...] = WORKING_DAY) -> tuple[Use, ...]:
    """Return how much of each resource the peak hour takes, the largest share first."""
    busy = inputs.peak_per_second(hourly)
    shares = {
        "model": busy * (1 - inputs.without_model_share) * inputs.answer_seconds / (hosts * inputs.slots),
        "desks": busy * inputs.desk_processor_ms / 1000 / (desks * inputs.desk_cores),
        "memory": inputs.agents * inputs.session_megabytes / (1000 * desks * inputs.desk_gigabytes),
        "connections": desks * inputs.desk_connections / max(1, inputs.database_connections),
        "queue": busy * inputs.queue_ms / 1000,
        "writing": busy * inputs.write_ms / 1000,
    }
    uses = [Use(name, busy / max(share, 1e-9), share) for name, share in shares.items()]
    return tuple(sorted(uses, key=lambda use: -use.share))


def _least(work: float, of_each: int) -> int:
    """Return the fewest that are not busy without end."""
    return max(1, math.floor(work / of_each) + 1)


def _fewest(least: int, is_enough: Callable[[int], bool]) -> int:
    """Return the smallest number that is enough, 0 where ``MOST_OF_A_KIND`` is not."""
    if least > MOST_OF_A_KIND:
        return 0
    missed, met = least - 1, least
    while not is_enough(met):
        missed, met = met, met + max(1, met - least + 1)
        if met > MOST_OF_A_KIND:
            return 0
    while met - missed > 1:
        middle = (met + missed) // 2
        missed, met = (missed, middle) if is_enough(middle) else (middle, met)
    return met


def _evidence(days: Sequence[Day], peak: int) -> float:
    return max(day.hour(peak).evidence_p99 or 0.0 for day in days)


def _is_quick(days: Sequence[Day], peak: int, inputs: Inputs) -> bool:
    hours = [day.hour(peak) for day in days]
    refused = sum(hour.refused for hour in hours) / max(1, sum(hour.questions for hour in hours))
    return refused <= REFUSED_SHARE and max(hour.wait_p90 or 0.0 for hour in hours) <= inputs.wait_seconds


@dataclass(frozen=True, slots=True)
class PassageBytes:
    """What a passage takes, in bytes: on the disk, in ``knowledge.db`` and the index's files, and in a desk's memory.

    Measured: ``disk`` by ``python -m eval sharing`` (docs/scale.md: 104 MB of 10,000), ``memory`` by
    ``python -m eval large`` (docs/retrieval.md: 1,963 MB of 1,000,000; of 100,000 they are 1,990 each).
    """

    disk: float = 10_400.0
    memory: float = 1_963.0


@dataclass(frozen=True, slots=True)
class Room:
    """What a knowledge base takes, in bytes; ``transfer_seconds`` until a new desk has fetched it.

    ``bases`` is into how many knowledge bases it must be cut, as an index holds ``INDEX_LIMIT`` passages a language.
    """

    passages: int
    desk_disk: float
    desk_memory: float
    server_disk: float
    transfer_seconds: float
    bases: int


def room_for(passages: int, each: PassageBytes, *, languages: int, gigabits: float) -> Room:
    """Return the room for so many passages, in proportion to the measured bytes of each.

    While a revision is taken over, a desk has both on its disk, and the server has the pieces of both.
    """
    whole = passages * each.disk
    return Room(
        passages=passages,
        desk_disk=2 * whole,
        desk_memory=passages * each.memory,
        server_disk=2 * whole,
        transfer_seconds=whole * 8 / (gigabits * 1e9),
        bases=max(1, math.ceil(passages / (languages * INDEX_LIMIT))),
    )
