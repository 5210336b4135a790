"""Who is let in: every route is walked, with no key, with keys that lack rights, and with another base's key."""

import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.application import api_application
from api.callers import host_names
from rag.people.keys import ApiKeys, Right
from rag.storage.access import KnowledgeBases
from tests.api.offline_server import QUESTION, OfflineServer, offline_server
from tests.support.waiting import until

pytestmark = pytest.mark.slow

OPEN = {(method, path) for method in ("GET", "HEAD") for path in ("/healthz", "/readyz")}
PRIVATE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
SMALL_BODIES = {
    "/api/v1/ask": {"question": QUESTION},
    "/api/v1/turns": {"question": QUESTION},
    "/api/v1/retrieve": {"question": QUESTION},
    "/v1/chat/completions": {"model": "answerdesk/finance", "messages": [{"role": "user", "content": QUESTION}]},
    "/v1/responses": {"model": "answerdesk/finance", "input": QUESTION},
    "/v1/embeddings": {"model": "answerdesk-embedder", "input": "x"},
    "/api/v1/knowledge-bases/{base}/ingests": {},
    "/api/v1/knowledge-bases/{base}/curated": {"question": "Who?", "answer": "Ada."},
    "/api/v1/knowledge-bases/{base}/curated/{number}": {"question": "Who?", "answer": "Ada.", "language": "en"},
    "/api/v1/knowledge-bases/{base}/evaluations": {"kind": "retrieval"},
    "/api/v1/people": {"name": "ann", "role": "agent", "scopes": None},
    "/api/v1/people/{name}/role": {"role": "lead"},
    "/api/v1/people/{name}/scopes": {"scopes": ["default"]},
    "/api/v1/models/jobs": {"kind": "delete", "name": "nowhere"},
    "/api/v1/turns/{turn_id}/feedback": {"useful": True},
    "/api/v1/turns/{turn_id}/correction": {"answer": "Ada."},
    "/api/v1/turns/{turn_id}/rewritings": {"text": "Ada allows it.", "wish": "shorter"},
}


def routes(api: OfflineServer) -> list[tuple[str, str]]:
    application = api_application(lambda: api.services, api.settings, host_names(["x"]))
    found = [
        (method, context.path)
        for context in iter_route_contexts(application.routes)
        if context.path is not None
        for method in context.methods or ()
    ]
    assert len(found) > 40
    return sorted(set(found) - OPEN)


def send(http: httpx.Client, method: str, path: str, base: str, turn_id: str) -> httpx.Response:
    address = path.replace("{base}", base).replace("{turn_id}", turn_id).replace("{number}", "1")
    address = address.replace("{document_id:path}", "refund-limits.md").replace("{name}", "x.md")
    address = address.replace("{response_id}", f"resp_{turn_id}").replace("{model:path}", f"answerdesk/{base}")
    body = SMALL_BODIES.get(path) or SMALL_BODIES.get(f"/v1{path}")
    if body is not None and "model" in body:
        body = body | {"model": str(body["model"]).replace("finance", base)}
    if body is not None and path in ("/api/v1/ask", "/api/v1/turns", "/api/v1/retrieve"):
        body = body | {"knowledge_base": base}
    if path.endswith("/files/{name}"):
        return http.put(address, content=b"words")
    return http.request(method, address, json=body)


def test_without_a_key_there_is_nothing_but_whether_it_lives(api: OfflineServer) -> None:
    with api.client() as http:
        for method, path in routes(api):
            refused = send(http, method, path, "default", "x")
            assert refused.status_code == 401, (method, path, refused.text)
            assert refused.headers["www-authenticate"].startswith("Bearer")
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["ready"], ready.json()["model_name"]) == (200, True, "")
        assert (ready.json()["stand_in"], ready.json()["waiting"]) == (None, None), "left out, not answered wrongly"


def test_no_answer_is_kept_shown_as_a_page_or_given_to_another_sites_page(api: OfflineServer) -> None:
    """Whatever the answer is: of each route, with a key and without, and where there is nothing."""
    reader, stream = api.key("metrics", "retrieve"), {"Accept": "text/event-stream"}
    with api.client(reader) as caller, api.client() as nobody, api.client(api.key("ask")) as asker:
        answers = [send(http, *route, "default", "x") for route in routes(api) for http in (caller, nobody)]
        answers += [asker.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}, headers=stream)]
        answers += [nobody.get(path) for _, path in OPEN]
        answers += [caller.get("/nowhere"), caller.get("/v1/models", headers={"Host": "evil.example"})]
        answers += [caller.post("/api/v1/ask", content=b"x" * 5_000_000)]
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 403, 404, 413, 421}
    for answer in answers:
        found = {name: answer.headers.get(name) for name in PRIVATE}
        assert found == PRIVATE, answer.request.url
        assert answer.headers["cache-control"] in ("no-store", "no-cache"), answer.request.url
        assert not answer.headers.get("content-type", "").startswith("text/html"), "there is no page to protect less"


def test_an_answer_about_a_fault_of_ours_is_as_private(api: OfflineServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KnowledgeBases, "names_for", lambda self, user: 1 // 0)
    for path in ("/v1/models", "/api/v1/knowledge-bases"):
        with api.client(api.key()) as http:  # uvicorn ends the connection behind the answer
            answer = http.get(path)
        assert answer.status_code == 500
        assert {name: answer.headers.get(name) for name in PRIVATE} == PRIVATE
        assert answer.headers["cache-control"] == "no-store"


def test_without_a_key_nothing_of_a_body_is_read(api: OfflineServer) -> None:
    """Not even one that is no JSON, or too large, or for a path that there is not."""
    with api.client() as http:
        for content in (b"{", b"x" * 5_000_000):
            refused = http.post("/api/v1/ask", content=content, headers={"Content-Type": "application/json"})
            assert (refused.status_code, refused.json()["code"]) == (401, "KeyNeeded")
        assert http.get("/nowhere").status_code == 401


def test_a_refused_key_is_refused_everywhere_with_the_same_words(
    api: OfflineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked, key = api.keys.add("gone", ["ask"], ["default"], audience="internal", expires_at=None, owner="", by="test")
    with api.client({"X-API-Key": revoked}) as http:
        assert http.get("/v1/models").status_code == 200
        api.keys.revoke(key.key_id, by="test")
        said = {
            send(http, method, path, "default", "x").json().get("detail", "")
            for method, path in routes(api)
            if path.startswith("/api")
        }
        assert len(said) == 1
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with api.client(api.key("ask", expires_at=tomorrow)) as http:
        assert http.get("/v1/models").status_code == 200
        monkeypatch.setattr(ApiKeys, "_now", lambda _: tomorrow)
        assert http.get("/v1/models").status_code == 401


def test_a_body_whose_length_is_given_twice_hides_no_second_request(api: OfflineServer) -> None:
    """A proxy that goes by the length takes the second one for a part of the body."""
    key = "\r\n".join(f"{name}: {value}" for name, value in api.key().items())
    host = f"Host: {api.url.removeprefix('http://')}"
    body = "15\r\n" + '{"question":"kettle"}' + "\r\n0\r\n\r\n"
    first = f"POST /api/v1/retrieve HTTP/1.1\r\n{host}\r\n{key}\r\nContent-Type: application/json\r\n"
    for lengths, statuses in (
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", [b"400"]),
        ("Transfer-Encoding: chunked", [b"200", b"200"]),
    ):
        asked = f"{first}{lengths}\r\n\r\n{body}GET /healthz HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=30) as connection:
            connection.sendall(asked.encode())
            said = b"".join(iter(partial(connection.recv, 65_536), b""))
        assert re.findall(rb"HTTP/1.1 (\d{3})", said) == statuses, said


QUESTION_OF_CHAT = {"model": "answerdesk/default:fresh", "messages": [{"role": "user", "content": QUESTION}]}


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("/api/v1/ask", {"question": QUESTION, "fresh": True}, ("event: failed", "ApiKeyRefused")),
        ("/v1/chat/completions", QUESTION_OF_CHAT | {"stream": True}, ('"error"', "ApiKeyRefused")),
        (
            "/v1/responses",
            {"model": "answerdesk/default:fresh", "input": QUESTION, "stream": True},
            ("response.failed", "key"),
        ),
    ],
)
def test_an_answer_that_is_being_sent_ends_with_its_key(
    api: OfflineServer, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], refused: tuple[str, str]
) -> None:
    monkeypatch.setattr("api.questions.HEARTBEAT_SECONDS", 0.05)
    api.model.say("You can send back any item", " within 30 days of delivery.", held=True)
    secret, key = api.keys.add("gone", ["ask"], ["default"], audience="internal", expires_at=None, owner="", by="test")
    lines = []
    with (
        api.client({"X-API-Key": secret, "Accept": "text/event-stream"}) as http,
        http.stream("POST", path, json=body) as stream,
    ):
        for line in stream.iter_lines():
            if not lines:
                until(lambda: api.model.answering)
                api.keys.revoke(key.key_id, by="test")
            lines.append(line)
    assert all(word in "\n".join(lines[-3:]) for word in refused), lines[-3:]
    assert "delivery" not in "".join(lines[-3:])
    until(lambda: not api.model.answering)


def test_an_answer_that_is_waited_for_ends_with_its_key(api: OfflineServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.questions.HEARTBEAT_SECONDS", 0.05)
    api.model.say("You can send back any item", " within 30 days of delivery.", held=True)
    secret, key = api.keys.add("gone", ["ask"], ["default"], audience="internal", expires_at=None, owner="", by="test")
    ended: list[int] = []

    def ask() -> None:
        with api.client({"X-API-Key": secret}) as http:
            ended.append(http.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: api.model.answering)
    api.keys.revoke(key.key_id, by="test")
    asking.join()
    assert ended == [401]


def test_a_right_that_is_missing_is_named(api: OfflineServer) -> None:
    """A key that may only report figures gets no word of any document, turn or answer."""
    allowed = {
        "/metrics",
        "/api/v1/performance",
        "/openapi.json",
        "/v1/models",
        "/models",
        "/v1/models/{model:path}",
        "/models/{model:path}",
    }
    allowed |= {"/api/v1/turns", "/api/v1/knowledge-bases", "/api/v1/knowledge-bases/{base}"}  # lists of one's own
    with api.client(api.key("metrics")) as http:
        for method, path in routes(api):
            answer = send(http, method, path, "default", "x")
            if (method == "GET" and path in allowed) or "turn_id" in path or "response_id" in path:
                continue
            if path == "/mcp":  # each of its tools asks for a right: tests/api/mcp
                continue
            assert answer.status_code == 403, (method, path, answer.text)
            assert "right" in answer.text


def test_another_knowledge_base_is_out_of_reach_by_every_route_and_id(api: OfflineServer) -> None:
    """The same answer whether it exists or not, and no word of it."""
    with api.client(api.key(scopes=("finance",))) as owner:
        body = {"question": "Who allows refunds above GBP 500?", "knowledge_base": "finance"}
        turn_id = owner.post("/api/v1/ask", json=body).json()["turn_id"]
        assert owner.get(f"/api/v1/turns/{turn_id}").status_code == 200
    with api.client(api.key()) as stranger:
        for method, path in routes(api):
            if path in ("/metrics", "/openapi.json", "/v1/embeddings", "/embeddings"):
                continue
            answer = send(stranger, method, path, "finance", turn_id)
            assert not any(word in answer.text for word in ("Ada", "GBP", turn_id)), (method, path)
            if "{" in path or method == "POST":
                there = send(stranger, method, path, "nowhere", "x")
                assert answer.status_code == there.status_code >= 400, (method, path, answer.text)
                assert answer.text.replace("finance", "nowhere").replace(turn_id, "x") == there.text
    assert api.services.turns.history(None, 500, knowledge_bases=["finance"])[0].turn_id == turn_id


def test_another_keys_turns_are_out_of_reach_without_the_right(api: OfflineServer) -> None:
    with api.client(api.key()) as owner:
        turn_id = owner.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
    with api.client(api.key("ask", "feedback")) as stranger:
        assert stranger.get(f"/api/v1/turns/{turn_id}").status_code == 404
        assert stranger.post(f"/api/v1/turns/{turn_id}/stop").status_code == 404
        assert stranger.get("/api/v1/turns?team=true").status_code == 403
        assert stranger.get(f"/api/v1/turns?before={turn_id}").status_code == 404
    with api.client(api.key("ask", "turns:read")) as lead:
        assert lead.get(f"/api/v1/turns/{turn_id}").status_code == 200
        assert lead.get(f"/api/v1/turns?team=true&before={turn_id}").status_code == 200


def test_a_question_goes_on_from_no_turn_that_the_caller_cannot_see(api: OfflineServer) -> None:
    """Silently answered without its context, it would be taken for one with it."""
    with api.client(api.key()) as owner:
        turn_id = owner.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
        again = owner.post("/api/v1/ask", json={"question": QUESTION, "follows": turn_id})
        assert (again.status_code, again.json()["follows"]) == (200, turn_id)
    with api.client(api.key(scopes=("default", "finance"))) as both:
        finance = both.post("/api/v1/ask", json={"question": "Who refunds?", "knowledge_base": "finance"}).json()
        elsewhere = both.post("/api/v1/ask", json={"question": QUESTION, "follows": finance["turn_id"]})
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "TurnMissing")
    with api.client(api.key("ask", "users", "retrieve", audience="public")) as shop, api.client(api.key("ask")) as key:
        for http in (shop, key):
            told = []
            for followed in (turn_id, "nope"):
                rest = [http.post(f"/api/v1/{path}", json={"question": QUESTION, "follows": followed})
                        for path in ("ask", "turns")]  # fmt: skip
                openai = [
                    http.post("/v1/responses", json={"model": "answerdesk/default", "input": QUESTION} | options)
                    for options in ({"previous_response_id": f"resp_{followed}"}, {"previous_response_id": "resp_"})
                ]
                assert {answer.status_code for answer in (*rest, *openai)} == {404}
                assert rest[0].json()["code"] == openai[0].json()["error"]["code"] == "TurnMissing"
                told.append([answer.text for answer in (*rest, *openai)])
            assert told[0] == told[1], "nothing tells that the turn exists"
            assert http.get("/api/v1/turns").json()["turns"] == []
    with api.client(api.key("ask", "turns:read")) as lead:
        assert lead.post("/api/v1/ask", json={"question": QUESTION, "follows": turn_id}).json()["follows"] == turn_id


def test_pages_of_others_and_other_names_are_refused(api: OfflineServer, tmp_path: Path) -> None:
    with api.client(api.key() | {"Host": "evil.example"}) as http:
        assert http.get("/v1/models").status_code == 421
    with offline_server(tmp_path, sign_in="off") as open_desk, open_desk.client() as http:
        assert http.get("/v1/models").status_code == 200  # whoever sits here needs no key
        assert http.get("/v1/models", headers={"Origin": "http://evil.example"}).status_code == 403
        assert http.get("/v1/models", headers={"Origin": open_desk.url}).status_code == 200
        picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        refused = http.get("/v1/models", headers=picture)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ForeignPage")
        assert http.get("/v1/models", headers=picture | open_desk.key()).status_code == 200
        assert http.get("/v1/models", headers=picture | {"Authorization": "Bearer ad_wrong"}).status_code == 401
        for site in ("same-origin", "same-site", "none"):
            assert http.get("/v1/models", headers=picture | {"Sec-Fetch-Site": site}).status_code == 200
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert http.get("/v1/models", headers=link).status_code == 403, "a page that opens a window by itself"
        assert http.get("/v1/models", headers=link | {"Sec-Fetch-User": "?1"}).status_code == 200, "a person who clicks"
        assert http.get("/v1/models", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 401
        assert http.get("/v1/models", headers={"Authorization": "Bearer ad_wrong"}).status_code == 401
        assert http.get("/v1/models", headers={"Authorization": "Bearer none"}).status_code == 200


WORDS = ({"Authorization": "Bearer any"}, {"Authorization": "Bearer ad_..."}, {"X-API-Key": "ad_wrong"})


def test_any_word_is_no_key_where_nobody_signs_in_and_no_key_was_made(tmp_path: Path) -> None:
    """OpenAI's clients demand a key; a word opens what no word opens, and nothing else."""
    with offline_server(tmp_path, sign_in="off") as desk, desk.client() as http:
        for word in WORDS:
            assert http.get("/v1/models", headers=word).status_code == 200
            page = http.get("/v1/models", headers=word | {"Origin": "http://evil.example"})
            assert (page.status_code, page.json()["error"]["code"]) == (403, "ForeignPage")
            proxied = http.get("/v1/models", headers=word | {"X-Forwarded-For": "10.0.0.9"})
            assert (proxied.status_code, proxied.json()["error"]["code"]) == (401, "KeyNeeded")
        key = desk.key()
        assert http.get("/v1/models", headers=key).status_code == 200
        desk.keys.revoke(desk.keys.list()[0].key_id, by="test")
        for word in (*WORDS, key):
            refused = http.get("/v1/models", headers=word)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "ApiKeyRefused")


def test_where_people_sign_in_no_word_is_let_in_though_no_key_was_made(tmp_path: Path) -> None:
    with offline_server(tmp_path) as desk, desk.client() as http:
        for word in WORDS:
            refused = http.get("/v1/models", headers=word)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "ApiKeyRefused")


def test_only_a_right_to_turns_lets_a_key_stop_and_rate_those_of_others(api: OfflineServer) -> None:
    """A lead's role comes with many rights; one to others' turns comes with one."""
    api.model.say("You can send", " back any item", held=True)
    feedback = api.services.turns.feedback
    with api.client(api.key("ask", "feedback", "metrics")) as owner:
        turn_id = owner.post("/api/v1/turns", json={"question": QUESTION, "fresh": True}).json()["turn_id"]
        address = f"/api/v1/turns/{turn_id}"
        for rights in (("ask", "turns:read"), ("feedback", "turns:read"), ("ask", "feedback", "turns:read", "publish")):
            with api.client(api.key(*rights)) as reader:
                assert reader.get(address).status_code == 200
                for refused in (
                    reader.post(f"{address}/stop"),
                    reader.post(f"{address}/feedback", json={"useful": False}),
                ):
                    assert (refused.status_code, refused.json()["code"]) == (403, "RightMissing")
        assert owner.get(address).json()["state"] != "stopped"
        assert feedback.opinion(turn_id) is None
        with api.client(api.key("ask", "feedback", "turns:read", "turns:write")) as lead:
            assert lead.post(f"{address}/feedback", json={"useful": False}).status_code == 204
            assert lead.post(f"{address}/stop").status_code == 204
        assert owner.get(address).json()["state"] == "stopped"
        assert owner.post(f"{address}/feedback", json={"useful": True}).status_code == 204
        opinion = feedback.opinion(turn_id)
        assert opinion is not None
        assert not opinion.useful, "the owner's key rates as whoever asked, not as a lead"


def test_a_correction_waits_for_a_review_unless_the_key_may_write_answers(tmp_path: Path) -> None:
    waiting: tuple[Right, ...] = ("turns:read", "metrics", "evaluate", "documents:write", "publish")
    with offline_server(tmp_path, curated_review="on") as served:

        def state(*rights: Right) -> str:
            with served.client(served.key("ask", "feedback", *rights)) as http:
                turn_id = http.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
                written = http.post(f"/api/v1/turns/{turn_id}/correction", json={"answer": "30 days."})
                assert written.status_code == 201
                return str(written.json()["state"])

        assert [state(), *map(state, waiting)] == ["waiting"] * 6
        assert state("curated:write") == "serving"
