"""Sign-in over HTTP without a browser: the forms, the cookie, and what others try."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from api.services.shared import PeopleServices
from api.services.start import open_people
from rag.people import passwords
from rag.settings import Settings
from rag.translate import translate
from ui.request_guard import ConnectionLimits, RequestGuard
from ui.sign_in import COOKIE, Form, form_html, safe_path, sign_in_routes

pytestmark = pytest.mark.usefixtures("quick_hashes")

PASSWORD = "long enough, rarely tried"
DESK = "http://desk.test"
OWN = {"Origin": DESK}


@pytest.fixture
def people(tmp_path: Path) -> PeopleServices:
    return open_people(Settings(data_dir=tmp_path, sign_in="on"))


@pytest.fixture
def lin(people: PeopleServices) -> str:
    people.people.add("root", "admin", None, "", by="test")
    people.people.add("lin", "agent", ["default"], passwords.hash_password(PASSWORD), by="test")
    return "lin"


@pytest.fixture
def client(people: PeopleServices) -> Iterator[TestClient]:
    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("the desk")

    routes = [*sign_in_routes(lambda: people), Route("/desk", page), Route("/_stcore/health", page), Route("/", page)]
    with TestClient(
        guarded(Starlette(routes=routes), people), DESK, follow_redirects=False, headers={"Accept": "text/html"}
    ) as made:
        yield made


def guarded(application: Starlette, people: PeopleServices) -> RequestGuard:
    limits = ConnectionLimits(32, 300, lambda session: 0)
    return RequestGuard(application, lambda: people, limits, lambda host: host == "desk.test")


def sign_in(client: TestClient, name: str = "lin", password: str = PASSWORD, **fields: str) -> object:
    return client.post("/sign-in", data={"name": name, "password": password, "lang": "en", **fields}, headers=OWN)


@pytest.mark.slow
def test_who_comes_without_a_cookie_is_sent_to_the_form_and_back_again(client: TestClient, lin: str) -> None:
    sent = client.get("/desk?turn=abc&lang=zh")
    assert sent.status_code == 303
    form = client.get(sent.headers["location"])
    assert '<html lang="zh-CN" class="sign-in">' in form.text
    assert 'value="/desk?turn=abc&amp;lang=zh"' in form.text
    assert "default-src 'none'" in form.headers["content-security-policy"]
    done = client.post(
        "/sign-in", data={"name": lin, "password": PASSWORD, "next": "/desk?turn=abc&lang=zh"}, headers=OWN
    )
    assert (done.status_code, done.headers["location"]) == (303, "/desk?turn=abc&lang=zh")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/desk?turn=abc").text == "the desk"


def test_whether_the_server_is_alive_is_told_to_everybody(client: TestClient, lin: str) -> None:
    assert client.get("/_stcore/health").text == "the desk"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_wrong_password_is_said_without_telling_which_was_wrong(client: TestClient, lin: str, language: str) -> None:
    answers = [sign_in(client, name, "wrong password", lang=language) for name in ("lin", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    said = {"en": "Wrong name or password", "zh": "用户名或密码不正确"}[language]
    assert all(said in answer.text for answer in answers)
    assert all("wrong password" not in answer.text and "set-cookie" not in answer.headers for answer in answers)


@pytest.mark.slow
def test_too_many_attempts_are_told_when_to_come_again(client: TestClient, lin: str) -> None:
    assert [sign_in(client, password="wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 890 <= int(answer.headers["retry-after"]) <= 900
    assert translate("ui.sign_in_throttled", "en", minutes=15) in answer.text


@pytest.mark.parametrize(
    ("form", "name", "field"),
    [("sign_in", "", "name"), ("sign_in", "lin", "password"), ("first", "", "code"), ("password", "", "password")],
)
def test_a_form_has_one_field_where_the_cursor_stands(form: Form, name: str, field: str) -> None:
    html = form_html(form, "en", next_path="/", name=name)
    (focused,) = re.findall(r"<input [^>]*autofocus[^>]*>", html)
    assert f'id="{field}"' in focused


def test_the_form_says_who_helps_when_a_password_is_forgotten(client: TestClient, lin: str) -> None:
    assert translate("ui.password_forgotten", "zh") in client.get("/sign-in?lang=zh").text


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_another_sites_form_does_nothing(client: TestClient, lin: str, headers: dict[str, str]) -> None:
    answer = client.post("/sign-in", data={"name": lin, "password": PASSWORD}, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"name=" + b"x" * 20_000, b"&".join([b"a=1"] * 50)])
def test_what_is_no_form_is_refused(client: TestClient, lin: str, body: bytes) -> None:
    assert client.post("/sign-in", content=body, headers=OWN).status_code == 400


@pytest.mark.parametrize("value", ["forged", "", "a" * 4000, "%00"])
def test_a_forged_cookie_leads_to_the_form(client: TestClient, lin: str, value: str) -> None:
    client.cookies.set(COOKIE, value)
    assert client.get("/desk").headers["location"].startswith("/sign-in")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["disabled", "signed out"])
def test_a_cookie_that_was_good_leads_to_the_form_when_it_is_no_more(
    client: TestClient, lin: str, people: PeopleServices, ending: str
) -> None:
    sign_in(client)
    assert client.get("/desk").status_code == 200
    if ending == "disabled":
        people.people.set_disabled(lin, True, by="root")
    else:
        people.people.sign_out_everywhere(lin, by="root")
    assert client.get("/desk").status_code == 303


def test_an_attempt_to_inject_is_text(client: TestClient, lin: str) -> None:
    name = '"><script>alert(1)</script>'
    assert "<script" not in sign_in(client, name).text
    assert "<script" not in client.get("/sign-in", params={"next": f"/{name}", "name": name}).text


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb", "//["]
)
def test_nobody_is_led_elsewhere(client: TestClient, lin: str, path: str) -> None:
    assert safe_path(path) == "/"
    assert sign_in(client, next=path).headers["location"] == "/"


@pytest.mark.slow
def test_the_first_admin_is_made_with_the_terminals_code_once(client: TestClient, people: PeopleServices) -> None:
    form = client.get("/sign-in", params={"lang": "en"}).text
    assert translate("ui.first_admin", "en") in form
    good = {"name": "root", "password": PASSWORD, "again": PASSWORD, "lang": "en"}
    for fields, said in (
        ({"code": "AAAA-AAAA-AAAA"}, "This is not the code"),
        ({"password": "short", "again": "short"}, "at least 10"),
        ({"again": "another one here"}, "do not match"),
        ({"name": "local"}, "A name has"),
    ):
        answer = client.post("/sign-in", data=good | {"code": people.first_admin.code} | fields, headers=OWN)
        assert answer.status_code == 422
        assert said in answer.text
    answer = client.post("/sign-in", data=good | {"code": people.first_admin.code.lower()}, headers=OWN)
    assert answer.status_code == 303
    assert client.get("/desk").text == "the desk"
    assert [(one.name, one.role, one.scopes) for one in people.people.list()] == [("root", "admin", None)]
    client.cookies.clear()
    again = client.post("/sign-in", data=good | {"name": "eve", "code": people.first_admin.code}, headers=OWN)
    assert again.status_code == 401  # it is an ordinary sign-in by now, and nobody is called eve
    assert len(people.people.list()) == 1


@pytest.mark.slow
def test_wrong_codes_do_not_keep_the_first_admin_out(client: TestClient, people: PeopleServices) -> None:
    fields = {"code": "AAAA-AAAA-AAAA", "name": "root", "password": PASSWORD, "again": PASSWORD}
    statuses = [client.post("/sign-in", data=fields, headers=OWN).status_code for _ in range(120)]
    assert set(statuses) == {422}
    done = client.post("/sign-in", data=fields | {"code": people.first_admin.code}, headers=OWN)
    assert done.status_code == 303


@pytest.mark.slow
def test_a_password_is_changed_by_who_knows_the_old_one(client: TestClient, lin: str, people: PeopleServices) -> None:
    new = {"new": "another good one", "again": "another good one"}
    assert client.post("/password", data={"password": PASSWORD, **new}, headers=OWN).status_code == 401
    sign_in(client)
    assert client.post("/password", data={"password": "not this", **new}, headers=OWN).status_code == 401
    assert client.post("/password", data={"password": PASSWORD, **new, "new": "x"}, headers=OWN).status_code == 422
    done = client.post("/password", data={"password": PASSWORD, **new, "lang": "en"}, headers=OWN)
    assert translate("ui.password_changed", "en") in client.get(done.headers["location"]).text
    assert client.get("/desk").status_code == 303  # the old sign-in ended with the old password
    assert sign_in(client).status_code == 401
    assert sign_in(client, password="another good one").status_code == 303


@pytest.mark.slow
def test_where_nobody_has_to_sign_in_there_is_no_form(tmp_path: Path) -> None:
    nobody = open_people(Settings(data_dir=tmp_path))
    application = guarded(Starlette(routes=sign_in_routes(lambda: nobody)), nobody)
    with TestClient(application, DESK, follow_redirects=False, client=("127.0.0.1", 50_000)) as client:
        assert client.get("/sign-in").headers["location"] == "/"
        assert client.post("/sign-in", headers=OWN).headers["location"] == "/"
    nobody.people.add("root", "admin", None, "", by="test")
    assert nobody.required()
    assert not open_people(Settings(data_dir=tmp_path, sign_in="off")).required()
