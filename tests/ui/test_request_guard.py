"""What comes before every page, file and socket: found by walking the application, not by a list of what there is."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.runtime import Runtime

from api.services.shared import PeopleServices
from api.services.start import open_people
from rag.errors import DatabaseUnavailable
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import Role
from rag.translate import translate
from tests.support.waiting import until
from tests.ui.served_parts import people_only
from ui.request_guard import (
    FOREIGN,
    NO_SIGN_IN,
    SESSION_KEPT_SECONDS,
    TOO_MANY,
    UNREADABLE,
    ConnectionLimits,
    RequestGuard,
    is_by_hand,
    page_headers,
)
from ui.server import DeskApplication
from ui.sign_in import COOKIE, cookie_name
from ui.turn_feed import UNKNOWN_TAB

DESK = "http://desk.test"
SOCKETS = "ws://desk.test"
OWN = {"Origin": DESK}
LOCAL = ("127.0.0.1", 50_000)
WITHOUT_SIGN_IN = {("GET", "/_stcore/health"), ("HEAD", "/_stcore/health")}
FORMS = {(method, path) for method in ("GET", "HEAD", "POST") for path in ("/sign-in", "/password")}


@pytest.fixture
def people(tmp_path: Path) -> PeopleServices:
    made = open_people(Settings(data_dir=tmp_path, sign_in="on"))
    made.people.add("root", "admin", None, "", by="test")
    return made


@pytest.fixture
def token(people: PeopleServices) -> str:
    return people.sign_ins.begin_for("root").token


class Inside:
    """What stands behind the guard: it answers everything, and remembers what reached it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await socket.accept()
            try:
                while True:
                    await socket.receive_bytes()
                    await socket.send_text("heard")
            except WebSocketDisconnect:
                return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture
def inside() -> Inside:
    return Inside()


def guarded(
    inside: ASGIApp, people: PeopleServices, limits: ConnectionLimits | None = None, client: object = LOCAL
) -> TestClient:
    limits = limits or ConnectionLimits(2, 1, lambda session: 0)
    guard = RequestGuard(inside, lambda: people, limits, lambda host: host in ("desk.test", "desk.test:81"))
    return TestClient(guard, DESK, follow_redirects=False, client=client)  # type: ignore[arg-type]


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


# The whole application


def every_route(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each method (WS for a socket) and path that is served, with something in place of each parameter."""
    for route in routes:
        if isinstance(route, Mount):
            yield from every_route(route.routes, prefix + route.path)
            yield from ((method, f"{prefix}{route.path}/{name}") for method in ("GET", "HEAD") for name in ("", "a.js"))
        elif isinstance(route, WebSocketRoute):
            yield "WS", prefix + _filled(route.path)
        else:
            assert isinstance(route, Route), route
            methods = route.methods or {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
            yield from ((method, prefix + _filled(route.path)) for method in sorted(methods))


def _filled(path: str) -> str:
    return re.sub(r"{[^}]+}", "anything", path)


@pytest.fixture
def own_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let an application be made, whose name is the desk's."""
    monkeypatch.setattr(Runtime, "_instance", None)
    before = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", ["desk.test"])
    yield
    config.set_option("server.allowedHosts", before)


@pytest.fixture(params=[False, True], ids=["desk", "desk and API"])
def application(people: PeopleServices, own_name: None, request: pytest.FixtureRequest) -> DeskApplication:
    return DeskApplication(services=lambda: people_only(people), api=request.param)


def served_routes(application: DeskApplication) -> list[tuple[str, str]]:
    starlette = application._build_starlette_app()
    return [*dict.fromkeys(every_route(starlette.routes))]


@pytest.mark.slow
def test_nothing_is_served_without_a_sign_in_but_the_forms_and_that_the_server_lives(
    application: DeskApplication,
) -> None:
    routes = served_routes(application)
    paths = {path for _, path in routes}
    assert {"/_stcore/stream", "/turn-feed"} <= {path for method, path in routes if method == "WS"}
    assert {"/media/anything", "/_stcore/metrics", "/_stcore/upload_file/anything/anything"} <= paths
    client = TestClient(application, DESK, follow_redirects=False)
    reached = set()
    for method, path in [*routes, ("GET", "/"), ("GET", "/knowledge"), ("POST", "/"), ("WS", "/"), ("WS", "/media/x")]:
        if method == "WS":
            with (
                client.websocket_connect(SOCKETS + path, headers=OWN) as socket,
                pytest.raises(WebSocketDisconnect) as closed,
            ):
                socket.receive_bytes()
            assert closed.value.code == NO_SIGN_IN, path
            continue
        for accept in ("text/html", "*/*"):
            answer = client.request(method, path, headers={**OWN, "Accept": accept})
            to_the_form = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?")
            if not to_the_form and (answer.status_code, answer.content) != (401, b""):
                reached.add((method, path))
    assert reached == WITHOUT_SIGN_IN | (FORMS & set(routes))
    assert len(routes) > 25


@pytest.mark.slow
def test_no_route_takes_a_body_whose_length_is_given_twice(application: DeskApplication) -> None:
    client = TestClient(application, DESK, follow_redirects=False)
    twice = {"Content-Length": "4", "Transfer-Encoding": "chunked"}
    for method, path in served_routes(application):
        if method != "WS":
            answer = client.request(method, path, headers=OWN | twice)
            assert (answer.status_code, answer.headers["connection"]) == (400, "close"), (method, path)


@pytest.mark.slow
def test_every_route_asks_for_the_desks_own_name_and_page_first(application: DeskApplication, token: str) -> None:
    client = TestClient(application, DESK, follow_redirects=False, headers=cookie(token))
    for method, path in served_routes(application):
        for headers in (
            {"Host": "evil.example", "Origin": "http://evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": "http://desk.test:81"},
            {"Origin": "https://desk.test"},
            {"Origin": "null"},
        ):
            if method == "WS":
                with (
                    pytest.raises(WebSocketDisconnect) as closed,
                    client.websocket_connect(SOCKETS + path, headers=headers),
                ):
                    pass
                assert closed.value.code == FOREIGN, (path, headers)
            else:
                assert client.request(method, path, headers=headers).status_code == 403, (method, path, headers)


@pytest.mark.slow
@pytest.mark.parametrize("application", [True], indirect=True)
@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/knowledge-bases", "/metrics", "/openapi.json", "/mcp"])
def test_beside_the_desk_the_api_asks_for_its_keys_and_the_desks_name(
    application: DeskApplication, token: str, path: str
) -> None:
    client = TestClient(application, DESK, follow_redirects=False, headers=cookie(token))
    assert client.get(path).status_code == 401, "a sign-in is no key"
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.slow
def test_a_tabs_token_opens_its_socket_to_the_tabs_own_person_only(
    people: PeopleServices, token: str, own_name: None
) -> None:
    people.people.add("lin", "agent", [], "", by="test")
    services = people_only(people)
    services.feeds.follow("tab", "lin", None)
    client = TestClient(DeskApplication(services=lambda: services), DESK)
    path = SOCKETS + "/turn-feed?tab=tab"
    with (
        client.websocket_connect(path, headers=cookie(token) | OWN) as refused,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        refused.receive_bytes()
    assert closed.value.code == UNKNOWN_TAB
    lin = cookie(people.sign_ins.begin_for("lin").token)
    with client.websocket_connect(path, headers=lin | OWN):
        until(lambda: "tab" in services.feeds._sockets)


# Pages of others


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_must_come_from_a_page_of_the_desk(
    inside: Inside, people: PeopleServices, token: str, method: str
) -> None:
    client = guarded(inside, people)
    assert client.request(method, "/any", headers=cookie(token)).status_code == 403
    assert inside.scopes == []
    assert client.request(method, "/any", headers=cookie(token) | OWN).text == "inside"


def test_streamlit_sees_no_origin_whose_owner_it_would_look_up(
    inside: Inside, people: PeopleServices, token: str
) -> None:
    guarded(inside, people).get("/media/x", headers=cookie(token) | OWN)
    (scope,) = inside.scopes
    assert b"origin" not in dict(scope["headers"])
    assert dict(scope["headers"])[b"cookie"].decode() == f"{COOKIE}={token}"


def test_a_socket_without_an_origin_is_no_browsers(inside: Inside, people: PeopleServices, token: str) -> None:
    client = guarded(inside, people)
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect(SOCKETS + "/any", headers=cookie(token)),
    ):
        pass
    assert (closed.value.code, inside.scopes) == (FOREIGN, [])
    with client.websocket_connect(SOCKETS + "/any", headers=cookie(token) | OWN) as socket:
        socket.send_bytes(b"a")
        assert socket.receive_text() == "heard"


@pytest.mark.parametrize("host", ["desk.test/sign-in?", "desk.test@evil.example", "", "evil.example"])
def test_a_strange_host_opens_no_path(inside: Inside, people: PeopleServices, host: str) -> None:
    answer = guarded(inside, people).get("/desk", headers={"Host": host, "Accept": "text/html"})
    assert (answer.status_code, inside.scopes) == (403, [])
    assert "ANSWERDESK_HOST_NAMES" in answer.text
    assert "工作台未启用此地址" in answer.text


def test_over_https_only_the_cookie_that_no_other_host_can_set_counts(
    inside: Inside, people: PeopleServices, token: str
) -> None:
    guard = RequestGuard(inside, lambda: people, ConnectionLimits(2, 1, lambda session: 0), lambda host: True)
    client = TestClient(guard, "https://desk.test", follow_redirects=False)
    assert client.get("/x", headers=cookie(token)).status_code == 401
    named = cookie_name(COOKIE, secure=True)
    assert named == "__Host-answerdesk_sign_in"
    assert client.get("/x", headers={"Cookie": f"{named}={token}"}).text == "inside"


# The person


@pytest.mark.slow
def test_an_end_of_a_sign_in_acts_at_the_next_request(inside: Inside, people: PeopleServices) -> None:
    client = guarded(inside, people)
    people.people.add("lin", "agent", [], "", by="test")
    for end in (
        lambda token: people.sign_ins.end(token),
        lambda token: people.people.sign_out_everywhere("lin", by="test"),
        lambda token: people.people.set_disabled("lin", True, by="test"),
    ):
        token = people.sign_ins.begin_for("lin").token
        assert client.get("/media/x", headers=cookie(token)).status_code == 200
        end(token)
        assert client.get("/media/x", headers=cookie(token)).status_code == 401


def test_what_a_person_does_is_use_and_what_a_page_does_by_itself_is_not(
    inside: Inside, people: PeopleServices, token: str
) -> None:
    def noted() -> int:
        with people.sign_ins._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM sign_in_use").fetchone()[0])

    def frame(*, auto: bool) -> bytes:
        message = BackMsg()
        message.rerun_script.is_auto_rerun = auto
        return bytes(message.SerializeToString())

    client = guarded(inside, people)
    client.get("/static/a.js", headers=cookie(token))
    with client.websocket_connect(SOCKETS + "/_stcore/stream", headers=cookie(token) | OWN) as socket:
        for number, sent in enumerate((frame(auto=True), b"", frame(auto=False))):
            assert noted() == 0, number
            socket.send_bytes(sent)
            socket.receive_text()
    assert noted() == 1
    assert not is_by_hand(b"")


@pytest.mark.parametrize("sent", ["a text", b"\xff\xff"])
@pytest.mark.parametrize("sign_in", ["on", "off"])
def test_what_no_page_sends_closes_its_socket_and_reaches_nothing(
    inside: Inside, tmp_path: Path, sign_in: Literal["on", "off"], sent: str | bytes
) -> None:
    people = open_people(Settings(data_dir=tmp_path, sign_in=sign_in))
    people.people.add("root", "admin", None, "", by="test")
    headers = cookie(people.sign_ins.begin_for("root").token) | OWN
    with guarded(inside, people).websocket_connect(SOCKETS + "/_stcore/stream", headers=headers) as socket:
        socket.send_text(sent) if isinstance(sent, str) else socket.send_bytes(sent)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == UNREADABLE


@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("lead", 200), ("admin", 200)])
def test_streamlits_counts_of_everybodys_pages_are_for_leads(
    inside: Inside, people: PeopleServices, role: Role, status: int
) -> None:
    people.people.add("lin", role, [], "", by="test")
    client = guarded(inside, people)
    headers = cookie(people.sign_ins.begin_for("lin").token)
    for method in ("GET", "HEAD"):
        for path in ("/_stcore/metrics", "/_stcore/%6detrics?families=session_duration_seconds"):
            assert client.request(method, path, headers=headers).status_code == status
    assert client.get("/_stcore/health", headers=headers).status_code == 200


# Without sign-in


@pytest.fixture
def nobody(tmp_path: Path) -> PeopleServices:
    return open_people(Settings(data_dir=tmp_path, sign_in="off"))


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"]
)
def test_a_desk_without_sign_in_serves_nobody_through_a_proxy(
    inside: Inside, nobody: PeopleServices, header: str
) -> None:
    client = guarded(inside, nobody)
    assert client.get("/", headers={"Accept": "text/html"}).text == "inside"
    answer = client.get("/", headers={header: "127.0.0.1", "Accept": "text/html"})
    assert answer.status_code == 403
    assert "ANSWERDESK_SIGN_IN=on" in answer.text
    assert "未启用登录" in answer.text
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKETS + "/any", headers=OWN | {header: "::1"}):
        pass


@pytest.mark.parametrize("peer", [("192.0.2.7", 1), ("fe80::1", 1), None])
def test_a_desk_without_sign_in_serves_this_machine_only(inside: Inside, nobody: PeopleServices, peer: object) -> None:
    assert guarded(inside, nobody, client=peer).get("/").status_code == 403
    assert inside.scopes == []
    assert guarded(inside, nobody, client=("::1", 1)).get("/").status_code == 200


# Limits


@pytest.mark.slow
def test_too_many_pages_are_told_in_words_and_room_comes_back(
    inside: Inside, people: PeopleServices, token: str
) -> None:
    now = itertools.count(0, 0.001)
    client = guarded(inside, people, ConnectionLimits(2, 1, lambda session: 0, lambda: next(now)))
    headers, page = cookie(token) | OWN, {"Accept": "text/html"}

    def open_one() -> object:
        return client.websocket_connect(SOCKETS + "/_stcore/stream", headers=headers)

    with open_one(), open_one():
        answer = client.get("/", headers=cookie(token) | page)
        assert answer.status_code == 429
        assert "the limit is 2" in answer.text
        assert "最多 2 个" in answer.text
        with pytest.raises(WebSocketDisconnect) as closed, open_one():
            pass
        assert closed.value.code == TOO_MANY
        with client.websocket_connect(SOCKETS + "/turn-feed", headers=headers):
            pass
        other = people.people.add("lin", "agent", [], "", by="test").name
        theirs = cookie(people.sign_ins.begin_for(other).token)
        assert client.get("/", headers=theirs | page).status_code == 200
    assert client.get("/", headers=cookie(token) | page).status_code == 200


def test_pages_that_were_closed_cost_memory_for_a_while() -> None:
    clock = [0.0]
    limits = ConnectionLimits(2, 1, lambda session: 0, lambda: clock[0])
    for _ in range(8):
        with limits.tab("lin", "page"):
            pass
    with pytest.raises(Exception, match="too many pages"):
        limits.require_tab("lin", "page")
    limits.require_tab("mei", "page")
    clock[0] = SESSION_KEPT_SECONDS
    limits.require_tab("lin", "page")
    assert (dict(limits._open), dict(limits._opened)) == ({}, {})


@pytest.mark.slow
def test_uploads_of_a_person_are_bounded_also_while_they_arrive(
    inside: Inside, people: PeopleServices, token: str
) -> None:
    held = {"s1": 0}
    limits = ConnectionLimits(2, 1, lambda session: held.get(session, 0))
    client = guarded(inside, people, limits)
    headers = cookie(token) | OWN

    def put(session: str, size: int) -> int:
        return client.put(f"/_stcore/upload_file/{session}/f", content=b"x" * size, headers=headers).status_code

    assert put("s1", 600_000) == 200
    held["s1"] = 600_000
    assert put("s2", 500_000) == 413
    answer = client.put(
        "/_stcore/upload_file/s2/f", content=b"x" * 500_000, headers=headers | {"Accept-Language": "zh-CN"}
    )
    assert answer.text == "您已上传的文件将超过 1 MB，请先提交或移除部分文件。"
    held["s1"] = 0  # handed in
    assert put("s2", 500_000) == 200
    with limits.upload("root", "s3", 500_000):
        assert put("s4", 600_000) == 413
    assert put("s4", 600_000) == 200
    chunked = client.put("/_stcore/upload_file/s1/f", content=iter([b"x"]), headers=headers)
    assert chunked.status_code == 411


# What a browser is told


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["emptied", "deleted"])
@pytest.mark.parametrize("sign_in", ["on", "auto"])
def test_a_desk_whose_users_are_lost_lets_nobody_in_and_says_why(
    sign_in: str, lost: str, inside: Inside, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    people = open_people(Settings(data_dir=tmp_path).changed(sign_in=sign_in))
    people.people.add("root", "admin", None, "", by="test")
    session = cookie(people.sign_ins.begin_for("root").token)
    desk = guarded(inside, people)
    assert desk.get("/", headers=session).status_code == 200
    for file in tmp_path.glob("people.db*"):
        file.unlink()
    if lost == "emptied":
        (tmp_path / "people.db").touch()
    for store in (people.people, people.sign_ins):
        store.close()  # the connections of threads that have ended
    page = desk.get("/", headers={**session, "Accept": "text/html"})
    assert page.status_code == 503
    assert "A database of the server is damaged" in page.text and "服务器的数据库已损坏" in page.text
    assert str(tmp_path) not in page.text
    assert desk.get("/media/x.png", headers=session).status_code == 503
    assert desk.get("/_stcore/health").status_code == 200, "the process lives"
    opened = desk.websocket_connect(f"{SOCKETS}/_stcore/stream", headers=OWN | session)
    with pytest.raises(WebSocketDisconnect), opened:
        pass
    assert [str(tmp_path / "people.db") in record.getMessage() for record in caplog.records] == [True]
    assert len(inside.scopes) == 2


@pytest.mark.parametrize(("peer", "is_warned"), [("10.0.0.9", True), ("192.0.2.7", False)])
def test_a_proxy_is_warned_of_once_unless_it_was_believed(
    inside: Inside, people: PeopleServices, caplog: pytest.LogCaptureFixture, peer: str, is_warned: bool
) -> None:
    desk = guarded(inside, people, client=(peer, 0))
    for _ in range(2):
        desk.get("/", headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    said = [record.getMessage() for record in caplog.records if "ANSWERDESK_TRUSTED_PROXIES" in record.getMessage()]
    assert [peer in one for one in said] == [True] * is_warned


@pytest.mark.parametrize(("accepted", "lang", "first"), [("zh-CN,zh;q=0.9", "zh-CN", "zh"), ("en", "en", "en")])
def test_an_outage_is_told_in_the_readers_language_first_without_the_place_and_looked_at_again(
    inside: Inside, people: PeopleServices, monkeypatch: pytest.MonkeyPatch, accepted: str, lang: str, first: Language
) -> None:
    def away(people: PeopleServices) -> bool:
        raise DatabaseUnavailable(server="10.0.0.7:5432/desk", reason="connection refused")

    monkeypatch.setattr(PeopleServices, "required", away)
    page = guarded(inside, people).get("/", headers={"Accept": "text/html", "Accept-Language": accepted})
    assert (page.status_code, page.headers["refresh"]) == (503, "5")
    assert "10.0.0.7" not in page.text
    assert f'<html lang="{lang}"' in page.text
    said = [page.text.index(translate("errors.public.DatabaseUnavailable", one)) for one in ("en", "zh")]
    assert (said[0] < said[1]) == (first == "en")


def test_every_answer_says_what_may_be_loaded_beside_it(inside: Inside, people: PeopleServices, token: str) -> None:
    client = guarded(inside, people)
    for answer in (client.get("/", headers=cookie(token)), client.get("/media/x"), client.get("/_stcore/health")):
        for name, value in page_headers():
            assert answer.headers[name] == value
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in dict(page_headers())["content-security-policy"].split("; "))
    assert policy["frame-ancestors"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert policy["connect-src"] == "'self' data: blob:"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert "sha256-" in policy["script-src"]  # Streamlit's page still has its one script
