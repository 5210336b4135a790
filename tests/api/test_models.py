"""The models over REST: what is installed, jobs with their progress, and what cannot be done."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from api.rest.bodies import QuantizingJob
from rag.ollama.model_creation import KINDS, OWN_KINDS
from rag.settings import stored_choices
from tests.api.offline_server import OfflineServer, offline_server
from tests.support.waiting import until
from tests.ui.views.models.fake_server import R1, STAND_IN, WHOLE, FakeModelServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as made:
        yield made
        made.gate.set()


@pytest.fixture
def served(tmp_path: Path, server: FakeModelServer) -> Iterator[OfflineServer]:
    with offline_server(tmp_path, ollama_host=server.url, model=STAND_IN) as made:
        yield made


@pytest.fixture
def http(served: OfflineServer) -> Iterator[httpx.Client]:
    with served.client(served.key("models")) as client:
        until(lambda: client.get("/api/v1/models").json()["looked"])
        yield client


def begin(http: httpx.Client, kind: str, name: str, **more: str) -> str:
    begun = http.post("/api/v1/models/jobs", json={"kind": kind, "name": name} | more)
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"] == f"/api/v1/models/jobs/{begun.json()['job_id']}"
    return begun.headers["location"]


def ended(http: httpx.Client, address: str) -> Any:
    until(lambda: http.get(address).json()["state"] != "running")
    return http.get(address).json()


def test_it_tells_what_is_installed_and_which_one_answers(http: httpx.Client) -> None:
    found = http.get("/api/v1/models").json()
    models = {one["name"]: one for one in found["models"]}
    assert set(models) == {R1, WHOLE, STAND_IN}
    assert [name for name, one in models.items() if one["answers"]] == [STAND_IN]
    answering = models[STAND_IN]
    assert (answering["size_bytes"], answering["stand_in"], answering["answers_next"]) == (490_000_000, True, True)
    assert (answering["memory_bytes"], answering["context_tokens"]) == (493_000_000, 4096)
    assert models[WHOLE]["quantization"] == "F16"
    assert (models[WHOLE]["memory_bytes"], models[WHOLE]["loaded_until"]) == (0, "")
    assert (found["problem"], found["hosts"], found["jobs"]) == (None, 1, [])


def test_a_model_server_that_is_away_is_told(tmp_path: Path) -> None:
    with offline_server(tmp_path) as served, served.client(served.key("models")) as http:
        until(lambda: http.get("/api/v1/models").json()["looked"])
        found = http.get("/api/v1/models").json()
        assert (found["models"], found["problem"]["code"]) == ([], "OllamaUnavailable")
        failed = ended(http, begin(http, "pull", "deepseek-r1:7b"))
        problem = failed["problem"]
        assert (failed["state"], problem["code"], problem["status"]) == ("failed", "DownloadFailed", 503)
        gone = http.post("/api/v1/models/jobs", json={"kind": "delete", "name": "x"})
        assert (gone.status_code, gone.json()["code"]) == (404, "ModelNotInstalled")


def test_a_job_tells_how_far_it_is_and_how_it_ended(
    served: OfflineServer, server: FakeModelServer, http: httpx.Client
) -> None:
    server.gate.clear()
    address = begin(http, "pull", "deepseek-r1:7b")
    until(lambda: http.get(address).json()["done"] == 2_100_000_000)
    running = http.get(address).json()
    assert (running["stage"], running["total"]) == ("downloading", 4_200_000_000)
    busy = http.post("/api/v1/models/jobs", json={"kind": "pull", "name": "other"})
    assert (busy.status_code, busy.json()["code"]) == (409, "ModelsBusy")
    server.gate.set()
    told = http.get(f"{address}/events").text.strip().splitlines()[-1]
    job = json.loads(told.removeprefix("data: "))
    assert job["state"] == "done"
    assert job["result"] == {
        "name": "deepseek-r1:7b",
        "size_bytes": 4_200_000_000,
        "quantization": "Q4_K_M",
        "has_chat_format": True,
        "overridden_by": [],
    }
    assert [one["job_id"] for one in http.get("/api/v1/models").json()["jobs"]] == [job["job_id"]]
    people = served.services.people
    entry = people.audit.entries(1)[0]
    assert (entry.what, entry.about, entry.who[:4]) == ("model", "deepseek-r1:7b", "key:")


def test_a_job_is_stopped_at_its_next_step(server: FakeModelServer, http: httpx.Client) -> None:
    server.gate.clear()
    address = begin(http, "quantize", WHOLE, quantization="q8_0")
    until(lambda: http.get(address).json()["done"] > 0)
    assert http.post(f"{address}/stop").status_code == 204
    assert ended(http, address)["state"] == "stopped"
    for path in ("/api/v1/models/jobs/999", "/api/v1/models/jobs/999/events"):
        assert http.get(path).json()["code"] == "JobMissing"
    assert http.post("/api/v1/models/jobs/999/stop").json()["code"] == "JobMissing"


def test_a_model_is_loaded_chosen_unloaded_and_deleted(
    served: OfflineServer, server: FakeModelServer, http: httpx.Client
) -> None:
    first = begin(http, "load", R1)
    assert ended(http, first)["state"] == "done"
    assert set(server.in_memory) == {R1}
    assert ended(http, begin(http, "use", R1))["state"] == "done"
    assert stored_choices(served.settings.data_dir)["model"] == R1
    following = {one["name"]: one["answers_next"] for one in http.get("/api/v1/models").json()["models"]}
    assert following == {R1: True, WHOLE: False, STAND_IN: False}
    assert ended(http, begin(http, "unload", R1))["state"] == "done"
    assert ended(http, begin(http, "delete", WHOLE))["state"] == "done"
    assert {one["name"] for one in http.get("/api/v1/models").json()["models"]} == {R1, STAND_IN}
    assert http.get(first).json()["kind"] == "load", "whoever began it is still told what became of it"


def test_what_is_not_installed_is_said_at_once(http: httpx.Client) -> None:
    for kind in ("load", "unload", "use", "delete"):
        refused = http.post("/api/v1/models/jobs", json={"kind": kind, "name": "nowhere"})
        assert (refused.status_code, refused.json()["code"]) == (404, "ModelNotInstalled")
        assert "GET /api/v1/models" in refused.json()["detail"]
    assert http.post("/api/v1/models/jobs", json={"kind": "quantize", "name": R1}).status_code == 422


@pytest.mark.parametrize(
    ("body", "param", "sentence"),
    [
        ({"kind": "quantize", "model": "x"}, "body.name", "is missing"),
        ({"kind": "quantize"}, "body.name", "is missing"),
        ({"kind": "quantize", "name": R1}, "body.quantization", "is missing"),
        ({"kind": "quantize", "name": R1, "quantization": "q1"}, "body.quantization", "must be one of: q8_0, q4_K_M"),
        ({"kind": "pull"}, "body.name", "is missing"),
        ({"kind": "pull", "name": R1, "quantize": "q8_0"}, "body.quantize", "is not a field of this request"),
        ({"kind": "load", "name": 5}, "body.name", "must be a text"),
        ({"kind": "make", "name": R1}, "body.kind", "must be one of: pull, load, unload, use, delete, quantize"),
        ({"name": R1}, "body.kind", "is missing"),
        (5, "body", "must be an object"),
    ],
)
def test_a_mistake_in_a_job_is_told_of_the_kind_that_was_meant(
    http: httpx.Client, body: object, param: str, sentence: str
) -> None:
    refused = http.post("/api/v1/models/jobs", json=body)
    assert (refused.status_code, refused.json()["param"]) == (422, param)
    assert f": {param}: {sentence}" in refused.json()["detail"]


def test_the_description_names_the_quantizations_that_there_are() -> None:
    assert get_args(QuantizingJob.model_fields["quantization"].annotation) == (*KINDS, *OWN_KINDS)


def test_only_an_admins_key_gets_at_the_models(served: OfflineServer) -> None:
    """The right needs an admin; where its owner is none any more, the key has it no more."""
    with served.client(served.key("metrics", "publish")) as other:
        assert other.get("/api/v1/models").json()["code"] == "RightMissing"
    people = served.services.people
    people.people.add("root", "admin", None, "", by="test")
    people.people.add("lin", "admin", None, "", by="test")
    secret, _ = served.keys.add("ci", ["models"], None, audience="internal", expires_at=None, owner="lin", by="test")
    with served.client({"X-API-Key": secret}) as http:
        assert http.get("/api/v1/models").status_code == 200
        people.people.set_role("lin", "lead", by="root")
        assert http.get("/api/v1/models").json()["code"] == "RightMissing"
