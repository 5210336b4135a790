"""A rehearsal says what would be published, and leaves everything as it was."""

from pathlib import Path

import pytest

from ingest.changes import Changes
from ingest.check import check
from ingest.gate import register
from tests.ingest.conftest import Desk
from tests.ingest.test_gate import QUESTIONS, TOPICS, Asked, bury, question_file

pytestmark = pytest.mark.slow


def test_what_would_change_is_told_document_by_document(desk: Desk) -> None:
    desk.ingest()
    desk.write("returns/deadline.md", "---\nupdated: 2026-08-01\n---\n# Deadline\n\nReturn it within 14 days.")
    desk.write("new.md", "# New\n\nSomething new.")
    (desk.manual / "运费.txt").rename(desk.manual / "邮费.txt")
    desk.write("faq.jsonl", '{"id": "q1", "title": "Gift?", "text": "We wrap it."}')
    told = desk.ingest(prune=True, rehearsal=True)
    changes = told.changes
    assert (changes.added, changes.changed, changes.moved, changes.retired) == (1, 1, 1, 1)
    assert (told.published, told.generation, told.documents, told.is_held_back) == (False, 1, 4, False)
    by_id = {one.document_id: one for one in changes.documents}
    deadline = by_id["returns/deadline.md"]
    assert [(line.sign, line.text) for line in deadline.lines] == [
        ("-", "Return it within 7 days."), ("+", "Return it within 14 days."),
    ]  # fmt: skip
    assert (deadline.kind, deadline.lines_came, deadline.lines_gone) == ("changed", 1, 1)
    assert (by_id["new.md"].kind, by_id["new.md"].passages_before, by_id["new.md"].passages_after) == ("added", 0, 1)
    assert (by_id["邮费.txt"].kind, by_id["邮费.txt"].former_id) == ("moved", "运费.txt")
    assert (by_id["q2"].kind, by_id["q2"].passages_before, by_id["q2"].passages_after) == ("retired", 1, 0)

    assert desk.store.require_generation() == 1
    assert "7 days" in desk.documents()["returns/deadline.md"]
    assert check(desk.settings.knowledge_dir).findings == ()
    published = desk.ingest(prune=True)
    assert (published.published, published.documents, published.chunks) == (True, 4, told.chunks)
    assert published.embedded == 0  # the rehearsal's vectors were kept
    assert published.changes == Changes()


def test_the_first_rehearsal_leaves_no_knowledge_base(desk: Desk) -> None:
    told = desk.ingest(rehearsal=True)
    assert (told.generation, told.documents, told.changes.added, told.published) == (0, 4, 4, False)
    assert desk.store.current_generation() == 0
    assert desk.ingest().generation == 1


def test_a_rehearsal_of_nothing_new(desk: Desk) -> None:
    desk.ingest()
    told = desk.ingest(rehearsal=True)
    assert told.changes.is_empty
    assert (told.generation, told.documents, told.chunks, told.embedded) == (1, 4, 4, 0)


def test_a_rehearsal_names_the_questions_that_would_be_lost(desk: Desk, tmp_path: Path) -> None:
    desk.embedder = Asked()
    for name, text in TOPICS.items():
        desk.write(name, text)
    desk.ingest()
    register(question_file(tmp_path / "q.jsonl", QUESTIONS), desk.settings)
    bury(desk)
    told = desk.ingest(rehearsal=True)
    assert told.is_held_back
    assert told.gate is not None
    assert [one.document_ids for one in told.gate.lost] == [("kettle.md",)]
    assert told.changes.changed == 1
    assert desk.ingest(force=True).published


def test_duplicates_are_told_before_they_are_published(desk: Desk) -> None:
    text = "# Fees\n\n" + "Delivery costs four euros and ninety-five cents within the country. " * 5
    desk.write("fees.md", text)
    desk.ingest()
    desk.write("fees-copy.md", text)
    told = desk.ingest(rehearsal=True)
    assert told.duplicates.same == (("fees-copy.md", "fees.md"),)
