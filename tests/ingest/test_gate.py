"""A generation that finds less of what it must is built and not published."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.check import check
from ingest.gate import check_current, register
from ingest.publish import history, rollback
from rag.errors import IndexDamaged, NoRegressionQuestions, SettingsError
from rag.protocols import QueryVectors
from rag.retrieval.retriever import Retriever
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.writer import KnowledgeWriter
from rag.tracing import Trace
from tests.ingest.conftest import CountingEmbedder, Desk

pytestmark = pytest.mark.slow

TOPICS = {
    "kettle.md": "# Kettle\n\nDescale the kettle with citric acid.",
    "lock.md": "# Lock\n\nThe lock opens with a fingerprint.",
    "robot.md": "# Robot\n\nEmpty the robot's dust box.",
    "lamp.md": "# Lamp\n\nThe lamp dims by a long press.",
}
QUESTIONS = {
    "How do I descale the kettle with acid?": "kettle.md",
    "Does the lock know my fingerprint?": "lock.md",
    "Where is the dust box of the robot?": "robot.md",
    "Can the lamp be dimmed by a long press?": "lamp.md",
}


class Asked(CountingEmbedder):
    """Remembers the questions as well."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.questions: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        self.questions += texts
        return super().embed_queries(texts)


def question_file(path: Path, expected: dict[str, str]) -> Path:
    rows = [
        {"id": str(number), "question": question, "lang": "en", "relevant": [document]}
        for number, (question, document) in enumerate(expected.items())
    ]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"id": "none", "question": "Who?"}]))
    return path


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """Four topics and a question about each, published once."""
    desk.embedder = Asked()
    for name, text in TOPICS.items():
        desk.write(name, text)
    desk.ingest()
    register(question_file(desk.manual.parent / "q.jsonl", QUESTIONS), desk.settings)
    return desk


def bury(desk: Desk, name: str = "kettle.md", question: str = "How do I descale the kettle with acid?") -> None:
    """Take a document's words away and give them to more others than a reader looks at."""
    desk.write(name, "# Nothing\n\nThis page is being written anew.")
    for number in range(8):
        desk.write(f"noise{number}.md", f"# Noise {number}\n\n{question} Number {number}.")


def test_registering_tells_what_can_be_asked(asked: Desk, tmp_path: Path) -> None:
    assert register(question_file(tmp_path / "q.jsonl", QUESTIONS), asked.settings) == (4, 1)
    with pytest.raises(SettingsError, match="nowhere"):
        register(tmp_path / "nowhere.jsonl", asked.settings)
    (tmp_path / "without.jsonl").write_text('{"id": "a", "question": "Who?"}')
    with pytest.raises(NoRegressionQuestions, match=r"without\.jsonl"):
        register(tmp_path / "without.jsonl", asked.settings)


def test_a_worse_generation_is_built_and_not_published(asked: Desk) -> None:
    before = asked.documents()
    bury(asked)
    summary = asked.ingest()
    assert (summary.published, summary.is_held_back, summary.generation) == (False, True, 1)
    assert summary.embedded == 9
    report = summary.gate
    assert report is not None
    assert (report.questions, report.before, report.after, report.passed) == (4, 4, 3, False)
    (lost,) = report.lost
    assert (lost.document_ids, lost.before, lost.present) == (("kettle.md",), 1, True)
    assert lost.after is None or lost.after > 5
    assert lost.first.startswith("noise")
    assert asked.documents() == before
    assert check(asked.settings.knowledge_dir).findings == ()
    with asked.store.reading() as connection:  # not even word frequencies tell of it
        assert connection.execute("SELECT max(first_generation) FROM document").fetchone()[0] == 1
    assert not asked.store.generation_folder(2).exists()


def test_force_publishes_it_without_embedding_and_the_history_says_so(asked: Desk) -> None:
    bury(asked)
    asked.ingest()
    summary = asked.ingest(force=True)
    assert (summary.published, summary.generation, summary.embedded) == (True, 2, 0)
    assert summary.gate is not None
    assert summary.gate.forced
    change = history(asked.settings.knowledge_dir)[0].change
    assert (change.forced, change.lost, change.changed) == (True, 1, 1)
    asked.write("lamp.md", TOPICS["lamp.md"] + " And more.")
    again = asked.ingest()
    assert again.published, "what was forced is what the next one is held against"
    assert history(asked.settings.knowledge_dir)[0].change.forced is False


def test_within_the_margin_it_is_published_and_counted(asked: Desk) -> None:
    asked.settings = asked.settings.changed(gate_margin=0.25)
    bury(asked)
    summary = asked.ingest()
    assert summary.published
    assert history(asked.settings.knowledge_dir)[0].change.lost == 1


def test_one_won_makes_up_for_one_lost(asked: Desk) -> None:
    RegressionQuestions(asked.store).add(RegressionQuestion("What is the zebra?", "en", ("zebra.md",)))
    bury(asked)
    asked.write("zebra.md", "# Zebra\n\nWhat is the zebra? A striped one.")
    summary = asked.ingest()
    assert summary.published
    assert summary.gate is not None
    assert [one.document_ids for one in summary.gate.won] == [("zebra.md",)]
    assert len(summary.gate.lost) == 1


def test_what_was_pruned_on_purpose_is_told_apart(asked: Desk) -> None:
    (asked.manual / "lock.md").unlink()
    assert asked.ingest().missing == 1
    summary = asked.ingest(prune=True)
    assert summary.published
    assert summary.gate is not None
    assert [one.document_ids for one in summary.gate.retired] == [("lock.md",)]
    assert (summary.gate.questions, summary.gate.lost) == (3, ())
    asked.write("lamp.md", TOPICS["lamp.md"] + " More.")
    report = asked.ingest().gate
    assert report is not None
    assert (report.unknown, report.retired) == (1, ())


def test_a_document_with_a_new_name_is_the_same_answer_even_after_going_back(asked: Desk) -> None:
    (asked.manual / "robot.md").rename(asked.manual / "vacuum.md")
    summary = asked.ingest()
    assert (summary.moved, summary.published) == (1, True)
    assert summary.gate is not None
    assert summary.gate.after == 4
    asked.write("lamp.md", TOPICS["lamp.md"] + " More.")
    report = asked.ingest().gate
    assert report is not None
    assert report.after == 4
    rollback(asked.settings.knowledge_dir, 1)
    assert check_current(asked.settings, asked.embedder).after == 4


def test_a_quote_is_found_wherever_it_went(asked: Desk) -> None:
    quote = "Descale the kettle\nwith citric acid."
    question = next(iter(QUESTIONS))
    RegressionQuestions(asked.store).add(RegressionQuestion(question, "en", ("kettle.md",), quote))
    asked.write("kettle.md", "# Nothing\n\nMoved.")
    asked.write("care.md", "# Care\n\nFirst of all: descale often. Descale the kettle with citric acid.")
    summary = asked.ingest()
    assert summary.gate is not None
    assert (summary.gate.after, summary.published) == (4, True)


def test_questions_are_embedded_once(asked: Desk) -> None:
    assert isinstance(asked.embedder, Asked)
    asked.write("lamp.md", TOPICS["lamp.md"] + " More.")
    asked.ingest()
    assert asked.embedder.questions == list(QUESTIONS)
    asked.write("lamp.md", TOPICS["lamp.md"])
    asked.ingest()
    assert asked.embedder.questions == list(QUESTIONS)


def test_another_embedder_is_held_against_what_the_former_one_found(asked: Desk) -> None:
    asked.write("lamp.md", TOPICS["lamp.md"] + " More.")
    asked.ingest()
    asked.embedder = Asked(32)
    summary = asked.ingest(rebuild=True)
    assert summary.gate is not None
    assert (summary.gate.questions, summary.gate.before, summary.gate.new) == (4, 4, 0)


def test_where_nothing_is_known_from_before_nothing_is_held_back(asked: Desk) -> None:
    asked.embedder = Asked(32)
    summary = asked.ingest(rebuild=True)
    assert summary.gate is not None
    assert (summary.gate.questions, summary.gate.new, summary.published) == (0, 4, True)


def test_without_questions_nothing_is_asked(desk: Desk) -> None:
    assert desk.ingest().gate is None
    with pytest.raises(NoRegressionQuestions, match="default"):
        check_current(desk.settings, desk.embedder)


def test_questions_come_before_the_first_documents(desk: Desk) -> None:
    register(question_file(desk.manual.parent / "q.jsonl", QUESTIONS), desk.settings)
    summary = desk.ingest()
    assert summary.gate is not None
    assert (summary.gate.new, summary.published) == (4, True)


def test_what_a_file_knows_of_the_answers_is_kept(desk: Desk) -> None:
    row = {"id": "1", "question": "Why?", "relevant": ["a.md"], "answers": ["So."], "key_points": [["so", "thus"]]}
    file = desk.manual.parent / "q.jsonl"
    file.write_text(json.dumps(row))
    register(file, desk.settings)
    (kept,) = RegressionQuestions(desk.store).all()
    assert (kept.asked.answers, kept.asked.key_points) == (("So.",), (("so", "thus"),))


def test_a_desk_that_runs_sees_nothing_of_it(asked: Desk) -> None:
    store = asked.store
    retriever = Retriever(store, asked.embedder, asked.settings)
    question = next(iter(QUESTIONS))
    before = retriever.find(question, "en", Trace())
    bury(asked)
    asked.ingest()
    after = retriever.find(question, "en", Trace())
    assert (after.generation, after.chunks) == (1, before.chunks)


def test_a_damaged_generation_is_mended_all_the_same(asked: Desk) -> None:
    (asked.store.generation_folder(1) / "index.json").write_bytes(b"no index")
    with pytest.raises(IndexDamaged):
        check_current(asked.settings, asked.embedder)
    assert asked.ingest(rebuild=True).published


def test_the_current_generation_alone(asked: Desk) -> None:
    register(question_file(asked.manual.parent / "q.jsonl", QUESTIONS | {"Zebra?": "zebra.md"}), asked.settings)
    report = check_current(asked.settings, asked.embedder)
    assert (report.questions, report.after, report.unknown, report.lost) == (4, 4, 1, ())
    bury(asked)
    asked.ingest(force=True)
    (missed,) = check_current(asked.settings, asked.embedder).lost
    assert missed.document_ids == ("kettle.md",)


def test_the_margin_counts_in_shares_of_the_questions(asked: Desk) -> None:
    bury(asked)
    report = asked.ingest().gate
    assert report is not None
    for questions, lost, margin, passed in ((50, 1, 0.02, True), (49, 1, 0.02, False), (3, 0, 0.0, True)):
        many = replace(report, questions=questions, before=questions, after=questions - lost, margin=margin)
        assert many.passed is passed


def test_a_writer_that_only_holds_questions_is_no_knowledge_base(desk: Desk) -> None:
    writer = KnowledgeWriter(desk.settings.knowledge_dir)
    RegressionQuestions(writer.database).add(RegressionQuestion("Who?", "en", ("a.md",)))
    assert desk.store.current_generation() == 0
