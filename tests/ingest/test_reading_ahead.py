"""Files come in their order, whichever worker was quicker, and no more is read ahead than there is room for."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import reading_ahead
from ingest.loaders.source import SourceFile
from ingest.reader import KeepFigure
from ingest.reading_ahead import ReadAhead, worker_count
from rag.errors import DocumentUnreadable
from rag.schema import Document


class SlowReader:
    """Reads nothing: a file's documents are its name, twice; files that end in ``slow`` take a moment."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.interrupted = threading.Event()

    def read(
        self, source: SourceFile, keep_figure: KeepFigure | None = None
    ) -> Iterator[Document | DocumentUnreadable]:
        path = source.path
        self.begun.append(path.name)
        if path.suffix == ".slow":
            time.sleep(0.05)
        if path.suffix == ".raise":
            raise OSError("no process can be started")
        if path.suffix == ".hang":
            self.interrupted.wait(20)
        for number in range(2):
            yield Document(f"{path.name}{number}", str(path), "", "word " * 10, "en")

    def interrupt(self) -> None:
        self.interrupted.set()


def sources(*names: str) -> list[SourceFile]:
    return [SourceFile(Path("/manual") / name, Path("/manual")) for name in names]


def readers(count: int) -> list[SlowReader]:
    return [SlowReader() for _ in range(count)]


def consume(ahead: ReadAhead, files: int) -> list[str]:
    return [found.document_id for _ in range(files) for found in ahead.next_file() if isinstance(found, Document)]


@pytest.mark.slow
def test_the_order_is_that_of_the_files(tmp_path: Path) -> None:
    names = [f"{number}.{'slow' if number % 5 == 0 else 'md'}" for number in range(60)]
    with ReadAhead(readers(3), sources(*names), lambda: None) as ahead:  # type: ignore[arg-type]
        assert consume(ahead, 60) == [f"{name}{number}" for name in names for number in range(2)]


@pytest.mark.slow
def test_reading_stops_where_much_is_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "_WAITING_CHARACTERS", 200)
    (reader,) = readers(1)
    with ReadAhead([reader], sources(*(f"{number}.md" for number in range(50))), lambda: None) as ahead:  # type: ignore[list-item]
        time.sleep(0.2)
        assert len(reader.begun) <= 4  # 50 characters a document
        assert len(consume(ahead, 50)) == 100
    assert len(reader.begun) == 50


@pytest.mark.slow
def test_the_owner_is_not_left_waiting_idly() -> None:
    calls: list[int] = []
    with ReadAhead(readers(1), sources("a.hang"), lambda: calls.append(1)) as ahead:  # type: ignore[arg-type]
        reader = ahead._readers[0]
        threading.Timer(0.7, reader.interrupt).start()
        assert consume(ahead, 1) == ["a.hang0", "a.hang1"]
    assert calls


def test_an_error_of_the_owner_ends_the_readers_at_once() -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        ReadAhead(readers(1), sources("a.hang", "b.md"), lambda: None),  # type: ignore[arg-type]
    ):
        raise KeyboardInterrupt


def test_what_ends_a_reader_is_told_to_the_owner() -> None:
    with (
        pytest.raises(OSError, match="no process"),
        ReadAhead(readers(2), sources("a.md", "b.raise", "c.md"), lambda: None) as ahead,  # type: ignore[arg-type]
    ):
        consume(ahead, 3)


def test_many_files_are_worth_more_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert [worker_count(files) for files in (0, 1, 127, 128, 10_000)] == [1, 1, 1, 2, 4]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert worker_count(10_000) == 1
