"""Chooses the model, and the options with which it is loaded.

The model is the configured one, else DeepSeek-R1, else the fallback model.  A request with other options makes Ollama
load the model again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rag.errors import ModelMissing
from rag.ollama.client import InstalledModel, OllamaClient
from rag.ollama.hardware import BIG_GPU_BYTES, gpu_memory_bytes, memory_bytes
from rag.ollama.state import read_living_state
from rag.settings import Settings

STAND_IN_PREFIX = "stand-in:"
R1_FAMILY = "deepseek-r1"
_SMALL_MEMORY_BYTES = 6_000_000_000


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """The model that will answer.  ``stand_in`` is True when it only stands in for DeepSeek-R1."""

    name: str
    stand_in: bool


def is_stand_in(name: str) -> bool:
    """Tell whether a model only stands in for DeepSeek-R1: these names are given by ``rag/setup`` alone."""
    return name.startswith(STAND_IN_PREFIX)


def default_r1() -> str:
    """Return the DeepSeek-R1 that suits this machine: 7b on a GPU with 8 GB, else 1.5b."""
    return f"{R1_FAMILY}:7b" if gpu_memory_bytes() >= BIG_GPU_BYTES else f"{R1_FAMILY}:1.5b"


def default_stand_in() -> str:
    """Return the stand-in that suits this machine: 0.5b below 6 GB of memory, else 1.5b."""
    return f"{STAND_IN_PREFIX}0.5b" if memory_bytes() < _SMALL_MEMORY_BYTES else f"{STAND_IN_PREFIX}1.5b"


def installed_models(settings: Settings) -> list[InstalledModel]:
    """Return the models in the Ollama of these settings.  Raises ``OllamaUnavailable``."""
    return OllamaClient(settings.ollama_url).models()


def find_installed(installed: Sequence[InstalledModel], name: str) -> InstalledModel | None:
    """Return the model with this name, which may leave out ``:latest``; None when it is not installed."""
    return next((model for model in installed if model.name in {name, f"{name}:latest"}), None)


def choose_among(installed: Sequence[InstalledModel], wanted: str) -> ChosenModel:
    """Return the model to ask: ``wanted``, unless it is empty.

    Else the DeepSeek-R1 that suits this machine, any other DeepSeek-R1 (the smallest, which surely fits), the stand-in
    that suits, the other stand-in.  Raises ``ModelMissing`` when none of them is installed.
    """
    if wanted:
        candidates = [wanted]
    else:
        by_size = sorted(installed, key=lambda model: model.size_bytes)
        r1 = [model.name for model in by_size if model.name.startswith(f"{R1_FAMILY}:")]
        stand_ins = [model.name for model in reversed(by_size) if is_stand_in(model.name)]
        candidates = [default_r1(), *r1, default_stand_in(), *stand_ins]
    for candidate in candidates:
        found = find_installed(installed, candidate)
        if found is not None:
            return ChosenModel(found.name, is_stand_in(found.name))
    raise ModelMissing(model=candidates[0])


def load_options(settings: Settings) -> dict[str, int]:
    """Return Ollama's options for loading a model: its context, batch, layers and threads, each only where it is set.

    Beside programs that keep the processor busy a model of the managed server has fewer threads than cores.
    """
    options = {"num_ctx": settings.context_tokens}
    if settings.batch_tokens is not None:
        options["num_batch"] = settings.batch_tokens
    if settings.gpu_layers is not None:
        options["num_gpu"] = settings.gpu_layers
    if threads := [count for count in (settings.model_threads, _threads(settings)) if count]:
        options["num_thread"] = min(threads)
    return options


def _threads(settings: Settings) -> int | None:
    uses_gpu = settings.gpu_layers != 0 and gpu_memory_bytes() > 0  # where the processor does not set the pace
    if uses_gpu or len(settings.ollama_urls) > 1:
        return None
    state = read_living_state(settings)
    return None if state is None else state.threads
