"""The desk over a real PostgreSQL server: while it is away pages say so, and nothing is let in."""

from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from api.services.start import open_people
from rag.settings import Settings
from tests.support.postgres_server import PostgresServer
from tests.ui.test_request_guard import OWN, Inside, cookie, guarded
from ui.request_guard import ALIVE_PATH, LATER, STREAM_PATH

pytestmark = pytest.mark.real
PAGE = {"Accept": "text/html"}


def test_while_the_server_is_away_pages_say_so(own_postgres: PostgresServer, tmp_path: Path) -> None:
    people = open_people(Settings(data_dir=tmp_path, sign_in="on", database_url=own_postgres.url()))
    people.people.add("root", "admin", None, "", by="test")
    signed_in = cookie(people.sign_ins.begin_for("root").token)
    desk = guarded(Inside(), people)
    assert desk.get("/", headers={**PAGE, **signed_in}).text == "inside"
    own_postgres.stop()
    away = desk.get("/", headers={**PAGE, **signed_in})
    assert away.status_code == 503
    assert "cannot be used now" in away.text
    assert "暂时无法使用" in away.text
    assert own_postgres.password not in away.text
    assert desk.get("/media/x.png", headers=signed_in).status_code == 503
    assert desk.get(ALIVE_PATH).text == "inside", "this process lives"
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        desk.websocket_connect(f"ws://desk.test{STREAM_PATH}", headers={**OWN, **signed_in}),
    ):
        pass
    assert closed.value.code == LATER
    own_postgres.start()
    assert desk.get("/", headers={**PAGE, **signed_in}).text == "inside"
