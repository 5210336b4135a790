"""The API over a real PostgreSQL server: two desks are one, and a server that is away is told in words."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.api.offline_server import QUESTION, offline_server
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

pytestmark = pytest.mark.real


def test_a_key_a_turn_and_an_idempotency_key_of_one_desk_are_the_others_too(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.url()
    with (
        offline_server(tmp_path / "a", database_url=url) as one,
        offline_server(tmp_path / "b", database_url=url) as two,
    ):
        key = one.key()
        once = {"Idempotency-Key": "mail-4711"}
        with one.client(key) as first, two.client(key) as second:
            answer = first.post("/api/v1/ask", json={"question": QUESTION}, headers=once)
            assert answer.status_code == 200
            turn = second.get(f"/api/v1/turns/{answer.json()['turn_id']}")
            assert (turn.status_code, turn.json()["question"]) == (200, QUESTION), turn.text
            again = second.post("/api/v1/ask", json={"question": QUESTION}, headers=once)
            assert again.json()["turn_id"] == answer.json()["turn_id"]
            assert len(second.get("/api/v1/turns").json()["turns"]) == 1
            (made,) = one.keys.list()
            two.keys.revoke(made.key_id, by="test")
            assert first.get("/api/v1/turns").status_code == 401


def test_a_server_that_is_away_is_told_and_its_return_is_seen(own_postgres: PostgresServer, tmp_path: Path) -> None:
    with offline_server(tmp_path, database_url=own_postgres.url()) as api, api.client(api.key()) as http:
        assert http.get("/api/v1/turns").status_code == 200
        own_postgres.stop()
        for path in ("/api/v1/turns", "/v1/models", "/readyz"):
            away = http.get(path, headers={"Accept-Language": "zh"})
            assert away.status_code == 503
            assert int(away.headers["Retry-After"]) > 0
            assert "暂时无法使用" in away.text
            assert "DatabaseUnavailable" in away.text
            assert own_postgres.password not in away.text
        assert http.get("/healthz").status_code == 200
        own_postgres.start()
        assert http.get("/api/v1/turns").status_code == 200
        assert http.post("/api/v1/ask", json={"question": QUESTION}).status_code == 200


def test_a_server_that_stands_still_holds_up_nobody_else(own_postgres: PostgresServer, tmp_path: Path) -> None:
    with offline_server(tmp_path, database_url=own_postgres.url()) as api, api.client(api.key()) as http:
        assert http.get("/api/v1/turns").status_code == 200
        own_postgres.freeze(frozen=True)
        waited: list[tuple[float, httpx.Response]] = []

        def ask() -> None:
            began = time.monotonic()
            with api.client(dict(http.headers)) as own:
                found = own.get("/api/v1/turns")
            waited.append((time.monotonic() - began, found))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        assert http.get("/healthz").status_code == 200
        assert time.monotonic() - began < 3, "the event loop waits for no server"
        for thread in threads:
            thread.join()
        assert {found.status_code for _, found in waited} == {503}
        assert max(seconds for seconds, _ in waited) < 10
        own_postgres.freeze(frozen=False)
        until(lambda: http.get("/api/v1/turns").status_code == 200, seconds=30)
