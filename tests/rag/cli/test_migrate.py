"""People and turns are copied from files to a real server and back, row for row, or not at all."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.__main__ import main
from rag.cli import migrate
from rag.cli.migrate import copy_to_files, copy_to_server
from rag.errors import CopyDiffers, DatabaseNotEmpty, NothingToCopy
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.keys import ApiKeys
from rag.people.sign_ins import SignIns
from rag.schema import SpanTime
from rag.settings import DatabasePlace, Settings, load_settings
from rag.storage.connection import Connection, is_sqlite
from rag.storage.turn_store import OutcomeOrigin, TurnStore
from rag.storage.turn_times import TurnTimes
from tests.rag.storage.test_turn_store import ANSWER, EVIDENCE
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.real


def furnish(people_place: DatabasePlace, turns_place: DatabasePlace) -> tuple[str, str, str]:
    """Leave something in every table; return a turn's id, a sign-in's token and a key's secret."""
    with People(people_place) as people, SignIns(people_place, 12) as sign_ins, ApiKeys(people_place) as keys:
        people.add("Lin", "admin", ["default"], "$hash", by="test")
        signed_in = sign_ins.begin_for("lin", "browser")
        sign_ins.note_use(b"key")
        sign_ins.attempt("lin", "192.0.2.7")
        secrets = [
            keys.add(f"k{number}", ["ask"], None, audience="internal", expires_at=None, owner="lin", by="test")[0]
            for number in range(3)
        ]
    with TurnStore(turns_place) as turns:
        for number in range(700):
            turn = turns.add(f"几天可以退货？ {number}", session="s", language="zh")
        turns.add("a\0b", session="s", language="en")
        done = replace(turn, state="done", evidence=(EVIDENCE,), answer=ANSWER)
        turns.update(done, TurnTimes((SpanTime("total", 0.1 + 0.2),), 7, 1e-7))
        turns.feedback.judge(turn.turn_id, "lin", useful=False, reason="wrong")
        turns.feedback.record(turn.turn_id, "edited", 1 / 3, OutcomeOrigin("model", "x", "y"))
    return turn.turn_id, signed_in.token, secrets[0]


def test_all_is_the_same_on_the_server_and_in_the_files_again(server_places: Places, tmp_path: Path) -> None:
    files = Settings(data_dir=tmp_path)
    turn_id, token, secret = furnish(files.people_path, files.turns_path)
    told: list[int] = []
    copied = copy_to_server(files, server_places.url, told.append)
    assert {table.table: table.rows for table in copied} == {
        "person": 1, "sign_in": 1, "attempt": 1, "change": 4, "sign_in_use": 1, "known_browser": 1, "api_key": 3,
        "turn": 701, "turn_span": 1, "turn_feedback": 1, "turn_outcome": 1, "turn_citation": 1, "turn_opinion": 1,
    }  # fmt: skip
    assert sum(told) == sum(table.rows for table in copied)
    with TurnStore(files.turns_path) as old, TurnStore(server_places("turns")) as new:
        assert new.get(turn_id) == old.get(turn_id)
        assert [row.turn_id for row in new.list("s", limit=999)] == [row.turn_id for row in old.list("s", limit=999)]
        assert new.feedback.outcome(turn_id) == ("edited", 1 / 3)
        newest = new.add("How long?", session="s", language="en")
        assert new.list("s", limit=1)[0].turn_id == newest.turn_id, "numbers go on after the copied ones"
    place = server_places("people")
    with SignIns(place, 12) as sign_ins, ApiKeys(place) as keys, AuditTrail(place) as log:
        assert sign_ins.user(token).name == "Lin"
        assert keys.key_of(secret).owner == "Lin"
        assert [key.name for key in keys.list()] == ["k0", "k1", "k2"]
        log.record("lin", "setting", "x")
        assert [entry.number for entry in log.entries(2)] == [5, 4]

    back = Settings(data_dir=tmp_path / "back", database_url=server_places.url)
    returned = copy_to_files(back, told.append)
    assert {table.rows for table in returned if table.table == "turn"} == {702}
    same = {table.table: table.sha256 for table in copied if table.table not in ("turn", "change")}
    assert {table.table: table.sha256 for table in returned if table.table in same} == same
    with TurnStore(back.turns_path) as turns, SignIns(back.people_path, 12) as sign_ins:
        assert turns.get(turn_id).answer == ANSWER
        assert sign_ins.user(token).name == "Lin"
    assert sorted(path.name for path in back.data_dir.iterdir()) == ["people.db", "turns.db"]


def test_a_place_that_holds_something_is_not_written_over(server_places: Places, tmp_path: Path) -> None:
    files = Settings(data_dir=tmp_path / "other")
    with pytest.raises(NothingToCopy):
        copy_to_server(files, server_places.url, print)
    with pytest.raises(NothingToCopy):
        copy_to_files(files.changed(database_url=server_places.url), print)
    assert list(files.data_dir.iterdir()) == []
    furnish(files.people_path, files.turns_path)
    People(server_places("people")).add("root", "admin", None, "", by="test")
    with pytest.raises(DatabaseNotEmpty) as told:
        copy_to_server(files, server_places.url, print)
    assert "@" not in told.value.text("en")
    with pytest.raises(DatabaseNotEmpty):
        copy_to_files(files.changed(database_url=server_places.url), print)
    assert TurnStore(server_places("turns")).list(None) == ()


def test_a_copy_that_differs_is_not_kept(
    server_places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Settings(data_dir=tmp_path)
    furnish(files.people_path, files.turns_path)
    rows = migrate._rows

    def fewer(connection: Connection, table: str, columns: list[str]) -> Iterator[object]:
        read = list(rows(connection, table, columns))
        yield from read[1:] if table == "turn_opinion" and not is_sqlite(connection) else read

    monkeypatch.setattr(migrate, "_rows", fewer)
    with pytest.raises(CopyDiffers):
        copy_to_server(files, server_places.url, print)
    assert server_places.ask("turns", "SELECT to_regclass('turn')") == [(None,)]


def test_the_command_says_what_it_did_and_never_the_password(
    server_places: Places,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(server_places.folder))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    try:
        furnish(server_places.folder / "people.db", server_places.folder / "turns.db")
        assert main(["migrate", "--to", "server"]) == 2, "none is named"
        assert main(["migrate", "--to", server_places.url.replace("postgresql", "mysql")]) == 2
        assert main(["migrate", "--to", server_places.url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tables"][0]["table"] == "person"
        assert main(["migrate", "--to", server_places.url]) == 3, "it is full now"
        monkeypatch.setenv("ANSWERDESK_DATABASE_URL", server_places.url)
        monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(server_places.folder / "back"))
        load_settings.cache_clear()
        assert main(["migrate", "--to", "sqlite"]) == 0
        told = capsys.readouterr()
        assert "turn: 701 rows" in told.out
        assert postgres_server.password not in told.out + told.err
    finally:
        load_settings.cache_clear()


def test_what_is_old_is_deleted_on_the_server_and_by_either_desk(server_places: Places) -> None:
    from rag.erasure import expire_turns

    furnish(server_places("people"), server_places("turns"))
    server_places.ask("turns", "UPDATE turn SET created_at = ?, state = 'done'", ("2020-01-01T00:00:00+00:00",))
    settings = server_places.settings(turn_retention_days=30)
    assert expire_turns(settings, datetime.now(UTC) + timedelta(days=1), "desk") == 701
    assert expire_turns(settings, datetime.now(UTC) + timedelta(days=1), "another desk") == 0
    assert server_places.ask("turns", "SELECT count(*) FROM turn_span") == [(0,)]
