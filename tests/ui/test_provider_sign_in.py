"""Whom another provider's claims name, as Streamlit keeps them in its signed cookie."""

import json
import time
from pathlib import Path

import pytest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.services.shared import PeopleServices
from api.services.start import open_people
from rag.errors import PeopleError, PersonUnknown, ProxyWithoutSignIn, SignInNeeded
from rag.settings import Settings
from rag.storage.access import LOCAL_USER
from ui import sign_in
from ui.session import _user
from ui.sign_in import sign_in_of

DESK = "https://desk.test"
SECRET = "a secret of this test"
MEI = {"email": "mei@example.org", "email_verified": True, "is_logged_in": True, "origin": DESK}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "get_cookie_secret", lambda: SECRET)


def opened(folder: Path, **settings: object) -> PeopleServices:
    made = open_people(Settings(data_dir=folder).changed(sign_in="on", **settings))
    made.people.add("mei@example.org", "agent", [], "", by="test")
    return made


def cookies(claims: dict[str, object], secret: str = SECRET) -> dict[str, str]:
    text = json.dumps({"iat": time.time(), **claims})
    return {USER_COOKIE_NAME: create_signed_value(secret, USER_COOKIE_NAME, text).decode()}


def test_a_verified_address_names_its_person(tmp_path: Path) -> None:
    people = opened(tmp_path)
    assert sign_in_of(people, cookies(MEI), DESK).user.name == "mei@example.org"
    assert sign_in_of(people, cookies(MEI | {"email_verified": "true"}), DESK).user.name == "mei@example.org"
    with pytest.raises(PersonUnknown):
        sign_in_of(people, cookies(MEI | {"email": "eve@example.org"}), DESK)


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "yes"},
        {"email_verified": 1.5},
        {"is_logged_in": False},
        {"email": ""},
        {"origin": "http://desk.test"},
        {"iat": time.time() - 13 * 3600},
    ],
)
def test_claims_that_name_nobody(tmp_path: Path, claims: dict[str, object]) -> None:
    with pytest.raises(SignInNeeded):
        sign_in_of(opened(tmp_path), cookies(MEI | claims), DESK)


def test_a_forged_cookie_names_nobody(tmp_path: Path) -> None:
    people = opened(tmp_path)
    for forged in (cookies(MEI, "another secret"), {USER_COOKIE_NAME: "forged"}, {USER_COOKIE_NAME: "\xff"}, {}):
        with pytest.raises(SignInNeeded):
            sign_in_of(people, forged, DESK)


def test_a_setting_lets_in_whose_provider_does_not_say(tmp_path: Path) -> None:
    people = opened(tmp_path, unverified_email=True)
    silent = {name: value for name, value in MEI.items() if name != "email_verified"}
    assert sign_in_of(people, cookies(silent), DESK).user.name == "mei@example.org"
    with pytest.raises(SignInNeeded):
        sign_in_of(people, cookies(MEI | {"email_verified": False}), DESK)


def test_an_unused_sign_in_of_a_provider_ends(tmp_path: Path) -> None:
    people = opened(tmp_path, sign_in_idle_hours=1)
    claims = MEI | {"iat": time.time() - 3601}
    with pytest.raises(SignInNeeded):
        sign_in_of(people, cookies(claims), DESK)
    assert isinstance(SignInNeeded(), PeopleError)


def test_the_page_itself_refuses_a_proxy_where_nobody_signs_in(tmp_path: Path) -> None:
    """Also where it is served without the guard (``streamlit run ui/app.py``)."""
    nobody = open_people(Settings(data_dir=tmp_path, sign_in="off"))
    assert _user(nobody, "127.0.0.1", True, "", {}) == LOCAL_USER
    with pytest.raises(ProxyWithoutSignIn):
        _user(nobody, "127.0.0.1", False, "", {})
