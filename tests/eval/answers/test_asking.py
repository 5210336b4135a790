"""A run is saved before it is scored, goes on where it stopped, and ends on broken surroundings only."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from eval.answers.asking import NO_PASSAGE, Instruments, MeteredGenerator, Record, WatchedRetriever, ask, run
from ingest.golden import GoldenQuestion
from rag.errors import ModelStoppedHalfway, OllamaUnavailable, SettingsError
from rag.protocols import GenerationFinished, GenerationPart, Message
from rag.retrieval.filters import PLAIN_SEARCH, SearchOptions
from rag.schema import (
    Answer,
    AnswerDelta,
    Completed,
    Event,
    Evidence,
    Language,
    Retrieval,
    Retrieved,
    TextSpan,
    ThinkingDelta,
)
from rag.testing import ScriptedGenerator
from rag.tracing import Trace


def question(question_id: str) -> GoldenQuestion:
    return GoldenQuestion(question_id, f"question {question_id}", "en", True, ("7 days",), (("7 days",),), ("d1",))


def evidence(number: int, document_id: str, *, is_sent: bool = True) -> Evidence:
    sent = (TextSpan(0, 4),) if is_sent else ()
    return Evidence(number, document_id, document_id, "t", (), "text", 0, 4, 0, 4, "en", sent=sent)


ANSWER = Answer("7 days", "en", False, "hm", (), (), (), "scripted", True, 1)


class Nothing:
    """Finds nothing."""

    def retrieve(
        self, question: str, language: Language, trace: Trace, options: SearchOptions = PLAIN_SEARCH
    ) -> Retrieval:
        return Retrieval((), 0.0, False, 1)


def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
    return [GenerationFinished(prompt_tokens=100, generated_tokens=7)]


INSTRUMENTS = Instruments(MeteredGenerator(ScriptedGenerator(script)), WatchedRetriever(Nothing()), lambda text: 3)


class FakeArm:
    """Answers everything alike with two requests, but for questions whose words are in ``errors``."""

    def __init__(self, errors: dict[str, Exception] | None = None) -> None:
        self.errors = errors or {}
        self.asked: list[str] = []

    def __call__(self, question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
        self.asked.append(question.question)
        yield Retrieved((evidence(1, "d1"), evidence(2, "d2", is_sent=False), evidence(3, "d1")), True, 0.9, 1)
        if question.question in self.errors:
            raise self.errors[question.question]
        for _ in range(2):
            list(INSTRUMENTS.meter.generate([], think=False, max_tokens=1))
        yield ThinkingDelta("hm")
        yield AnswerDelta("7 days")
        yield Completed(ANSWER)


def run_own(arm: FakeArm, names: str, path: Path) -> tuple[Record, ...]:
    return run({"own": arm}, [question(name) for name in names], path, INSTRUMENTS, think=None)


def test_a_record_keeps_what_came_and_when() -> None:
    record = ask(FakeArm(), question("a"), think=None, instruments=INSTRUMENTS)
    assert record.answer == ANSWER
    assert record.evidence_documents == ("d1", "d2")
    assert record.sent_documents == ("d1",)
    assert record.sent == "text\ntext"
    assert (record.tokens.prompt, record.tokens.generated, record.tokens.evidence) == (100, 14, 3)
    times = [record.evidence_ms, record.first_token_ms, record.first_answer_ms, record.total_ms]
    assert times == sorted(times, key=lambda value: value or 0.0)
    assert record.error == ""


def test_one_broken_answer_does_not_end_the_run(tmp_path: Path) -> None:
    arm = FakeArm({"question b": ModelStoppedHalfway(partial_text="7")})
    records = run_own(arm, "abc", tmp_path / "r.jsonl")
    assert [record.error for record in records] == ["", "ModelStoppedHalfway", ""]
    assert records[1].answer is None
    assert records[1].evidence_documents == ("d1", "d2")


def test_a_run_goes_on_after_the_server_died_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "run" / "records.jsonl"
    broken = FakeArm({"question b": OllamaUnavailable(host="h")})
    with pytest.raises(OllamaUnavailable):
        run_own(broken, "abc", path)
    path.write_text(path.read_text("utf-8") + '{"question_id": "b", "ans', encoding="utf-8")

    healed = FakeArm()
    records = run_own(healed, "abc", path)
    assert healed.asked == ["question b", "question c"], "what was answered is not asked again"
    assert [record.question_id for record in records] == ["a", "b", "c"]
    assert len(path.read_text("utf-8").splitlines()) == 3


def test_a_question_is_asked_in_every_arm_before_the_next_one(tmp_path: Path) -> None:
    arm = FakeArm()
    records = run({"own": arm, "floor": arm}, [question("a"), question("b")], tmp_path / "r", INSTRUMENTS, think=None)
    assert [(record.arm, record.question_id) for record in records] == [
        ("own", "a"),
        ("floor", "a"),
        ("own", "b"),
        ("floor", "b"),
    ]


def test_an_arm_without_events_has_no_passage_to_give() -> None:
    def silent(question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
        return iter(())

    record = ask(silent, question("a"), think=None, instruments=INSTRUMENTS, arm="ceiling")
    assert (record.error, record.tokens.prompt) == (NO_PASSAGE, 0)


def test_a_file_that_is_no_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"something": "else"}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="not a run"):
        run_own(FakeArm(), "a", path)
