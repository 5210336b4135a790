"""Loads a model before a question needs it, and unloads it, without cutting off an answer.

In Ollama 0.24 an empty request does just that (server/routes.go, GenerateHandler): it loads the model, or unloads it if
its keep-alive is 0 seconds; when the reply comes, unloading has begun but need not be finished.
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
_UNLOAD_TIMEOUT_SECONDS = 20.0
_REPORT_EVERY_SECONDS = 1.0
_OWNER = "models"  # takes turns with the customers' questions in the model's queue


def load(client: OllamaClient, name: str, settings: Settings) -> None:
    """Load a model with the options of the desk's questions; with another context it would be loaded again.

    Blocks until it is loaded.  Raises ``OllamaUnavailable``, and ``OllamaRefused`` if there is no room.
    """
    client.generate({"model": name, "keep_alive": settings.keep_alive_seconds, "options": load_options(settings)})


def unload(client: OllamaClient, name: str) -> None:
    """Unload a model, if it is loaded, and wait until it is out of memory.  Raises ``OllamaUnavailable``.

    A model that another program is using stays until its answer is complete, so the wait ends after 20 s.
    """
    client.unload(name)
    until = time.monotonic() + _UNLOAD_TIMEOUT_SECONDS
    while any(one.name == name for one in client.loaded()) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_SECONDS)


@contextmanager
def hold_all_slots(
    admission: Admission,
    waiting: Callable[[int], None],
    cancelled: threading.Event | None = None,
    lock: Path | None = None,
) -> Iterator[None]:
    """Hold every slot of the model during a block, so that no answer is cut off and none begins.

    It waits in the common queue.  ``waiting`` is called about once a second with the number of answers still being
    written, and may raise to give up.  Two programs that each held some of the slots would wait for each other
    forever, so the file ``lock`` lets in one at a time.  Raises ``AnswerCancelled``, ``QueueFull``, ``WaitedTooLong``.
    """
    with ExitStack() as held:
        if lock is not None:
            held.enter_context(_hold_lock(lock, lambda: waiting(admission.occupancy().running), cancelled))
        tickets = []
        for _ in range(admission.occupancy().slots):
            tickets.append(admission.ticket(TicketRequest(owner=_OWNER), cancelled=cancelled))
            # no answer is written, so its duration says nothing about an answer's
            held.callback(tickets[-1].close, finished=False)
        for ticket in tickets:
            for _ in ticket.waits():
                admitted = sum(each.admitted.is_set() for each in tickets)
                waiting(max(0, admission.occupancy().running - admitted))
        yield


@contextmanager
def _hold_lock(path: Path, waiting: Callable[[], None], cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock; if its folder is not writable there is none, and no queue shared by programs either."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _try_lock(lock):
            if cancelled is not None and cancelled.is_set():
                raise AnswerCancelled
            waiting()
    except OSError as error:
        logger.warning("no lock at %s: %s", path, type(error).__name__)
    try:
        yield
    finally:
        lock.release()


def _try_lock(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=_REPORT_EVERY_SECONDS)
    except Timeout:
        return False
    return True
