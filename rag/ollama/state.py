"""The supervisor's state file: our processes, their start times and their health.

A process is known by its number and its start, as the number alone may have been reused.
"""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
from pydantic import TypeAdapter, ValidationError

from rag.files import write_whole
from rag.ollama.hardware import physical_cores
from rag.ollama.neighbours import Neighbours
from rag.priority import usable_cores
from rag.settings import Settings

Phase = Literal["starting", "serving", "restarting", "failed"]

_SAME_PROCESS_SECONDS = 2.0  # creation times are rounded and follow the clock when it is set
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that cannot be mistaken: its number and when it was created (seconds since 1970)."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Identify a process that is alive now.  Raises ``psutil.NoSuchProcess``."""
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Tell whether this very process still runs; one that ended and awaits its parent does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_PROCESS_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if this very process still runs."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended in between, which is what a signal was to bring about

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until the process is gone; False when it still runs after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY_SECONDS)
        return True


def group_members(leader: ProcessIdentity) -> list[ProcessIdentity]:
    """Return the running processes of the group that ``leader`` opened, whether the leader lives or not."""
    members = []
    for process in psutil.process_iter():
        try:
            younger = process.create_time() >= leader.created - _SAME_PROCESS_SECONDS
            if younger and os.getpgid(process.pid) == leader.pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(ProcessIdentity(process.pid, process.create_time()))
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue  # ended while we looked, or not ours
    return members


def end_group(leader: ProcessIdentity, grace_seconds: float) -> None:
    """End the group of ``leader``; kill the rest after ``grace_seconds``."""
    leader.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    if not leader.wait_for_end(grace_seconds):
        leader.send(signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGKILL):
        members = group_members(leader)
        for member in members:
            member.send(number)
        for member in members:
            member.wait_for_end(max(1.0, deadline - time.monotonic()))


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where one managed server keeps its record, its locks and its log.  One folder a port."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings) -> "ServerFiles":
        """Return the files of the server at ``settings.ollama_url``."""
        port = urlsplit(settings.ollama_url).port or 11434
        return cls(settings.data_dir / "serving" / str(port))

    @property
    def state(self) -> Path:
        """The record below."""
        return self.folder / "state.json"

    @property
    def start_lock(self) -> Path:
        """Held while the server is started or stopped."""
        return self.folder / "start.lock"

    @property
    def owner_lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.folder / "owner.lock"

    @property
    def log(self) -> Path:
        """The log of Ollama."""
        return self.folder / "ollama.log"

    @property
    def supervisor_log(self) -> Path:
        """The log of the supervisor, empty unless it breaks."""
        return self.folder / "supervisor.log"


@dataclass(frozen=True, slots=True)
class ServerState:
    """The supervisor's record.  ``ollama`` leads a process group; it stays named after its end until the next start.

    ``started_at`` is in seconds since 1970; ``reason`` is set when ``phase`` is ``failed``.  ``neighbours`` are the
    programs that want the processor as well; with ``goes_first`` the model has it all the same.
    """

    url: str
    phase: Phase
    supervisor: ProcessIdentity
    ollama: ProcessIdentity | None
    started_at: float
    restarts: int
    reason: str = ""
    neighbours: Neighbours | None = None
    goes_first: bool = False

    @property
    def threads(self) -> int | None:
        """The best number of the model's threads now; None: as many as Ollama gives it."""
        if self.neighbours is None or self.goes_first:
            return None
        return self.neighbours.threads_left(usable_cores(), physical_cores())


_RECORD = TypeAdapter(ServerState)  # made once: it is read before each answer


def write_state(files: ServerFiles, state: ServerState) -> None:
    """Replace the record in one step."""
    write_whole(files.state, json.dumps(asdict(state)))


def read_state(files: ServerFiles) -> ServerState | None:
    """Return the record; None when there is none, or one that an older version wrote."""
    try:
        return _RECORD.validate_json(files.state.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_living_state(settings: Settings) -> ServerState | None:
    """Return the record of a supervisor of ours that lives."""
    state = read_state(ServerFiles.of(settings))
    return state if state is not None and state.supervisor.alive() else None
