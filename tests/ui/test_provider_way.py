"""The way to a provider and back, with Streamlit's own routes and a provider that answers over HTTP."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from streamlit import config
from streamlit.runtime import Runtime
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.services.shared import PeopleServices
from api.services.start import open_people
from rag.errors import PersonUnusable, SignInNeeded
from rag.schema import Language
from rag.settings import Settings
from rag.translate import translate
from tests.ui.oidc_provider import CLIENT, Provider, serving
from tests.ui.served_parts import people_only
from ui.server import DeskApplication

DESK = "http://desk.test"
MEI = {"email": "mei@example.org", "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as made:
        made.claims = dict(MEI)
        yield made


@pytest.fixture
def people(tmp_path: Path) -> PeopleServices:
    made = open_people(Settings(data_dir=tmp_path, sign_in="on"))
    made.people.add("root", "admin", None, "", by="test")
    made.people.add("mei@example.org", "agent", [], "", by="test")
    return made


@pytest.fixture
def client(
    provider: Provider,
    people: PeopleServices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[TestClient]:
    secrets = tmp_path / "secrets.toml"
    table = getattr(request, "param", "")  # of a provider with a table of its own
    secrets.write_text(
        f'[auth]\nredirect_uri = "{DESK}/oauth2callback"\ncookie_secret = "a secret of this test, long enough"\n'
        f'{table}\nclient_id = "{CLIENT}"\nclient_secret = "x"\n'
        f'server_metadata_url = "{provider.address}/.well-known/openid-configuration"\n',
        "utf-8",
    )
    monkeypatch.setattr(Runtime, "_instance", None)
    before = {name: config.get_option(name) for name in ("server.allowedHosts", "secrets.files")}
    config.set_option("server.allowedHosts", ["desk.test"])
    config.set_option("secrets.files", [str(secrets)])
    secrets_singleton._reset()
    application = DeskApplication(services=lambda: people_only(people))
    yield TestClient(application, DESK, follow_redirects=False, headers={"Accept": "text/html"})
    for name, value in before.items():
        config.set_option(name, value)
    secrets_singleton._reset()


def led_to_provider(client: TestClient, language: Language = "en", page: str = "/") -> str:
    """Follow the form's link, and return where Streamlit leads to."""
    form = client.get(f"/sign-in?{urlencode({'lang': language, 'next': page})}")
    (link,) = re.findall(r'<a class="button" href="([^"]+)"', form.text)
    to_login = client.get(unescape(link))
    assert to_login.status_code == 303
    return client.get(to_login.headers["location"]).headers["location"]


def returned(client: TestClient, provider: Provider, location: str, **other: str) -> str:
    """Sign in at the provider, and return where the desk leads to."""
    return client.get("/oauth2callback", params=provider.visit(location) | other).headers["location"]


@pytest.mark.parametrize("client", ["", "[auth.staff]"], indirect=True, ids=["one provider", "a named provider"])
def test_the_forms_link_leads_to_the_provider(client: TestClient, provider: Provider) -> None:
    assert led_to_provider(client).startswith(f"{provider.address}/authorize?")


@pytest.mark.parametrize(
    ("page", "reached"), [("/knowledge?view=history&lang=zh",) * 2, ("https://evil.example/", "/")]
)
def test_a_sign_in_with_a_provider_leads_to_the_page_that_was_wanted(
    client: TestClient, provider: Provider, page: str, reached: str
) -> None:
    assert returned(client, provider, led_to_provider(client, page=page)) == reached
    assert USER_COOKIE_NAME in client.cookies
    assert client.get("/sign-in/provider").status_code == 303


def said_on_form(client: TestClient, location: str) -> str:
    """Return the alert of the form to which somebody is led."""
    assert location.startswith("/sign-in?")
    (said,) = re.findall(r'role="alert">([^<]+)<', client.get(location).text)
    return unescape(said)


@pytest.mark.parametrize(
    ("claims", "refusal", "language"),
    [
        ({"email": "eve@example.org"}, "unknown", "en"),
        ({"email": "eve@example.org"}, "unknown", "zh"),
        ({"email_verified": False}, "unverified", "zh"),
        ({"email": ""}, "unverified", "en"),
        ({"aud": "another"}, "unusable", "en"),
        ({"exp": 1}, "unusable", "zh"),
    ],
)
def test_the_form_says_why_a_provider_signed_nobody_in(
    client: TestClient, provider: Provider, claims: dict[str, object], refusal: str, language: Language
) -> None:
    provider.claims |= claims
    location = returned(client, provider, led_to_provider(client, language, "/knowledge"))
    assert said_on_form(client, location) == translate(f"ui.provider_{refusal}", language)
    assert USER_COOKIE_NAME not in client.cookies
    assert 'value="/knowledge"' in client.get(location).text


def test_a_disabled_person_is_told_so(client: TestClient, provider: Provider, people: PeopleServices) -> None:
    people.people.set_disabled("mei@example.org", True, by="root")
    location = returned(client, provider, led_to_provider(client))
    assert said_on_form(client, location) == translate("ui.provider_disabled", "en")


def test_what_a_provider_refuses_is_told_on_the_form(client: TestClient, provider: Provider) -> None:
    led_to_provider(client, "zh")
    location = client.get("/oauth2callback?error=access_denied&state=x").headers["location"]
    assert said_on_form(client, location) == translate("ui.provider_unusable", "zh")


def test_a_provider_that_is_away_leads_back_to_the_form(client: TestClient, provider: Provider) -> None:
    provider.is_away = True
    assert said_on_form(client, led_to_provider(client, "zh")) == translate("ui.provider_unusable", "zh")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login?provider=x", "/oauth2callback?error=x&state=x"])
def test_a_link_of_another_page_ends_no_sign_in(client: TestClient, provider: Provider, path: str) -> None:
    returned(client, provider, led_to_provider(client))
    assert client.get(path).status_code == 303
    assert USER_COOKIE_NAME in client.cookies


def test_a_sign_in_that_is_refused_ends_the_one_before(client: TestClient, provider: Provider) -> None:
    returned(client, provider, led_to_provider(client))
    provider.claims["email"] = "eve@example.org"
    returned(client, provider, led_to_provider(client))
    assert USER_COOKIE_NAME not in client.cookies


def test_a_word_of_a_link_is_not_said_on_the_form(client: TestClient) -> None:
    assert 'role="alert"' not in client.get("/sign-in?refused=call+0800").text


def test_a_person_of_a_provider_has_no_password_here_to_change(client: TestClient, provider: Provider) -> None:
    fields = {"password": "x", "new": "long enough, rarely tried", "again": "long enough, rarely tried", "lang": "en"}

    def said() -> str:
        form = client.post("/password", data=fields, headers={"Origin": DESK})
        return "".join(re.findall(r'role="alert">([^<]+)<', form.text))

    assert unescape(said()) == SignInNeeded().text("en")
    returned(client, provider, led_to_provider(client))
    assert unescape(said()) == PersonUnusable(reason="elsewhere").text("en")
