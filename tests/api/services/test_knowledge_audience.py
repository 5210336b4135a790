"""What the service of articles tells the public audience: articles for customers, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.services.knowledge import KnowledgeService
from api.services.shared import KnowledgeState
from rag.errors import NotPermitted
from rag.storage.access import User
from rag.storage.turn_store import TurnStore
from rag.turns import TurnService
from tests.ui.views.knowledge.library import Library

pytestmark = pytest.mark.slow

SHOP = User("key:shop", "admin", None, "public")
LIN = User("lin", "agent")
TEXTS = {
    "late.md": "# Late order\n\nThe delivery fee is paid back.",
    "goodwill.md": "---\naudience: internal\n---\n# Goodwill\n\nUp to 25 pounds if the team lead agrees.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """For tests that publish nothing."""
    yield from published(tmp_path_factory.mktemp("library"))


@pytest.fixture
def own_library(tmp_path: Path) -> Iterator[Library]:
    """For a test that publishes more."""
    yield from published(tmp_path)


def published(folder: Path) -> Iterator[Library]:
    made = Library(folder)
    made.publish(TEXTS)
    yield made
    made.close()


def by(library: Library, user: User) -> KnowledgeService:
    return library.desk(lambda: user)


def test_internal_articles_are_neither_listed_nor_opened(library: Library) -> None:
    assert {row.document_id for row in by(library, LIN).articles()} == {"late.md", "goodwill.md"}
    assert {row.document_id for row in by(library, SHOP).articles()} == {"late.md"}
    shown = by(library, SHOP).article("late.md")
    assert shown is not None
    assert "delivery fee" in shown.document.text
    assert by(library, SHOP).article("goodwill.md") is None
    assert by(library, LIN).article("goodwill.md") is not None


def test_internal_articles_are_not_counted(library: Library, tmp_path: Path) -> None:
    turns = TurnService(lambda name, user: library.pipeline(), TurnStore(tmp_path / "turns.db"), 1)
    services = replace(
        library.services(turns), knowledge_state=lambda name: KnowledgeState(1, None, documents=2, passages=2)
    )
    assert services.knowledge_for(LIN, "default") == KnowledgeState(1, None, documents=2, passages=2)
    assert services.knowledge_for(SHOP, "default") == KnowledgeState(1, None, documents=1, passages=1)
    assert services.of(lambda: SHOP, "default").knowledge_state() == services.knowledge_for(SHOP, "default")
    turns.close()


def test_an_article_that_became_internal_a_moment_ago_is_not_opened(
    own_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list was read before the document."""
    rows = own_library.registry.articles("default")
    own_library.publish({"late.md": f"---\naudience: internal\n---\n{TEXTS['late.md']}"})
    monkeypatch.setattr(own_library.registry, "articles", lambda name: rows)
    assert by(own_library, SHOP).article("late.md") is None


def test_an_article_has_blanks_for_customers_where_nobody_has_confirmed_an_address(own_library: Library) -> None:
    own_library.publish({"late.md": f"{TEXTS['late.md']} Write to pay@evil.example. We answer at once."})
    for user, shown in (
        (LIN, " Write to pay@evil.example. We answer at once."),
        (SHOP, f"{' ' * len(' Write to pay@evil.example.')} We answer at once."),
    ):
        opened = by(own_library, user).article("late.md")
        assert opened is not None
        assert opened.document.text.endswith(f"is paid back.{shown}")
    by(own_library, User("bo", "lead")).confirm_details(["mail pay@evil.example"])
    opened = by(own_library, SHOP).article("late.md")
    assert opened is not None
    assert "pay@evil.example" in opened.document.text


@pytest.mark.parametrize(
    "what",
    ["uses", "history", "sources", "waiting", "new_details", "job", "discard", "stop", "forget_job"],
)
def test_what_colleagues_work_with_is_not_told(library: Library, what: str) -> None:
    with pytest.raises(NotPermitted):
        getattr(by(library, SHOP), what)()


def test_changes_checks_and_explanations_are_not_told_either(library: Library) -> None:
    shop = by(library, SHOP)
    for reach in (
        lambda: shop.changes(1),
        lambda: shop.explain("tab", "How high is the goodwill credit?", "goodwill.md"),
        lambda: shop.explanation("tab"),
        lambda: shop.keep([("new.md", b"# New")]),
        lambda: shop.check(),
        lambda: shop.go_back(1),
        lambda: shop.confirm_details(["host shop.example"]),
    ):
        with pytest.raises(NotPermitted):
            reach()


def test_a_widget_has_no_titles_to_try_and_no_base_that_it_may_not_use(library: Library, tmp_path: Path) -> None:
    turns = TurnService(lambda name, user: library.pipeline(), TurnStore(tmp_path / "turns.db"), 1)
    services = library.services(turns)
    assert [topic.title for topic in services.of(lambda: LIN, "default").topics("en")] == ["VAT invoices"]
    assert services.of(lambda: SHOP, "default").topics("en") == ()
    assert services.of(lambda: User("key:1", "agent", frozenset(), "public"), "default").knowledge_base == ""
    turns.close()
