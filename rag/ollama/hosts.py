"""Several model servers as one: checks which of them answer and have the model.

    hosts = Hosts(["http://a:11434", "http://b:11434"], "deepseek-r1:7b", slots_each=2)
    hosts.slots()                             # {"a:11434": 2}, while b is down or has another model

None of them is ever started or stopped.  A look is made in the background when something needs to know: only the first
one is waited for, and before a new question one after a long pause.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from rag.errors import ModelMissing, NoHostAnswers, ServingError
from rag.ollama.client import InstalledModel, LoadedModel, OllamaClient
from rag.ollama.models import ChosenModel, choose_among, installed_models
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0
_WAIT_FOR_NEWS_AFTER_SECONDS = 30.0  # nobody asked for so long: what was seen then may be long untrue
_MODELS_EVERY_SECONDS = 20.0
_MODELS_TIMEOUT_SECONDS = 5.0
_MISSED_LOOKS = 2  # a busy machine may miss one

HostState = Literal["usable", "down", "without_model"]


def host_name(url: str) -> str:
    """Return host and port, the name of a server in the queue and in sentences.

    >>> host_name("http://gpu-box:11434")
    'gpu-box:11434'
    """
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 11434}"


@dataclass(frozen=True, slots=True)
class Host:
    """One server as it was last seen.  ``version`` is empty where nothing answers; ``installed`` is then empty too."""

    url: str
    version: str = ""
    installed: tuple[InstalledModel, ...] = ()

    @property
    def name(self) -> str:
        """Host and port."""
        return host_name(self.url)

    def has(self, model: str) -> bool:
        """Tell whether it answers and has a model of this name."""
        return any(one.name == model for one in self.installed)


class Hosts:
    """The servers at ``urls``, each of which answers ``slots_each`` questions at once.  Safe from many threads.

    The model to ask is chosen among those that the answering hosts hold together, as ``choose_among`` chooses; hosts
    without that one are left out.
    """

    def __init__(self, urls: Sequence[str], wanted: str, slots_each: int) -> None:
        if not urls:
            raise ValueError("at least one url is needed")
        self._wanted = wanted
        self._slots_each = slots_each
        self._watched = {host_name(url): _Watched(url) for url in urls}
        self._lock = threading.Lock()
        self._told: dict[str, HostState] = {}

    @property
    def slots_each(self) -> int:
        """How many questions one host answers at once."""
        return self._slots_each

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, whether they answer or not."""
        return tuple(self._watched)

    def url(self, name: str) -> str:
        """Return the address of a host by its name."""
        return self._watched[name].seen.url

    def slots(self) -> dict[str, int]:
        """Return each usable host's slots: questions answered at once."""
        return {name: self._slots_each for name, state in self.states().items() if state == "usable"}

    def states(self) -> dict[str, HostState]:
        """Return each host's state, by name; changes are logged."""
        seen = self.look()
        try:
            model = self._chosen(seen).name
        except ModelMissing as error:
            model = str(error.details["model"])
        except NoHostAnswers:
            model = ""
        states = {host.name: _state(host, model) for host in seen}
        self._log_changes(states, model)
        return states

    def require(self) -> None:
        """Raise ``NoHostAnswers``, or ``ModelMissing``, where no host is usable."""
        self.chosen()

    def chosen(self) -> ChosenModel:
        """Return the model to ask.  Raises ``NoHostAnswers``, or ``ModelMissing``."""
        return self._chosen(self.look(after_a_pause=True))

    def suspect(self, name: str) -> bool:
        """Check a host on which a question just failed, and return whether it answers."""
        return self._watched[name].ask(forgiving=False)

    def loaded(self) -> dict[str, list[LoadedModel]]:
        """Return the models in the memory of each host that answers, by the host's name."""
        found: dict[str, list[LoadedModel]] = {}
        for host in self.look():
            if host.version:
                try:
                    found[host.name] = OllamaClient(host.url).loaded()
                except ServingError:
                    logger.debug("%s went away while it was asked", host.name)
        return found

    def look(self, *, after_a_pause: bool = False) -> list[Host]:
        """Return the last state of each host, in the order in which they were named.

        ``after_a_pause`` waits for news where what was seen is old.
        """
        looks = [watched.look_again(wait_after_a_pause=after_a_pause) for watched in self._watched.values()]
        awaited = [look for look in looks if look is not None]
        for look in awaited:
            look.join()
        return [watched.seen for watched in self._watched.values()]

    def _chosen(self, seen: Sequence[Host]) -> ChosenModel:
        if not any(host.version for host in seen):
            raise NoHostAnswers(hosts=", ".join(self._watched))
        installed = {model.name: model for host in seen for model in host.installed}
        return choose_among(list(installed.values()), self._wanted)

    def _log_changes(self, states: dict[str, HostState], model: str) -> None:
        with self._lock:
            news = {name: state for name, state in states.items() if self._told.get(name, "usable") != state}
            self._told = states
        for name, state in news.items():
            logger.warning("%s", translate(f"ollama.host_is_{state}", terminal_language(), name=name, model=model))


class _Watched:
    """One host, and the look at it that is under way."""

    def __init__(self, url: str) -> None:
        self.seen = Host(url)
        self._client = OllamaClient(url)
        self._asking = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._looked_at: float | None = None
        self._models_seen_at: float | None = None
        self._missed = 0

    def look_again(self, *, wait_after_a_pause: bool) -> threading.Thread | None:
        """Begin a look if one is due; return it if the caller must wait for it."""
        with self._starting:
            age_seconds = math.inf if self._looked_at is None else time.monotonic() - self._looked_at
            if age_seconds >= LOOK_EVERY_SECONDS and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self.ask, name="ollama-host-look", daemon=True)
                self._thread.start()
            is_old = wait_after_a_pause and age_seconds >= _WAIT_FOR_NEWS_AFTER_SECONDS and bool(self.seen.version)
            return self._thread if self._looked_at is None or is_old else None

    def ask(self, *, forgiving: bool = True) -> bool:
        """Check the host, and return whether it answered; ``forgiving`` allows one failure."""
        with self._asking:
            if not forgiving:
                self._models_seen_at = None
            try:
                self.seen = Host(self.seen.url, self._client.version(), self._installed_models())
            except ServingError:
                self._missed += 1
                if not forgiving or self._missed >= _MISSED_LOOKS:
                    self.seen, self._models_seen_at = Host(self.seen.url), None
            else:
                self._missed = 0
            self._looked_at = time.monotonic()
            return self._missed == 0

    def _installed_models(self) -> tuple[InstalledModel, ...]:
        now = time.monotonic()
        if self._models_seen_at is None or now - self._models_seen_at >= _MODELS_EVERY_SECONDS:
            installed = tuple(self._client.models(timeout_seconds=_MODELS_TIMEOUT_SECONDS))
            self._models_seen_at = now
            return installed
        return self.seen.installed


def _state(host: Host, model: str) -> HostState:
    if not host.version:
        return "down"
    return "usable" if host.has(model) else "without_model"


def hosts_of(settings: Settings) -> Hosts | None:
    """Return the several servers that the settings name, the same object each time; None where they name one."""
    urls = settings.ollama_urls
    return _hosts(urls, settings.model, settings.parallel_slots) if len(urls) > 1 else None


def choose_model(settings: Settings) -> ChosenModel:
    """Return the model to ask, as ``choose_among`` chooses; of several hosts, those that answer count.

    Raises ``ModelMissing`` when none is installed, and ``OllamaUnavailable``.
    """
    hosts = hosts_of(settings)
    return choose_among(installed_models(settings), settings.model) if hosts is None else hosts.chosen()


def loaded_models(settings: Settings) -> list[LoadedModel]:
    """Return the models in memory; the memory of one on several hosts is added up.

    Raises ``OllamaUnavailable`` where nothing answers.
    """
    hosts = hosts_of(settings)
    if hosts is None:
        return OllamaClient(settings.ollama_url).loaded()
    found = hosts.loaded()
    if not found:
        raise NoHostAnswers(hosts=", ".join(hosts.names))
    sums: dict[str, LoadedModel] = {}
    for one in (model for models in found.values() for model in models):
        other = sums.get(one.name, LoadedModel(one.name, 0, 0, one.context_tokens))
        memory, gpu = one.memory_bytes + other.memory_bytes, one.gpu_bytes + other.gpu_bytes
        sums[one.name] = LoadedModel(one.name, memory, gpu, min(one.context_tokens, other.context_tokens))
    return list(sums.values())


@lru_cache(maxsize=8)
def _hosts(urls: tuple[str, ...], wanted: str, slots_each: int) -> Hosts:
    return Hosts(urls, wanted, slots_each)
