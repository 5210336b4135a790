"""What the errors of Ollama's client, of HTTP and of LangChain mean to whoever waits for an answer."""

import re

import httpx

from rag.errors import ModelMissing, ModelStoppedHalfway, OllamaRefused, OllamaUnavailable

_REASON_CHARACTERS = 200
_RUNNER_LOST = re.compile(
    r"runner (?:has )?(?:unexpectedly |process (?:has )?)?(?:stopped|terminated|no longer running)"
)
"""How Ollama 0.24 tells that the process which computes was killed; it starts another one for the next request."""

_SAID_NOTHING = re.compile("No generation chunks|No data received")
"""How LangChain tells of a reply without a single line."""


def translate_error(error: BaseException, model: str, host: str, partial_text: str) -> BaseException:
    """Return our error for a foreign one; an error that is nobody's but ours stays what it is.

    ``model`` was asked at ``host`` and had given ``partial_text`` by then.
    """
    from ollama import ResponseError  # imported with langchain-ollama by now

    if isinstance(error, ResponseError) and error.status_code == httpx.codes.NOT_FOUND:
        return ModelMissing(model=model)
    lost = isinstance(error, ResponseError) and _RUNNER_LOST.search(error.error) is not None
    if lost or (isinstance(error, ResponseError | httpx.TransportError) and partial_text):
        return ModelStoppedHalfway(partial_text=partial_text)
    if isinstance(error, ResponseError):
        return OllamaRefused(reason=" ".join(error.error.split())[:_REASON_CHARACTERS])
    if isinstance(error, httpx.TransportError | ConnectionError):
        return OllamaUnavailable(host=host)
    if isinstance(error, ValueError) and _SAID_NOTHING.search(str(error)) is not None:
        return ModelStoppedHalfway(partial_text=partial_text)
    return error
