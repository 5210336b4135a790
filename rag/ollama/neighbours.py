"""Other programs that keep the processor busy while a model runs.

A model's threads wait for each other at every step, so one that has to share its core holds up all of them: with two
threads on two cores beside one busy program, a model writes a twelfth of what it writes alone, and with one thread half
(docs/load.md).  The supervisor looks once a second; a program that asks the model reads what it saw.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.priority import gives_way

_SEEN_SECONDS = 4.0
_GONE_SECONDS = 20.0
_BUSY_CORES = 0.5
_QUIET_CORES = 0.25
_SHARED_CORE = 0.25
"""So much of a core may be wanted by others before the model leaves it to them."""

_GROUP, _USER, _SYSTEM, _NICE, _START, _POLICY = 2, 11, 12, 16, 19, 38  # proc_pid_stat(5), counted from the state


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other programs keep ``cores`` cores busy; ``busiest`` is the name of the one that takes most."""

    cores: float
    busiest: str

    def threads_left(self, logical: int, physical: int) -> int | None:
        """Return the threads of a model beside them, at least 1; None: as many as it has alone.

        >>> Neighbours(1.0, "backup").threads_left(2, 2), Neighbours(1.0, "backup").threads_left(16, 8)
        (1, None)
        """
        wanted = int(self.cores + 1 - _SHARED_CORE)
        left = logical - wanted
        return None if left >= physical else max(1, left)


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    group: int
    seconds: float
    started: int
    gives_way: bool


class NeighbourWatch:
    """Sees the programs that are neither the model (process group ``model_group``), nor ``ours``, nor give way.

    Linux only; elsewhere it sees nobody.
    """

    def __init__(self, model_group: int, ours: frozenset[int] = frozenset(), proc: Path = Path("/proc")) -> None:
        self._model_group = model_group
        self._ours = ours | {os.getpid()}
        self._proc = proc
        self._before: dict[tuple[int, int], float] = {}
        self._looked_at: float | None = None
        self._looks: deque[tuple[float, float]] = deque()  # when, and how many cores since the look before
        self.seen: Neighbours | None = None

    def look(self, now: float | None = None) -> Neighbours | None:
        """Return the programs that were busy for 4 s, until they are quiet for 20 s.  ``now`` is in seconds."""
        now = time.monotonic() if now is None else now
        taken = self._processor_seconds()
        if self._looked_at is not None and now > self._looked_at:
            self._looks.append((now, sum(taken.values()) / (now - self._looked_at)))
            busiest = max(taken, key=lambda name: taken[name], default="")
            self._decide(now, busiest)
        self._looked_at = now
        return self.seen

    def _decide(self, now: float, busiest: str) -> None:
        while self._looks and self._looks[0][0] <= now - _GONE_SECONDS:
            self._looks.popleft()
        lately = [cores for at, cores in self._looks if at > now - _SEEN_SECONDS]
        cores = sum(lately) / len(lately)
        if cores >= _BUSY_CORES and len(lately) >= _SEEN_SECONDS:
            kept = self.seen is not None and abs(self.seen.cores - cores) < _BUSY_CORES
            self.seen = self.seen if kept else Neighbours(round(cores, 1), busiest)
        elif sum(cores for _, cores in self._looks) / len(self._looks) <= _QUIET_CORES:
            self.seen = None

    def _processor_seconds(self) -> dict[str, float]:
        """Return each program's processor seconds since the last look, by name."""
        taken: dict[str, float] = {}
        now: dict[tuple[int, int], float] = {}
        for pid, process in self._processes():
            key = (pid, process.started)
            now[key] = process.seconds
            is_other = process.group != self._model_group and pid not in self._ours and not process.gives_way
            if is_other and key in self._before:
                taken[process.name] = taken.get(process.name, 0.0) + process.seconds - self._before[key]
        self._before = now
        return taken

    def _processes(self) -> Iterator[tuple[int, _Process]]:
        ticks = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
        for folder in self._proc.glob("[0-9]*"):
            with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
                name, _, rest = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
                fields = rest.split()
                yield (
                    int(folder.name),
                    _Process(
                        name.partition("(")[2],
                        int(fields[_GROUP]),
                        (int(fields[_USER]) + int(fields[_SYSTEM])) / ticks,
                        int(fields[_START]),
                        gives_way(int(fields[_POLICY]), int(fields[_NICE])),
                    ),
                )
