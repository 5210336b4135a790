"""Installs Ollama: an existing one, else the official release, else a build from source."""

from rag.errors import DownloadFailed
from rag.ollama.install import built_folder, cpu_variant, installed_folder, ollama_on_path, release_folder
from rag.ollama.server import status
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.ollama_build import build_ollama
from rag.setup.ollama_release import install_release

_NAME = "Ollama"


def provide_ollama(settings: Settings, console: Console) -> Outcome:
    """Make sure that there is an Ollama to talk to or to start.

    Raises ``ToolMissing``, ``DownloadFailed`` or ``BuildFailed``.
    """
    if len(settings.ollama_urls) > 1:  # they are used as they are
        return Outcome(_NAME, "adopted", {"url": ", ".join(settings.ollama_urls)})
    found = status(settings)
    if found.running and not found.managed:
        return Outcome(_NAME, "adopted", {"url": found.url})
    own = ollama_on_path()
    if own is not None:
        return Outcome(_NAME, "on_path", {"path": own})
    if any(installed_folder(folder(settings)) for folder in (release_folder, built_folder)):
        return Outcome(_NAME, "here")
    try:
        install_release(settings, console)
    except DownloadFailed as error:
        why = error.reason_text(console.language)
        console.note("gave_up", who=console.words("releases"), why=why, next=console.words("source"))
    else:
        return Outcome(_NAME, "release")
    build_ollama(settings, console)
    return Outcome(_NAME, "built", {"variant": cpu_variant()})
