"""How many agents a machine serves: worked out from measured answer times by playing agents, not by a formula.

Each agent asks, waits for the whole answer, then reads and talks for a pause of chance length before asking again.
One fair line stands before the slots, as the product's own does.  A number of agents is served when the wanted share of
their answers is whole within the target.  Pure, and the same for the same seed.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass

_ANSWERS = 2000  # played for each number of agents; the first tenth only fills the line
_MOST_AGENTS = 500


@dataclass(frozen=True, slots=True)
class Target:
    """``share`` of the answers whole within ``seconds``; an agent asks ``pause_seconds`` after each, on average."""

    seconds: float = 10.0
    share: float = 0.95
    pause_seconds: float = 60.0


def share_within(agents: int, service_seconds: Sequence[float], slots: int, target: Target, seed: int = 0) -> float:
    """Return the share of answers that are whole within the target, in [0, 1].

    ``service_seconds`` are drawn from; they were measured with all slots busy, so fewer agents fare a little better.
    """
    chance = random.Random(seed)
    free_at = [0.0] * slots
    asks = [chance.expovariate(1 / target.pause_seconds) for _ in range(agents)]
    heapq.heapify(asks)
    within = counted = 0
    for number in range(_ANSWERS):
        asked_at = heapq.heappop(asks)
        done_at = max(asked_at, heapq.heappop(free_at)) + chance.choice(service_seconds)
        heapq.heappush(free_at, done_at)
        heapq.heappush(asks, done_at + chance.expovariate(1 / target.pause_seconds))
        if number >= _ANSWERS // 10:
            counted += 1
            within += done_at - asked_at <= target.seconds
    return within / counted


def agents_supported(service_seconds: Sequence[float], slots: int, target: Target, seed: int = 0) -> int:
    """Return the largest number of agents for whom the target is met; 0 where a single one waits too long."""
    if not service_seconds or share_within(1, service_seconds, slots, target, seed) < target.share:
        return 0
    met, missed = 1, 2
    while missed <= _MOST_AGENTS and share_within(missed, service_seconds, slots, target, seed) >= target.share:
        met, missed = missed, missed * 2
    missed = min(missed, _MOST_AGENTS + 1)
    while missed - met > 1:
        middle = (met + missed) // 2
        if share_within(middle, service_seconds, slots, target, seed) >= target.share:
            met = middle
        else:
            missed = middle
    return met
