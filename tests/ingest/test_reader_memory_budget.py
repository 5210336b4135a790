"""All reading processes of a machine share one budget, and never wait for each other in a circle."""

import threading
import time
from pathlib import Path

import pytest

from ingest.loaders.source import Limits, SourceFile
from ingest.memory_budget import UNIT_BYTES, MachineCount, MemoryBudget, budget_of
from ingest.reader import FileReader
from ingest.reading_ahead import open_readers
from ingest.worker_process import WorkerProcess
from rag.errors import DocumentUnreadable, IngestStopped
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


def test_the_default_is_two_thirds_of_the_machine_and_one_for_all(tmp_path: Path) -> None:
    assert budget_of(Settings(cache_dir=tmp_path))._total_bytes == pytest.approx(memory_bytes() * 2 / 3, abs=1)
    settings = Settings(readers_memory_megabytes=3000, cache_dir=tmp_path)
    assert budget_of(settings) is budget_of(settings)
    assert [budget_of(settings).take_now(size) for size in (2 * GIGABYTE, 2 * GIGABYTE)] == [True, False]
    budget_of(settings).give_back(2 * GIGABYTE)


def test_an_ingest_opens_no_more_readers_than_there_is_memory_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    settings = Settings(readers_memory_megabytes=2500, cache_dir=tmp_path)
    with open_readers(settings, 10_000) as readers:
        assert len(readers) == 2
        assert budget_of(settings)._taken_bytes == 2 * GIGABYTE
        with open_readers(settings, 10_000) as others:
            assert len(others) == 1, "it waits with its first file"
    assert budget_of(settings)._taken_bytes == 0


def _budgets(path: Path) -> tuple[MemoryBudget, MemoryBudget]:
    """Return what two programs have of ten units."""
    return MemoryBudget(10 * UNIT_BYTES, MachineCount(path)), MemoryBudget(10 * UNIT_BYTES, MachineCount(path))


def test_what_one_program_has_taken_another_cannot_take(tmp_path: Path) -> None:
    desk, job = _budgets(tmp_path / "cache" / "readers.lock")
    assert desk.take_now(6 * UNIT_BYTES)
    assert not job.take_now(5 * UNIT_BYTES)
    assert job.take_now(3 * UNIT_BYTES + 1), "and an unfinished unit is a whole one"
    assert not desk.take_now(1)
    desk.give_back(2 * UNIT_BYTES)
    assert job.take_now(3 * UNIT_BYTES - 1), "which is filled by the next one"
    assert not desk.take_now(1)
    job.give_back(6 * UNIT_BYTES)
    desk.give_back(4 * UNIT_BYTES)
    assert desk.take_now(10 * UNIT_BYTES)
    assert not job.take_now(1)


def test_another_programs_readers_hold_up_neither_a_first_one_nor_a_picture(tmp_path: Path) -> None:
    job, desk = _budgets(tmp_path / "readers.lock")
    assert job.take_now(9 * UNIT_BYTES)
    assert desk.take(2 * UNIT_BYTES, lambda: True)
    assert desk.take_for_picture(5 * UNIT_BYTES, lambda: True)
    assert not desk.take(UNIT_BYTES, lambda: True)
    job.give_back(9 * UNIT_BYTES)
    assert desk.take(UNIT_BYTES, never), "and takes what it had too much of, too"
    assert not job.take_now(3 * UNIT_BYTES)
    assert job.take_now(2 * UNIT_BYTES)


def test_a_folder_that_cannot_be_written_costs_the_common_count_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "readers.lock").symlink_to(tmp_path / "elsewhere")
    desk, job = _budgets(tmp_path / "readers.lock")
    assert [desk.take_now(10 * UNIT_BYTES), job.take_now(10 * UNIT_BYTES)] == [True, True]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert not (tmp_path / "elsewhere").exists()


_JOB = """
import json, sys
from ingest.reading_ahead import open_readers
from ingest.worker_process import serve_parent
def work(settings, job, tell):
    with open_readers(settings, 10_000) as readers:
        tell(len(readers))
        sys.stdin.read()
serve_parent(work)
"""


@pytest.mark.slow
def test_the_desk_and_the_job_that_it_starts_share_one_budget(tmp_path: Path) -> None:
    settings = Settings(readers_memory_megabytes=4000, cache_dir=tmp_path, data_dir=tmp_path / "data")
    (tmp_path / "a_job.py").write_text(_JOB)
    told: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path))
        patched.setattr("os.sched_getaffinity", lambda _: set(range(8)))
        with WorkerProcess("a_job", settings) as job, FileReader.of(settings) as desk:
            assert desk.reserve_now()
            assert budget_of(settings).take_now(2 * GIGABYTE), "the desk has 3 of 4 GB"

            def heard(readers: object) -> None:
                told.extend([readers, budget_of(settings).take_now(GIGABYTE)])
                job.stop()

            with pytest.raises(IngestStopped):
                job.run({}, heard)
            assert told == [1, False]
            assert budget_of(settings).take_now(GIGABYTE), "the job was killed"


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
