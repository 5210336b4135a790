"""What the page People hands to the services: role and scopes apart, and nothing that was not changed."""

from typing import cast

import pytest
import streamlit as st

from rag.people.administration import Administration
from rag.people.directory import Person
from rag.storage.access import Role
from ui.session import choice_key, keep_language
from ui.views.people import page as people


class Recorded:
    """Takes down what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []

    def set_role(self, name: str, role: Role) -> None:
        self.done.append(("role", name, role))

    def set_scopes(self, name: str, scopes: frozenset[str] | None) -> None:
        self.done.append(("scopes", name, scopes))


LIN = Person("lin", "agent", frozenset({"default", "hr"}), False, True)
ALL = Person("all", "agent", None, False, True)


@pytest.mark.parametrize(
    ("person", "state", "expected"),
    [
        (LIN, {"change_role": "lead", "change_scopes": ["default"]}, [("role", "lin", "lead")]),
        (LIN, {"change_role": "agent", "change_scopes": []}, [("scopes", "lin", frozenset())]),
        (LIN, {"change_role": "agent", "change_scopes": ["default"], "change_everything": False}, []),
        (LIN, {"change_role": "agent", "change_scopes": [], "change_everything": True}, [("scopes", "lin", None)]),
        (ALL, {"change_role": "lead", "change_scopes": [], "change_everything": True}, [("role", "all", "lead")]),
        (ALL, {"change_role": "agent", "change_scopes": []}, [("scopes", "all", frozenset())]),
    ],
)
def test_only_what_was_changed_is_written(
    person: Person, state: dict[str, object], expected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin sees ``default`` only: that lin also has ``hr`` is none of the page's business."""
    monkeypatch.setattr(st, "session_state", state)
    recorded = Recorded()
    people._change(cast(Administration, recorded), person, ("default",))
    assert recorded.done == expected


def test_a_switch_of_the_language_gives_a_choice_a_new_box_with_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the former one the browser keeps words of the former language, and sends them."""
    state: dict[str, object] = {"language": "zh"}
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(st, "query_params", {})
    former = choice_key("role", "agent")
    state[former] = "admin"
    keep_language()
    present = choice_key("role", "agent")
    assert present != former
    assert state[present] == "admin"
    state[present] = "lead"
    assert (choice_key("role", "agent"), state[present]) == (present, "lead")
