"""A desk with people, and with answers whose times are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rag.schema import Answer, SpanTime
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import TurnTimes
from tests.conftest import free_port
from tests.ui.conftest import served
from tests.ui.people_desk import furnish

SLOWEST = {"default": "Drift R3 7001?", "payroll": "Drift R3 4711?"}


def record(folder: Path) -> None:
    """Keep twenty answers of the last hour, and a slower one of each knowledge base; ``payroll``'s is the slowest."""
    store = TurnStore(folder / "turns.db")
    for number in range(20):
        _record(store, f"Drift R3 {number}?", "default", number, 5000)
    _record(store, SLOWEST["default"], "default", 3, 20_000)
    _record(store, SLOWEST["payroll"], "payroll", 3, 60_000)
    store.close()


def _record(store: TurnStore, question: str, base: str, minutes: int, answer_ms: float) -> None:
    turn = store.add(question, session="mei", language="en", knowledge_base=base)
    times = {"embed": 9.0, "search": 30.0, "pack": 20.0, "wait": 300.0, "prompt": 900.0, "answer": answer_ms}
    spans = tuple(SpanTime(name, ms) for name, ms in (times | {"total": sum(times.values())}).items())
    answer = Answer("Drift R3.", "en", False, "", (), (), spans, "stand-in:1.5b", True, 1)
    asked_at = datetime.now(UTC) - timedelta(minutes=minutes)
    store.update(replace(turn, state="done", answer=answer, created_at=asked_at), TurnTimes(spans, 60, answer_ms))


@contextmanager
def recorded_desk(folder: Path) -> Iterator[str]:
    """Serve it until the block is left."""
    furnish(folder)
    record(folder)
    with served(folder, free_port()) as served_at:
        yield served_at
