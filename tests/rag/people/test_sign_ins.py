"""Sign-ins over a real file: what ends them, and what an attacker meets."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rag.errors import AnswerdeskError, PersonUnknown, PersonUnusable, SignInNeeded, SignInThrottled, SignInWrong
from rag.people import passwords
from rag.people.directory import People
from rag.people.passwords import hash_password, matches, require_good
from rag.people.sign_ins import SignIns, Throttle, provider_key, token_key
from rag.settings import DatabasePlace
from rag.storage.access import User
from tests.support.places import Places

pytestmark = pytest.mark.usefixtures("quick_hashes")

PASSWORD = "long enough, rarely tried"
HOME = "192.0.2.7"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 8, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Office:
    """One lead called Lin with a password, and a clock that the test turns."""

    def __init__(self, path: DatabasePlace) -> None:
        self.clock = Clock()
        self.people = People(path)
        self.people.add("Lin", "lead", ["default"], hash_password(PASSWORD), by="test")
        self.sign_ins = SignIns(path, 12, throttle=Throttle(900, 3, 6, 10), clock=self.clock)

    def wrong(self, name: str = "Lin", address: str = HOME, password: str = "wrong password") -> AnswerdeskError:
        with pytest.raises(AnswerdeskError) as caught:
            self.sign_ins.begin(name, password, address)
        return caught.value


@pytest.fixture
def office(places: Places) -> Iterator[Office]:
    made = Office(places("people"))
    yield made
    made.sign_ins.close()
    made.people.close()


def test_a_token_names_its_owner_until_its_time_is_over(office: Office, places: Places) -> None:
    signed_in = office.sign_ins.begin(" lin ", PASSWORD, HOME)
    assert office.sign_ins.user(signed_in.token) == User("Lin", "lead", frozenset({"default"}))
    kept = b"".join(path.read_bytes() for path in places.folder.glob("people.db*"))
    assert signed_in.token.encode() not in kept + repr(places.ask("people", "SELECT * FROM sign_in")).encode()
    office.clock.now += 12 * 3600 - 1
    assert office.sign_ins.user(signed_in.token).name == "Lin"
    office.clock.now += 1
    with pytest.raises(SignInNeeded):
        office.sign_ins.user(signed_in.token)


@pytest.mark.parametrize("token", ["", "forged", "x" * 10_000, "\udcff", "' OR 1=1 --"])
def test_a_forged_token_is_nobodys(office: Office, token: str) -> None:
    office.sign_ins.begin("Lin", PASSWORD, HOME)
    with pytest.raises(SignInNeeded):
        office.sign_ins.user(token)


@pytest.mark.parametrize("ending", ["signed out", "disabled", "password", "everywhere"])
def test_what_ends_a_sign_in(office: Office, ending: str) -> None:
    office.people.add("root", "admin", None, "", by="test")
    first, second = (office.sign_ins.begin("Lin", PASSWORD, HOME).token for _ in range(2))
    if ending == "signed out":
        office.sign_ins.end(first)
        assert office.sign_ins.user(second).name == "Lin"
    elif ending == "disabled":
        office.people.set_disabled("lin", True, by="root")
        assert isinstance(office.wrong(password=PASSWORD), SignInWrong)
        office.people.set_disabled("lin", False, by="root")
    elif ending == "password":
        office.people.set_password("lin", hash_password("another good one"), by="root")
    else:
        office.people.sign_out_everywhere("lin", by="root")
    with pytest.raises(SignInNeeded):
        office.sign_ins.user(first)


def test_a_role_and_a_scope_act_at_the_next_look(office: Office) -> None:
    token = office.sign_ins.begin("Lin", PASSWORD, HOME).token
    office.people.add("root", "admin", None, "", by="test")
    office.people.set_role("Lin", "agent", by="root")
    office.people.set_scopes("Lin", [], by="root")
    assert office.sign_ins.user(token) == User("Lin", "agent", frozenset())


def test_wrong_attempts_are_throttled_by_name_and_address(office: Office) -> None:
    assert [type(office.wrong()) for _ in range(4)] == [SignInWrong] * 3 + [SignInThrottled]
    throttled = office.wrong(password=PASSWORD)  # the right one is not looked at any more
    assert isinstance(throttled, SignInThrottled)
    assert throttled.details == {"seconds": 900}
    assert isinstance(office.wrong("LIN"), SignInThrottled)
    assert office.sign_ins.begin("Lin", PASSWORD, "192.0.2.8").token  # from elsewhere one gets in
    office.clock.now += 901
    assert office.sign_ins.begin("Lin", PASSWORD, HOME).token


def test_a_new_password_ends_the_lock_out_of_whoever_forgot_the_old_one(office: Office) -> None:
    for _ in range(4):
        office.wrong("lin")
    office.people.set_password("LIN", hash_password("another long one"), by="root")
    assert office.sign_ins.begin("Lin", "another long one", HOME).token


def test_a_network_that_tries_many_names_is_throttled(office: Office) -> None:
    assert [type(office.wrong(f"name{number}")) for number in range(7)] == [SignInWrong] * 6 + [SignInThrottled]


def test_attempts_from_everywhere_lock_nobody_out_and_leave_each_network_one(office: Office) -> None:
    wrong = [type(office.wrong(address=f"192.0.2.{number}")) for number in range(100, 130)]
    assert set(wrong) == {SignInWrong}
    for other in ("192.0.2.100", "192.0.2.129"):
        assert isinstance(office.wrong(address=other), SignInThrottled)
    assert office.sign_ins.begin("Lin", PASSWORD, HOME).token


def test_an_ipv6_network_is_one_address(office: Office) -> None:
    wrong = [type(office.wrong(address=f"2001:db8:1:2::{number:x}")) for number in range(1, 5)]
    assert wrong == [SignInWrong] * 3 + [SignInThrottled]
    assert isinstance(office.wrong(address="2001:db8:1:3::1"), SignInWrong)
    mapped = [type(office.wrong(address=address)) for address in ("::ffff:192.0.2.9", "192.0.2.9", "::ffff:c000:209")]
    assert mapped == [SignInWrong] * 3
    assert isinstance(office.wrong(address="192.0.2.9"), SignInThrottled)


def test_a_browser_that_signed_in_before_passes_what_others_tried(office: Office) -> None:
    browser = office.sign_ins.begin("Lin", PASSWORD, HOME).browser
    for _ in range(4):
        office.wrong()
    assert isinstance(office.wrong(password=PASSWORD), SignInThrottled)
    again = office.sign_ins.begin("lin", PASSWORD, HOME, browser)
    assert again.browser == browser
    for stranger in ("forged", ""):
        with pytest.raises(SignInThrottled):
            office.sign_ins.begin("Lin", PASSWORD, HOME, stranger)
    office.people.add("Mo", "agent", [], hash_password(PASSWORD), by="test")
    for _ in range(3):
        with pytest.raises(AnswerdeskError):
            office.sign_ins.begin("Mo", "wrong password", HOME, browser)
    with pytest.raises(SignInThrottled):  # it is known for Lin only
        office.sign_ins.begin("Mo", PASSWORD, HOME, browser)


def test_a_known_browser_has_a_limit_of_its_own_and_is_forgotten(office: Office) -> None:
    browser = office.sign_ins.begin("Lin", PASSWORD, HOME).browser
    tried = []
    for _ in range(10 + 3 + 1):  # its own, then those that its network has like any other
        with pytest.raises(AnswerdeskError) as caught:
            office.sign_ins.begin("Lin", "wrong password", HOME, browser)
        tried.append(type(caught.value))
    assert tried == [SignInWrong] * 13 + [SignInThrottled]
    office.clock.now += 901
    office.people.sign_out_everywhere("Lin", by="test")
    for _ in range(3):
        office.wrong()
    with pytest.raises(SignInThrottled):
        office.sign_ins.begin("Lin", PASSWORD, HOME, browser)


def test_a_sign_in_that_nobody_uses_ends(office: Office, places: Places) -> None:
    sign_ins = SignIns(places("people"), 12, idle_hours=2, clock=office.clock)
    token = sign_ins.begin("Lin", PASSWORD, HOME).token
    key = token_key(token)
    office.clock.now += 2 * 3600 - 1
    assert sign_ins.user(token).name == "Lin"  # to be looked at is no use
    sign_ins.note_use(key)
    assert not sign_ins.must_note_use(key)
    office.clock.now += 60
    assert sign_ins.must_note_use(key)
    office.clock.now += 2 * 3600 - 61
    assert sign_ins.user(token).name == "Lin"
    office.clock.now += 1
    with pytest.raises(SignInNeeded):
        sign_ins.user(token)
    office.people.add("mei@example.org", "agent", None, "", by="test")
    signed_in_at = datetime.fromtimestamp(office.clock.now, UTC)
    office.clock.now += 2 * 3600 - 1
    assert sign_ins.user_of_provider("mei@example.org", signed_in_at)
    sign_ins.note_use(provider_key("Mei@example.org", signed_in_at))
    office.clock.now += 2 * 3600 - 1
    assert sign_ins.user_of_provider("mei@example.org", signed_in_at)
    office.clock.now += 1
    with pytest.raises(SignInNeeded):
        sign_ins.user_of_provider("mei@example.org", signed_in_at)
    sign_ins.close()


def test_many_attempts_at_once_are_counted_as_well(office: Office) -> None:
    errors: list[AnswerdeskError] = []
    threads = [threading.Thread(target=lambda: errors.append(office.wrong())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(error, SignInWrong) for error in errors) == 3


def test_an_unknown_name_takes_a_look_at_a_password_as_well(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    verify = passwords._hasher.verify
    monkeypatch.setattr(
        passwords, "_hasher", type("Spy", (), {"hash": passwords._hasher.hash, "verify": lambda self, kept, tried:
            looked_at.append(kept) or verify(kept, tried)})()
    )  # fmt: skip
    assert str(office.wrong("nobody")) == str(office.wrong("Lin"))
    assert len(looked_at) == 2


def test_another_providers_sign_in_is_known_by_name_time_and_end(office: Office) -> None:
    office.people.add("mei@example.org", "agent", None, "", by="test")
    office.clock.now = datetime.now(UTC).timestamp()
    now = datetime.fromtimestamp(office.clock.now, UTC)
    assert office.sign_ins.user_of_provider("Mei@example.org", now).role == "agent"
    with pytest.raises(SignInNeeded):
        office.sign_ins.user_of_provider("mei@example.org", now - timedelta(hours=12))
    with pytest.raises(PersonUnknown):
        office.sign_ins.user_of_provider("eve@example.org", now)
    office.people.sign_out_everywhere("mei@example.org", by="test")
    with pytest.raises(SignInNeeded):
        office.sign_ins.user_of_provider("mei@example.org", now)
    assert isinstance(office.wrong("mei@example.org", password=""), SignInWrong)  # no password is no empty password


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "short"),
        ("x" * 201, "long"),
        ("margarethe-w", "is_name"),
        ("Password12345", "common"),
        ("aaaaaaaaaaaa", "common"),
    ],
)
def test_a_password_that_is_none_is_refused_in_words(password: str, reason: str) -> None:
    with pytest.raises(PersonUnusable) as caught:
        require_good(password, "Margarethe-W")
    assert caught.value.details["reason"] == reason
    assert caught.value.text("en") != caught.value.text("zh")


def test_a_password_of_any_script_is_kept_and_a_damaged_hash_lets_nobody_in() -> None:
    kept = hash_password("正确的马电池订书钉😀")
    assert kept.startswith("$argon2id$")
    assert matches(kept, "正确的马电池订书钉😀")
    assert matches(hash_password("ｐａｓｓ５６７８９０"), "pass567890")
    assert not matches(kept[:-4], "正确的马电池订书钉😀")
    assert not matches(kept, "x" * 1_000_000)
