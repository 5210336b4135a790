"""An earlier generation comes back as a new one, at once and whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.check import check
from ingest.lock import writer_lock
from ingest.publish import history, rollback
from rag.errors import GenerationGone, IngestRunning, KnowledgeBaseMissing
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import KEPT_GENERATIONS, GenerationChange
from tests.ingest.conftest import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def changed(desk: Desk) -> Desk:
    """A second generation: one document changed, one new, one gone."""
    desk.ingest()
    desk.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    desk.write("new.md", "# New\n\nSomething new.")
    (desk.manual / "运费.txt").unlink()
    desk.ingest(prune=True)
    return desk


def test_every_generation_says_what_it_changed(changed: Desk) -> None:
    newest, first = history(changed.settings.knowledge_dir)
    assert (newest.generation, newest.change) == (2, GenerationChange(added=1, changed=1, retired=1))
    assert (first.generation, first.change) == (1, GenerationChange(added=4))


def test_back_and_back_again(changed: Desk) -> None:
    folder = changed.settings.knowledge_dir
    second = changed.documents()
    changed.embedder.embedded.clear()
    info = rollback(folder)
    assert (info.generation, info.document_count, info.change.restored) == (3, 4, 1)
    assert sorted(changed.documents()) == ["q1", "q2", "returns/deadline.md", "运费.txt"]
    assert changed.documents()["returns/deadline.md"].endswith("7 days.")
    assert check(folder).findings == ()
    rollback(folder, 2)
    assert changed.documents() == second
    assert check(folder).findings == ()
    assert changed.embedder.embedded == []


def test_the_next_ingest_finds_the_files_as_they_are(changed: Desk) -> None:
    rollback(changed.settings.knowledge_dir)
    summary = changed.ingest(prune=True)
    assert (summary.generation, summary.added, summary.changed, summary.retired) == (4, 1, 1, 1)
    assert summary.embedded == 0  # the vectors were kept
    assert check(changed.settings.knowledge_dir).findings == ()


@pytest.mark.parametrize("target", [0, 2, 3, -1])
def test_what_cannot_come_back_is_said(changed: Desk, target: int) -> None:
    with pytest.raises(GenerationGone, match=f"Generation {target} cannot be restored"):
        rollback(changed.settings.knowledge_dir, target)
    assert changed.store.require_generation() == 2


def test_older_generations_than_are_kept_stay_in_the_history_only(desk: Desk) -> None:
    for number in range(KEPT_GENERATIONS + 1):
        desk.write("counter.md", f"# Counter\n\nNumber {number}.")
        desk.ingest()
    folder = desk.settings.knowledge_dir
    assert [info.generation for info in history(folder)] == list(range(KEPT_GENERATIONS + 1, 0, -1))
    with pytest.raises(GenerationGone):
        rollback(folder, 1)
    rollback(folder, 2)
    assert desk.documents()["counter.md"].endswith("Number 1.")


def test_nothing_to_go_back_to(desk: Desk) -> None:
    with pytest.raises(KnowledgeBaseMissing):
        rollback(desk.settings.knowledge_dir)
    desk.ingest()
    with pytest.raises(GenerationGone):
        rollback(desk.settings.knowledge_dir)
    with writer_lock(desk.settings.knowledge_dir), pytest.raises(IngestRunning):
        rollback(desk.settings.knowledge_dir)


def test_a_generation_published_while_waiting_for_the_lock_counts(
    changed: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lock_after_another_ingest(folder: Path, share: KnowledgeShare | None) -> Iterator[None]:
        monkeypatch.undo()
        changed.write("new.md", "# New\n\nAnother third.")
        changed.ingest()
        with writer_lock(folder, share):
            yield

    monkeypatch.setattr("ingest.publish.writer_lock", lock_after_another_ingest)
    info = rollback(changed.settings.knowledge_dir, 2)
    assert (info.generation, info.change.restored) == (4, 2)
    assert changed.documents()["new.md"].endswith("Something new.")
