"""Why the model server cannot answer."""

from rag.errors.base import AnswerdeskError


class ServingError(AnswerdeskError):
    """The model server cannot answer.  Evidence still works."""

    exit_code = 4


class OllamaUnavailable(ServingError):
    """Nothing answers at ``host``."""


class NoHostAnswers(OllamaUnavailable):
    """Nothing answers at any of the several ``hosts``."""


class OllamaElsewhere(ServingError):
    """Nothing answers at ``host``, which is another machine: no process can be started there from here."""


class OllamaNotInstalled(ServingError):
    """No Ollama on PATH and none in the cache."""


class OllamaNotStarted(ServingError):
    """Ollama was started and did not begin to answer; ``reason`` is the last thing it said, ``log`` the whole."""


class OllamaRefused(ServingError):
    """Ollama answered with an error; ``reason`` is its own words."""


class ModelMissing(ServingError):
    """``model`` is not installed in this Ollama."""


class ModelTooLarge(ServingError):
    """There is no memory for ``model``, nor for the last thing that was ``tried``."""


class ModelTimedOut(ServingError):
    """No token came for ``seconds``."""


class ModelStoppedHalfway(ServingError):
    """The connection broke in mid-answer; ``partial_text`` is what had come."""

    def __init__(self, *, partial_text: str) -> None:
        super().__init__()
        self.partial_text = partial_text


class ModelSaidNothing(ServingError):
    """The model ended without an answer, and again when it was asked anew."""


class QueueFull(ServingError):
    """``waiting`` questions are ahead already."""


class OwnQueueFull(ServingError):
    """``waiting`` questions of the same person, ``owner``, wait already: as many as one person may have."""


class WaitedTooLong(ServingError):
    """No slot became free within ``seconds``."""


class ModelTooSlow(ServingError):
    """A text that somebody waits for was not written within ``seconds``."""


class AnswerCancelled(ServingError):
    """The asker stopped it."""


class AnswerInterrupted(ServingError):
    """The program that was answering ended before the answer was complete."""
