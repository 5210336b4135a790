"""A run is saved before it is scored, goes on where it stopped, and ends on broken surroundings only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.answers.runner import ask, run
from ingest.golden import GoldenQuestion
from rag.errors import ModelStoppedHalfway, OllamaUnavailable, SettingsError
from rag.schema import Answer, AnswerDelta, Completed, Event, Evidence, Retrieved, ThinkingDelta


def question(question_id: str) -> GoldenQuestion:
    return GoldenQuestion(question_id, f"question {question_id}", "en", True, ("7 days",), (("7 days",),), ("d1",))


def evidence(number: int, document_id: str) -> Evidence:
    return Evidence(number, document_id, document_id, "t", (), "text", 0, 4, 0, 4, "en")


ANSWER = Answer("7 days", "en", False, "hm", (), (), (), "scripted", True, 1)


class FakePipeline:
    """Answers everything alike, but for questions whose words are in ``errors``."""

    def __init__(self, errors: dict[str, Exception] | None = None) -> None:
        self.errors = errors or {}
        self.asked: list[str] = []

    def stream(self, question: str, *, think: bool | None = None) -> Iterator[Event]:
        self.asked.append(question)
        yield Retrieved((evidence(1, "d1"), evidence(2, "d2"), evidence(3, "d1")), True, 0.9, 1)
        if question in self.errors:
            raise self.errors[question]
        yield ThinkingDelta("hm")
        yield AnswerDelta("7 days")
        yield Completed(ANSWER)


def test_a_record_keeps_what_came_and_when() -> None:
    record = ask(FakePipeline(), question("a"), think=None)
    assert record.answer == ANSWER
    assert record.evidence_documents == ("d1", "d2")
    times = [record.evidence_ms, record.first_token_ms, record.first_answer_ms, record.total_ms]
    assert times == sorted(times, key=lambda value: value or 0.0)
    assert record.error == ""


def test_one_broken_answer_does_not_end_the_run(tmp_path: Path) -> None:
    pipeline = FakePipeline({"question b": ModelStoppedHalfway(partial_text="7")})
    records = run(pipeline, [question("a"), question("b"), question("c")], tmp_path / "r.jsonl", think=None)
    assert [record.error for record in records] == ["", "ModelStoppedHalfway", ""]
    assert records[1].answer is None
    assert records[1].evidence_documents == ("d1", "d2")


def test_a_run_goes_on_after_the_server_died_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "run" / "records.jsonl"
    broken = FakePipeline({"question b": OllamaUnavailable(host="h")})
    questions = [question("a"), question("b"), question("c")]
    with pytest.raises(OllamaUnavailable):
        run(broken, questions, path, think=None)
    path.write_text(path.read_text("utf-8") + '{"question_id": "b", "ans', encoding="utf-8")

    healed = FakePipeline()
    records = run(healed, questions, path, think=None)
    assert healed.asked == ["question b", "question c"], "what was answered is not asked again"
    assert [record.question_id for record in records] == ["a", "b", "c"]
    assert len(path.read_text("utf-8").splitlines()) == 3


def test_a_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"something": "else"}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="not a run"):
        run(FakePipeline(), [question("a")], path, think=None)
