"""A watched folder is ingested at the start and after each burst of changes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.__main__ import watch

pytestmark = pytest.mark.slow


class Updates:
    """Counts updates, and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, timeout=30)


@pytest.fixture
def updates(tmp_path: Path) -> Iterator[Updates]:
    counted, ended = Updates(), threading.Event()
    thread = threading.Thread(target=watch, args=([tmp_path], counted, ended))
    thread.start()
    counted.wait_for(1)
    yield counted
    ended.set()
    thread.join()


def test_a_burst_of_changes_is_one_update(updates: Updates, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.md").write_text("x")
    updates.wait_for(2)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "new.md").write_text("x")
    updates.wait_for(3)
    (tmp_path / "0.md").unlink()
    updates.wait_for(4)
    assert updates.count == 4


def test_reading_is_no_change(updates: Updates, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    updates.wait_for(2)
    (tmp_path / "a.md").read_text()
    (tmp_path / "b.md").write_text("x")
    updates.wait_for(3)
    assert updates.count == 3
