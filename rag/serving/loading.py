"""Bringing a model into memory before somebody waits for it, and taking it out again, without cutting off an answer.

Ollama 0.24 holds an empty request to mean just that (server/routes.go, GenerateHandler): it loads the model, or lets it
go where it is to be kept for 0 seconds.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rag.serving.admission import Admission
from rag.serving.client import OllamaClient
from rag.serving.line import Request
from rag.settings import Settings

_OWNER = "models"  # who takes turns with those who ask, in the model's line


def load(client: OllamaClient, name: str, settings: Settings) -> None:
    """Bring a model into memory as the desk's questions will want it: with another context it would be loaded anew.

    Takes as long as loading does.  Raises ``OllamaUnavailable``, and ``OllamaRefused`` where there is no room.
    """
    layers = {} if settings.gpu_layers is None else {"num_gpu": settings.gpu_layers}
    options = {"num_ctx": settings.context_tokens, **layers}
    client.generate({"model": name, "keep_alive": settings.keep_alive_seconds, "options": options})


def unload(client: OllamaClient, name: str) -> None:
    """Take a model out of memory; one that is not loaded stays so.  Raises ``OllamaUnavailable``."""
    client.generate({"model": name, "keep_alive": 0})


@contextmanager
def without_answers(
    admission: Admission, waiting: Callable[[int], None], cancelled: threading.Event | None = None
) -> Iterator[None]:
    """Hold every slot of the model for a block, so that no answer is cut off and none is begun in it.

    It waits its turn in the same line as everybody; ``waiting`` hears how many answers are still being written, about
    once a second, and may raise to give up.  Raises ``AnswerCancelled``, ``QueueFull`` and ``WaitedTooLong``.
    """
    with ExitStack() as held:
        tickets = []
        for _ in range(admission.occupancy().slots):
            tickets.append(admission.ticket(Request(owner=_OWNER), cancelled=cancelled))
            # nothing was written in it, so it says nothing about how long an answer takes
            held.callback(tickets[-1].close, finished=False)
        for ticket in tickets:
            for _ in ticket.waits():
                ours = sum(one.admitted.is_set() for one in tickets)
                waiting(max(0, admission.occupancy().running - ours))
        yield
