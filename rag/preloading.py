"""The model in memory, and what every prompt begins with read, before the first question comes.

The first answer in a slot waits for the loading and for reading what every prompt begins with
(``generation/prompt.py``); the others find it in the prefix cache.  So each slot is given the beginning alone, all at
the same time: Ollama puts a prompt into the free slot that knows most of it, and one after another would all go to the
first.  Whoever asks meanwhile does not wait for the rest of it.
"""

import threading

from rag.errors import AnswerdeskError
from rag.generation.hosted_generator import generator_at
from rag.generation.prompt import beginning
from rag.pipeline import PipelineParts
from rag.protocols import Generator, Message
from rag.queue.admission import Admission
from rag.queue.ticket_queue import TicketRequest
from rag.streams import closing_if_generator

_OWNER = "preload"  # whose turn it is in the model's line


def preload(parts: PipelineParts) -> int:
    """Have the beginning read in every slot, and return in how many it was; none where somebody is asking already.

    Raises the ``ServingError`` of a server that does not start or has no model.
    """
    parts.ensure_server()
    occupancy = parts.admission.occupancy()
    if occupancy.running or occupancy.waiting:
        return 0
    failed: list[AnswerdeskError] = []

    def read_in_one_slot() -> None:
        try:
            _read(parts.generator, parts.admission)
        except AnswerdeskError as error:
            failed.append(error)

    readers = [threading.Thread(target=read_in_one_slot, daemon=True, name="preload") for _ in range(occupancy.slots)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    if len(failed) == len(readers):
        raise failed[0]
    return len(readers) - len(failed)


def _read(generator: Generator, admission: Admission) -> None:
    """Read in one slot, until somebody waits for it: what was read by then stays in its cache."""
    ticket = admission.ticket(TicketRequest(owner=_OWNER))
    try:
        for _ in ticket.waits():
            pass
        at_slot = generator_at(generator, ticket.host)
        with closing_if_generator(
            at_slot.generate([*beginning(), Message("user", "")], think=False, max_tokens=1)
        ) as parts:
            for _ in parts:  # something comes four times a second
                if admission.occupancy().waiting:
                    break
    finally:
        ticket.close(finished=False)  # it says nothing about how long an answer takes
