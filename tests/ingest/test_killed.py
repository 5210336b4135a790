"""A kill at any point leaves a whole generation, and the next ingest completes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.retrieval.generation_index import GenerationIndex
from rag.storage.store import KnowledgeStore
from tests.ingest.conftest import Desk
from tests.ingest.killed_ingest import POINTS


@pytest.mark.real
@pytest.mark.parametrize("point", POINTS)
def test_killed(desk: Desk, point: str) -> None:
    desk.ingest()
    before = desk.documents()
    for number in range(90):
        desk.write(f"many/{number}.md", f"# Number {number}\n\nThis is document number {number}.")
    desk.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    (desk.manual / "运费.txt").unlink()

    killed = subprocess.run(
        [sys.executable, "-m", "tests.ingest.killed_ingest", desk.manual, desk.settings.data_dir, point],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

    generation = 2 if point == "tidying" else 1
    assert desk.store.require_generation() == generation
    assert len(desk.documents()) == (93 if generation == 2 else len(before))
    if generation == 1:
        assert desk.documents() == before
    assert_whole(desk.store, desk.embedder.model_id)

    summary = desk.ingest(prune=True)
    assert (summary.generation, summary.documents) == (2, 93)
    assert desk.documents()["returns/deadline.md"].endswith("14 days.")
    assert_whole(desk.store, desk.embedder.model_id)
    folders = sorted(path.name for path in desk.store.generation_folder(0).parent.iterdir())
    assert folders == ["000001", "000002"]
    # vectors outlive the kill: they are what takes the time
    expected = {"embedding": 91 - 64, "reading": 91, "written": 91}.get(point, 0)
    assert summary.embedded == expected


def assert_whole(store: KnowledgeStore, model_id: str) -> None:
    """The current generation's rows, postings and index belong together."""
    generation = store.require_generation()
    info = store.generation_info(generation)
    chunk_ids = store.visible_chunk_ids(generation)
    assert len(chunk_ids) == info.chunk_count
    with store.reading() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        posted = {row[0] for row in connection.execute("SELECT chunk_id FROM chunk WHERE terms != ''")}
    assert posted >= set(chunk_ids)
    index = GenerationIndex.open(store.generation_folder(generation), model_id).loaded({})
    assert sorted(index.chunk_ids().tolist()) == chunk_ids
