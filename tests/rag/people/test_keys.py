"""API keys over a real file: what they open, what ends them, and who may make them."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from rag.errors import (
    ApiKeyRefused,
    ApiKeyUnknown,
    ApiKeyUnusable,
    NotPermitted,
    PersonNeeded,
    PersonOutOfReach,
    PersonUnknown,
    PersonUnusable,
    ScopeNotHeld,
)
from rag.people.administration import KeyAdministration
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.keys import PUBLIC_RIGHTS, RIGHTS, ApiKey, ApiKeys, Right, in_order, least_role
from rag.schema import Audience
from rag.storage.access import LOCAL_USER, Role, User
from tests.support.places import Places

DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 8, 20, tzinfo=UTC)

    def __call__(self) -> float:
        return self.now.timestamp()


class Office:
    """People in every role, keys, and a clock that the test turns."""

    def __init__(self, places: Places) -> None:
        self.path = places("people")
        self.clock = Clock()
        self.people, self.audit = People(self.path), AuditTrail(self.path)
        self.keys = ApiKeys(self.path, clock=self.clock)
        self.people.add("root", "admin", None, "", by="test")
        self.people.add("Ann", "admin", ["default", "shop"], "", by="test")
        self.people.add("bo", "lead", ["default"], "", by="test")

    def made(
        self,
        *rights: Right,
        scopes: frozenset[str] | None = None,
        audience: Audience = "internal",
        owner: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[str, ApiKey]:
        return self.keys.add(
            "widget", rights or ["ask"], scopes, audience=audience, expires_at=expires_at, owner=owner, by="test"
        )

    def by(self, name: str) -> KeyAdministration:
        return KeyAdministration(self.keys, lambda: self.people.find(name).user)

    def refuses(self, secret: str) -> bool:
        try:
            self.keys.key_of(secret)
        except ApiKeyRefused:
            return True
        return False

    def close(self) -> None:
        self.keys.close()
        self.people.close()
        self.audit.close()


@pytest.fixture
def office(places: Places) -> Iterator[Office]:
    made = Office(places)
    yield made
    made.close()


def test_a_secret_names_its_key_and_only_its_hash_is_kept(office: Office, places: Places) -> None:
    secret, key = office.made("ask", "retrieve", scopes=frozenset({"default"}), audience="public", owner="ann")
    assert secret.startswith("ad_")
    assert len(secret) == 3 + 43  # 32 bytes as base64 without padding
    assert office.keys.key_of(secret) == key == office.keys.find(key.key_id) == office.keys.list()[0]
    assert (key.owner, key.created_at, key.used_at) == ("Ann", office.clock.now, None)
    assert key.user == User(f"key:{key.key_id}", "agent", frozenset({"default"}), "public")
    kept = b"".join(path.read_bytes() for path in places.folder.glob("people.db*"))
    kept += repr(places.ask("people", "SELECT * FROM api_key")).encode()
    assert secret.encode() not in kept
    assert secret[3:].encode() not in kept


@pytest.mark.parametrize("secret", ["", "ad_", "ad_forged", "x" * 10_000, "\udcff", "' OR 1=1 --"])
def test_a_forged_secret_opens_nothing(office: Office, secret: str) -> None:
    office.made()
    assert office.refuses(secret)


def test_no_person_can_have_the_name_of_a_key(office: Office) -> None:
    _, key = office.made()
    with pytest.raises(PersonUnusable):
        office.people.add(key.user.name, "admin", None, "", by="test")


@pytest.mark.parametrize(
    ("rights", "role"),
    [
        (["ask", "retrieve", "feedback", "documents:read"], "agent"),
        (["turns:read"], "lead"),
        (["turns:write"], "lead"),
        (["evaluate"], "lead"),
        (["metrics"], "lead"),
        (["ask", "curated:write"], "lead"),
        (["documents:write"], "lead"),
        (["ask", "publish", "turns:read"], "admin"),
    ],
)
def test_the_role_is_the_least_that_the_rights_need(office: Office, rights: list[Right], role: Role) -> None:
    secret, _ = office.made(*rights)
    assert office.keys.key_of(secret).user.role == role == least_role(rights)


def test_every_right_has_an_order() -> None:
    assert in_order(reversed(RIGHTS)) == RIGHTS
    assert least_role([]) == "agent"


def test_a_revoked_key_opens_nothing_from_the_next_request_on(office: Office) -> None:
    secret, key = office.made()
    other, _ = office.made()
    office.keys.key_of(secret)
    elsewhere = ApiKeys(office.path)  # as another process
    elsewhere.revoke(key.key_id, by="root")
    elsewhere.close()
    assert office.refuses(secret)
    assert not office.refuses(other)
    assert [one.revoked for one in office.keys.list()] == [True, False]
    for change in (office.keys.revoke, office.keys.roll):
        with pytest.raises(ApiKeyUnknown, match=key.key_id):
            change(key.key_id, by="root")


def test_a_key_ends_at_its_time(office: Office) -> None:
    secret, _ = office.made(expires_at=office.clock.now + DAY)
    office.clock.now += DAY - timedelta(seconds=1)
    assert not office.refuses(secret)
    office.clock.now += timedelta(seconds=1)
    assert office.refuses(secret)


def test_a_new_secret_ends_the_old_one(office: Office) -> None:
    old, key = office.made("ask", "publish")
    new = office.keys.roll(key.key_id, by="root")
    assert new != old
    assert office.refuses(old)
    assert office.keys.key_of(new) == key


def test_a_disabled_owners_key_is_refused_until_they_are_let_in_again(office: Office) -> None:
    secret, key = office.made(scopes=frozenset({"shop"}), owner="ann")
    assert office.keys.key_of(secret) == key
    office.people.set_disabled("Ann", True, by="root")
    assert office.refuses(secret)
    office.people.set_disabled("Ann", False, by="root")
    assert office.keys.key_of(secret) == key


def test_a_key_does_no_more_than_its_owner_at_that_moment(office: Office) -> None:
    secret, _ = office.made("ask", "turns:read", "publish", owner="Ann")
    assert office.keys.key_of(secret).scopes == {"default", "shop"}  # the key has no limits, Ann has
    for role, rights in (
        ("lead", {"ask", "turns:read"}),
        ("agent", {"ask"}),
        ("admin", {"ask", "turns:read", "publish"}),
    ):
        office.people.set_role("Ann", cast(Role, role), by="root")
        key = office.keys.key_of(secret)
        assert (key.user.role, key.rights) == (role, rights)
    office.people.set_scopes("Ann", ["shop", "hr"], by="root")
    assert office.keys.key_of(secret).user.scopes == {"shop", "hr"}
    limited, _ = office.made("ask", scopes=frozenset({"default", "shop"}), owner="Ann")
    assert office.keys.key_of(limited).user.scopes == {"shop"}
    office.people.set_scopes("Ann", None, by="root")
    assert office.keys.key_of(limited).user.scopes == {"default", "shop"}


def test_the_use_is_noted_to_the_hour_and_written_once_an_hour(office: Office) -> None:
    secret, key = office.made()
    office.keys.note_use(key.key_id)
    assert office.keys.find(key.key_id).used_at == datetime(2026, 6, 1, 8, tzinfo=UTC)
    version = office.keys._database.version()
    office.keys.key_of(secret)
    office.clock.now += timedelta(minutes=39)
    office.keys.note_use(key.key_id)
    assert office.keys._database.version() == version
    office.clock.now += timedelta(minutes=1)
    office.keys.note_use(key.key_id)
    office.keys.note_use("unknown")
    assert office.keys.key_of(secret).used_at == datetime(2026, 6, 1, 9, tzinfo=UTC)


def test_an_earlier_hour_of_another_process_is_not_written_over_a_later_one(office: Office) -> None:
    _, key = office.made()
    office.keys.note_use(key.key_id)
    late = Clock()
    late.now -= timedelta(hours=1)
    other = ApiKeys(office.path, clock=late)
    other.note_use(key.key_id)
    other.close()
    assert office.keys.find(key.key_id).used_at == datetime(2026, 6, 1, 8, tzinfo=UTC)


def test_every_change_is_recorded_with_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, key = office.made("publish", "ask", scopes=frozenset({"shop"}), audience="internal")
    new = office.keys.roll(key.key_id, by="root")
    office.keys.revoke(key.key_id, by="ann")
    revoked, rolled, added = office.audit.entries(3)
    assert (added.who, added.what, added.about) == ("test", "key_added", "widget")
    assert added.details == {"key": key.key_id, "rights": "ask, publish", "scopes": "shop", "audience": "internal"}
    assert (rolled.who, rolled.what, rolled.details) == ("root", "key_rolled", {"key": key.key_id})
    assert (revoked.who, revoked.what, revoked.about) == ("ann", "key_revoked", "widget")
    assert secret not in "".join(office.audit.lines())
    assert new not in "".join(office.audit.lines())
    monkeypatch.setattr("rag.people.keys.write_change", _fails)
    secret, count = "", len(office.keys.list())
    with pytest.raises(sqlite3.OperationalError):
        secret, _ = office.made()
    assert (secret, len(office.keys.list())) == ("", count)


def _fails(*_: object) -> None:
    raise sqlite3.OperationalError("no record")


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("name", {"name": "  "}),
        ("name", {"name": "a" * 65}),
        ("name", {"name": "two\nlines"}),
        ("rights", {"rights": []}),
        ("rights", {"rights": ["everything"]}),
        ("scopes", {"scopes": []}),
        ("expired", {"expires_at": datetime(2026, 6, 1, tzinfo=UTC)}),
        ("pace", {"questions_a_minute": 0}),
        *[("public", {"audience": "public", "rights": ["ask", one]}) for one in RIGHTS if one not in PUBLIC_RIGHTS],
    ],
)
def test_a_key_that_cannot_be_is_refused_in_words(office: Office, reason: str, changes: dict[str, object]) -> None:
    usable: dict[str, object] = {
        "name": "widget", "rights": ["ask"], "scopes": ["default"], "audience": "internal", "expires_at": None,
    }  # fmt: skip
    with pytest.raises(ApiKeyUnusable) as caught:
        office.keys.add(**{**usable, **changes}, owner="", by="test")  # type: ignore[arg-type]
    assert caught.value.details["reason"] == reason
    assert caught.value.text("en")
    assert caught.value.text("zh")
    assert office.keys.list() == ()


def test_an_owner_is_somebody(office: Office) -> None:
    with pytest.raises(PersonUnknown):
        office.made(owner="nobody")
    with pytest.raises(PersonUnknown):
        office.made(owner="key:abc")


def test_many_threads_read_one_key(office: Office) -> None:
    secret, key = office.made()
    read: list[ApiKey] = []
    threads = [threading.Thread(target=lambda: read.append(office.keys.key_of(secret))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [key] * 8


def test_an_older_database_has_room_for_keys(tmp_path: Path) -> None:
    people = People(tmp_path / "people.db")
    people.add("root", "admin", None, "", by="test")
    people.close()
    with sqlite3.connect(tmp_path / "people.db") as connection:
        connection.executescript("DROP TABLE api_key; PRAGMA user_version = 2")
    keys = ApiKeys(tmp_path / "people.db")
    secret, key = keys.add("n", ["ask"], None, audience="internal", expires_at=None, owner="root", by="test")
    assert keys.key_of(secret) == key
    keys.close()


# for admins


def test_an_admin_gives_only_scopes_that_she_has(office: Office) -> None:
    for scopes in (None, ["default", "hr"]):
        with pytest.raises(ScopeNotHeld):
            office.by("Ann").add("widget", ["ask"], scopes, audience="internal")
    assert office.by("root").list() == ()
    secret, key = office.by("Ann").add(
        "widget", ["ask"], ["shop"], audience="public", expires_at=office.clock.now + DAY, questions_a_minute=5
    )
    assert office.by("root").list() == (key,)
    assert office.keys.key_of(secret) == key
    assert (key.owner, key.scopes, key.questions_a_minute) == ("Ann", {"shop"}, 5)
    assert office.audit.entries(1)[0].who == "Ann"


def test_an_admin_with_limits_gets_at_no_other_key_that_may_more(office: Office) -> None:
    _, all_of_root = office.by("root").add("all", ["ask"], None, audience="internal")
    _, hr = office.by("root").add("hr", ["ask"], ["hr"], audience="internal")
    _, shop = office.by("root").add("shop", ["ask"], ["shop"], audience="internal")
    ann = office.by("Ann")
    with pytest.raises(PersonOutOfReach, match="all"):
        ann.revoke(all_of_root.key_id)
    for key in (all_of_root, hr):
        with pytest.raises(PersonOutOfReach):
            ann.roll(key.key_id)
    assert ann.roll(shop.key_id).startswith("ad_")
    ann.revoke(shop.key_id)
    ann.revoke(hr.key_id)
    assert [key.name for key in ann.list()] == ["all"]


def test_an_admin_ends_and_replaces_her_own_keys_whatever_became_of_her_scopes(office: Office) -> None:
    _, key = office.by("root").add("all", ["ask"], None, audience="internal")
    office.people.set_scopes("root", ["default"], by="test")
    assert office.keys.key_of(office.by("root").roll(key.key_id)).scopes == {"default"}
    office.by("root").revoke(key.key_id)
    assert office.by("root").list() == ()


def test_who_is_no_admin_does_nothing_with_keys(office: Office) -> None:
    _, key = office.made()
    bo = office.by("bo")
    for way in (
        bo.list,
        lambda: bo.add("widget", ["ask"], ["default"], audience="internal"),
        lambda: bo.revoke(key.key_id),
        lambda: bo.roll(key.key_id),
    ):
        with pytest.raises(NotPermitted):
            way()
    assert json.loads(list(office.audit.lines())[-1])["what"] == "key_added"


def test_where_nobody_signs_in_a_key_is_nobodys(office: Office) -> None:
    secret, key = KeyAdministration(office.keys, lambda: LOCAL_USER).add("all", ["ask"], None, audience="internal")
    assert (key.owner, office.keys.key_of(secret).scopes) == ("", None)


def test_an_api_key_ends_keys_and_makes_none(office: Office) -> None:
    """It could else have a key with rights that it has not, or one that outlives it."""
    secret, key = office.made("ask")
    keys = KeyAdministration(office.keys, lambda: User("key:k7f2", "admin", None))
    for way in (lambda: keys.add("eve", ["publish"], None, audience="internal"), lambda: keys.roll(key.key_id)):
        with pytest.raises(PersonNeeded):
            way()
    assert office.keys.key_of(secret) == key in keys.list()
    keys.revoke(key.key_id)
    with pytest.raises(ApiKeyRefused):
        office.keys.key_of(secret)
