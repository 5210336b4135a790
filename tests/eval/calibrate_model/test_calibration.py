"""Questions asked several at once: saved, gone on with, bounded, and cancelled without loss."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval.answers.asking import RECORDS
from eval.calibrate_model.calibration import Asking
from eval.core.runs import read_records
from ingest.golden import GoldenQuestion
from rag.errors import ModelTimedOut, OllamaUnavailable
from rag.pipeline import PipelineParts
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.testing import ScriptedGenerator, offline_parts

pytestmark = pytest.mark.slow

FAR = time.monotonic() + 3600


def questions(count: int) -> list[GoldenQuestion]:
    asked = "Within how many days can I send back item {}?"
    return [
        GoldenQuestion(f"q{n}", asked.format(n), "en", True, ("30 days",), (), ("returns.md",)) for n in range(count)
    ]


@pytest.fixture
def parts(tmp_path: Path) -> PipelineParts:
    return offline_parts(tmp_path / "kb")


def asking(parts: PipelineParts, *, slots: int = 2, deadline: float = FAR) -> Asking:
    return Asking(parts, slots, False, deadline, lambda: None)


def test_all_are_asked_and_kept(parts: PipelineParts, tmp_path: Path) -> None:
    path = tmp_path / "run" / "records.jsonl"
    records, seconds = asking(parts).ask_all(questions(5), path)
    assert [record.question_id for record in records] == [f"q{n}" for n in range(5)]
    assert seconds > 0
    assert {record.question_id for record in read_records(path, RECORDS)} == {f"q{n}" for n in range(5)}
    again, seconds = asking(parts).ask_all(questions(5), path)
    assert again == records
    assert seconds == 0.0  # nothing was asked


def test_when_time_is_up_no_other_question_is_begun(parts: PipelineParts, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    records, _ = asking(parts, slots=1, deadline=time.monotonic() - 1).ask_all(questions(3), path)
    assert [record.question_id for record in records] == ["q0"]  # one is asked in any case
    records, _ = asking(parts, slots=1).ask_all(questions(3), path)
    assert len(records) == 3


def test_an_answer_that_fails_by_itself_is_recorded_and_a_dead_server_ends_the_run(
    parts: PipelineParts, tmp_path: Path
) -> None:
    def timed_out(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        return [ModelTimedOut(seconds=1.0)]

    def dead(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        return [OllamaUnavailable(host="here")]

    slow = replace(parts, gateway=parts.gateway.with_generator(ScriptedGenerator(timed_out)))
    records, _ = asking(slow).ask_all(questions(2), tmp_path / "slow.jsonl")
    assert [record.error for record in records] == ["ModelTimedOut", "ModelTimedOut"]
    with pytest.raises(OllamaUnavailable):
        asking(replace(parts, gateway=parts.gateway.with_generator(ScriptedGenerator(dead)))).ask_all(
            questions(9), tmp_path / "dead.jsonl"
        )
    assert read_records(tmp_path / "dead.jsonl", RECORDS) == []


def test_ctrl_c_cancels_what_runs_and_keeps_what_is_answered(
    parts: PipelineParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.jsonl"
    asking(parts).ask_all(questions(1), path)
    spoke = threading.Event()

    class Endless:
        """An answer of a word every hundredth of a second, for a minute."""

        def __len__(self) -> int:
            return 6000

        def __getitem__(self, index: int) -> GenerationPart:
            if index >= len(self):
                raise IndexError(index)
            spoke.set()
            time.sleep(0.01)
            return GeneratedText("30 ")

    endless = ScriptedGenerator(lambda messages: Endless())  # type: ignore[arg-type, return-value]
    join = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout is not None and spoke.wait(20):
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    started_at = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        asking(replace(parts, gateway=parts.gateway.with_generator(endless))).ask_all(questions(4), path)
    assert time.monotonic() - started_at < 30  # the answers would have taken a minute each
    assert [record.question_id for record in read_records(path, RECORDS)] == ["q0"]
