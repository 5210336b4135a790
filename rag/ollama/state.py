"""The supervisor's state file: our processes, their start times and their health."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from rag.files import write_whole
from rag.ollama.hardware import physical_cores
from rag.ollama.neighbours import Neighbours
from rag.ollama.processes import ProcessIdentity
from rag.priority import usable_cores
from rag.settings import Settings

Phase = Literal["starting", "serving", "restarting", "failed"]


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
        """Held by whoever starts or stops the server."""
        return self.folder / "start.lock"

    @property
    def owner_lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.folder / "owner.lock"

    @property
    def log(self) -> Path:
        """What Ollama says."""
        return self.folder / "ollama.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor says, which is nothing unless it breaks."""
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
        """With how many threads the model is best run now; None: with as many as Ollama gives it."""
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
