"""The model that is shown pictures, and whether it can see them.

Ollama 0.24 lets a model without eyes answer a request with a picture: HTTP 200, and words that have nothing to do with
it.  So ``/api/show`` is asked first, wherever the model was named, and one that does not list ``vision`` is shown none.
"""

from collections.abc import Sequence
from http import HTTPStatus

from rag.errors import ModelMissing, NotAVisionModel, OllamaRefused
from rag.ollama.client import OllamaClient
from rag.ollama.hosts import hosts_of
from rag.ollama.models import find_installed
from rag.settings import Settings


def require_vision(client: OllamaClient, name: str) -> None:
    """Raise ``NotAVisionModel`` unless a model sees pictures; ``ModelMissing`` where it is not there.

    Raises ``OllamaUnavailable`` and ``OllamaRefused`` as the client does.
    """
    try:
        details = client.show(name)
    except OllamaRefused as error:
        if error.details.get("status") == HTTPStatus.NOT_FOUND:
            raise ModelMissing(model=name) from error
        raise
    if not details.sees:
        raise NotAVisionModel(model=name)


def vision_settings(settings: Settings) -> Settings:
    """Return settings with the vision model as the model; it must be set."""
    if not settings.vision_model:
        raise ValueError("no model for pictures is set")
    return settings.changed(model=settings.vision_model)


def checked_vision_model(settings: Settings) -> str:
    """Return the installed name of the vision model; empty if none is set.

    Of several hosts every one that has it is asked.  Raises as ``require_vision``.
    """
    if not settings.vision_model:
        return ""
    name, urls = _find_model(vision_settings(settings))
    for url in urls:
        require_vision(OllamaClient(url), name)
    return name


def _find_model(settings: Settings) -> tuple[str, Sequence[str]]:
    """Return the model's name in Ollama, and the addresses that hold it."""
    hosts = hosts_of(settings)
    if hosts is not None:
        name = hosts.chosen().name
        return name, [host.url for host in hosts.look() if host.has(name)]
    found = find_installed(OllamaClient(settings.ollama_url).models(), settings.model)
    if found is None:
        raise ModelMissing(model=settings.model)
    return found.name, [settings.ollama_url]
