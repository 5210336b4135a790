"""The benchmark measures both knowledge bases with another process, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from eval.bench.sharing import main
from rag.settings import load_settings
from tests.support.places import Places
from tests.support.s3_server import S3Server


@pytest.mark.real
@pytest.mark.nightly
def test_a_short_run_measures_and_cleans_up(
    server_places: Places,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    room = s3_server.make_room()
    monkeypatch.setenv("ANSWERDESK_BLOB_URL", room.url)
    load_settings.cache_clear()
    figures = tmp_path / "figures.json"
    assert main(["--passages", "50", "--changes", "2", "--json", str(figures)]) == 0
    assert "after the commit" in capsys.readouterr().out
    measured = json.loads(figures.read_text())["figures"]
    assert [(one["knowledge_base"], one["place"]) for one in measured] == [
        *(("sample", "rows"), ("sample", "bucket"), ("generated", "rows"), ("generated", "bucket"))
    ]
    assert measured[-1]["passages"] == 50
    for one in measured:
        assert 0 < one["change_bytes"] <= one["first_bytes"]
        assert 0 < one["seconds_p50"] <= one["seconds_max"]
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    assert server_places.ask("turns", "SELECT count(*) FROM shared_piece") == [(0,)]
    assert room.objects() == {}
