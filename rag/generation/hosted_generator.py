"""One model on several hosts: a caller with a slot uses the slot's host, everybody else the least used one."""

import threading
from collections import Counter
from collections.abc import Generator as GeneratorObject
from collections.abc import Sequence

from rag.generation.oom_fallback import FallbackGenerator
from rag.ollama.hosts import Hosts, choose_model
from rag.ollama.models import ChosenModel
from rag.protocols import GenerationPart, Message
from rag.settings import Settings


class HostedGenerator:
    """The generators of several hosts.  Safe to use from several threads.

    If the settings name no model, the model may change with the hosts that answer.
    """

    def __init__(self, settings: Settings, hosts: Hosts) -> None:
        self._settings = settings
        self._hosts = hosts
        self._lock = threading.Lock()
        self._generators: dict[tuple[str, ChosenModel], FallbackGenerator] = {}
        self._in_flight: Counter[str] = Counter()

    @property
    def model(self) -> str:
        """Name of the model in Ollama.  Raises ``NoHostAnswers`` or ``ModelMissing``."""
        return self._hosts.chosen().name

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""
        return self._hosts.chosen().stand_in

    @property
    def continues_replies(self) -> bool:
        """Always: Ollama continues a last message of the assistant."""
        return True

    @property
    def context_tokens(self) -> int:
        """The smallest context in tokens of the hosts used so far."""
        with self._lock:
            return min(
                (generator.context_tokens for generator in self._generators.values()),
                default=self._settings.context_tokens,
            )

    def for_host(self, host: str) -> FallbackGenerator:
        """Return the generator of one host, by the host's name."""
        key = (host, self._hosts.chosen())
        with self._lock:
            if key not in self._generators:
                settings = self._settings.changed(ollama_host=self._hosts.url(host), model=key[1].name)
                self._generators[key] = FallbackGenerator(settings, lambda: key[1])
            return self._generators[key]

    def warm(self) -> None:
        """Import the modules of the first generation; sends nothing."""
        FallbackGenerator(self._settings, lambda: choose_model(self._settings)).warm()

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield the parts from the usable host that has the fewest requests from here."""
        self._hosts.require()
        with self._lock:
            host = min(self._hosts.slots(), key=lambda name: self._in_flight[name])
            self._in_flight[host] += 1
        try:  # "yield from" closes it when this is closed
            yield from self.for_host(host).generate(messages, think=think, max_tokens=max_tokens, candidates=candidates)
        finally:
            with self._lock:
                self._in_flight[host] -= 1
