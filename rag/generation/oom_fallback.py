"""Makes a model fit into memory: fewer layers on the GPU, then a smaller context, then a smaller quantization.

Each step adds to the one before, until Ollama can load the model.  The reductions last as long as this process and are
logged.  Ollama itself is not changed, so the next start tries the settings again.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from contextlib import closing
from dataclasses import dataclass

from rag.errors import ModelTooLarge, OllamaRefused
from rag.generation.ollama_generator import NamedModel, OllamaGenerator
from rag.ollama.client import InstalledModel, OllamaClient
from rag.ollama.hardware import gpu_memory_bytes
from rag.ollama.model_details import ModelDetails
from rag.ollama.models import ChosenModel, find_installed, is_stand_in
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.settings import Settings

logger = logging.getLogger(__name__)

LEAST_CONTEXT_TOKENS = 2048
"""Room for the system message, the evidence, a short question and the reply."""

_OUT_OF_MEMORY = re.compile(
    r"more system memory|out of memory|unable to allocate|failed to allocate|cudamalloc|not enough memory|bad_alloc|"
    r"memory layout cannot be allocated|resource limitations",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is loaded.  ``gpu_layers`` None leaves them to Ollama."""

    model: str
    context_tokens: int
    gpu_layers: int | None = None

    def __str__(self) -> str:
        layers = "" if self.gpu_layers is None else f", {self.gpu_layers} GPU layers"
        return f"{self.model}, {self.context_tokens} tokens{layers}"


def is_out_of_memory(reason: str) -> bool:
    """Tell whether a message of Ollama means that memory did not suffice.

    >>> is_out_of_memory("model requires more system memory (9.1 GiB) than is available (4.0 GiB)")
    True
    """
    return _OUT_OF_MEMORY.search(reason) is not None


def smaller_loads(load: Load, *, layers: int, quantizations: Sequence[str]) -> Iterator[Load]:
    """Yield ever smaller ways to load a model; ``layers`` is how many a GPU may hold, 0 without one.

    >>> [str(load) for load in smaller_loads(Load("m:q8", 4096), layers=28, quantizations=["m:q4"])][-2:]
    ['m:q8, 2048 tokens, 0 GPU layers', 'm:q4, 2048 tokens, 0 GPU layers']
    """
    for share in (3, 2, 1, 0) if layers else ():
        load = Load(load.model, load.context_tokens, layers * share // 4)
        yield load
    while load.context_tokens // 2 >= LEAST_CONTEXT_TOKENS:
        load = Load(load.model, load.context_tokens // 2, load.gpu_layers)
        yield load
    for model in quantizations:
        load = Load(model, load.context_tokens, load.gpu_layers)
        yield load


def smaller_quantizations(model: str, installed: Sequence[InstalledModel]) -> list[str]:
    """Return the smaller installed models with the same name and number of weights, largest first."""
    own = find_installed(installed, model)
    if own is None:
        return []
    family = own.name.partition(":")[0]
    fitting = [
        candidate
        for candidate in installed
        if candidate.name.partition(":")[0] == family
        and candidate.parameters == own.parameters
        and candidate.size_bytes < own.size_bytes
    ]
    return [candidate.name for candidate in sorted(fitting, key=lambda candidate: candidate.size_bytes, reverse=True)]


class FallbackGenerator:
    """An ``OllamaGenerator`` that shrinks a model that does not fit.  Safe to use from several threads."""

    def __init__(self, settings: Settings, choose: Callable[[], NamedModel]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._generator = OllamaGenerator(settings, choose)
        self._load: Load | None = None
        self._remaining_loads: Iterator[Load] | None = None

    @property
    def model(self) -> str:
        """Name of the model in Ollama.  Raises a ``ServingError`` when none can be chosen."""
        return self._generator.model

    @property
    def stand_in(self) -> bool:
        """True when the model only stands in for DeepSeek-R1."""
        return self._generator.stand_in

    @property
    def continues_replies(self) -> bool:
        """Always: Ollama continues a last message of the assistant."""
        return True

    @property
    def context_tokens(self) -> int:
        """The model's present context in tokens."""
        return self._load.context_tokens if self._load is not None else self._settings.context_tokens

    def warm(self) -> None:
        """Import the modules of the first generation; sends nothing."""
        self._generator.warm()

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield what ``OllamaGenerator.generate`` yields; raise what it raises, and ``ModelTooLarge``."""
        while True:
            generator = self._generator
            parts = generator.generate(messages, think=think, max_tokens=max_tokens, candidates=candidates)
            has_yielded = False
            try:
                with closing(parts):
                    for part in parts:
                        has_yielded = has_yielded or part != GeneratedText("")
                        yield part
                return
            except OllamaRefused as error:
                if has_yielded or not is_out_of_memory(str(error.details["reason"])):
                    raise
                self._shrink(generator, error)

    def _shrink(self, failed: OllamaGenerator, error: OllamaRefused) -> None:
        """Take the next smaller load, unless another thread has already done so."""
        with self._lock:
            if self._generator is not failed:
                return
            if self._remaining_loads is None:
                self._remaining_loads = self._smaller_loads(failed.model)
            load = next(self._remaining_loads, None)
            if load is None:
                raise ModelTooLarge(model=failed.model, tried=str(self._load or failed.model)) from error
            logger.warning("the model does not fit into memory; now tried: %s", load)
            settings = self._settings.changed(context_tokens=load.context_tokens, gpu_layers=load.gpu_layers)
            chosen = ChosenModel(load.model, is_stand_in(load.model))
            self._generator, self._load = OllamaGenerator(settings, lambda: chosen), load

    def _smaller_loads(self, model: str) -> Iterator[Load]:
        client = OllamaClient(self._settings.ollama_url)
        layers = _layer_count(client.show(model)) if gpu_memory_bytes() else 0
        first = Load(model, self._settings.context_tokens, self._settings.gpu_layers)
        return smaller_loads(first, layers=layers, quantizations=smaller_quantizations(model, client.models()))


def _layer_count(details: ModelDetails) -> int:
    """Return the number of layers in a model's header; 0 if it names none."""
    counts = [value for name, value in details.metadata.items() if name.endswith(".block_count")]
    return int(str(counts[0])) if counts else 0
