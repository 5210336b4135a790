"""Users and keys over REST: what a key can do to them, and what only an admin in person may."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rag.people.directory import People
from tests.api.offline_server import OfflineServer, offline_server

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[OfflineServer]:
    with offline_server(tmp_path) as made:
        people = people_of(made)
        people.add("root", "admin", None, "", by="test")
        people.add("lin", "agent", ["default", "finance"], "", by="test")
        yield made


@pytest.fixture
def http(served: OfflineServer) -> Iterator[httpx.Client]:
    with served.client(served.key("people", scopes=None)) as client:
        yield client


def people_of(served: OfflineServer) -> People:
    return served.services.people.people


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_users_are_listed_without_anything_secret(http: httpx.Client) -> None:
    found = http.get("/api/v1/people").json()
    assert found == {
        "people": [
            {
                "name": "lin",
                "role": "agent",
                "scopes": ["default", "finance"],
                "disabled": False,
                "has_password": False,
            },
            {"name": "root", "role": "admin", "scopes": None, "disabled": False, "has_password": False},
        ],
        "scopes": ["default", "finance"],
    }
    assert http.get("/api/v1/people/LIN").json() == found["people"][0]
    assert code_of(http.get("/api/v1/people/nobody")) == (404, "PersonUnknown")


def test_somebody_is_let_in_changed_and_let_in_no_more(served: OfflineServer, http: httpx.Client) -> None:
    added = http.post("/api/v1/people", json={"name": "mei@example.org", "role": "agent", "scopes": ["default"]})
    assert (added.status_code, added.headers["location"]) == (201, "/api/v1/people/mei@example.org")
    address = added.headers["location"]
    assert http.put(f"{address}/role", json={"role": "lead"}).json()["role"] == "lead"
    assert http.put(f"{address}/scopes", json={"scopes": None}).json()["scopes"] is None
    assert http.put(f"{address}/scopes", json={"scopes": ["finance"]}).json()["scopes"] == ["finance"]
    assert http.post(f"{address}/disable").json()["disabled"] is True
    assert http.post(f"{address}/enable").json()["disabled"] is False
    assert http.post(f"{address}/sign-out").status_code == 204
    entries = [one for one in served.services.people.audit.entries(7) if one.who.startswith("key:")]
    assert [one.what for one in reversed(entries)] == [
        "person_added",
        "person_role",
        "person_scopes",
        "person_scopes",
        "person_disabled",
        "person_enabled",
        "signed_out_everywhere",
    ]
    again = http.post("/api/v1/people", json={"name": "MEI@example.org"})
    assert code_of(again) == (409, "PersonTaken")
    unknown = http.put(f"{address}/scopes", json={"scopes": ["nowhere"]})
    assert code_of(unknown) == (409, "PersonUnusable")
    assert http.post("/api/v1/people", json={"name": "no name"}).status_code == 422
    assert http.post("/api/v1/people", json={"name": "bo", "password": "long enough, rarely tried"}).status_code == 422


@pytest.mark.parametrize("name", ["张伟", "müller", "liň.omega+desk@example.org"])
def test_somebody_with_a_name_in_any_script_is_let_in_and_found_at_the_address(http: httpx.Client, name: str) -> None:
    added = http.post("/api/v1/people", json={"name": name, "scopes": ["default"]})
    assert (added.status_code, added.json()["name"]) == (201, name)
    address = added.headers["location"]
    assert address.isascii()
    assert http.get(address).json() == added.json()


def test_a_key_gets_at_no_admin(served: OfflineServer, http: httpx.Client) -> None:
    refused = [
        http.post("/api/v1/people", json={"name": "eve", "role": "admin", "scopes": None}),
        http.put("/api/v1/people/lin/role", json={"role": "admin"}),
        http.put("/api/v1/people/root/role", json={"role": "agent"}),
        http.put("/api/v1/people/root/scopes", json={"scopes": []}),
        http.post("/api/v1/people/root/disable"),
        http.post("/api/v1/people/root/sign-out"),
    ]
    assert {code_of(one) for one in refused} == {(403, "PersonNeeded")}
    assert people_of(served).find("root").role == "admin"


def test_a_key_gives_no_more_than_it_may_read(served: OfflineServer) -> None:
    with served.client(served.key("people", scopes=("default",))) as http:
        assert http.get("/api/v1/people").json()["scopes"] == ["default"]
        refused = http.post("/api/v1/people", json={"name": "eve", "role": "agent", "scopes": None})
        assert code_of(refused) == (403, "ScopeNotHeld")
        assert code_of(http.put("/api/v1/people/lin/scopes", json={"scopes": None})) == (403, "ScopeNotHeld")
        assert http.put("/api/v1/people/lin/scopes", json={"scopes": []}).json()["scopes"] == ["finance"]
        assert http.put("/api/v1/people/lin/scopes", json={"scopes": ["finance"]}).json()["scopes"] == ["finance"]
    _, own = served.keys.add("a", ["ask"], None, audience="internal", expires_at=None, owner="", by="test")
    with served.client(served.key("people", scopes=("default",))) as http:
        assert code_of(http.delete(f"/api/v1/keys/{own.key_id}")) == (403, "PersonOutOfReach")


def test_keys_are_listed_without_their_secrets_and_revoked(served: OfflineServer, http: httpx.Client) -> None:
    secret, key = served.keys.add("bot", ["ask"], ["default"], audience="public", expires_at=None, owner="", by="root")
    listed = http.get("/api/v1/keys")
    assert secret not in listed.text
    found = {one["key_id"]: one for one in listed.json()["keys"]}[key.key_id]
    assert (found["name"], found["rights"], found["scopes"], found["audience"]) == (
        "bot",
        ["ask"],
        ["default"],
        "public",
    )
    assert http.delete(f"/api/v1/keys/{key.key_id}").status_code == 204
    with served.client({"X-API-Key": secret}) as revoked:
        assert revoked.get("/v1/models").status_code == 401
    assert key.key_id not in http.get("/api/v1/keys").text
    assert code_of(http.delete(f"/api/v1/keys/{key.key_id}")) == (404, "ApiKeyUnknown")
    assert http.post("/api/v1/keys", json={"name": "eve"}).status_code == 405
