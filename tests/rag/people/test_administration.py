"""What an admin may do with people, and what an admin with limits may not, by any way."""

from collections.abc import Callable, Iterator

import pytest

from rag.errors import NotPermitted, PersonNeeded, PersonOutOfReach, PersonUnknown, ScopeNotHeld
from rag.people.administration import Administration
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.storage.access import Access, KnowledgeBases, User
from rag.storage.writer import KnowledgeWriter
from tests.support.places import Places

PASSWORD = "long enough, rarely tried"


class Office:
    """People in every role, and knowledge bases default, hr (scope staff) and shop."""

    def __init__(self, places: Places) -> None:
        path, folder = places("people"), places.folder
        self.people, self.audit = People(path), AuditTrail(path)
        for name, scope in (("default", ""), ("hr", "staff"), ("shop", "")):
            writer = KnowledgeWriter(folder / "knowledge" / name)
            writer.set_access(Access(scope))
            writer.close()
        self.bases = KnowledgeBases(folder / "knowledge")
        self.people.add("root", "admin", None, "", by="test")
        self.people.add("ann", "admin", ["default", "shop"], "", by="test")
        self.people.add("all", "agent", None, "", by="test")
        self.people.add("lin", "agent", ["default", "staff"], "", by="test")
        self.people.add("bo", "lead", ["default"], "", by="test")

    def by(self, name: str) -> Administration:
        return Administration(self.people, self.audit, self.bases, lambda: self.people.find(name).user)

    def close(self) -> None:
        self.people.close()
        self.audit.close()


@pytest.fixture
def office(places: Places, quick_hashes: None) -> Iterator[Office]:
    made = Office(places)
    yield made
    made.close()


WAYS: dict[str, Callable[[Administration, str], object]] = {
    "role": lambda administration, name: administration.set_role(name, "lead"),
    "scopes": lambda administration, name: administration.set_scopes(name, frozenset({"default"})),
    "everything": lambda administration, name: administration.set_scopes(name, None),
    "password": lambda administration, name: administration.set_password(name, PASSWORD),
    "disable": lambda administration, name: administration.set_disabled(name, disabled=True),
    "enable": lambda administration, name: administration.set_disabled(name, disabled=False),
    "sign out": lambda administration, name: administration.sign_out_everywhere(name),
}


@pytest.mark.slow
def test_another_role_leaves_the_scopes_that_the_admin_does_not_see(office: Office) -> None:
    office.by("ann").set_role("lin", "lead")
    lin = office.people.find("lin")
    assert (lin.role, lin.scopes) == ("lead", {"default", "staff"})
    assert [entry.what for entry in office.audit.entries(1)] == ["person_role"]


def test_scopes_that_the_admin_does_not_have_stay_whatever_she_gives(office: Office) -> None:
    office.by("ann").set_scopes("lin", frozenset({"shop"}))
    assert office.people.find("lin").scopes == {"shop", "staff"}
    office.by("ann").set_scopes("lin", frozenset())
    assert office.people.find("lin").scopes == {"staff"}
    assert dict(office.audit.entries(1)[0].details) == {"scopes": "staff"}
    office.by("root").set_scopes("lin", frozenset({"default"}))
    assert office.people.find("lin").scopes == {"default"}


@pytest.mark.parametrize("name", ["ann", "bo"])
@pytest.mark.parametrize("scopes", [frozenset({"default", "staff"}), frozenset({"hr"}), None])
def test_only_who_has_a_scope_gives_it(office: Office, name: str, scopes: frozenset[str] | None) -> None:
    before = office.people.find(name).scopes
    with pytest.raises(ScopeNotHeld, match=r"staff|hr|\*"):
        office.by("ann").set_scopes(name, scopes)
    with pytest.raises(ScopeNotHeld):
        office.by("ann").add("new", "admin", scopes, PASSWORD)
    assert office.people.find(name).scopes == before
    with pytest.raises(PersonUnknown):
        office.people.find("new")


@pytest.mark.parametrize("name", ["root", "all"])
@pytest.mark.parametrize("way", WAYS)
def test_an_admin_with_limits_changes_nobody_who_may_read_everything(office: Office, way: str, name: str) -> None:
    before = office.people.find(name), office.people.password_of(name), len(office.audit.entries())
    with pytest.raises(PersonOutOfReach, match=name):
        WAYS[way](office.by("ann"), name)
    assert (office.people.find(name), office.people.password_of(name), len(office.audit.entries())) == before
    WAYS[way](office.by("root"), "all")


def test_nobody_gets_at_more_with_another_ones_password(office: Office) -> None:
    with pytest.raises(PersonOutOfReach):
        office.by("ann").set_password("lin", PASSWORD)  # lin may read staff
    assert office.people.password_of("lin") == ""
    office.by("ann").set_password("bo", PASSWORD)
    office.by("root").set_password("lin", PASSWORD)
    assert office.people.password_of("bo") and office.people.password_of("lin")


def test_an_admin_sees_the_scopes_that_she_can_give_and_take(office: Office) -> None:
    lin = office.people.find("lin")
    assert office.by("root").scopes() == ("default", "shop", "staff")
    assert office.by("ann").scopes() == office.by("ann").scopes(lin) == ("default", "shop")
    office.people.set_scopes("lin", ["default", "gone"], by="test")  # of a knowledge base that is no more
    assert office.by("root").scopes(office.people.find("lin")) == ("default", "gone", "shop", "staff")
    assert (office.by("root").has_limits(), office.by("ann").has_limits()) == (False, True)


@pytest.mark.parametrize("name", ["bo", "lin"])
def test_who_is_no_admin_does_nothing(office: Office, name: str) -> None:
    for way in WAYS.values():
        with pytest.raises(NotPermitted):
            way(office.by(name), "lin")
    with pytest.raises(NotPermitted):
        office.by(name).find(name)
    for read in (office.by(name).people, office.by(name).scopes, office.by(name).entries, office.by(name).has_limits):
        with pytest.raises(NotPermitted):
            read()


def test_an_api_key_changes_whoever_is_no_admin_and_sets_no_password(office: Office) -> None:
    """It would else get beyond its rights by signing in as somebody, and would go on after its end."""
    key = User("key:k7f2", "admin", None)
    administration = Administration(office.people, office.audit, office.bases, lambda: key)
    before = office.people.list(), len(office.audit.entries())
    for way in WAYS.values():
        with pytest.raises(PersonNeeded):
            way(administration, "ann")
    for act in (
        lambda: administration.add("new", "admin", ["default"], None),
        lambda: administration.add("new", "agent", ["default"], PASSWORD),
        lambda: administration.set_role("bo", "admin"),
        lambda: administration.set_password("bo", PASSWORD),
    ):
        with pytest.raises(PersonNeeded):
            act()
    assert (office.people.list(), len(office.audit.entries())) == before
    for name, way in WAYS.items():
        if name != "password":
            way(administration, "lin")
    assert administration.add("new", "lead", ["default"], None) == office.people.find("new")
    assert {entry.who for entry in office.audit.entries(5)} == {"key:k7f2"}


def test_what_is_as_before_is_not_recorded_again(office: Office) -> None:
    count = len(office.audit.entries())
    office.by("root").set_role("lin", "agent")
    office.by("root").set_scopes("lin", frozenset({"staff", "default"}))
    assert len(office.audit.entries()) == count
