"""Ollama killed again and again while many ask: what becomes of the questions, and how soon the model speaks again."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.bench.load.arrivals import Drive, Plan, endlessly
from eval.bench.load.desk_client import DeskArm
from eval.bench.load.records import LoadRecord
from ingest.golden import GoldenQuestion
from rag import errors
from rag.ollama.server import ServerStatus, status
from rag.settings import Settings

BACK_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.05
_LATEST_SECONDS = 2.0
_GIVE_UP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill.  ``down_seconds`` until an Ollama answered again, ``back_seconds`` from then to a reply's first word.

    None: that did not come within ten minutes.
    """

    down_seconds: float | None
    back_seconds: float | None


class Killer:
    """Kills the managed Ollama ``kills`` times, each time a while after the model spoke; a thread of its own."""

    def __init__(self, settings: Settings, desk: DeskArm, kills: int, seed: int, told: Callable[[Kill], None]) -> None:
        self._settings = settings
        self._desk = desk
        self._kills = kills
        self._draw = random.Random(seed)
        self._told = told
        self._given_up = threading.Event()
        self.done: list[Kill] = []

    def give_up(self) -> None:
        """Kill nothing more."""
        self._given_up.set()

    def run(self) -> None:
        """Kill, and wait each time until the model speaks again."""
        spoke_at = time.perf_counter()
        for _ in range(self._kills):
            kill = self._one(spoke_at)
            if kill is None:
                return
            spoke_at = time.perf_counter()
            self.done.append(kill)
            self._told(kill)

    def _one(self, spoke_at: float) -> Kill | None:
        """Kill once the model has spoken since; None where nothing could be killed."""
        if self._wait(lambda: self._desk.last_word_at > spoke_at) is None:
            return None
        if self._given_up.wait(self._draw.uniform(0, _LATEST_SECONDS)):
            return None
        before = status(self._settings)
        if before.pid is None:  # it is being started again already
            return None
        os.kill(before.pid, signal.SIGKILL)
        killed_at = time.perf_counter()
        up_at = self._wait(lambda: _is_another(before, status(self._settings)))
        if up_at is None:
            return Kill(None, None)
        is_back = self._wait(lambda: self._desk.last_word_at > up_at)
        return Kill(up_at - killed_at, self._desk.last_word_at - up_at if is_back is not None else None)

    def _wait(self, until: Callable[[], bool]) -> float | None:
        """Return when something was seen to hold; None where it never did, or nobody waits any more."""
        give_up_at = time.perf_counter() + _GIVE_UP_SECONDS
        while not until():
            if self._given_up.wait(_LOOK_EVERY_SECONDS) or time.perf_counter() >= give_up_at:
                return None
        return time.perf_counter()


def _is_another(before: ServerStatus, now: ServerStatus) -> bool:
    return now.running and now.pid not in (None, before.pid)


def kill_under_load(
    killer: Killer, desk: DeskArm, questions: Sequence[GoldenQuestion], plan: Plan, keep: Callable[[LoadRecord], None]
) -> None:
    """Ask with ``plan.sessions`` sessions until the killer is done, and let what is under way end."""
    drive = Drive(desk.ask, keep)

    def kill() -> None:
        try:
            killer.run()
        finally:
            drive.finish()

    thread = threading.Thread(target=kill, name="killer", daemon=True)
    thread.start()
    try:
        drive.run(plan, endlessly(questions, plan.seed))
    finally:
        killer.give_up()
        thread.join()


def kill_figures(kills: Sequence[Kill], records: Sequence[LoadRecord]) -> dict[str, object]:
    """Return what became of the questions: ``in_words`` failed with one of the product's sentences on the matter."""
    outcomes = Counter(one.outcome for one in records)
    failed = Counter(one.error for one in records if one.outcome == "failed")
    in_words = sum(count for kind, count in failed.items() if _is_of_the_server(kind))
    back = [kill.back_seconds for kill in kills if kill.back_seconds is not None]
    down = [kill.down_seconds for kill in kills if kill.down_seconds is not None]
    return {
        "kills": len(kills),
        "questions": len(records),
        "outcomes": dict(outcomes),
        "errors": dict(failed),
        "in_words": in_words,
        "unforeseen": sum(failed.values()) - in_words,
        "lost": outcomes.get("lost", 0) + outcomes.get("unfinished", 0),
        "came_back": len(back),
        "longest_back_seconds": round(max(back), 2) if back else None,
        "longest_down_seconds": round(max(down), 2) if down else None,
    }


def _is_of_the_server(kind: str) -> bool:
    found = getattr(errors, kind, None)
    return isinstance(found, type) and issubclass(found, errors.ServingError)


def is_met(figures: dict[str, object], wanted: int) -> bool:
    """Tell whether every kill was survived: nothing lost, nothing unforeseen, and the model back in time."""
    longest = figures["longest_back_seconds"]
    return (
        figures["kills"] == figures["came_back"] == wanted
        and figures["lost"] == figures["unforeseen"] == 0
        and isinstance(longest, float)
        and longest <= BACK_SECONDS
    )
