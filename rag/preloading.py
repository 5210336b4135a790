"""Loads the model, and the beginning of every prompt, before the first question comes.

The first answer in a slot waits for the loading and for reading what every prompt begins with
(``generation/prompt.py``); the others find it in the prefix cache.  So each slot is given the beginning alone, all at
the same time: Ollama puts a prompt into the free slot that knows most of it, and one after another would all go to the
first.  A question in the meantime does not wait for the rest of it.
"""

import threading
from collections.abc import Generator as GeneratorObject
from contextlib import closing

from rag.errors import AnswerdeskError
from rag.generation.gateway import GenerationRequest, ModelGateway
from rag.generation.prompt import beginning
from rag.pipeline import PipelineParts
from rag.protocols import GenerationPart, Generator, Message
from rag.queue.ticket_queue import TicketRequest

_OWNER = "preload"  # whose turn it is in the model's line


def preload(parts: PipelineParts) -> int:
    """Read the beginning in every slot, and return in how many it was read; none if the model is busy.

    Raises the ``ServingError`` of a server that does not start or has no model.
    """
    parts.gateway.ensure_server()
    occupancy = parts.gateway.admission.occupancy()
    if occupancy.running or occupancy.waiting:
        return 0
    failed: list[AnswerdeskError] = []

    def read_in_one_slot() -> None:
        try:
            _read(parts.gateway)
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


def _read(gateway: ModelGateway) -> None:
    """Read in one slot, until another request waits for it: the part read so far stays in its cache."""

    def run(generator: Generator) -> GeneratorObject[GenerationPart, None, None]:
        parts = generator.generate([*beginning(), Message("user", "")], think=False, max_tokens=1)
        with closing(parts):
            for part in parts:  # something comes four times a second
                if gateway.admission.occupancy().waiting:
                    return
                yield part

    gateway.result(GenerationRequest(run, TicketRequest(owner=_OWNER), is_typical=False))
