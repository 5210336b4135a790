"""Uses are counted beside the page: it waits for no long count, shows the one before, and none where none can be."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.services.knowledge import KnowledgeService, UseCounts, Uses
from rag.errors import AccessDenied, KnowledgeBaseMissing
from rag.storage.access import User
from rag.storage.turn_store import DocumentUse
from tests.eval.gaps.turns import AskedTurns, passage
from tests.ui.views.knowledge.library import Library


def test_ninety_days_are_counted_once_for_many_pages() -> None:
    asked: list[tuple[str, datetime]] = []

    def count(name: str, since: datetime) -> Uses:
        asked.append((name, since))
        return {"a.md": DocumentUse(len(asked), 0)}

    counts = UseCounts(count)
    assert [counts("shop"), counts("shop"), counts("other")] == [
        {"a.md": DocumentUse(1)}, {"a.md": DocumentUse(1)}, {"a.md": DocumentUse(2)},
    ]  # fmt: skip
    assert [name for name, _ in asked] == ["shop", "other"]
    assert abs(datetime.now(UTC) - timedelta(days=90) - asked[0][1]) < timedelta(minutes=1)
    always = UseCounts(count, kept_seconds=0)
    assert [always("shop"), always("shop")] == [{"a.md": DocumentUse(3)}, {"a.md": DocumentUse(4)}]


@pytest.mark.slow
def test_a_long_count_keeps_no_page_waiting() -> None:
    gate = threading.Event()

    def count(name: str, since: datetime) -> Uses:
        gate.wait(10)
        return {"a.md": DocumentUse(1)}

    counts = UseCounts(count, kept_seconds=0, page_waits_seconds=0.05)
    assert counts("shop") is None
    gate.set()
    counts._counts["shop"].counting.result(10)
    gate.clear()
    assert counts("shop") == {"a.md": DocumentUse(1)}  # of the count before, while the next one runs
    gate.set()
    counts.close()


def test_what_cannot_be_counted_is_not_shown_as_nothing(tmp_path: Path) -> None:
    def count(name: str, since: datetime) -> Uses:
        raise KnowledgeBaseMissing(folder=tmp_path)

    assert UseCounts(count)("shop") is None


def test_the_page_counts_the_desks_own_turns_of_a_base_that_one_may_use(tmp_path: Path) -> None:
    library = Library(tmp_path)
    AskedTurns(library.settings.turns_path).resting_on("How long?", passage(1, "a.md", "30 days."))
    AskedTurns(library.settings.turns_path, "payroll").resting_on("How much?", passage(1, "b.md", "Much."))
    assert library.desk().uses() == {"a.md": DocumentUse(1, 0)}

    def none_of_theirs(user: User, name: str) -> None:
        raise AccessDenied(name=name)

    with pytest.raises(AccessDenied):
        KnowledgeService(library.registry, "payroll", lambda: User("lin", "agent"), none_of_theirs).uses()
    library.close()
