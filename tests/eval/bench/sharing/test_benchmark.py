"""The benchmark measures both knowledge bases with another process, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from eval.bench.sharing.command import main
from rag.settings import load_settings
from rag.storage.postgres import pool_of
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Server


@pytest.mark.real
@pytest.mark.nightly
def test_a_short_run_measures_and_cleans_up(
    postgres_server: PostgresServer,
    s3_server: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places, room = Places(tmp_path, postgres_server.make_room()), s3_server.make_room()
    for name, value in (places.environment() | {"ANSWERDESK_BLOB_URL": room.url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    try:
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
        assert places.ask("turns", "SELECT count(*) FROM shared_piece") == [(0,)]
        assert room.objects() == {}
    finally:
        load_settings.cache_clear()
        pool_of(places.url).close()
