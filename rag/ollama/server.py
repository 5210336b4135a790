"""Starts, adopts and stops the managed Ollama.

What was there before us is never stopped.  What we start belongs to a supervisor process (``supervisor.py``), so it
outlives the command that started it, comes back when it dies, and leaves no orphan.
"""

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil
from filelock import FileLock

from rag.errors import (
    AnswerdeskError,
    NotOllama,
    OllamaElsewhere,
    OllamaNotStarted,
    OllamaRefused,
    OllamaSilent,
    OllamaUnavailable,
)
from rag.ollama.client import OllamaClient
from rag.ollama.hosts import Hosts, hosts_of
from rag.ollama.install import find_ollama, models_folder, ollama_home
from rag.ollama.neighbours import Neighbours
from rag.ollama.state import ServerFiles, ServerState, group_members, read_living_state, read_state
from rag.ollama.supervisor import SupervisedCommand, clear_leftovers
from rag.settings import Settings
from rag.storage.connection import storage_errors

_START_SECONDS = 60.0
_FIRST_WORD_SECONDS = 15.0
_STOP_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.05
_LOCK_SECONDS = 120.0
_TRY_AGAIN_SECONDS = 15.0
_SECRETS = ("ANSWERDESK_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables with passwords and keys of ours, which are none of Ollama's business."""
_CHECKOUT = Path(__file__).resolve().parent.parent.parent

StopOutcome = Literal["stopped", "not_running", "not_ours"]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The status of the server at ``url``.

    ``managed`` means that we started it; the fields after it are then known.  ``started_at`` is in seconds since 1970,
    ``restarts`` counts the times it came back after dying; ``neighbours`` are programs that keep the processor busy,
    beside which the model has so many ``threads`` (None: as many as without them), or all where it ``goes_first``.
    ``other_program`` means that something else than Ollama answers there, ``silent`` that something listens there and
    does not answer as Ollama does.
    """

    url: str
    running: bool
    version: str
    managed: bool
    pid: int | None = None
    started_at: float | None = None
    restarts: int = 0
    log: str = ""
    neighbours: Neighbours | None = None
    threads: int | None = None
    goes_first: bool = False
    other_program: bool = False
    silent: bool = False


def status(settings: Settings) -> ServerStatus:
    """Return the status.  Raises nothing when no server answers: ``running`` is False then.

    Several hosts are reported as one: ``url`` names those that can be used, or all where none can, comma-separated.
    """
    hosts = hosts_of(settings)
    if hosts is not None:
        return _status_of(hosts)
    url = settings.ollama_url
    files = ServerFiles.of(settings)
    state = read_living_state(settings)
    version, is_other, is_silent = None, False, False
    try:
        version = _version(url)
    except NotOllama:
        is_other = True
    except OllamaSilent:
        is_silent = True
    if state is None or state.ollama is None:
        running = version is not None
        return ServerStatus(url, running, version or "", managed=False, other_program=is_other, silent=is_silent)
    return ServerStatus(
        url,
        version is not None,
        version or "",
        managed=True,
        pid=state.ollama.pid,
        started_at=state.started_at,
        restarts=state.restarts,
        log=str(files.log),
        neighbours=state.neighbours,
        threads=state.threads,
        goes_first=state.goes_first,
        other_program=is_other,
        silent=is_silent,
    )


def ensure_running(
    settings: Settings, *, while_we_live: bool = False, on_start: Callable[[], object] = lambda: None
) -> ServerStatus:
    """Adopt the Ollama that answers, else call ``on_start``, start one and wait until it answers.

    With ``while_we_live`` a started server ends with this process, however this process ends.  Safe to call from
    several processes at once.  Several hosts are adopted and none of them is started.

    Raises ``NotOllama``, ``OllamaSilent``, ``OllamaElsewhere``, ``OllamaNotInstalled`` or ``OllamaNotStarted``;
    ``NoHostAnswers`` or ``ModelMissing`` where none of several hosts can be used; ``DataFolderUnusable`` or
    ``StorageFull`` where its files cannot be made.
    """
    hosts = hosts_of(settings)
    if hosts is not None:
        hosts.require()
        return _status_of(hosts)
    if _serves(settings.ollama_url, may_be_silent=is_local(settings.ollama_url)):
        return status(settings)
    if not is_local(settings.ollama_url):
        raise OllamaElsewhere(host=settings.ollama_url)
    files = ServerFiles.of(settings)
    with _start_lock(files):
        if not _serves(settings.ollama_url, may_be_silent=_is_ours(files)):  # the port of a silent one is taken
            if read_living_state(settings) is None:
                find_ollama(settings)  # says in words that there is none, before a process is made to say it
                on_start()
                _launch(settings, files, while_we_live=while_we_live)
            _wait_until_serving(settings, files)
    return status(settings)


class ServerStart:
    """Makes sure of the server for one question after another, as ``ensure_running`` does.

    After a start that failed, or beside a silent program, it is not tried again for some seconds: that would make each
    question wait in vain.  Safe from many threads.
    """

    def __init__(
        self,
        settings: Settings,
        on_start: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._on_start = on_start
        self._clock = clock
        self._failure: tuple[float, AnswerdeskError] | None = None

    def __call__(self) -> ServerStatus:
        """Return the status.  Raises as ``ensure_running``."""
        failure = self._failure
        if failure is not None and self._clock() < failure[0] + _TRY_AGAIN_SECONDS:
            raise type(failure[1])(**failure[1].details)
        try:
            return ensure_running(self._settings, on_start=self._on_start)
        except (OllamaSilent, OllamaNotStarted) as error:
            self._failure = self._clock(), error
            raise


@contextmanager
def _start_lock(files: ServerFiles) -> Iterator[None]:
    """Let one process at a time start or stop the server; errors of its files are translated."""
    with storage_errors(files.folder):
        files.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(files.start_lock, timeout=_LOCK_SECONDS):
            yield


def stop(settings: Settings) -> StopOutcome:
    """End the server that we started, its model runners and its supervisor; leave any other alone.

    Several hosts are all left alone.
    """
    if len(settings.ollama_urls) > 1:
        return "not_ours"
    files = ServerFiles.of(settings)
    if not files.folder.is_dir():
        return "not_ours" if _answers(settings.ollama_url) else "not_running"
    with _start_lock(files):
        state = read_state(files)
        if state is None or not _has_leftovers(state):
            files.state.unlink(missing_ok=True)
            return "not_ours" if _answers(settings.ollama_url) else "not_running"
        state.supervisor.send(signal.SIGTERM)
        if not state.supervisor.wait_for_end(_STOP_SECONDS):
            state.supervisor.send(signal.SIGKILL)
            state.supervisor.wait_for_end(_STOP_SECONDS)
        clear_leftovers(state)
        files.state.unlink(missing_ok=True)
    return "stopped"


def supervised_command(settings: Settings) -> SupervisedCommand:
    """Return the supervised command: our Ollama with the settings of this machine."""
    binary = find_ollama(settings)
    return SupervisedCommand(
        url=settings.ollama_url,
        command=(str(binary), "serve"),
        environment=server_environment(settings),
        answers=lambda: _answers(settings.ollama_url),
    )


def server_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a started Ollama.  A variable that the user has set stands.

    But for the address, and a cache that all slots share, which ends the model's process (Ollama 0.24: "seq_cp() is
    only supported for full KV buffers").  Flash attention halves the memory of the context and is a little faster on
    CPUs, too (measured); it is also what a quantized context would need.
    """
    url = urlsplit(settings.ollama_url)
    tuned = {
        "OLLAMA_NUM_PARALLEL": str(settings.parallel_slots),
        "OLLAMA_CONTEXT_LENGTH": str(settings.context_tokens),
        "OLLAMA_KEEP_ALIVE": f"{settings.keep_alive_seconds}s",
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_FLASH_ATTENTION": str(int(settings.flash_attention)),
        "OLLAMA_KV_CACHE_TYPE": settings.kv_cache_type,
        "OLLAMA_NO_CLOUD": "1",  # no question leaves the machine, and Ollama asks no site for news when it starts
    }
    store = models_folder(settings)
    if store is not None:
        tuned["OLLAMA_MODELS"] = str(store)
    listens_everywhere = "0.0.0.0" in settings.ollama_host
    host = "0.0.0.0" if listens_everywhere else url.hostname
    ours = {"OLLAMA_HOST": f"{host}:{url.port or 11434}", "OLLAMA_MULTIUSER_CACHE": "0"}
    home = ollama_home(settings)
    if home is not None:
        ours["HOME"] = str(home)
    inherited = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return {**tuned, **inherited, **ours}


def _status_of(hosts: Hosts) -> ServerStatus:
    seen = hosts.look()
    usable = [hosts.url(name) for name in hosts.slots()]
    versions = dict.fromkeys(host.version for host in seen if host.version)
    urls = usable or [host.url for host in seen]
    return ServerStatus(", ".join(urls), bool(usable), ", ".join(versions), managed=False)


def _launch(settings: Settings, files: ServerFiles, *, while_we_live: bool) -> None:
    leftover = read_state(files)
    if leftover is not None:
        clear_leftovers(leftover)
        files.state.unlink(missing_ok=True)
    reading_end = subprocess.DEVNULL
    if while_we_live:
        # The writing end stays open, and so the supervisor alive, exactly as long as this process: nobody closes it.
        reading_end, _writing_end = os.pipe()
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(settings.data_dir),
        "ANSWERDESK_CACHE_DIR": str(settings.cache_dir),
        "ANSWERDESK_OLLAMA_HOSTS": settings.ollama_url,  # the variable that goes before all others
        "ANSWERDESK_PARALLEL_SLOTS": str(settings.parallel_slots),
        "ANSWERDESK_CONTEXT_TOKENS": str(settings.context_tokens),
        "ANSWERDESK_KEEP_ALIVE_SECONDS": str(settings.keep_alive_seconds),
        "ANSWERDESK_FLASH_ATTENTION": str(int(settings.flash_attention)),
        "ANSWERDESK_KV_CACHE_TYPE": settings.kv_cache_type,
    }
    command = [sys.executable, "-m", "rag.ollama", "supervise", *(["--lifeline"] if while_we_live else [])]
    with files.supervisor_log.open("ab") as log:
        # It forks and its first half ends at once, so that no zombie is left to our caller.
        code = subprocess.run(
            command, cwd=_CHECKOUT, env=environment, stdin=reading_end, stdout=log, stderr=log, check=False
        ).returncode
    if while_we_live:
        os.close(reading_end)
    if code != 0:
        raise OllamaNotStarted(reason=f"exit code {code}", log=files.supervisor_log)


def _wait_until_serving(settings: Settings, files: ServerFiles) -> None:
    started_at = time.monotonic()
    while (waited := time.monotonic() - started_at) < _START_SECONDS:
        if _serves(settings.ollama_url, may_be_silent=True):
            return
        state = read_state(files)
        if state is not None and state.phase == "failed":
            files.state.unlink(missing_ok=True)
            raise OllamaNotStarted(reason=state.reason or "?", log=files.log)
        if waited > _FIRST_WORD_SECONDS and (state is None or not state.supervisor.alive()):
            raise OllamaNotStarted(reason="its supervisor ended", log=files.supervisor_log)
        time.sleep(_LOOK_EVERY_SECONDS)
    raise OllamaNotStarted(reason=f"no answer within {_START_SECONDS:.0f} s", log=files.log)


def _has_leftovers(state: ServerState) -> bool:
    return state.supervisor.alive() or (state.ollama is not None and bool(group_members(state.ollama)))


def _version(url: str) -> str | None:
    """Return the version of the Ollama at ``url``; None if nothing listens.

    Raises ``NotOllama`` or ``OllamaSilent``.
    """
    try:
        return OllamaClient(url).version()
    except (NotOllama, OllamaSilent):
        raise
    except OllamaRefused as error:
        raise OllamaSilent(host=url) from error
    except OllamaUnavailable:
        return None


def _serves(url: str, *, may_be_silent: bool) -> bool:
    """Tell whether an Ollama answers.  Raises ``NotOllama``, and ``OllamaSilent`` unless one may be on its way up."""
    try:
        return _version(url) is not None
    except OllamaSilent:
        if not may_be_silent:
            raise
        return False


def _answers(url: str) -> bool:
    """Tell whether an Ollama answers at ``url``."""
    try:
        return _version(url) is not None
    except OllamaUnavailable:
        return False


def _is_ours(files: ServerFiles) -> bool:
    """Tell whether a server that we started, or what is left of it, still runs."""
    state = read_state(files)
    return state is not None and _has_leftovers(state)


def is_local(url: str) -> bool:
    """Tell whether an address names this machine: by a loopback, an address of its cards, or its own name."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == socket.gethostname()
    own = {entry.address for entries in psutil.net_if_addrs().values() for entry in entries}
    return address.is_loopback or host in own
