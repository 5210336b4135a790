"""An ingest in a process of its own: what it tells, how it is stopped, and how it refuses."""

import json
import threading
from pathlib import Path

import pytest

from ingest.changes import Changes, DocumentChange, Line
from ingest.duplicates import Duplicates, NearPair
from ingest.job import PROGRESSES, SUMMARIES, IngestJob, JobProcess
from ingest.lock import writer_lock
from ingest.summary import GateReport, IngestProgress, IngestSummary, QuestionChange
from ingest.worker_process import error_from, failure_of
from rag.errors import AnswerdeskError, DocumentUnreadable, IngestRunning, IngestStopped, SourceMissing, StorageFull
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

SUMMARY = IngestSummary(
    added=1, changed=2, unchanged=3, retired=0, moved=1, missing=0,
    failures=(DocumentUnreadable(path="/a/坏.pdf", reason="row", where="line 3"),),
    unsupported=(Path("/a/logo.svg"),),
    documents=7, chunks=20, embedded=4, seconds=1.5, generation=2, published=False,
    gate=GateReport(3, 3, 2, 0.02, lost=(QuestionChange("Fees?", ("fees.md",), 1, None, "a.md", present=True),)),
    duplicates=Duplicates((("a.md", "b.md"),), (NearPair("a.md", "c.md", 0.9),)),
    changes=Changes(added=1, documents=(DocumentChange("a.md", "A", "en", "added", lines=(Line("+", "x"),)),)),
)  # fmt: skip


def across(adapter, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return adapter.validate_python(json.loads(json.dumps(adapter.dump_python(value, mode="json"))))


def test_a_summary_crosses_to_the_page_whole() -> None:
    arrived = across(SUMMARIES, SUMMARY)
    assert arrived.failures[0].text("zh") == SUMMARY.failures[0].text("zh")
    assert arrived.changes == SUMMARY.changes
    assert arrived.gate == SUMMARY.gate
    assert arrived.duplicates == SUMMARY.duplicates
    assert (arrived.unsupported, arrived.is_held_back) == (SUMMARY.unsupported, True)


def test_progress_brings_its_failure_along() -> None:
    told = IngestProgress("reading", 1, 2, failure=DocumentUnreadable(path="a.pdf", reason="encrypted"))
    arrived = across(PROGRESSES, told)
    assert (arrived.files_done, arrived.failure.details["reason"]) == (1, "encrypted")


@pytest.mark.parametrize(
    "error", [IngestRunning(holder="pid 7"), SourceMissing(path=Path("/x")), StorageFull(folder="/y")]
)
def test_an_error_is_the_same_on_the_other_side(error: AnswerdeskError) -> None:
    arrived = error_from(json.loads(json.dumps(failure_of(error))))
    assert type(arrived) is type(error)
    assert arrived.text("zh") == error.text("zh")


def test_one_that_was_stopped_before_it_began_starts_nothing(tmp_path: Path) -> None:
    with JobProcess(Settings(data_dir=tmp_path)) as process:
        process.stop()
        with pytest.raises(IngestStopped):
            process.ingest(IngestJob((tmp_path,)), lambda _: None)


@pytest.fixture
def manual(tmp_path: Path) -> Path:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "退货.md").write_text("# 退货\n\n签收后 7 天内可以退货。", encoding="utf-8")
    (folder / "fees.md").write_text("# Fees\n\nDelivery costs 4.95 euros.")
    (folder / "broken.pdf").write_text("not a PDF")
    return folder


@pytest.mark.real
def test_a_rehearsal_and_then_the_publication_in_processes_of_their_own(tmp_path: Path, manual: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    told: list[IngestProgress] = []
    with JobProcess(settings) as process:
        rehearsed = process.ingest(IngestJob((manual,), rehearsal=True), told.append)
    assert (rehearsed.published, rehearsed.changes.added, rehearsed.embedded) == (False, 2, 2)
    assert [one.stage for one in told][-1] == "publishing"
    assert [one.failure.details["reason"] for one in told if one.failure] == ["malformed"]
    with JobProcess(settings) as process:
        published = process.ingest(IngestJob((manual,)), told.append)
    assert (published.published, published.generation, published.embedded) == (True, 1, 0)
    store = KnowledgeStore(settings.knowledge_dir)
    assert store.current_generation() == 1
    store.close()


@pytest.mark.real
def test_it_refuses_while_another_writes(tmp_path: Path, manual: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with writer_lock(settings.knowledge_dir), JobProcess(settings) as process, pytest.raises(IngestRunning):
        process.ingest(IngestJob((manual,)), lambda _: None)


@pytest.mark.real
def test_stopping_it_publishes_nothing(tmp_path: Path, manual: Path) -> None:
    for number in range(300):
        (manual / f"page{number}.md").write_text(f"# Page {number}\n\n" + f"Sentence number {number}. " * 60)
    settings = Settings(data_dir=tmp_path / "data")
    with JobProcess(settings) as process:

        def stop_early(progress: IngestProgress) -> None:
            if progress.passages_done:
                threading.Thread(target=process.stop).start()

        with pytest.raises(IngestStopped):
            process.ingest(IngestJob((manual,)), stop_early)
    store = KnowledgeStore(settings.knowledge_dir)
    assert store.current_generation() == 0
    store.close()
    with writer_lock(settings.knowledge_dir):
        pass  # and nobody holds the lock any more
