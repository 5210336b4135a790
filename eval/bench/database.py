"""``python -m eval database``: what people do, in files and on a PostgreSQL server, timed side by side.

The desk's work with turns and the queue is done in both places alternately and alike.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from eval.commands.shared import (
    command_parser,
    counted_steps,
    exit_code,
    headed_table,
    load_average,
    print_line,
    print_machine,
    write_json,
)
from rag.errors import DatabaseNotEmpty, SettingsError
from rag.queue.admission import Admission
from rag.queue.ticket_queue import TicketRequest
from rag.schema import Answer, Evidence, Language, SpanTime
from rag.settings import DatabasePlace, ServerDatabase, load_settings
from rag.storage.turn_store import Turn, TurnErasure, TurnStore
from rag.storage.turn_times import TurnTimes
from rag.terminal import terminal_language
from rag.translate import translate

HISTORY_RATIO = 1.5
"""The bar: how many times longer than in a file the 99th percentile of a page of the history may take on a server."""

_PAGE_TURNS = 30  # as the desk shows
_PEOPLE = 20
_STAGES = ("embed", "search", "rerank", "pack", "answer", "ground", "total")
_AT_ONCE = 500

_ANSWER = Answer("It is two years from the day of delivery. " * 20, "en", False, "", (), (), (), "none", True, 1)
_EVIDENCE = tuple(
    Evidence(number, f"en/{number}.md", f"/k/en/{number}.md", "Warranty", (), "Two years. " * 50, 0, 550, 0, 550, "en")
    for number in range(1, 9)
)

_EXAMPLES = """\
examples:
  ANSWERDESK_DATABASE_URL=postgresql://desk:...@localhost/empty python -m eval database
  python -m eval database --turns 1000 --pages 200 --json figures.json

The server's database must hold no turns; the benchmark deletes its own. The file lies in the data folder.

exit codes: 0 measured, 2 usage or no server named, 3 the server is away or holds turns, 130 interrupted"""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one kind of work in both places."""

    work: str
    file_p50: float
    file_p99: float
    server_p50: float
    server_p99: float

    @property
    def p99_ratio(self) -> float:
        """How many times longer the 99th percentile is on the server."""
        return self.server_p99 / self.file_p99

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        return asdict(self) | {"p99_ratio": round(self.p99_ratio, 2)}


def compare_places(
    folder: Path, server: ServerDatabase, turns: int, pages: int, seed: int, told: Callable[[], object]
) -> list[Times]:
    """Write so many ``turns`` to a new file and to a server, then read so many ``pages``, a page of each in turn.

    As many tickets as pages enter an empty queue of either place and leave it.

    The server's turns are deleted afterwards.  Raises ``DatabaseNotEmpty`` where it has some already.
    """
    with ExitStack() as opened:
        files = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        stores = [opened.enter_context(TurnStore(place)) for place in (files / "turns.db", server)]
        if stores[1].list(None, limit=1):
            raise DatabaseNotEmpty(place="the server's database")
        opened.enter_context(deleted_afterwards(server))
        writing = [_written(stores, number, told) for number in range(turns)]
        reading = _read(stores, [row[2] for row in writing], pages, random.Random(seed), told)
        queues = [Admission(2, 64, place=place, server=files.name)
                  for place in (files / "queue.db", ServerDatabase("queue", server.url))]  # fmt: skip
        for queue in queues:
            opened.callback(queue.close)
        queueing = [_queued(queues, number, told) for number in range(pages)]
    entered, left = ([pairs[one] for pairs in queueing] for one in (0, 1))
    added = _times("add a turn", [row[0] for row in writing])
    ended = _times("write its answer", [row[1] for row in writing])
    return [*reading, added, ended, _times("enter the queue", entered), _times("leave the queue", left)]


Pair = tuple[float, ...]
"""Seconds in both places, or of both steps."""


def _written(stores: list[TurnStore], number: int, told: Callable[[], object]) -> tuple[Pair, Pair, list[Turn]]:
    """Add a turn and its answer to both stores; return the seconds of both steps, and the turns."""
    seconds: list[Pair] = []
    turns: list[Turn] = []
    times = TurnTimes(tuple(SpanTime(stage, 1.5) for stage in _STAGES), 60, 900.0)
    for store in stores:
        began = time.perf_counter()
        turn = store.add(f"How long is the warranty of model {number}?", session=_person(number), language="en")
        between = time.perf_counter()
        store.update(replace(turn, state="done", evidence=_EVIDENCE, answer=_ANSWER), times)
        seconds.append((between - began, time.perf_counter() - between))
        turns.append(turn)
    told()
    added, ended = zip(*seconds, strict=True)
    return added, ended, turns


def _read(
    stores: list[TurnStore], turns: list[list[Turn]], pages: int, chance: random.Random, told: Callable[[], object]
) -> list[Times]:
    """Read pages, found pages and single turns."""
    works: dict[str, list[Pair]] = {}
    for _ in range(pages):
        offset, number = chance.randrange(max(1, len(turns) - _PAGE_TURNS)), chance.randrange(len(turns))
        seconds = [
            _page_seconds(store, turns[-1 - offset][one].turn_id, turns[number][one].turn_id, offset, number)
            for one, store in enumerate(stores)
        ]
        for work in seconds[0]:
            works.setdefault(work, []).append((seconds[0][work], seconds[1][work]))
        told()
    return [_times(work, pairs) for work, pairs in works.items()]


def _page_seconds(store: TurnStore, before: str, turn_id: str, offset: int, number: int) -> dict[str, float]:
    calls: dict[str, Callable[[], object]] = {
        "page of the history": lambda: store.list(None, limit=_PAGE_TURNS, before=before),
        "the same by an offset": lambda: store.list(None, limit=_PAGE_TURNS, offset=offset),
        "page of one's own": lambda: store.list(_person(number), limit=_PAGE_TURNS),
        "search": lambda: store.list(None, limit=_PAGE_TURNS, containing=f"MODEL {number}?"),
        "open a turn": lambda: store.get(turn_id),
    }
    seconds = {}
    for work, call in calls.items():
        began = time.perf_counter()
        call()
        seconds[work] = time.perf_counter() - began
    return seconds


def _queued(queues: list[Admission], number: int, told: Callable[[], object]) -> tuple[Pair, Pair]:
    """Take a slot of both queues and give it back; return the seconds of both steps."""
    seconds: list[Pair] = []
    for queue in queues:
        began = time.perf_counter()
        ticket = queue.ticket(TicketRequest(owner=_person(number)))
        between = time.perf_counter()
        ticket.close()
        seconds.append((between - began, time.perf_counter() - between))
    told()
    entered, left = zip(*seconds, strict=True)
    return entered, left


def _person(number: int) -> str:
    return f"person {number % _PEOPLE}"


def _times(work: str, seconds: list[Pair]) -> Times:
    values = [np.percentile([1000 * pair[one] for pair in seconds], [50, 99]) for one in (0, 1)]
    (file_p50, file_p99), (server_p50, server_p99) = [[round(float(value), 3) for value in two] for two in values]
    return Times(work, file_p50, file_p99, server_p50, server_p99)


@contextmanager
def deleted_afterwards(place: DatabasePlace) -> Iterator[None]:
    """Delete all turns of a database when the block is left."""
    try:
        yield
    finally:
        with TurnErasure(place) as erasure:
            turn_ids = [turn.turn_id for turn in erasure.all()]
            for first in range(0, len(turn_ids), _AT_ONCE):
                erasure.delete(turn_ids[first : first + _AT_ONCE])
            erasure.settle()


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "database",
        "Time the history, a question's rows and the queue, in a file and on a server.  数据库耗时",
        _EXAMPLES,
    )
    parser.add_argument("--turns", type=int, default=10_000, metavar="N", help="questions (default: 10,000)  提问数")
    parser.add_argument(
        "--pages", type=int, default=500, metavar="N", help="pages that are read, and tickets (500)  读取页数与排队次数"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def _print(figures: Sequence[Times], console: Console, language: Language) -> None:
    table = headed_table((f"bench_database.{key}" for key in ("work", "file", "server", "ratio")), "", language)
    for row in figures:
        table.add_row(
            row.work,
            f"{row.file_p50:.2f} / {row.file_p99:.2f}",
            f"{row.server_p50:.2f} / {row.server_p99:.2f}",
            f"{row.p99_ratio:.2f}",
        )
    console.print(table)
    ratio = figures[0].p99_ratio
    met = translate(f"bench_database.{'met' if ratio <= HISTORY_RATIO else 'not_met'}", language)
    print_line(console, translate("bench_database.bar", language, ratio=f"{ratio:.2f}", bar=HISTORY_RATIO, met=met))


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work() -> None:
        settings = load_settings()
        server = settings.turns_database
        if not isinstance(server, ServerDatabase) or min(arguments.turns, arguments.pages) < 1:
            raise SettingsError(reason=translate("bench_database.usage", language))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        load = load_average()
        steps = arguments.turns + 2 * arguments.pages
        with counted_steps(console, translate("bench_database.timing", language), steps) as advance:
            figures = compare_places(
                settings.data_dir, server, arguments.turns, arguments.pages, arguments.seed, advance
            )
        _print(figures, console, language)
        print_machine(load, console, language)
        times = [row.to_json() for row in figures]
        write_json(arguments.json, {"load_average": load, "turns": arguments.turns, "times": times})

    return exit_code(work)
