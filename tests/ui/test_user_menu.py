"""The user's menu: what it offers depends on how somebody signed in."""

import pytest
from streamlit.testing.v1 import AppTest

from rag.translate import translate


def menu() -> None:
    """Draw the menu of an agent."""
    from types import SimpleNamespace
    from typing import cast

    from rag.storage.access import User
    from ui.components.page_shell import draw_user
    from ui.session import PageContext

    services = SimpleNamespace(knowledge_bases=("default",))
    context = SimpleNamespace(
        sign_in_required=True, language="en", user=User("mei", "agent", frozenset()), services=services
    )
    draw_user(cast(PageContext, context))


@pytest.mark.parametrize("has_password", [True, False])
def test_only_who_signed_in_with_a_password_is_offered_to_change_it(
    monkeypatch: pytest.MonkeyPatch, has_password: bool
) -> None:
    monkeypatch.setattr("ui.session._token", lambda: "a token" if has_password else "")
    test = AppTest.from_function(menu).run()
    assert not test.exception
    labels = [link.proto.label for link in test.get("link_button")]
    assert labels == [translate("ui.password_change", "en")] * has_password
