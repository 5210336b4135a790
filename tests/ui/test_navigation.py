"""Which pages a role is offered, and what it meets where it follows a link to another."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.services.shared import DeskServices
from rag.schema import Language
from rag.storage.access import ROLES, Role, User
from rag.translate import translate
from ui import navigation
from ui.navigation import PageEntry, navigate
from ui.session import PageContext
from ui.turn_data import Reading


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the pages drew; Streamlit's menu is left out."""
    drawn: list[str] = []
    monkeypatch.setattr(navigation.st, "navigation", lambda pages: pages)
    monkeypatch.setattr(navigation.st, "Page", lambda draw, **options: SimpleNamespace(draw=draw, **options))
    monkeypatch.setattr(navigation.st, "page_link", lambda page: drawn.append(f"to {page.url_path}"))
    monkeypatch.setattr(navigation, "take_requested_turn", lambda: "")
    monkeypatch.setattr(navigation.st, "warning", drawn.append)
    return drawn


def offered(role: Role, language: Language, drawn: list[str]) -> dict[str, Any]:
    """Return the pages by their address, of two: the second is for leads."""
    pages = (
        PageEntry("desk", "", "agent", lambda context: drawn.append("the desk")),
        PageEntry("answer", "", "lead", lambda context: drawn.append("for leads")),
    )
    reading = Reading(language, datetime.now(UTC), UTC)
    context = PageContext(cast(DeskServices, None), language, reading, User("lin", role))
    return {page.url_path: page for page in cast(list[Any], navigate(context, pages))}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("role", ROLES)
def test_a_page_of_another_role_is_not_in_the_menu_and_says_so_by_link(
    role: Role, language: Language, said: list[str]
) -> None:
    pages = offered(role, language, said)
    page = pages["answer"]
    page.draw()
    if role == "agent":
        assert (page.visibility, said) == ("hidden", [translate("ui.not_permitted", language), "to desk"])
    else:
        assert (page.visibility, said) == ("visible", ["for leads"])
    assert page.title == translate("ui.answer", language)


def test_the_first_page_is_everybodys_and_the_bare_addresss(said: list[str]) -> None:
    pages = offered("agent", "en", said)
    assert (pages["desk"].visibility, pages["desk"].default) == ("visible", True)
    pages["desk"].draw()
    assert said == ["the desk"]
