"""The native API: questions, turns, documents, curated answers and evaluations, as a program uses them."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import rag.errors
from api.problems import status_of
from ingest.summary import IngestSummary, Undescribed
from tests.api.offline_server import QUESTION, OfflineServer, offline_server
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SENTENCE = "You can send back any item within 30 days of delivery."


@pytest.fixture
def http(api: OfflineServer) -> Iterator[httpx.Client]:
    with api.client(api.key()) as client:
        yield client


def events_of(text: str) -> list[tuple[str, str, Any]]:
    """Return the id, the name and the data of each event; comments are skipped."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if lines:
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


def test_an_answer_comes_whole_with_its_evidence(http: httpx.Client) -> None:
    answer = http.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}).json()
    assert (answer["text"], answer["refused"], answer["state"]) == (SENTENCE, False, "done")
    [citation] = answer["citations"]
    passage = answer["evidence"][0]
    assert citation["quote"] == SENTENCE
    assert passage["text"][citation["quote_start"] - passage["start"] :].startswith(SENTENCE)
    assert {one["name"] for one in answer["stages"]} >= {"prompt", "answer", "citations"}
    assert http.get(f"/api/v1/turns/{answer['turn_id']}").json()["text"] == SENTENCE
    listed = http.get("/api/v1/turns", params={"containing": "send an item back"}).json()["turns"]
    assert [one["turn_id"] for one in listed] == [answer["turn_id"]]
    later = http.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}).json()
    older = http.get("/api/v1/turns", params={"before": later["turn_id"]}).json()["turns"]
    assert older[0]["turn_id"] == answer["turn_id"]


def test_a_code_is_answered_in_the_callers_language(http: httpx.Client) -> None:
    body, chinese = {"question": "K2", "fresh": True}, {"Accept-Language": "zh-CN"}
    assert http.post("/api/v1/ask", json=body, headers=chinese).json()["language"] == "zh"
    assert http.post("/api/v1/ask", json=body).json()["language"] == "en"


def test_a_stream_of_events_begins_with_the_evidence(http: httpx.Client) -> None:
    body, accept = {"question": QUESTION, "fresh": True}, {"Accept": "text/event-stream"}
    text = http.post("/api/v1/ask", json=body, headers=accept).text
    events = events_of(text)
    names = [name for _, name, _ in events]
    assert names[0] == "retrieved"
    assert names[-1] == "completed"
    assert events[0][2]["evidence"][0]["title"] == "Returning an order"
    assert events[-1][2]["text"] == SENTENCE


def test_a_broken_stream_goes_on_where_it_broke_off(api: OfflineServer, http: httpx.Client) -> None:
    api.model.say("You can send back any item within 30", " days of delivery.", held=True)
    turn_id = http.post("/api/v1/turns", json={"question": QUESTION, "fresh": True}).json()["turn_id"]
    address = f"/api/v1/turns/{turn_id}/events"
    with http.stream("GET", address) as first:
        last_id = ""
        for line in first.iter_lines():
            last_id = line.removeprefix("id: ") if line.startswith("id: ") else last_id
            if line == "event: answer":
                break
    api.model.gate.set()
    events = events_of(http.get(address, headers={"Last-Event-ID": last_id}).text)
    assert [name for _, name, _ in events if name == "retrieved"] == []
    words = "".join(data["text"] for _, name, data in events if name == "answer")
    assert "You can send" not in words
    assert events[-1][1:] == ("completed", events[-1][2])
    assert events[-1][2]["text"] == SENTENCE  # leaving a resumed stream stops nothing
    assert events_of(http.get(address, headers={"Last-Event-ID": "x"}).text)[0][1] == "retrieved"


def test_the_same_key_asks_once(api: OfflineServer, http: httpx.Client) -> None:
    key = {"Idempotency-Key": "mail-4711"}
    first = http.post("/api/v1/ask", json={"question": QUESTION}, headers=key).json()
    again = http.post("/api/v1/ask", json={"question": QUESTION}, headers=key).json()
    assert again["turn_id"] == first["turn_id"]
    other_body = http.post("/api/v1/ask", json={"question": "How do I descale it?"}, headers=key)
    assert (other_body.status_code, other_body.json()["code"]) == (422, "IdempotencyConflict")
    with api.client(api.key() | key) as somebody_else:
        assert somebody_else.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"] != first["turn_id"]


def test_the_same_key_of_a_question_that_still_runs_is_told_so(api: OfflineServer, http: httpx.Client) -> None:
    api.model.say("You can send", " back any item", held=True)
    key, body = {"Idempotency-Key": "mail-4712"}, {"question": QUESTION, "fresh": True}
    begun = http.post("/api/v1/turns", json=body, headers=key)
    assert begun.headers["location"] == f"/api/v1/turns/{begun.json()['turn_id']}"
    again = http.post("/api/v1/turns", json=body, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "IdempotencyRunning")
    http.post(f"/api/v1/turns/{begun.json()['turn_id']}/stop")
    api.model.gate.set()
    fresh = http.post("/api/v1/turns", json=body, headers=key)  # one that was stopped is asked anew
    assert fresh.json()["turn_id"] != begun.json()["turn_id"]


def test_stopping_a_turn_ends_it_with_what_it_has(api: OfflineServer, http: httpx.Client) -> None:
    api.model.say("You can send", " back any item", held=True)
    turn_id = http.post("/api/v1/turns", json={"question": QUESTION, "fresh": True}).json()["turn_id"]
    assert http.post(f"/api/v1/turns/{turn_id}/stop").status_code == 204
    turn = http.get(f"/api/v1/turns/{turn_id}").json()
    assert (turn["state"], turn["problem"]["code"]) == ("stopped", "AnswerCancelled")


def test_passages_without_a_model(api: OfflineServer, http: httpx.Client) -> None:
    found = http.post("/api/v1/retrieve", json={"question": "退款多久到账？"}).json()
    assert found["evidence"][0]["title"] == "退款到账时间"
    assert 0 <= found["answerable_probability"] <= 1
    assert api.model.answering == 0


def test_what_becomes_of_an_answer_is_kept(api: OfflineServer, http: httpx.Client) -> None:
    turn_id = http.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
    address = f"/api/v1/turns/{turn_id}"
    judged = http.post(f"{address}/feedback", json={"useful": False, "reason": "wrong", "outcome": "edited"})
    assert judged.status_code == 204
    for nothing in ({}, {"useful": None}, {"reason": "wrong"}):
        refused = http.post(f"{address}/feedback", json=nothing)
        assert refused.status_code == 422
        assert refused.json()["detail"].endswith("useful or outcome is needed; a reason alone says neither.")
    feedback = api.services.turns.feedback
    assert feedback.outcome(turn_id) == ("edited", 0.0)
    written = http.post(f"{address}/correction", json={"answer": SENTENCE})
    assert written.status_code == 201
    served = http.post("/api/v1/ask", json={"question": QUESTION}).json()
    assert (served["lane"], served["text"]) == ("curated", SENTENCE)
    number = written.json()["number"]
    curated = "/api/v1/knowledge-bases/default/curated"
    assert [one["number"] for one in http.get(curated).json()["curated"]] == [number]
    edited = http.put(f"{curated}/{number}", json={"question": QUESTION, "answer": "30 days.", "language": "en"})
    assert edited.json()["answer"] == "30 days."
    late = http.put(f"{curated}/{number}", json={"question": QUESTION, "answer": "40 days.", "language": "en"})
    assert (late.status_code, late.json()["code"]) == (409, "CuratedReplaced")
    assert [one["answer"] for one in http.get(curated, params={"state": "serving"}).json()["curated"]] == ["30 days."]
    retired = http.post(f"{curated}/{edited.json()['number']}/retire")
    assert retired.json()["state"] == "retired"
    assert http.post("/api/v1/ask", json={"question": QUESTION}).json()["lane"] != "curated"
    assert http.post(f"{curated}/99/approve").json()["code"] == "CuratedMissing"


def test_a_review_is_told_the_sentences_whose_addresses_no_document_has(api: OfflineServer) -> None:
    with api.client(api.key(scopes=("finance",))) as http:
        _review(api, http, "/api/v1/knowledge-bases/finance/curated")


def _review(api: OfflineServer, http: httpx.Client, curated: str) -> None:
    doubtful = ["Write to claims@evil.example first.", "Or call 0800 555 019."]
    body = {"question": "Who looks at a claim?", "answer": f"{SENTENCE} {doubtful[0]}", "language": "en"}
    written = http.post(curated, json={"question": body["question"], "answer": body["answer"]}).json()
    assert written["doubtful"] == doubtful[:1]
    number = written["number"]
    assert {one["number"]: one["doubtful"] for one in http.get(curated).json()["curated"]}[number] == doubtful[:1]
    assert http.post(f"{curated}/{number}/approve").json()["doubtful"] == doubtful[:1]
    edited = http.put(f"{curated}/{number}", json=body | {"answer": " ".join([SENTENCE, *doubtful])}).json()
    assert edited["doubtful"] == doubtful
    clean = http.put(f"{curated}/{edited['number']}", json=body | {"answer": SENTENCE}).json()
    assert clean["doubtful"] == []
    assert http.post(f"{curated}/{clean['number']}/retire").json()["doubtful"] == []
    with api.client(api.key("ask", "feedback", scopes=("finance",))) as agent:  # who cannot review learns nothing of it
        turn_id = agent.post("/api/v1/ask", json={"question": "Who allows refunds?"}).json()["turn_id"]
        corrected = agent.post(f"/api/v1/turns/{turn_id}/correction", json={"answer": doubtful[0]}).json()
    assert corrected["doubtful"] is None
    assert http.post(f"{curated}/{corrected['number']}/retire").json()["state"] == "retired"


def test_documents_are_listed_and_read_in_stretches(http: httpx.Client) -> None:
    bases = http.get("/api/v1/knowledge-bases").json()["knowledge_bases"]
    assert [(one["name"], one["documents"]) for one in bases] == [("default", 4)]
    listed = http.get("/api/v1/knowledge-bases/default/documents", params={"containing": "KETTLE"}).json()
    assert [one["document_id"] for one in listed["documents"]] == ["kettle.md"]
    address = "/api/v1/knowledge-bases/default/documents/kettle.md"
    whole = http.get(address).json()
    part = http.get(address, params={"start": 5, "end": 15}).json()
    assert part["text"] == whole["text"][5:15]
    assert (part["start"], part["end"], part["characters"]) == (5, 15, len(whole["text"]))
    assert http.get(address, params={"start": 9_999, "end": 9_999_999}).json()["text"] == ""
    assert http.get(f"{address}x").json()["code"] == "DocumentMissing"


def test_files_wait_until_they_are_published(api: OfflineServer, http: httpx.Client) -> None:
    base = "/api/v1/knowledge-bases/default"
    assert http.post(f"{base}/ingests", json={}).json()["code"] == "NothingToIngest"
    kept = http.put(f"{base}/files/hours.md", content=b"# Hours\n\nWe answer from 9 to 5.")
    assert kept.status_code == 202
    assert [one["name"] for one in kept.json()["files"]] == ["hours.md"]
    assert http.put(f"{base}/files/empty.md", content=b"").status_code == 422
    begun = http.post(f"{base}/ingests", json={"rehearsal": True})
    assert begun.status_code == 202
    job = _ended(http, f"{base}/ingests/{begun.json()['job_id']}")
    assert job["kind"] == "check"
    assert http.get(f"{base}/ingests/999").json()["code"] == "JobMissing"
    last = http.get(f"{base}/ingests/{job['job_id']}/events").text.strip().splitlines()[-1]
    assert json.loads(last.removeprefix("data: "))["state"] == job["state"]
    next_job = http.post(f"{base}/ingests", json={"rehearsal": True}).json()["job_id"]
    assert http.get(f"{base}/ingests/{job['job_id']}").json() == job, "a later job hides no result"
    _ended(http, f"{base}/ingests/{next_job}")
    assert http.delete(f"{base}/files").status_code == 204
    assert http.get(f"{base}/files").json() == {"files": []}
    generations = http.get(f"{base}/generations").json()["generations"]
    assert generations[0]["can_serve_again"]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Generation {number} cannot be served again: it was deleted, serves already, or never was."),
        ("zh", "第 {number} 代无法恢复：它已被删除、正在使用，或从未存在。"),
    ],
)
def test_a_generation_that_cannot_serve_again_is_refused_at_once(
    http: httpx.Client, language: str, sentence: str
) -> None:
    base = "/api/v1/knowledge-bases/default"
    current = http.get(f"{base}/generations").json()["generations"][0]["generation"]
    for number in (current, 99):
        refused = http.post(f"{base}/generations/{number}/rollback", headers={"Accept-Language": language})
        assert (refused.status_code, refused.json()["code"]) == (404, "GenerationGone")
        assert refused.json()["detail"] == sentence.format(number=number)
    missing = http.post(f"{base}/curated/999/retire", headers={"Accept-Language": language})
    assert missing.status_code == 404
    assert "999" in missing.json()["detail"] and "python -m" not in missing.json()["detail"]


def test_an_ingest_tells_how_many_pictures_nobody_described(
    api: OfflineServer, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(*_: object) -> IngestSummary:
        counts = {"added": 1, "changed": 0, "unchanged": 4, "retired": 0, "moved": 0, "missing": 0, "embedded": 2}
        left = Undescribed(3, {"en": "it is away", "zh": "不在"})
        return IngestSummary(2, 5, 8, failures=(), seconds=0.4, undescribed=left, **counts)

    monkeypatch.setattr(api.services.knowledge_registry, "run", play)
    base = "/api/v1/knowledge-bases/default"
    http.put(f"{base}/files/lamp.md", content=b"# Lamp")
    begun = http.post(f"{base}/ingests", json={}).json()
    result = _ended(http, f"{base}/ingests/{begun['job_id']}")["result"]
    assert (result["added"], result["undescribed_pictures"]) == (1, 3)
    http.delete(f"{base}/files")


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "with the header Content-Type: application/json"), ("zh", "只有带请求头 Content-Type")],
)
@pytest.mark.parametrize("sent_as", ["application/x-www-form-urlencoded", "text/plain", None])
@pytest.mark.parametrize("path", ["/api/v1/retrieve", "/v1/chat/completions"])
def test_a_body_that_is_not_sent_as_json_is_told_so(
    http: httpx.Client, path: str, sent_as: str | None, language: str, sentence: str
) -> None:
    headers = {"Accept-Language": language} | ({"Content-Type": sent_as} if sent_as else {})
    refused = http.post(path, content=b'{"question": "hi"}', headers=headers)
    assert refused.status_code == 422
    assert sentence in refused.text


def _ended(http: httpx.Client, address: str) -> Any:
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        job = http.get(address).json()
        if job["state"] != "running":
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def test_evaluations_are_listed(http: httpx.Client) -> None:
    assert http.get("/api/v1/knowledge-bases/default/evaluations").json() == {"runs": [], "running": None}


def test_a_problem_is_told_by_rfc_9457_in_the_callers_language(http: httpx.Client) -> None:
    refused = http.post("/api/v1/ask", json={"question": ""}, headers={"Accept-Language": "zh-CN"})
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.status_code == 400
    problem = refused.json()
    assert problem["type"] == "urn:answerdesk:error:QuestionEmpty"
    assert problem["status"] == 400
    assert "问题" in problem["detail"]
    unknown = http.post("/api/v1/ask", json={"question": "?", "qestion": "typo"})
    assert (unknown.status_code, unknown.json()["param"]) == (422, "body.qestion")
    wrong_method = http.put("/api/v1/turns")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET, POST")
    assert http.get("/api/v1/nothing").json()["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "chinese"),
    [
        ("GET", "/api/v1/nothing", b"", "NotFound", "此路径下没有内容"),
        ("PUT", "/api/v1/turns", b"", "MethodNotAllowed", "此路径不接受该方法"),
        ("POST", "/api/v1/ask", b'{"question": "\xff"}', "BadRequest", "无法读取请求正文"),
        ("POST", "/api/v1/ask", b"{}", "RequestUnusable", "无法处理该请求：body.question：缺少这一项。"),
        ("POST", "/api/v1/ask", b'{"question": 1}', "RequestUnusable", "body.question：必须是文字。"),
        ("POST", "/api/v1/ask", b"[]", "RequestUnusable", "body：必须是对象。"),
        ("POST", "/api/v1/ask", b"{", "RequestUnusable", "不是有效的 JSON。"),
        ("POST", "/api/v1/ask", b'{"question": "?", "x\\u001b": 1}', "RequestUnusable", "请求中没有这个字段。"),
        ("GET", "/api/v1/turns?limit=x", b"", "RequestUnusable", "query.limit：必须是整数。"),
    ],
)
def test_what_the_framework_refuses_is_told_in_the_callers_language_too(
    http: httpx.Client, method: str, path: str, body: bytes, code: str, chinese: str
) -> None:
    headers = {"Content-Type": "application/json"}
    told = http.request(method, path, content=body, headers=headers | {"Accept-Language": "zh"}).json()
    assert (told["code"], told["status"]) == (code, status_of(getattr(rag.errors, code)))
    assert chinese in told["detail"] and "\x1b" not in told["detail"]
    english = http.request(method, path, content=body, headers=headers).json()["detail"]
    assert english.isascii() and "Input should" not in english and "Field required" not in english


def test_a_knowledge_base_that_a_caller_may_not_read_may_not_exist(http: httpx.Client) -> None:
    for language, sentence in (
        ("en", "nope does not exist, or you may not read it;"),
        ("zh", "nope 不存在，或您无权使用，"),
    ):
        body = {"question": QUESTION, "knowledge_base": "nope"}
        refused = http.post("/api/v1/ask", json=body, headers={"Accept-Language": language})
        assert (refused.status_code, refused.json()["code"]) == (403, "AccessDenied")
        assert sentence in refused.json()["detail"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(http: httpx.Client) -> None:
    refused = http.post("/api/v1/ask", content=b"x" * 4_000_001, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (413, "RequestTooLarge")

    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    refused = http.post("/api/v1/ask", content=endless(), headers={"Content-Type": "application/json"})
    assert refused.status_code == 413


def test_a_key_has_two_uploads_at_once_and_the_others_have_theirs(api: OfflineServer, counted: list[str]) -> None:
    gate = threading.Event()
    files = "/api/v1/knowledge-bases/default/files"

    def held() -> Iterator[bytes]:
        yield b"the beginning, "
        assert gate.wait(timeout=20)
        yield b"the end"

    key = api.key("documents:write")
    with api.client(key) as http, api.client(api.key()) as other, ThreadPoolExecutor(2) as threads:
        open_ = [threads.submit(http.put, f"{files}/held-{number}.md", content=held()) for number in range(2)]
        until(lambda: len(counted) == 4)  # as requests and as uploads
        refused = http.put(f"{files}/more.md", content=b"words", headers={"Accept-Language": "zh"})
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "TooManyAtOnce"
        assert refused.json()["detail"] == "同一个 API 密钥最多同时进行 2 个上传，请等其中一个结束后重试。"
        assert int(refused.headers["retry-after"]) > 0
        assert http.get(files).status_code == 200, "what is no upload is served"
        assert other.put(f"{files}/other.md", content=b"words").status_code == 202
        gate.set()
        assert [one.result().status_code for one in open_] == [202, 202]
        assert http.put(f"{files}/more.md", content=b"words").status_code == 202
        assert http.delete(files).status_code == 204


def test_an_upload_beyond_the_days_megabytes_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with offline_server(tmp_path, person_upload_megabytes_a_day=1) as served:
        place = urlsplit(served.url)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
        with closing(connection):
            connection.putrequest("PUT", "/api/v1/knowledge-bases/default/files/large.md")
            for name, value in (served.key("documents:write") | {"Content-Length": "1000001"}).items():
                connection.putheader(name, value)
            connection.endheaders()
            refused = connection.getresponse()  # and nothing of the body was sent
            assert (refused.status, json.load(refused)["code"]) == (429, "UploadsUsedUp")
        with served.client(served.key("documents:write")) as http:  # nor was it counted
            answer = http.put("/api/v1/knowledge-bases/default/files/small.md", content=b"x" * 1_000_000)
            assert answer.status_code == 202


def test_a_key_has_so_many_streams_open_and_the_others_have_theirs(tmp_path: Path) -> None:
    with offline_server(tmp_path, max_waiting=4, person_waiting=3, parallel_slots=1) as served, ExitStack() as open_:
        served.model.say("You can send", " back any item", held=True)
        http = open_.enter_context(served.client(served.key()))
        turn_id = http.post("/api/v1/turns", json={"question": QUESTION}).json()["turn_id"]
        streams = open_.enter_context(ExitStack())
        for _ in range(1 + 3 + 16):  # a slot, three that may wait, and sixteen more
            stream = streams.enter_context(http.stream("GET", f"/api/v1/turns/{turn_id}/events"))
            assert stream.status_code == 200
        refused = http.get("/api/v1/turns")
        assert (refused.status_code, refused.json()["code"]) == (429, "TooManyAtOnce")
        assert "20 requests" in refused.json()["detail"]
        refused = http.get("/v1/models")
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
        other = open_.enter_context(served.client(served.key()))
        assert other.get("/v1/models").status_code == 200
        assert http.get("/healthz").status_code == 200
        streams.close()
        until(lambda: http.get("/v1/models").status_code == 200)


def test_it_tells_whether_it_lives_and_can_answer(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    for path in ("/healthz", "/readyz"):
        probe = http.head(path)
        assert (probe.status_code, probe.content) == (200, b"")
    ready = http.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["model_name"]) == (200, True, "scripted")
    assert "answerdesk_" in http.get("/metrics").text
    description = http.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")


def test_the_figures_are_of_the_callers_knowledge_bases_and_have_no_words(tmp_path: Path) -> None:
    with offline_server(tmp_path) as served, served.client(served.key()) as http:
        turn_id = http.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}).json()["turn_id"]
        with served.client(served.key("metrics")) as watcher:
            answer = watcher.get("/api/v1/performance", params={"window": "24h"})
            assert watcher.get("/api/v1/performance", params={"window": "1y"}).status_code == 422
        with served.client(served.key("metrics", scopes=("finance",))) as other:
            assert other.get("/api/v1/performance").json()["asked"] == 0
    found = answer.json()
    assert (found["seconds"], found["asked"], found["turns"]) == (86_400.0, 1, {"done": 1})
    stages = {one["name"]: one for one in found["stages"]}
    assert {"evidence", "total", "answer"} <= set(stages)
    total = stages["total"]
    assert (total["n"], total["p50"]) == (1, total["p99"])
    assert (found["objective"]["n"], found["models"]) == (1, [{"name": "scripted", "stand_in": True}])
    assert [one["turn_id"] for one in found["slowest"]] == [turn_id]
    assert QUESTION not in answer.text


def test_too_many_questions_are_told_when_the_next_may_come(api: OfflineServer) -> None:
    with api.client(api.key("ask", pace=2)) as http:
        answers = [http.post("/api/v1/turns", json={"question": QUESTION}) for _ in range(3)]
    assert [one.status_code for one in answers] == [202, 202, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["code"] == "QuestionsTooFast"


def test_each_user_of_a_program_has_a_persons_limits_with_the_right(tmp_path: Path) -> None:
    with offline_server(tmp_path, person_questions_a_minute=1) as served:

        def statuses(headers: dict[str, str], *users: str) -> list[int]:
            with served.client(headers) as program:
                return [
                    program.post("/api/v1/turns", json={"question": QUESTION, "user": user}).status_code
                    for user in users
                ]

        assert statuses(served.key("ask", "users"), "lin", "mei", "lin") == [202, 202, 429]
        assert statuses(served.key("ask"), "lin", "mei") == [202, 429]


def test_a_key_that_invents_users_leaves_the_others_their_places(tmp_path: Path) -> None:
    with offline_server(tmp_path) as served:
        served.model.say("You can send", " back any item", held=True)

        def ask(http: httpx.Client, user: int, *, until_it_is: str) -> None:
            body = {"question": f"{QUESTION} ({user})", "user": f"user {user}", "fresh": True}
            address = http.post("/api/v1/turns", json=body).headers["location"]
            until(lambda: http.get(address).json()["state"] == until_it_is)

        with served.client(served.key()) as program, served.client(served.key()) as other:
            for user in range(18):  # two are answered, and 16 of 64 wait
                ask(program, user, until_it_is="reading" if user < 2 else "queued")
            refused = program.post("/api/v1/ask", json={"question": f"{QUESTION} (18)", "user": "user 18"})
            assert (refused.status_code, refused.json()["code"]) == (429, "OwnQueueFull")
            assert refused.json()["detail"].startswith("16 of your questions are already waiting")
            ask(other, 19, until_it_is="queued")


def test_ten_programs_stream_at_once(api: OfflineServer) -> None:
    texts: list[str] = []

    def ask() -> None:
        with api.client(api.key()) as http:
            body, accept = {"question": QUESTION, "fresh": True}, {"Accept": "text/event-stream"}
            text = http.post("/api/v1/ask", json=body, headers=accept).text
            texts.append(events_of(text)[-1][2]["text"])

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert texts == [SENTENCE] * 10
