"""All reading processes of a program share one budget, and never wait for each other in a circle."""

import threading
import time
from pathlib import Path

import pytest

from ingest.loaders.source import Limits, SourceFile
from ingest.reader import FileReader, MemoryBudget, budget_of, shared_budget
from ingest.reading_ahead import open_readers
from rag.errors import DocumentUnreadable
from rag.ollama.hardware import memory_bytes
from rag.settings import Settings

GIGABYTE = 1_000_000_000


def never() -> bool:
    return False


def test_those_that_fit_go_on_and_others_wait() -> None:
    budget = MemoryBudget(10)
    assert budget.take(6, never)
    assert not budget.take_now(5)
    assert budget.take_now(4)
    waiting = threading.Thread(target=budget.take, args=(5, never))
    waiting.start()
    budget.give_back(4)
    waiting.join(0.05)
    assert waiting.is_alive(), "6 are taken"
    budget.give_back(6)
    waiting.join(5)
    assert (waiting.is_alive(), budget._taken_bytes) == (False, 5)


def test_who_gives_up_gets_nothing() -> None:
    budget = MemoryBudget(10)
    budget.take(10, never)
    assert not budget.take(1, lambda: True)
    assert budget._taken_bytes == 10


def test_the_first_reader_and_one_picture_always_go_on() -> None:
    budget = MemoryBudget(10)
    assert budget.take(20, lambda: True), "however small the budget is"
    assert budget.take_for_picture(50, lambda: True)
    assert not budget.take_for_picture(50, lambda: True), "the second one waits"
    budget.give_back(50, of_picture=True)
    assert budget.take_for_picture(50, lambda: True)


def test_the_default_is_two_thirds_of_the_machine_and_one_for_all() -> None:
    assert shared_budget()._total_bytes == pytest.approx(memory_bytes() * 2 / 3, abs=1)
    settings = Settings(readers_memory_megabytes=3000)
    assert budget_of(settings) is budget_of(settings)
    assert [budget_of(settings).take_now(size) for size in (2 * GIGABYTE, 2 * GIGABYTE)] == [True, False]
    budget_of(settings).give_back(2 * GIGABYTE)


def test_an_ingest_opens_no_more_readers_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    settings = Settings(readers_memory_megabytes=2500)
    with open_readers(settings, 10_000) as readers:
        assert len(readers) == 2
        assert budget_of(settings)._taken_bytes == 2 * GIGABYTE
        with open_readers(settings, 10_000) as others:
            assert len(others) == 1, "it waits with its first file"
    assert budget_of(settings)._taken_bytes == 0


@pytest.mark.slow
def test_a_reader_waits_for_its_share_and_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    source, budget = SourceFile(tmp_path / "a.txt", tmp_path), MemoryBudget(GIGABYTE)
    with FileReader(Limits(), budget=budget) as first, FileReader(Limits(), budget=budget) as second:
        assert len(list(first.read(source))) == 1
        found: list[object] = []
        waiting = threading.Thread(target=lambda: found.extend(second.read(source)))
        waiting.start()
        time.sleep(0.3)
        assert (waiting.is_alive(), second._worker) == (True, None)
        second.interrupt()
        waiting.join(5)
        assert [one.details["reason"] for one in found if isinstance(one, DocumentUnreadable)] == ["malformed"]
    assert budget._taken_bytes == 0
