"""Drafts in other words over REST: what is taken, what the check found, who may, and that nobody waits for who left."""

from collections.abc import Iterator
from threading import Thread

import httpx
import pytest

from tests.api.offline_server import QUESTION, OfflineServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

DRAFT = "You can send back any item within 30 days of delivery."


@pytest.fixture
def http(api: OfflineServer) -> Iterator[httpx.Client]:
    with api.client(api.key()) as client:
        yield client


@pytest.fixture
def address(http: httpx.Client) -> str:
    turn_id = http.post("/api/v1/ask", json={"question": QUESTION, "fresh": True}).json()["turn_id"]
    return f"/api/v1/turns/{turn_id}/rewritings"


def body(wish: str = "friendlier", text: str = DRAFT) -> dict[str, str]:
    return {"text": text, "wish": wish}


def test_a_draft_comes_back_in_other_words(api: OfflineServer, http: httpx.Client, address: str) -> None:
    api.model.say(f"Thank you for asking! {DRAFT}")
    written = http.post(address, json=body())
    assert written.status_code == 200
    assert written.json() == {
        "turn_id": address.split("/")[4],
        "wish": "friendlier",
        "state": "done",
        "text": f"Thank you for asking! {DRAFT}",
        "finding": None,
        "model": "scripted",
        "stand_in": True,
    }


def test_a_text_whose_facts_changed_is_not_given(api: OfflineServer, http: httpx.Client, address: str) -> None:
    api.model.say(DRAFT.replace("30", "14"))
    refused = http.post(address, json=body("formal"), headers={"Accept-Language": "zh"}).json()
    assert (refused["state"], refused["text"]) == ("refused", "")
    finding = refused["finding"]
    assert (finding["reason"], finding["before"], finding["after"]) == ("changed", "30 days", "14 days")
    assert "14 days" in finding["detail"]
    assert "模型" in finding["detail"]


def test_what_cannot_be_rewritten_is_said(http: httpx.Client, address: str) -> None:
    for unusable in (body("translate"), body(text="a " * 4001)):
        refused = http.post(address, json=unusable)
        assert (refused.status_code, refused.json()["code"]) == (409, "RewritingUnusable")
    assert http.post(address, json=body("sillier")).json()["code"] == "RequestUnusable"
    assert http.post("/api/v1/turns/nothing/rewritings", json=body()).json()["code"] == "TurnMissing"


def test_a_model_that_fails_is_told_as_a_problem(
    api: OfflineServer, http: httpx.Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.writings, "_deadline_seconds", 0.0)
    api.model.say("You can", " send", held=True)
    failed = http.post(address, json=body())
    assert (failed.status_code, failed.json()["code"]) == (503, "ModelTooSlow")
    assert failed.json()["turn_id"] == address.split("/")[4]


def test_others_drafts_need_the_right_to_their_turns_and_customers_have_none(api: OfflineServer, address: str) -> None:
    with api.client(api.key("ask")) as stranger:
        assert stranger.post(address, json=body()).json()["code"] == "TurnMissing"
    with api.client(api.key("ask", "turns:read")) as reader:
        assert reader.post(address, json=body()).json()["code"] == "RightMissing"
    with api.client(api.key("ask", "turns:read", "turns:write")) as lead:
        api.model.say(f"Hello! {DRAFT}")
        assert lead.post(address, json=body()).json()["state"] == "done"
    with api.client(api.key("ask", audience="public")) as customer:
        turn_id = customer.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
        refused = customer.post(f"/api/v1/turns/{turn_id}/rewritings", json=body())
        assert (refused.status_code, refused.json()["code"]) == (403, "NotPermitted")


def test_it_counts_as_a_question_of_the_key(api: OfflineServer) -> None:
    with api.client(api.key("ask", pace=1)) as http:
        turn_id = http.post("/api/v1/ask", json={"question": QUESTION}).json()["turn_id"]
        refused = http.post(f"/api/v1/turns/{turn_id}/rewritings", json=body())
        assert (refused.status_code, refused.json()["code"]) == (429, "QuestionsTooFast")


def test_who_leaves_frees_the_model(api: OfflineServer, http: httpx.Client, address: str) -> None:
    api.model.say("You can", " send", held=True)

    def leave() -> None:
        with pytest.raises(httpx.ReadTimeout):
            http.post(address, json=body(), timeout=1.0)

    leaving = Thread(target=leave)
    leaving.start()
    until(lambda: api.model.answering == 1)
    leaving.join()
    until(lambda: api.model.answering == 0)
