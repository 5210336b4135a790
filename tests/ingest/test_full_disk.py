"""A full disk, wherever it shows first: one sentence, nothing published, nothing lost."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import StorageFull
from rag.retrieval.generation_index import GenerationIndex
from rag.storage.writer import KnowledgeWriter
from tests.ingest.conftest import Desk

pytestmark = pytest.mark.slow

_NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


@pytest.mark.real
@pytest.mark.parametrize("free_kilobytes", [0, 300, 1000])
def test_on_a_real_disk(tmp_path: Path, free_kilobytes: int) -> None:
    run = subprocess.run(
        [*_NAMESPACE, sys.executable, "-m", "tests.ingest.full_disk", tmp_path, str(free_kilobytes)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert "is full; nothing was published" in report.pop("outcome")
    if free_kilobytes == 0:
        assert "cannot even be opened" in report.pop("a new reader")
    assert report == {
        "generation": 1, "documents": 3, "readable": "Number 2", "folders": ["000001"], "afterwards": 250,
    }  # fmt: skip


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_the_index(desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    desk.ingest()
    desk.write("new.md", "New.")

    def refuse(self: object, folder: Path, *_: object, **__: object) -> None:
        (folder / "half").write_text("half written")
        raise OSError(number, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(GenerationIndex, "write", refuse)
        with pytest.raises(StorageFull, match=str(desk.settings.knowledge_dir)):
            desk.ingest()
    assert (desk.store.require_generation(), len(desk.documents())) == (1, 4)
    assert [path.name for path in desk.store.generation_folder(0).parent.iterdir()] == ["000001"]
    assert desk.ingest().generation == 2


def test_no_room_when_the_index_is_synced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ingest()
    desk.write("new.md", "New.")

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(StorageFull):
            desk.ingest()
    assert len(desk.documents()) == 4
    assert desk.ingest().generation == 2


def test_no_room_for_the_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ingest()
    for number in range(200):
        desk.write(f"many/{number}.md", f"Document number {number}. " * 20)
    begin = KnowledgeWriter.begin

    def begin_on_a_small_disk(writer: KnowledgeWriter) -> int:
        generation = begin(writer)
        pages = writer.database.connection().execute("PRAGMA page_count").fetchone()[0]
        writer.database.connection().execute(f"PRAGMA max_page_count = {pages + 20}")
        return generation

    with monkeypatch.context() as patched:
        patched.setattr(KnowledgeWriter, "begin", begin_on_a_small_disk)
        with pytest.raises(StorageFull):
            desk.ingest()
    assert len(desk.documents()) == 4
    assert desk.ingest().documents == 204


def test_no_room_for_tidying_is_no_failure(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(writer: KnowledgeWriter) -> None:
        raise StorageFull(folder=writer.folder)

    monkeypatch.setattr(KnowledgeWriter, "delete_older", refuse)
    assert desk.ingest().published
