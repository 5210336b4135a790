"""People and the record of changes, over a real file."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import LastAdmin, PersonTaken, PersonUnknown, PersonUnusable
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.settings import DatabasePlace
from tests.support.places import Places


@pytest.fixture
def path(places: Places) -> DatabasePlace:
    return places("people")


@pytest.fixture
def people(path: DatabasePlace) -> Iterator[People]:
    made = People(path)
    yield made
    made.close()


def trail_of(path: DatabasePlace) -> list[tuple[str, str, str, dict[str, object]]]:
    trail = AuditTrail(path)
    try:
        return [(one.who, one.what, one.about, dict(one.details)) for one in reversed(trail.entries())]
    finally:
        trail.close()


def test_every_change_is_recorded_with_who_made_it(people: People, path: DatabasePlace) -> None:
    people.add("root", "admin", None, "", by="terminal")
    people.add("lin", "agent", ["b", "a"], "", by="root")
    people.set_role("LIN", "lead", by="root")
    people.set_scopes("lin", ["a"], by="root")
    people.set_disabled("lin", True, by="root")
    people.set_disabled("lin", False, by="root")
    people.set_password("lin", "$hash", by="lin")
    people.sign_out_everywhere("lin", by="root")
    lin = people.find("Lin")
    assert (lin.name, lin.role, lin.scopes, lin.disabled, lin.has_password) == (
        "lin", "lead", frozenset({"a"}), False, True
    )  # fmt: skip
    assert trail_of(path) == [
        ("terminal", "person_added", "root", {"role": "admin", "scopes": "*"}),
        ("root", "person_added", "lin", {"role": "agent", "scopes": "a, b"}),
        ("root", "person_role", "LIN", {"role": "lead"}),
        ("root", "person_scopes", "lin", {"scopes": "a"}),
        ("root", "person_disabled", "lin", {}),
        ("root", "person_enabled", "lin", {}),
        ("lin", "password_set", "lin", {}),
        ("root", "signed_out_everywhere", "lin", {}),
    ]
    assert b"$hash" not in json.dumps(trail_of(path)).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda people: people.set_role("nobody", "lead", by="x"),
        lambda people: people.set_scopes("nobody", [], by="x"),
        lambda people: people.set_disabled("nobody", True, by="x"),
        lambda people: people.set_password("nobody", "", by="x"),
        lambda people: people.sign_out_everywhere("nobody", by="x"),
    ],
)
def test_nobody_is_changed_and_nothing_recorded(
    people: People, path: DatabasePlace, change: Callable[[People], None]
) -> None:
    with pytest.raises(PersonUnknown):
        change(people)
    assert trail_of(path) == []


def test_a_name_is_given_once_in_any_case(people: People, path: DatabasePlace) -> None:
    people.add("Lin", "agent", None, "", by="x")
    with pytest.raises(PersonTaken, match="called Lin already"):
        people.add("lin", "admin", None, "", by="x")
    assert people.find("LIN").role == "agent"
    assert len(trail_of(path)) == 1


@pytest.mark.parametrize("name", ["", "local", "LOCAL", "two words", "a" * 65, "new\nline", "<b>", "a/b", "x\x00"])
def test_what_is_no_name_is_refused(people: People, name: str) -> None:
    with pytest.raises(PersonUnusable):
        people.add(name, "agent", None, "", by="x")
    assert people.list() == ()


@pytest.mark.parametrize(
    "name",
    [
        "r\u043e\u043et",  # a Latin r and t with two Cyrillic letters
        "r\u03bf\u03bft",  # Greek ones
        "王\u0430",  # an ideograph with a Cyrillic a
        "\u13a1oot",  # Cherokee
        "user\u09ea",  # a Bengali digit that looks like 8
    ],
)
def test_a_name_mixes_no_scripts_that_look_alike(people: People, name: str) -> None:
    with pytest.raises(PersonUnusable) as refused:
        people.add(name, "agent", None, "", by="x")
    assert refused.value.details["reason"] == "mixed"
    assert people.list() == ()


@pytest.mark.parametrize("name", ["王芳", "Wang芳", "田中エミ", "김민준", "مریم", "Лена", "müller", "lin2"])
def test_a_name_of_one_persons_own_writing_is_taken(people: People, name: str) -> None:
    people.add("lin", "agent", None, "", by="x")
    assert people.add(name, "agent", None, "", by="x").name == name


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ("coco", "\u0441\u043e\u0441\u043e"),  # Cyrillic throughout
        ("root", "r00t"),
        ("lin", "Iin"),
        ("lin1", "linl"),
        ("王力", "王カ"),
        ("alpha", "\u0251lpha"),  # a Latin letter that is no a
        ("MÜLLER", "müller"),
    ],
)
def test_a_name_that_looks_like_anothers_is_refused(people: People, path: DatabasePlace, known: str, name: str) -> None:
    people.add(known, "agent", None, "", by="x")
    for attempt in (lambda: people.require_new(name), lambda: people.add(name, "admin", None, "", by="x")):
        with pytest.raises(PersonUnusable) as refused:
            attempt()
        assert (refused.value.details["reason"], refused.value.details["name"]) == ("alike", known)
    assert [person.name for person in people.list()] == [known]
    assert len(trail_of(path)) == 1


def test_wide_and_composed_letters_are_stored_as_plain_ones(people: People, path: DatabasePlace) -> None:
    assert people.add("ＬＩＮ＠shop.example", "agent", None, "", by="x").name == "LIN@shop.example"
    assert people.add("mu\u0308ller", "agent", None, "", by="x").name == "m\u00fcller"
    with pytest.raises(PersonTaken):
        people.add("ｌｉｎ@shop.example", "admin", None, "", by="x")
    assert [about for _, _, about, _ in trail_of(path)] == ["LIN@shop.example", "m\u00fcller"]


@pytest.mark.parametrize("name", ["root\u3164", "\u3164", "ro\u200bot", "e\u0301\u0301"])
def test_a_name_has_no_invisible_letters_and_no_loose_marks(people: People, name: str) -> None:
    with pytest.raises(PersonUnusable):
        people.add(name, "agent", None, "", by="x")


def test_the_last_admin_stays(people: People) -> None:
    people.add("root", "admin", None, "", by="x")
    people.add("other", "admin", None, "", by="x")
    people.set_disabled("other", True, by="root")
    for change in (lambda: people.set_role("root", "lead", by="root"), lambda: people.set_disabled("root", True, "x")):
        with pytest.raises(LastAdmin):
            change()
    assert people.has_admin()
    assert people.find("root").role == "admin"


def test_the_record_can_only_grow(people: People, places: Places) -> None:
    people.add("root", "admin", None, "", by="x")
    for statement in (
        "UPDATE change SET who = 'y'",
        "DELETE FROM change",
        *(["TRUNCATE change"] if places.url else []),
    ):
        with pytest.raises(Exception, match="append only"):
            places.ask("people", statement)


def test_what_is_recorded_is_a_name_or_a_number_and_comes_out_as_lines(path: DatabasePlace) -> None:
    trail = AuditTrail(path)
    with pytest.raises(ValueError, match="not a text"):
        trail.record("lin", "setting", "glossary", value="x" * 201)
    with pytest.raises(ValueError, match="unknown change"):
        trail.record("lin", "shouted", "default")  # type: ignore[arg-type]
    trail.record("林", "published", "default", generation=12, forced=False)
    trail.record("lin", "rolled_back", "default", generation=11)
    lines = [json.loads(line) for line in trail.lines()]
    assert [(line["who"], line["what"], line["details"]["generation"]) for line in lines] == [
        ("林", "published", 12),
        ("lin", "rolled_back", 11),
    ]
    assert [one.number for one in trail.entries(limit=1)] == [2]
    assert [one.number for one in trail.entries()] == [2, 1]
    trail.close()


@pytest.mark.slow
@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=3), max_size=5))
def test_scopes_come_back_as_a_set(tmp_path_factory: pytest.TempPathFactory, scopes: list[str]) -> None:
    people = People(tmp_path_factory.mktemp("people") / "people.db")
    people.add("lin", "agent", scopes, "", by="x")
    assert people.find("lin").scopes == frozenset(scopes)
    people.close()
