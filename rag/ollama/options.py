"""The options with which a model is loaded.  A request with other ones makes Ollama load the model anew."""

from rag.ollama.hardware import gpu_memory_bytes
from rag.ollama.state import read_living_state
from rag.settings import Settings


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
