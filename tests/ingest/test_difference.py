"""A difference says what the next ingest does, and does none of it."""

from pathlib import Path

import pytest

from ingest.difference import difference
from rag.errors import NothingToIngest, SourceMissing
from tests.ingest.conftest import Desk


@pytest.mark.slow
def test_what_will_be_changed_is_told_and_nothing_is_done(desk: Desk) -> None:
    desk.ingest()
    desk.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    desk.write("new.md", "# New\n\nSomething new.")
    desk.write("broken.pdf", "not a PDF")
    (desk.manual / "运费.txt").rename(desk.manual / "邮费.txt")
    desk.write("faq.jsonl", '{"id": "q1", "title": "Gift?", "text": "We wrap it."}')
    found = difference([desk.manual], desk.settings, reader=desk.reader)
    assert (found.generation, found.added, found.changed) == (1, ("new.md",), ("returns/deadline.md",))
    assert (found.moved, found.missing, found.unchanged) == ((("运费.txt", "邮费.txt"),), ("q2",), 1)
    assert [failure.details["path"] for failure in found.failures] == [str(desk.manual / "broken.pdf")]
    assert not found.is_empty
    assert desk.store.require_generation() == 1
    summary = desk.ingest(prune=True)
    assert (summary.added, summary.changed, summary.moved, summary.retired) == (1, 1, 1, 1)
    after = difference([desk.manual], desk.settings, reader=desk.reader)
    assert (after.is_empty, after.unchanged) == (True, 4)


@pytest.mark.slow
def test_without_a_knowledge_base_all_is_new_and_none_is_made(desk: Desk) -> None:
    found = difference([desk.manual], desk.settings, reader=desk.reader)
    assert (found.generation, len(found.added)) == (0, 4)
    assert not desk.settings.knowledge_dir.exists()


def test_nothing_to_compare(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToIngest):
        difference([tmp_path / "empty"], desk.settings, reader=desk.reader)
    with pytest.raises(SourceMissing):
        difference([tmp_path / "nowhere"], desk.settings, reader=desk.reader)
