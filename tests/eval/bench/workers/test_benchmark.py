"""The benchmark lets real workers help, tells by how much, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from eval.bench.workers.benchmark import WorkerFigures, arrangements
from eval.bench.workers.command import main
from rag.settings import load_settings
from rag.storage.postgres import pool_of
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer


def test_machines_have_a_core_each() -> None:
    by_name = {one.name: one for one in arrangements((4, 7))}
    assert by_name["one_machine"].ingest == by_name["two_machines"].ingest == [4]
    assert by_name["two_machines"].workers == [[7]]
    assert by_name["two_pinned"].workers == [[4], [7]]
    assert WorkerFigures("plain", 100, 4.0, 0, 0.1).rate == 25.0


@pytest.mark.real
@pytest.mark.nightly
def test_a_short_run_measures_and_cleans_up(
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = Places(tmp_path, postgres_server.make_room())
    for name, value in places.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    try:
        file = tmp_path / "figures.json"
        assert main(["--passages", "300", "--only", "two_machines", "one_pinned", "--json", str(file)]) == 0
        assert "passages/s" in capsys.readouterr().out
        figures = json.loads(file.read_text())["figures"]
        assert [one["arrangement"] for one in figures] == ["two_machines", "one_pinned"]
        assert 0 < figures[0]["by_workers"] < figures[0]["passages"]
        assert figures[1]["by_workers"] == figures[1]["passages"] == figures[0]["passages"]
        assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
        for table in ("shared_piece", "embedding_job", "embedding_worker"):
            assert places.ask("turns", f"SELECT count(*) FROM {table}") == [(0,)]
    finally:
        load_settings.cache_clear()
        pool_of(places.url).close()
