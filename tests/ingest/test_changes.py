"""What differs between two generations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.changes import NO_CHANGES, changed_lines, changes_between
from ingest.publish import rollback
from tests.ingest.conftest import Desk


@pytest.mark.slow
def test_any_two_generations_can_be_compared(desk: Desk) -> None:
    desk.ingest()
    desk.write("new.md", "# New\n\nSomething new.")
    desk.ingest()
    rollback(desk.settings.knowledge_dir)
    store = desk.store
    assert changes_between(store, 1, 3) == NO_CHANGES
    assert [(one.document_id, one.kind) for one in changes_between(store, 1, 2).documents] == [("new.md", "added")]
    assert [(one.document_id, one.kind) for one in changes_between(store, 2, 3).documents] == [("new.md", "retired")]
    assert changes_between(store, 0, 1).added == 4
    store.close()


@pytest.mark.slow
def test_being_cut_in_another_way_is_no_change(desk: Desk) -> None:
    desk.ingest()
    desk.ingest(rebuild=True)
    store = desk.store
    assert changes_between(store, 1, 2).is_empty
    store.close()


@pytest.mark.slow
@given(st.lists(st.sampled_from("abc-+"), max_size=12), st.lists(st.sampled_from("abc-+"), max_size=12))
def test_the_lines_that_came_and_went_make_one_text_of_the_other(before: list[str], after: list[str]) -> None:
    lines = list(changed_lines("\n".join(before), "\n".join(after)))
    left = sorted([*before, *(line.text for line in lines if line.sign == "+")])
    assert left == sorted([*after, *(line.text for line in lines if line.sign == "-")])


def test_long_lines_are_cut() -> None:
    (line,) = changed_lines("", "x" * 5000)
    assert (line.sign, len(line.text)) == ("+", 300)
