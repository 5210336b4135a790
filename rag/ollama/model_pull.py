"""Pulls a model from Ollama's registry and explains failures."""

from rag.errors import DownloadFailed, OllamaRefused, OllamaUnavailable
from rag.ollama.client import OllamaClient
from rag.progress import Update

_FIRST_WORD_SECONDS = 8.0
_SILENCE_SECONDS = 120.0  # Ollama says nothing while it checks the sum of gigabytes
_NO_CONNECTION = ("no such host", "dial tcp", "timeout", "connection re", "unreachable", "TLS", "EOF")
_NO_MODEL = ("file does not exist", "not found")


def pull(client: OllamaClient, name: str, update: Update, *, remedy: str = "other_model") -> None:
    """Pull from the registry; one that is silent at the beginning is given up sooner than a running download.

    Raises ``DownloadFailed``.
    """
    arriving = False
    for silence_seconds in (_FIRST_WORD_SECONDS, _SILENCE_SECONDS):
        try:
            for news in client.pull(name, silence_seconds=silence_seconds):
                arriving = arriving or news.completed_bytes > 0
                update(news.completed_bytes, news.total_bytes)
                if news.status == "success":
                    return
        except OllamaRefused as error:
            raise DownloadFailed(what=name, reason=_reason(error), remedy=remedy) from error
        except OllamaUnavailable as error:
            if not arriving:
                raise DownloadFailed(what=name, reason="silent", remedy=remedy) from error
    raise DownloadFailed(what=name, reason="broken", remedy="again")


def _reason(error: OllamaRefused) -> str:
    """Translate Ollama's own words, which have no codes."""
    said = str(error.details["reason"])
    if any(words in said for words in _NO_MODEL):
        return "absent"
    return "silent" if any(words in said for words in _NO_CONNECTION) else said
