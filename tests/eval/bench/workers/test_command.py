"""The benchmark lets real workers help, tells by how much, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from eval.bench.workers.command import WorkerFigures, arrangements, main
from tests.support.places import Places


def test_machines_have_a_core_each() -> None:
    by_name = {one.name: one for one in arrangements((4, 7))}
    assert by_name["one_machine"].ingest == by_name["two_machines"].ingest == [4]
    assert by_name["two_machines"].workers == [[7]]
    assert by_name["two_pinned"].workers == [[4], [7]]
    assert WorkerFigures("plain", 100, 4.0, 0, 0.1).rate == 25.0


@pytest.mark.real
@pytest.mark.nightly
def test_a_short_run_measures_and_cleans_up(
    server_places: Places,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "figures.json"
    assert main(["--passages", "300", "--only", "two_machines", "one_pinned", "--json", str(file)]) == 0
    assert "passages/s" in capsys.readouterr().out
    figures = json.loads(file.read_text())["figures"]
    assert [one["arrangement"] for one in figures] == ["two_machines", "one_pinned"]
    assert 0 < figures[0]["by_workers"] < figures[0]["passages"]
    assert figures[1]["by_workers"] == figures[1]["passages"] == figures[0]["passages"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    for table in ("shared_piece", "embedding_job", "embedding_worker"):
        assert server_places.ask("turns", f"SELECT count(*) FROM {table}") == [(0,)]
