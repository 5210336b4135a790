"""The benchmark times both places, says whether the bar is met, and leaves nothing on the server."""

import json
from pathlib import Path

import pytest

from eval.bench.database.benchmark import Times
from eval.bench.database.command import main
from rag.settings import load_settings
from rag.storage.postgres import pool_of
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer


def test_the_ratio_is_of_the_slowest_hundredth() -> None:
    assert Times("page", 1.0, 2.0, 9.0, 3.0).p99_ratio == 1.5


@pytest.mark.real
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
        figures = tmp_path / "figures.json"
        assert main(["--turns", "40", "--pages", "5", "--json", str(figures)]) == 0
        assert "A page of the history takes" in capsys.readouterr().out
        times = json.loads(figures.read_text())["times"]
        assert [row["work"] for row in times][:2] == ["page of the history", "page of one's own"]
        assert [row["work"] for row in times][-2:] == ["enter the queue", "leave the queue"]
        assert all(row["server_p99"] >= row["server_p50"] > 0 for row in times)
        assert places.ask("turns", "SELECT count(*) FROM turn") == [(0,)]
        assert places.ask("queue", "SELECT count(*) FROM ticket") == [(0,)]
    finally:
        load_settings.cache_clear()
        pool_of(places.url).close()
