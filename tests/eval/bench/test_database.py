"""The benchmark times both places, says whether the bar is met, and leaves nothing on the server."""

import json
from pathlib import Path

import pytest

from eval.bench.database import Times, main
from tests.support.places import Places


def test_the_ratio_is_of_the_slowest_hundredth() -> None:
    assert Times("page", 1.0, 2.0, 9.0, 3.0).p99_ratio == 1.5


@pytest.mark.real
def test_a_short_run_measures_and_cleans_up(
    server_places: Places,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = tmp_path / "figures.json"
    assert main(["--turns", "40", "--pages", "5", "--json", str(figures)]) == 0
    assert "A page of the history takes" in capsys.readouterr().out
    times = json.loads(figures.read_text())["times"]
    assert [row["work"] for row in times][:2] == ["page of the history", "the same by an offset"]
    assert [row["work"] for row in times][-2:] == ["enter the queue", "leave the queue"]
    assert all(row["server_p99"] >= row["server_p50"] > 0 for row in times)
    assert server_places.ask("turns", "SELECT count(*) FROM turn") == [(0,)]
    assert server_places.ask("queue", "SELECT count(*) FROM ticket") == [(0,)]
