"""A desk of the load test in a process of its own: it shares questions and the queue with others over the server.

``python -m eval.bench.load.desk OPTIONS``, with the settings in its environment and ``DeskOptions`` as JSON: an
``Order`` a line on standard input, a ``Reply`` a line on standard output, until standard input ends.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TextIO

from pydantic import TypeAdapter

from eval.bench.load.desk_client import DeskArm, turn_service
from eval.bench.load.records import Asking, LoadRecord
from ingest.golden import GoldenQuestion
from rag.errors import AnswerdeskError
from rag.factory import build_parts
from rag.priority import take_short_turns
from rag.private_files import keep_files_private
from rag.settings import load_settings
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import TurnStore


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What a desk gets at its start: the folder of its knowledge base, the model, and for how many sessions.

    ``model`` empty: the desk's choice.
    """

    knowledge: Path
    model: str
    think: bool | None
    sessions: int


@dataclass(frozen=True, slots=True)
class Order:
    """A question to ask for an arm, or without one: stop asking that of the same number.

    ``due_at`` is in seconds of ``time.perf_counter``, whose clock all processes of a machine share.
    """

    number: int
    question: GoldenQuestion | None = None
    arm: str = ""
    round: int = 0
    session: int = 0
    due_at: float = 0.0
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The record of an order, or without one: the desk is ready.  ``number`` -1: a turn was lost, told at the end."""

    number: int
    record: LoadRecord | None = None


OPTIONS: TypeAdapter[DeskOptions] = TypeAdapter(DeskOptions)
ORDERS: TypeAdapter[Order] = TypeAdapter(Order)
REPLIES: TypeAdapter[Reply] = TypeAdapter(Reply)

_READY = Reply(0)
_LOST = -1


class Desk(Protocol):
    """What asks: an arm of the load test, or a fake."""

    def ask(self, asking: Asking, /) -> LoadRecord:
        """Ask, and return what was seen."""
        ...


def serve(lines: Iterable[str], replies: TextIO, desk_of: Callable[[str], Desk]) -> None:
    """Do the orders of all ``lines`` at once, each in a thread, and return when all are done.

    ``desk_of`` gives the desk that asks for an arm.
    """
    stops: dict[int, threading.Event] = {}
    threads: list[threading.Thread] = []
    writing = threading.Lock()

    def reply(one: Reply) -> None:
        with writing:
            replies.write(REPLIES.dump_json(one).decode() + "\n")
            replies.flush()

    def ask(desk: Desk, number: int, asking: Asking) -> None:
        sent_at = time.perf_counter()
        try:
            record = desk.ask(asking)
        except AnswerdeskError as error:  # as where the database is away: what the page would say
            record = replace(asking.record("", sent_at, "failed"), error=type(error).__name__)
        del stops[number]
        reply(Reply(number, record))

    reply(_READY)
    for line in lines:
        order = ORDERS.validate_json(line)
        if order.question is None:
            if order.number in stops:
                stops[order.number].set()
            continue
        stops[order.number] = stop = threading.Event()
        asking = Asking(order.round, order.session, order.question, order.due_at, stop, planned=order.planned)
        thread = threading.Thread(target=ask, args=(desk_of(order.arm), order.number, asking), name="load")
        threads = [one for one in threads if one.is_alive()] + [thread]
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _arms(options: DeskOptions) -> Iterator[Callable[[str], DeskArm]]:
    """Give what makes the desk for an arm, and tell at the end what was lost."""
    settings = load_settings()
    settings = settings.changed(model=options.model) if options.model else settings
    parts = build_parts(settings, KnowledgeStore(options.knowledge))
    store = TurnStore(settings.turns_database)
    turns = turn_service(parts, store, options.sessions)
    arms: dict[str, DeskArm] = {}
    try:
        yield lambda name: arms.setdefault(name, DeskArm(turns, think=options.think, name=name))
    finally:
        turns.close()
        for record in (record for arm in arms.values() for record in arm.lost(store)):
            sys.stdout.write(REPLIES.dump_json(Reply(_LOST, record)).decode() + "\n")
        sys.stdout.flush()
        store.close()


def main(argument: str) -> None:
    """Serve until standard input ends; an error that nobody foresaw ends the process."""
    take_short_turns()  # as a desk does
    threading.excepthook = _end
    with _arms(OPTIONS.validate_json(argument)) as desk_of:
        serve(sys.stdin, sys.stdout, desk_of)


def _end(arguments: threading.ExceptHookArgs) -> None:
    threading.__excepthook__(arguments)
    os._exit(1)


if __name__ == "__main__":
    keep_files_private()
    main(sys.argv[1])
