"""Bringing a model into memory before somebody waits for it, and taking it out again, without cutting off an answer.

Ollama 0.24 holds an empty request to mean just that (server/routes.go, GenerateHandler): it loads the model, or lets it
go where it is to be kept for 0 seconds; the letting go is begun by then, not done.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import AnswerCancelled
from rag.ollama.client import OllamaClient
from rag.ollama.models import load_options
from rag.queue.admission import Admission
from rag.queue.ticket_queue import TicketRequest
from rag.settings import Settings

logger = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 0.1
_LETTING_GO_SECONDS = 20.0
_NEWS_EVERY_SECONDS = 1.0
_OWNER = "models"  # who takes turns with those who ask, in the model's line


def load(client: OllamaClient, name: str, settings: Settings) -> None:
    """Bring a model into memory as the desk's questions will want it: with another context it would be loaded anew.

    Takes as long as loading does.  Raises ``OllamaUnavailable``, and ``OllamaRefused`` where there is no room.
    """
    client.generate({"model": name, "keep_alive": settings.keep_alive_seconds, "options": load_options(settings)})


def unload(client: OllamaClient, name: str) -> None:
    """Take a model out of memory and wait until it is; one that is not loaded stays so.  Raises ``OllamaUnavailable``.

    One that a program beside us has an answer written with stays until that is whole, so after 20 s nobody waits.
    """
    client.generate({"model": name, "keep_alive": 0})
    until = time.monotonic() + _LETTING_GO_SECONDS
    while any(one.name == name for one in client.loaded()) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_SECONDS)


@contextmanager
def without_answers(
    admission: Admission,
    waiting: Callable[[int], None],
    cancelled: threading.Event | None = None,
    lock: Path | None = None,
) -> Iterator[None]:
    """Hold every slot of the model for a block, so that no answer is cut off and none is begun in it.

    It waits its turn in the same line as everybody; ``waiting`` hears how many answers are still being written, about
    once a second, and may raise to give up.  Two programs that each held some of the slots would wait for each other
    for ever, so one goes in at a time: who has the file ``lock``.  Raises ``AnswerCancelled``, ``QueueFull`` and
    ``WaitedTooLong``.
    """
    with ExitStack() as held:
        if lock is not None:
            held.enter_context(_alone(lock, lambda: waiting(admission.occupancy().running), cancelled))
        tickets = []
        for _ in range(admission.occupancy().slots):
            tickets.append(admission.ticket(TicketRequest(owner=_OWNER), cancelled=cancelled))
            # nothing was written in it, so it says nothing about how long an answer takes
            held.callback(tickets[-1].close, finished=False)
        for ticket in tickets:
            for _ in ticket.waits():
                ours = sum(one.admitted.is_set() for one in tickets)
                waiting(max(0, admission.occupancy().running - ours))
        yield


@contextmanager
def _alone(path: Path, waiting: Callable[[], None], cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock; where its folder cannot be written to there is none, and no line that programs share either."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _taken(lock):
            if cancelled is not None and cancelled.is_set():
                raise AnswerCancelled
            waiting()
    except OSError as error:
        logger.warning("no lock at %s: %s", path, type(error).__name__)
    try:
        yield
    finally:
        lock.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_NEWS_EVERY_SECONDS)
    except Timeout:
        return False
    return True
