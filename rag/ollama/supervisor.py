"""Supervises Ollama: starts it, keeps its log, restarts it after a crash, and stops it on exit.

It is one thread without a queue, so that it may fork at any moment:

- Ollama leads a process group of its own, which its model runners share; what is left of the group after Ollama's
  death is ended before the next start.
- If the supervisor is killed, the kernel sends Ollama SIGTERM (Linux), and Ollama ends its runners.
- If the supervisor was started for the length of another process, it holds the reading end of a pipe whose writing end
  dies with that process.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import psutil

from rag.ollama.neighbours import NeighbourWatch
from rag.ollama.state import Phase, ProcessIdentity, ServerFiles, ServerState, end_group, group_members, write_state
from rag.priority import MODEL_NICE, parent_death_hook, set_priority

_TICK_SECONDS = 0.1
_LOOK_AROUND_SECONDS = 1.0
_GRACE_SECONDS = 8.0
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 5.0
_STEADY_SECONDS = 60.0  # after so long without a crash the next delay is the first one again
_LOG_LIMIT_BYTES = 5 << 20
_LOGS_KEPT = 3


class RotatingLog:
    """Appends bytes to a file, and starts a new one when it grew past ``limit_bytes``; ``kept`` old ones remain."""

    def __init__(self, path: Path, *, limit_bytes: int = _LOG_LIMIT_BYTES, kept: int = _LOGS_KEPT) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._kept = kept
        self._file = path.open("ab")
        self.last_line = ""

    def write(self, data: bytes) -> None:
        """Append, flush, rotate."""
        self._file.write(data)
        self._file.flush()
        lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        self.last_line = lines[-1].strip() if lines else self.last_line
        if self._file.tell() > self._limit_bytes:
            self._rotate()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._file = self._path.open("ab")

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def restart_delay_seconds(crashes_in_a_row: int) -> float:
    """Return the pause before a restart: 0.25 s, doubled with each crash, at most 5 s."""
    return float(min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(crashes_in_a_row - 1, 10)))


@dataclass(frozen=True, slots=True)
class SupervisedCommand:
    """The command that is supervised, and its readiness check."""

    url: str
    command: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    owner: int | None = None
    """The process whose end ends the run, if there is one."""


class Supervisor:
    """Runs ``supervised`` until told to end.  ``run`` returns the exit code."""

    def __init__(self, supervised: SupervisedCommand, files: ServerFiles, *, lifeline: int | None = None) -> None:
        self._supervised = supervised
        self._files = files
        self._lifeline = lifeline
        self._ending = False
        self._looked_around_at = 0.0
        self._log = RotatingLog(files.log)
        self._state = ServerState(
            url=supervised.url,
            phase="starting",
            supervisor=ProcessIdentity.of(os.getpid()),
            ollama=None,
            started_at=time.time(),
            restarts=0,
        )

    def run(self) -> int:
        """Start, watch, restart; end at SIGTERM, SIGINT or when the lifeline is cut."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        crashes = 0
        try:
            while not self._ending:
                started_at = time.monotonic()
                served = self._run_once()
                if self._ending:
                    break
                if not served and self._state.restarts == 0:
                    self._record("failed", reason=self._log.last_line)
                    return 1
                crashes = 1 if time.monotonic() - started_at > _STEADY_SECONDS else crashes + 1
                self._state = replace(self._state, restarts=self._state.restarts + 1)
                self._record("restarting")
                self._pause(restart_delay_seconds(crashes))
            self._files.state.unlink(missing_ok=True)
            return 0
        finally:
            self._log.close()

    def _run_once(self) -> bool:
        """Run Ollama until it dies or we end.  True if it ever answered."""
        process = self._spawn()
        leader = ProcessIdentity.of(process.pid)
        self._state = replace(self._state, ollama=leader, goes_first=_goes_first(process.pid), neighbours=None)
        self._record("restarting" if self._state.restarts else "starting")
        owner = self._supervised.owner
        watch = NeighbourWatch(leader.pid, frozenset() if owner is None else frozenset([owner]))
        served = False
        assert process.stdout is not None  # asked for with PIPE
        os.set_blocking(process.stdout.fileno(), False)
        try:
            while not self._ending and process.poll() is None:
                self._listen(process.stdout)
                self._record_neighbours(watch)
                if not served and self._supervised.answers():
                    served = True
                    self._record("serving")
        finally:
            self._end_ollama(process, leader)
        return served

    def _record_neighbours(self, watch: NeighbourWatch) -> None:
        """Record the other programs that use the processor, when that changes."""
        now = time.monotonic()
        if now - self._looked_around_at < _LOOK_AROUND_SECONDS:
            return
        self._looked_around_at = now
        neighbours = watch.look(now)
        if neighbours != self._state.neighbours:
            self._state = replace(self._state, neighbours=neighbours)
            self._record(self._state.phase)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(self._supervised.command),
            env=dict(self._supervised.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_child_setup() if sys.platform == "linux" else None,
            bufsize=0,
        )

    def _end_ollama(self, process: subprocess.Popen[bytes], leader: ProcessIdentity) -> None:
        """End Ollama and its runners; their last output goes to the log."""
        if process.poll() is None or group_members(leader):
            end_group(leader, _GRACE_SECONDS)
        process.wait()
        assert process.stdout is not None  # asked for with PIPE
        self._drain(process.stdout)
        process.stdout.close()

    def _listen(self, output: IO[bytes]) -> None:
        watched = [output.fileno()] if self._lifeline is None else [output.fileno(), self._lifeline]
        readable, _, _ = select.select(watched, [], [], _TICK_SECONDS)
        if self._lifeline in readable and os.read(self._lifeline, 1) == b"":
            self._ending = True
        if output.fileno() in readable:
            self._drain(output)

    def _drain(self, output: IO[bytes]) -> None:
        while data := output.read(1 << 16):
            self._log.write(data)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._ending and time.monotonic() < deadline:
            watched = [] if self._lifeline is None else [self._lifeline]
            if select.select(watched, [], [], _TICK_SECONDS)[0] and os.read(watched[0], 1) == b"":
                self._ending = True

    def _record(self, phase: Phase, *, reason: str = "") -> None:
        self._state = replace(self._state, phase=phase, reason=reason)
        write_state(self._files, self._state)

    def _end(self, *_: object) -> None:
        self._ending = True


def clear_leftovers(state: ServerState) -> None:
    """End the leftovers of a killed supervisor: Ollama, or runners without one."""
    if state.ollama is None or state.supervisor.alive():
        return
    try:
        same_boot = psutil.boot_time() < state.started_at
    except OSError:  # a container may hide /proc/stat
        same_boot = True
    if same_boot and group_members(state.ollama):
        end_group(state.ollama, _GRACE_SECONDS)


def _goes_first(pid: int) -> bool:
    """Tell whether a process has priority over ordinary ones."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid) < 0
    except OSError:  # it ended at once
        return False


def _child_setup() -> Callable[[], None]:
    """Return a function for between fork and exec: the kernel shall end the new process with this one.

    The new one goes before ordinary programs where it may.
    """
    end_with_us = parent_death_hook(signal.SIGTERM)

    def set_up_child() -> None:
        end_with_us()
        set_priority(MODEL_NICE)

    return set_up_child
