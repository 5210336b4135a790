"""What a tab's socket is told: of its own turn, passages first and once, and of nothing that it may not see."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from api.services.turn_feeds import FollowedTurn, TurnFeeds
from rag.errors import DatabaseUnavailable, SignInNeeded
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.turn_store import TurnStore
from rag.turns import PersonalTurns, TurnRequest, TurnService
from tests.ui.scenes import WORDS
from tests.ui.scripted_desk import Gates, ScenePipeline
from ui.request_guard import NO_SIGN_IN
from ui.turn_feed import FEED_PATH, UNKNOWN_TAB, _FeedState, feed_route

pytestmark = pytest.mark.slow


class Desk:
    """Turns behind gates, and the socket's route."""

    def __init__(self, folder: Path) -> None:
        self.gates = Gates()
        self.feeds = TurnFeeds()
        self.signed_in = threading.Event()
        self.signed_in.set()
        self.refused = threading.Event()
        self.away = threading.Event()
        self.scopes: frozenset[str] | None = None
        pipeline = ScenePipeline(self.gates)
        self.turns = TurnService(lambda knowledge_base, user: pipeline, TurnStore(folder / "turns.db"), 4)
        self.personal = PersonalTurns(self.turns, KnowledgeBases(folder / "knowledge"), self._who)

    def ask(self, question: str, until: str) -> FollowedTurn:
        """Ask, and let the answer come as far as the gate ``until``."""
        self.gates.prepare(question, "done", until)
        return FollowedTurn(
            self.turns.submit(question, TurnRequest(question, session=LOCAL_USER.name)), "en", self.personal
        )

    async def user_of(self, connection: HTTPConnection) -> User:
        """Return who a socket's cookie names, with the rights that they have now."""
        name = connection.cookies.get("name")
        return self._who() if name is None else User(name, "admin", None)

    def _who(self) -> User:
        if self.away.is_set():
            self.refused.set()
            raise DatabaseUnavailable(server="db", reason="it is away")
        if not self.signed_in.is_set():
            self.refused.set()
            raise SignInNeeded
        return replace(LOCAL_USER, scopes=self.scopes)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.turns.close()


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=[feed_route(lambda: desk.feeds, desk.user_of)])) as made:
        yield made


def listening(client: TestClient, tab: str = "tab", name: str = "") -> WebSocketTestSession:
    return client.websocket_connect(f"{FEED_PATH}?tab={tab}", headers={"Cookie": f"name={name}"} if name else {})


def heard_until(socket: WebSocketTestSession, state: str) -> list[dict[str, dict[str, object]]]:
    """Return what is told until the turn is in this state."""
    heard = []
    while not heard or heard[-1]["feed"]["state"] != state:
        heard.append(socket.receive_json())
    return heard


def test_passages_are_told_once_and_before_the_model_speaks_and_the_end_is_told(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, None)
    with listening(client) as socket:
        followed = desk.ask("How long?", "think")
        desk.feeds.follow("tab", LOCAL_USER.name, followed)
        heard = heard_until(socket, "reading")
        desk.gates.prepare("How long?", "done", "all")
        heard += heard_until(socket, "done")
    with_passages = [one for one in heard if "evidence" in one]
    assert [len(one["evidence"]["passages"]) for one in with_passages] == [5]  # type: ignore[arg-type]
    assert with_passages[0]["evidence"]["turn"] == followed.turn_id
    assert {one["feed"]["turn"] for one in heard} == {followed.turn_id}
    assert heard[-1]["feed"]["final"] is True
    versions = [one["feed"]["version"] for one in heard]
    assert len(versions) == len(set(versions))


def test_passages_that_a_second_search_adds_are_told_with_the_others(desk: Desk) -> None:
    desk.gates.prepare("How long?", "done", "all")
    turn_id = desk.turns.submit("How long?", TurnRequest("How long?", session=LOCAL_USER.name))
    whole = desk.turns.wait(turn_id, lambda turn: turn.final, timeout_seconds=10)
    told = _FeedState()
    first = replace(whole, evidence=whole.evidence[:3])
    shown = [told.next(snapshot, "en").get("evidence") for snapshot in (first, first, whole)]
    assert [len(data["passages"]) if data else 0 for data in shown] == [3, 0, 5]


def test_a_tab_that_comes_later_or_again_is_told_all(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "think"))
    for _ in range(2):
        with listening(client) as socket:
            heard = heard_until(socket, "reading")
        assert sum("evidence" in one for one in heard) == 1


def test_another_turn_takes_the_place_of_the_first(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("The first?", "think"))
    with listening(client) as socket:
        heard_until(socket, "reading")
        second = desk.ask(WORDS["zh"].question, "all")
        desk.feeds.follow("tab", LOCAL_USER.name, second)
        heard = heard_until(socket, "done")
        assert {one["feed"]["turn"] for one in heard} == {second.turn_id}
        desk.feeds.follow("tab", LOCAL_USER.name, second)  # the page ran again: nothing new is told
        third = desk.ask("The third?", "all")
        desk.feeds.follow("tab", LOCAL_USER.name, third)
        assert socket.receive_json()["feed"]["turn"] == third.turn_id


def test_who_is_signed_out_hears_no_more_and_the_page_is_told_why(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "think"))
    with listening(client) as socket:
        heard_until(socket, "reading")
        desk.signed_in.clear()
        desk.gates.prepare("How long?", "done", "all")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == NO_SIGN_IN


def test_who_loses_the_scope_while_the_model_writes_hears_no_more_and_the_page_runs_again(
    desk: Desk, client: TestClient
) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "think"))
    with listening(client) as socket:
        heard_until(socket, "reading")
        desk.scopes = frozenset({"payroll"})
        assert socket.receive_json() == {"redraw": True}
        desk.feeds.follow("tab", LOCAL_USER.name, None)  # the page has run again
        desk.scopes = None
        desk.gates.prepare("How long?", "done", "all")
        after = desk.ask("And then?", "all")
        desk.feeds.follow("tab", LOCAL_USER.name, after)
        told = heard_until(socket, "done")
    assert {one["feed"]["turn"] for one in told} == {after.turn_id}


@pytest.mark.parametrize("shows", ["a finished turn", "none"])
def test_a_page_that_nobody_touches_is_told_of_other_rights_and_of_the_end_of_the_sign_in(
    desk: Desk, client: TestClient, monkeypatch: pytest.MonkeyPatch, shows: str
) -> None:
    monkeypatch.setattr("ui.turn_feed._RIGHTS_SECONDS", 0.05)
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "all") if shows == "a finished turn" else None)
    with listening(client) as socket:
        if shows == "a finished turn":
            heard_until(socket, "done")
        desk.scopes = frozenset({"payroll"})
        assert socket.receive_json() == {"redraw": True}
        desk.away.set()
        assert desk.refused.wait(10)
        desk.away.clear()  # the page hears nothing of an outage that it need not hear of
        desk.signed_in.clear()
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == NO_SIGN_IN


def test_a_frame_of_either_kind_that_no_page_sends_is_no_failure(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, None)
    with listening(client) as socket:
        socket.send_bytes(b"\xff\x00")
        socket.send_text("nothing")
        desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "all"))
        heard_until(socket, "done")


def test_while_the_database_is_away_nothing_is_told_and_all_of_it_afterwards(desk: Desk, client: TestClient) -> None:
    followed = desk.ask("How long?", "line")
    desk.feeds.follow("tab", LOCAL_USER.name, followed)
    with listening(client) as socket:
        heard_until(socket, "queued")
        desk.away.set()
        assert desk.refused.wait(10)
        desk.gates.prepare("How long?", "done", "all")  # it goes on meanwhile
        desk.turns.wait(followed.turn_id, lambda snapshot: snapshot.final, timeout_seconds=10)
        desk.away.clear()
        assert heard_until(socket, "done")[-1]["feed"]["final"]


def test_a_token_that_no_page_has_is_told_nothing(client: TestClient) -> None:
    with listening(client, "guessed") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == UNKNOWN_TAB


def test_a_token_tells_nothing_to_another_person_than_the_tabs(desk: Desk, client: TestClient) -> None:
    desk.feeds.follow("tab", LOCAL_USER.name, desk.ask("How long?", "all"))
    with listening(client, name="mei") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == UNKNOWN_TAB


def test_a_tab_that_becomes_another_persons_tells_the_former_nothing_of_them(desk: Desk, client: TestClient) -> None:
    first, second, third = (desk.ask(f"The {number}?", "all") for number in ("first", "second", "third"))
    desk.feeds.follow("tab", "mei", first)
    with listening(client, name="mei") as socket:
        heard_until(socket, "done")
        desk.feeds.follow("tab", LOCAL_USER.name, second)
        desk.feeds.follow("tab", "mei", third)
        assert {one["feed"]["turn"] for one in heard_until(socket, "done")} == {third.turn_id}
        assert desk.feeds.followed("tab", LOCAL_USER.name) is None
