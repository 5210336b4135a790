"""Turns run in the background, are never lost, and can be read again after everything else is gone."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import (
    AnswerCancelled,
    KnowledgeBaseMissing,
    ModelStoppedHalfway,
    OwnQueueFull,
    QuestionsTooFast,
    QuestionTooLong,
    QueueFull,
    TurnMissing,
)
from rag.pipeline import AskOptions, Pipeline
from rag.schema import (
    Answer,
    AnswerDelta,
    Citation,
    Completed,
    Event,
    Evidence,
    Queued,
    Retrieved,
    SpanTime,
    TextSpan,
    ThinkingDelta,
)
from rag.storage.access import LOCAL_USER, KnowledgeBases
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import Outcomes, TurnTimesTable
from rag.testing import ScriptedGenerator, offline_parts
from rag.turns import FINAL_VERSION, AnswerPipeline, PersonLimits, Pipelines, TurnRequest, TurnService, TurnSnapshot
from tests.support.waiting import until

PASSAGE = "Refunds are open for 7 days after signing."
EVIDENCE = (
    Evidence(
        number=1,
        document_id="refunds.md",
        document_path="refunds.md",
        title="Refunds",
        heading_path=("Refunds", "Deadline"),
        text=PASSAGE,
        start=10,
        end=10 + len(PASSAGE),
        focus_start=10,
        focus_end=10 + len(PASSAGE),
        language="en",
    ),
)
ANSWER = Answer(
    text="You have 7 days. It is quick.",
    language="en",
    refused=False,
    thinking="The passage says 7 days.",
    citations=(Citation(0, 16, "refunds.md", "refunds.md", PASSAGE, 10, 10 + len(PASSAGE)),),
    unsupported=(TextSpan(17, 29),),
    spans=(SpanTime("embed", 5.0), SpanTime("total", 900.0)),
    model="scripted",
    stand_in=True,
    generation=3,
)
FOUND = Retrieved(EVIDENCE, answerable=True, answerable_probability=0.9, generation=3)
EVENTS: tuple[Event, ...] = (
    FOUND,
    Queued(2, 12.5),
    Queued(0, 0.0),
    ThinkingDelta("The passage says "),
    ThinkingDelta("7 days."),
    AnswerDelta("You have 7 days."),
    AnswerDelta(" It is quick."),
    Completed(ANSWER),
)

Step = Event | Exception | threading.Event


class StepPipeline:
    """Gives the steps of its script: events are yielded, exceptions raised, gates waited for."""

    def __init__(self, steps: Sequence[Step] = EVENTS) -> None:
        self.steps = steps
        self.asked: list[tuple[str, bool | None]] = []
        self.earlier: list[Sequence[str]] = []
        self.owners: list[str] = []
        self.closed = 0

    def stream(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        cancelled = options.cancelled
        self.asked.append((question, options.think))
        self.earlier.append(options.earlier)
        self.owners.append(options.owner)
        try:
            for step in self.steps:
                if isinstance(step, threading.Event):
                    _wait_for_either(step, cancelled)
                    if cancelled is not None and cancelled.is_set():
                        raise AnswerCancelled
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1


def _wait_for_either(gate: threading.Event, cancelled: threading.Event | None) -> None:
    for _ in range(2000):
        if gate.wait(timeout=0.005) or (cancelled is not None and cancelled.is_set()):
            return
    raise AssertionError("a gate stayed closed for 10 s")


Start = Callable[..., TurnService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    services: list[TurnService] = []

    def _start(pipeline: AnswerPipeline | Callable[[], AnswerPipeline], **options: Any) -> TurnService:
        built = pipeline if callable(pipeline) else lambda: pipeline
        provider = lambda knowledge_base, user: built()  # noqa: E731
        workers = int(options.pop("workers", 4))
        services.append(TurnService(provider, TurnStore(tmp_path / "turns.db"), workers, **options))
        return services[-1]

    yield _start
    for service in services:
        service.close()


def ended(turns: TurnService, turn_id: str) -> TurnSnapshot:
    """Wait for the end, and until the turn is written and read from the store."""
    snapshot = turns.wait(turn_id, lambda _: False, timeout_seconds=10)
    deadline = time.monotonic() + 10
    while turns._live and time.monotonic() < deadline:
        time.sleep(0.002)
    assert snapshot.final
    return snapshot


def test_a_turn_goes_through_its_states_and_ends_with_the_answer(start: Start) -> None:
    gates = [threading.Event() for _ in range(5)]
    steps = [gates[0], EVENTS[0], EVENTS[1], gates[1], EVENTS[2], gates[2], *EVENTS[3:5], gates[3], EVENTS[5], gates[4]]
    turns = start(StepPipeline([*steps, *EVENTS[6:]]))
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local", think=True))

    searching = turns.snapshot(turn_id)
    assert searching is not None
    assert (searching.state, searching.question, searching.language) == ("searching", "How long?", "en")
    gates[0].set()
    queued = turns.wait(turn_id, lambda turn: turn.state == "queued", timeout_seconds=10)
    assert (queued.ahead, queued.wait_seconds, queued.evidence, queued.generation) == (2, 12.5, EVIDENCE, 3)
    assert [stage.name for stage in queued.stages] == ["search", "prompt"]
    gates[1].set()
    reading = turns.wait(turn_id, lambda turn: turn.state == "reading", timeout_seconds=10)
    assert (reading.ahead, reading.wait_seconds) == (None, None)
    gates[2].set()
    thinking = turns.wait(turn_id, lambda turn: turn.thinking.endswith("days."), timeout_seconds=10)
    assert (thinking.state, thinking.text, thinking.thinking) == ("thinking", "", "The passage says 7 days.")
    gates[3].set()
    writing = turns.wait(turn_id, lambda turn: turn.text != "", timeout_seconds=10)
    assert (writing.state, writing.text, writing.answer) == ("answering", "You have 7 days.", None)
    assert queued.version < reading.version < thinking.version < writing.version < FINAL_VERSION
    gates[4].set()
    done = ended(turns, turn_id)
    assert (done.state, done.answer, done.text, done.version) == ("done", ANSWER, ANSWER.text, FINAL_VERSION)


def test_who_listens_hears_every_change_until_the_end_or_until_they_stop(start: Start) -> None:
    gates = [threading.Event(), threading.Event()]
    turns = start(StepPipeline([gates[0], *EVENTS[:4], gates[1], *EVENTS[4:]]))
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    heard: list[str] = []
    heard_early: list[str] = []
    turns.listen(turn_id, lambda snapshot: heard.append(snapshot.state))
    stop = turns.listen(turn_id, lambda snapshot: heard_early.append(snapshot.state))
    gates[0].set()
    turns.wait(turn_id, lambda turn: turn.state == "thinking", timeout_seconds=10)
    stop()
    gates[1].set()
    ended(turns, turn_id)
    assert heard_early == ["reading", "queued", "reading", "thinking"]
    assert heard == [*heard_early, "thinking", "answering", "answering", "done"]
    turns.listen(turn_id, lambda snapshot: heard.append("too late"))()
    turns.listen("unknown", lambda snapshot: heard.append("unknown"))()
    assert len(heard) == 8


def test_an_end_that_was_read_is_not_read_from_the_store_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = start(StepPipeline())
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    ended(turns, turn_id)
    first = turns.snapshot(turn_id)
    monkeypatch.setattr(turns._store, "get", lambda turn_id: pytest.fail("the store was read again"))
    assert turns.snapshot(turn_id) == first


@pytest.mark.slow
def test_words_wait_for_the_searches_of_others_but_not_for_long(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([gate, *EVENTS]))
    turns.searches.begin("somebody else's")
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    turns.wait(turn_id, lambda turn: False, timeout_seconds=0.05)
    gate.set()
    began_at = time.monotonic()
    turns.wait(turn_id, lambda turn: turn.final, timeout_seconds=10)
    assert 0.05 <= time.monotonic() - began_at < 5


@pytest.mark.slow
def test_a_turn_is_searched_for_until_its_passages_are_there_or_it_ends_without(start: Start) -> None:
    gates = [threading.Event(), threading.Event()]
    turns = start(StepPipeline([gates[0], EVENTS[0], gates[1], *EVENTS[1:]]))

    def goes_first_seconds() -> float:
        began_at = time.monotonic()
        turns.searches.wait_until_idle(0.05)
        return time.monotonic() - began_at

    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    deadline = time.monotonic() + 10
    while goes_first_seconds() < 0.05 and time.monotonic() < deadline:
        pass  # a worker takes the turn
    assert goes_first_seconds() >= 0.05
    gates[0].set()
    turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10)
    turns.searches.wait_until_idle(10)
    assert goes_first_seconds() < 0.05
    gates[1].set()
    ended(turns, turn_id)

    broken = start(StepPipeline([KnowledgeBaseMissing(folder="nowhere")]))
    ended(broken, broken.submit("token-2", TurnRequest("How long?", session="local")))
    began_at = time.monotonic()
    broken.searches.wait_until_idle(10)
    assert time.monotonic() - began_at < 5


def test_a_snapshot_that_did_not_change_is_not_given_again(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, gate, Completed(ANSWER)]))
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    found = turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10)
    assert turns.snapshot(turn_id, found.version) is None
    assert turns.snapshot(turn_id, found.version - 1) is not None
    gate.set()
    assert ended(turns, turn_id).version > found.version
    assert turns.snapshot(turn_id, FINAL_VERSION) is None


def test_the_same_token_is_the_same_turn(start: Start) -> None:
    pipeline = StepPipeline()
    turns = start(pipeline)
    first = turns.submit("token-1", TurnRequest("How long?", session="local"))
    assert turns.submit("token-1", TurnRequest("How long?", session="local")) == first
    ended(turns, first)
    assert turns.submit("token-1", TurnRequest("How long?", session="local")) == first
    assert turns.submit("token-2", TurnRequest("How long?", session="local")) != first
    assert len(turns.history("local")) == 2


def test_the_thinking_switch_reaches_the_pipeline(start: Start) -> None:
    pipeline = StepPipeline()
    turns = start(pipeline, workers=1)
    for number, think in enumerate((None, True, False)):
        ended(turns, turns.submit(f"token-{number}", TurnRequest("q", session="local", think=think)))
    assert pipeline.asked == [("q", None), ("q", True), ("q", False)]


def test_the_line_is_told_who_asks(start: Start) -> None:
    pipeline = StepPipeline()
    turns = start(pipeline, workers=1)
    ended(turns, turns.submit("token-1", TurnRequest("q", session="local")))
    ended(turns, turns.submit("token-2", TurnRequest("q", session="local", owner="tab 1")))
    assert pipeline.owners == ["local", "tab 1"]


def test_times_are_kept_of_what_was_answered_and_until_the_evidence_of_what_was_not(
    start: Start, tmp_path: Path
) -> None:
    completed = Completed(ANSWER, generated_tokens=40, generation_ms=2000.0)
    ended_early: list[Step] = [*EVENTS[:6], ModelStoppedHalfway(partial_text="You have 7 days.")]
    scripts: list[list[Step]] = [[*EVENTS[:-1], completed], ended_early, [KnowledgeBaseMissing(folder=tmp_path)]]
    for steps in scripts:
        turns = start(StepPipeline(steps))
        ended(turns, turns.submit("token", TurnRequest("How long?", session="local")))
    times = TurnTimesTable(tmp_path / "turns.db")
    assert times.durations_ms("embed") == [5.0]
    assert len(times.durations_ms("evidence")) == 2
    assert times.durations_ms("thinking") == []
    assert times.outcomes() == Outcomes({"done": 1, "failed": 2}, generated_tokens=40, generation_ms=2000.0)
    assert times.failed_without_evidence() == 1


def test_stopping_keeps_what_was_written_and_closes_the_stream(start: Start) -> None:
    pipeline = StepPipeline([*EVENTS[:6], threading.Event()])
    turns = start(pipeline)
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    turns.wait(turn_id, lambda turn: turn.text != "", timeout_seconds=10)
    turns.cancel(turn_id)
    at_once = turns.snapshot(turn_id)
    assert at_once is not None
    assert (at_once.state, at_once.text) == ("stopped", "You have 7 days.")
    stored = ended(turns, turn_id)
    assert (stored.state, stored.text, stored.thinking) == ("stopped", "You have 7 days.", "The passage says 7 days.")
    assert stored.failure is not None
    assert stored.failure.kind == "AnswerCancelled"
    assert pipeline.closed == 1
    turns.cancel(turn_id)  # a second time, and an unknown one, do nothing
    turns.cancel("unknown")


def test_a_question_that_goes_on_brings_the_ones_before_it(start: Start) -> None:
    pipeline = StepPipeline()
    turns = start(pipeline)
    turn_id = ""
    for number in range(6):
        turn_id = turns.submit(f"token-{number}", TurnRequest(f"question {number}", session="local", follows=turn_id))
        assert ended(turns, turn_id).state == "done"
    assert pipeline.earlier[:2] == [(), ("question 0",)]
    assert pipeline.earlier[-1] == ("question 1", "question 2", "question 3", "question 4")
    assert turns.snapshot(turn_id).follows != ""  # type: ignore[union-attr]


def test_events_after_a_stop_change_nothing(start: Start) -> None:
    gate = threading.Event()

    class Deaf(StepPipeline):
        def stream(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
            yield FOUND
            gate.wait(10)
            yield AnswerDelta("late")
            yield Completed(ANSWER)

    turns = start(Deaf())
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10)
    turns.cancel(turn_id)
    gate.set()
    stopped = ended(turns, turn_id)
    assert (stopped.state, stopped.text, stopped.answer, stopped.evidence) == ("stopped", "", None, EVIDENCE)


def test_a_model_that_stops_halfway_leaves_its_text_and_the_reason_in_both_languages(start: Start) -> None:
    turns = start(StepPipeline([*EVENTS[:6], ModelStoppedHalfway(partial_text="You have 7 days.")]))
    failed = ended(turns, turns.submit("token-1", TurnRequest("How long?", session="local")))
    assert (failed.state, failed.text, failed.evidence) == ("failed", "You have 7 days.", EVIDENCE)
    assert failed.failure is not None
    assert failed.failure.kind == "ModelStoppedHalfway"
    assert failed.failure.en == "The model stopped halfway; this part may be incomplete."
    assert failed.failure.zh == "模型中途停止，以下内容可能不完整。"


def test_a_full_queue_still_shows_the_evidence(start: Start) -> None:
    turns = start(StepPipeline([FOUND, QueueFull(waiting=64)]))
    failed = ended(turns, turns.submit("token-1", TurnRequest("How long?", session="local")))
    assert (failed.state, failed.evidence) == ("failed", EVIDENCE)


def test_a_missing_knowledge_base_is_a_failed_turn_and_heals_without_a_restart(start: Start, tmp_path: Path) -> None:
    built = 0

    def build(name: str) -> AnswerPipeline:
        nonlocal built
        built += 1
        if built == 1:
            raise KnowledgeBaseMissing(folder="/somewhere")
        return StepPipeline()

    pipelines = Pipelines(KnowledgeBases(tmp_path), build)
    turns = start(lambda: pipelines("default", LOCAL_USER))
    failed = ended(turns, turns.submit("token-1", TurnRequest("How long?", session="local")))
    assert failed.failure is not None
    assert failed.failure.kind == "KnowledgeBaseMissing"
    assert ended(turns, turns.submit("token-2", TurnRequest("How long?", session="local"))).state == "done"
    assert ended(turns, turns.submit("token-3", TurnRequest("How long?", session="local"))).state == "done"
    assert built == 2


def test_a_bug_ends_the_turn_with_a_number_and_its_words_stay_out_of_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    turns = start(StepPipeline([FOUND, ZeroDivisionError("my secret question")]))
    with caplog.at_level(logging.DEBUG, logger="rag.turns"):
        failed = ended(turns, turns.submit("token-1", TurnRequest("my secret question", session="local")))
    assert failed.failure is not None
    assert failed.failure.kind == "TurnFailed"
    number = failed.failure.en.partition("no. ")[2].partition(")")[0]
    assert number in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
    assert (
        ended(turns, turns.submit("token-2", TurnRequest("again", session="local"))).state == "failed"
    )  # the worker lives on


def test_a_stream_that_ends_without_an_answer_is_a_failed_turn(start: Start) -> None:
    turns = start(StepPipeline([FOUND]))
    assert ended(turns, turns.submit("token-1", TurnRequest("How long?", session="local"))).state == "failed"


def test_a_refusal_has_its_own_state(start: Start) -> None:
    refusal = Answer("Not here.", "en", True, "", (), (), (), "", False, 3)
    turns = start(StepPipeline([Retrieved(EVIDENCE, False, 0.1, 3), Completed(refusal)]))
    refused = ended(turns, turns.submit("token-1", TurnRequest("How long?", session="local")))
    assert (refused.state, refused.answerable, refused.text) == ("refused", False, "Not here.")


def test_turns_are_read_again_after_a_restart(start: Start) -> None:
    first = start(StepPipeline())
    turn_id = first.submit("token-1", TurnRequest("How long?", session="local"))
    ended(first, turn_id)
    first.close()
    reopened = start(StepPipeline()).snapshot(turn_id)
    assert reopened is not None
    assert (reopened.state, reopened.answer, reopened.evidence) == ("done", ANSWER, EVIDENCE)
    assert (reopened.text, reopened.thinking, reopened.version) == (ANSWER.text, ANSWER.thinking, FINAL_VERSION)
    with pytest.raises(TurnMissing):
        first.snapshot("unknown")


def test_the_history_is_newest_first_and_knows_what_runs(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, gate, Completed(ANSWER)]))
    older = turns.submit("token-1", TurnRequest("first", session="local"))
    newer = turns.submit("token-2", TurnRequest("second", session="local"))
    other = turns.submit("token-3", TurnRequest("elsewhere", session="other"))
    for turn_id in (older, newer, other):
        turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10)
    rows = turns.history("local")
    assert [(row.turn_id, row.question, row.state) for row in rows] == [
        (newer, "second", "reading"),
        (older, "first", "reading"),
    ]
    assert turns.history("local", limit=1, offset=1) == (rows[1],)
    assert turns.occupancy().running == 3
    gate.set()
    ended(turns, newer)
    assert {row.state for row in turns.history("local")} == {"done"}


def test_a_turn_that_another_process_answers_is_stopped_with_what_it_has(start: Start) -> None:
    answering, other = start(StepPipeline([*EVENTS[:6], threading.Event()])), start(StepPipeline())
    turn_id = answering.submit("token-1", TurnRequest("How long?", session="local"))
    answering.wait(turn_id, lambda turn: turn.text != "", timeout_seconds=10)
    other.cancel(turn_id)
    seen = other.snapshot(turn_id)
    assert seen is not None
    assert (seen.state, seen.failure and seen.failure.kind) == ("stopped", "AnswerCancelled")
    assert ended(answering, turn_id).state == "stopped"
    kept = other.snapshot(turn_id)
    assert kept is not None
    assert (kept.state, kept.text) == ("stopped", "You have 7 days.")


def test_a_turn_that_was_stopped_elsewhere_while_it_searched_does_not_run_again(start: Start) -> None:
    gate = threading.Event()
    answering, other = start(StepPipeline([gate, FOUND, threading.Event()])), start(StepPipeline())
    turn_id = answering.submit("token-1", TurnRequest("How long?", session="local"))
    other.cancel(turn_id)
    gate.set()
    assert ended(answering, turn_id).state == "stopped"
    seen = other.snapshot(turn_id)
    assert seen is not None
    assert seen.state == "stopped"


def test_an_answer_of_a_dead_process_is_read_as_interrupted(start: Start, tmp_path: Path) -> None:
    left = TurnStore(tmp_path / "turns.db").add("How long?", session="local", language="en")
    turns = start(StepPipeline())
    with closing(sqlite3.connect(tmp_path / "turns.db")) as database, database:
        database.execute("UPDATE turn SET owner = '1@12.00'")
    seen = turns.snapshot(left.turn_id)
    assert seen is not None
    assert (seen.state, seen.failure and seen.failure.kind) == ("failed", "AnswerInterrupted")


def test_an_answer_that_has_ended_is_not_stopped_any_more(start: Start) -> None:
    answering, other = start(StepPipeline()), start(StepPipeline())
    turn_id = answering.submit("token-1", TurnRequest("How long?", session="local"))
    ended(answering, turn_id)
    other.cancel(turn_id)
    seen = other.snapshot(turn_id)
    assert seen is not None
    assert (seen.state, seen.text) == ("done", ANSWER.text)


def test_a_waiting_turn_that_nobody_reads_gives_up_its_place(start: Start) -> None:
    turns = start(StepPipeline([FOUND, Queued(5), threading.Event()]), abandoned_after_seconds=0.0)
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    turns.wait(turn_id, lambda turn: turn.state == "queued", timeout_seconds=10)
    assert turns.occupancy().waiting == 1
    assert turns.cancel_abandoned() == 1
    assert ended(turns, turn_id).state == "stopped"
    assert turns.cancel_abandoned() == 0


def test_a_turn_that_is_read_or_runs_is_not_given_up(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, Queued(5), gate, ThinkingDelta("Hm"), threading.Event()]))
    turn_id = turns.submit("token-1", TurnRequest("How long?", session="local"))
    turns.wait(turn_id, lambda turn: turn.state == "queued", timeout_seconds=10)
    assert turns.cancel_abandoned() == 0
    gate.set()
    turns.wait(turn_id, lambda turn: turn.state == "thinking", timeout_seconds=10)
    turns._abandoned_after_seconds = 0.0
    assert turns.cancel_abandoned() == 0


def test_closing_stops_everything_and_keeps_it(start: Start) -> None:
    turns = start(StepPipeline([FOUND, threading.Event()]), workers=1)
    ids = [turns.submit(f"token-{number}", TurnRequest("How long?", session="local")) for number in range(3)]
    turns.wait(ids[0], lambda turn: bool(turn.evidence), timeout_seconds=10)
    turns.close()
    assert [row.state for row in turns.history("local")] == ["stopped"] * 3


@pytest.mark.slow
def test_twenty_threads_submit_and_cancel_and_no_turn_is_lost(start: Start) -> None:
    turns = start(StepPipeline(), workers=8)
    ids: list[str] = []

    def ask(thread: int) -> None:
        for number in range(5):
            token = f"{thread}-{number}"
            turn_id = turns.submit(token, TurnRequest(f"question {token}", session="local"))
            assert turns.submit(token, TurnRequest(f"question {token}", session="local")) == turn_id
            ids.append(turn_id)
            if (thread + number) % 3 == 0:
                turns.cancel(turn_id)
            turns.snapshot(turn_id)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(set(ids)) == 100
    for turn_id in ids:
        assert turns.wait(turn_id, lambda _: False, timeout_seconds=30).final
    turns.close()
    rows = turns.history("local", limit=1000)
    assert {row.turn_id for row in rows} == set(ids)
    assert {row.state for row in rows} <= {"done", "stopped"}
    assert len({row.question for row in rows}) == 100


def test_a_service_without_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TurnService(StepPipeline, TurnStore(tmp_path / "turns.db"), 0)


LIMITS = PersonLimits(question_characters=100, searches=2, waiting=4, answers=6, questions_a_minute=1000)


class HeldSearches(StepPipeline):
    """Finds nothing for the flooder until the gate is open, and everything for the others at once."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def stream(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        if options.owner == "flooder":
            assert self.gate.wait(timeout=10)
        yield from EVENTS


@pytest.mark.slow
def test_two_hundred_questions_of_one_person_leave_the_others_their_evidence(start: Start) -> None:
    pipeline = HeldSearches()
    turns = start(pipeline, limits=LIMITS)
    flood = [
        turns.submit(f"flood {number}", TurnRequest(f"Question {number}?", session="flooder")) for number in range(200)
    ]
    for name in ("anna", "ben", "carl"):
        turn_id = turns.submit(name, TurnRequest("How long?", session=name))
        assert turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10).evidence == EVIDENCE
    refused = [turns.snapshot(turn_id) for turn_id in flood[6:]]
    assert {(turn.state, turn.failure.kind, turn.failure.en) for turn in refused} == {  # type: ignore[union-attr]
        ("failed", "OwnQueueFull", OwnQueueFull(waiting=4, owner="flooder").text("en"))
    }
    pipeline.gate.set()
    states = [turns.wait(turn_id, lambda _: False, timeout_seconds=10).state for turn_id in flood[:6]]
    assert states == ["done"] * 6, "two searched, four waited, and none of them was lost"


@pytest.mark.parametrize(("estimate", "told"), [(12.5, 12.5), (0.0, None), (None, None)])
def test_an_estimate_of_the_wait_that_has_run_out_is_none(
    start: Start, estimate: float | None, told: float | None
) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, Queued(2, estimate), gate, Completed(ANSWER)]))
    turn_id = turns.submit("once", TurnRequest("How long?"))
    waiting = turns.wait(turn_id, lambda turn: turn.state == "queued", timeout_seconds=10)
    assert (waiting.state, waiting.ahead, waiting.wait_seconds) == ("queued", 2, told)
    gate.set()


@pytest.mark.slow
def test_answers_that_wait_for_the_model_leave_the_others_their_searches(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, Queued(1, 10.0), gate, Completed(ANSWER)]), workers=2, limits=LIMITS)
    held = [
        turns.submit(f"held {number}", TurnRequest("How long?", session=f"person {number}")) for number in range(20)
    ]
    for turn_id in [*held, turns.submit("late", TurnRequest("How long?", session="late"))]:
        found = turns.wait(turn_id, lambda turn: bool(turn.evidence), timeout_seconds=10)
        assert (found.evidence, found.final) == (EVIDENCE, False), "two threads wait for the model"
    gate.set()
    assert {turns.wait(turn_id, lambda _: False, timeout_seconds=10).state for turn_id in held} == {"done"}


def _come_to_the_line(turns: TurnService, turn_id: str, generator: ScriptedGenerator) -> None:
    """Wait until a question has its place, so that the next one comes behind it: the first is asked, others wait."""
    if not generator.calls:
        until(lambda: bool(generator.calls))
    else:
        turns.wait(turn_id, lambda turn: turn.state == "queued" or turn.final, timeout_seconds=10)


@pytest.mark.slow
def test_beyond_a_persons_places_a_question_is_refused_while_the_others_still_wait(
    start: Start, tmp_path: Path
) -> None:
    """The line itself refuses it, so it must come to the line."""
    gate = threading.Event()
    generator = ScriptedGenerator(gates={0: gate})
    parts = offline_parts(tmp_path / "kb", generator=generator, slots=1)
    limits = PersonLimits.of(parts.settings.changed(parallel_slots=1))
    turns = start(Pipeline(parts), workers=70, limits=limits)
    asked = []
    for number in range(8):
        asked.append(
            turns.submit(f"token-{number}", TurnRequest(f"How long can I return order {number}?", session="anna"))
        )
        _come_to_the_line(turns, asked[-1], generator)
    for turn_id in asked[5:]:
        refused = turns.wait(turn_id, lambda _: False, timeout_seconds=10)
        assert refused.evidence
        assert refused.failure is not None
        assert refused.failure.en.startswith("4 of your questions are already waiting; wait for one to finish")
        assert refused.failure.zh.startswith("您已有 4 个问题在排队")
    assert not any(turns.wait(turn_id, lambda _: True, timeout_seconds=0).final for turn_id in asked[:5])
    ben = turns.submit("token-ben", TurnRequest("How long can I return my order?", session="ben"))
    assert turns.wait(ben, lambda turn: turn.state == "queued", timeout_seconds=10).state == "queued"
    gate.set()
    ends = [turns.wait(turn_id, lambda _: False, timeout_seconds=10) for turn_id in [*asked[:5], ben]]
    assert [turn.state for turn in ends] == ["done"] * 6


@pytest.mark.slow
def test_however_many_users_a_key_names_it_has_a_quarter_of_the_queue(start: Start, tmp_path: Path) -> None:
    gate = threading.Event()
    generator = ScriptedGenerator(gates={0: gate})
    parts = offline_parts(tmp_path / "kb", generator=generator, slots=1)
    turns = start(Pipeline(parts), workers=70, limits=PersonLimits.of(parts.settings.changed(parallel_slots=1)))

    def ask(session: str, user: int) -> str:
        request = TurnRequest(f"How long can I return order {user}?", session=session, owner=f"{session}/{user}")
        turn_id = turns.submit(f"{session} {user}", request)
        _come_to_the_line(turns, turn_id, generator)
        return turn_id

    asked = [ask("key:shop", user) for user in range(100)]
    for turn_id in asked[17:]:  # one is answered, and 16 of 64 wait
        refused = turns.wait(turn_id, lambda _: False, timeout_seconds=10)
        assert refused.evidence
        assert refused.failure is not None
        assert (refused.failure.kind, refused.failure.en[:20]) == ("OwnQueueFull", "16 of your questions")
    others = [ask("key:other", 100), ask("anna", 101)]
    for turn_id in others:
        assert turns.wait(turn_id, lambda turn: turn.state == "queued", timeout_seconds=10).state == "queued"
    assert not any(turns.wait(turn_id, lambda _: True, timeout_seconds=0).final for turn_id in asked[:17])
    gate.set()
    ends = [turns.wait(turn_id, lambda _: False, timeout_seconds=10).state for turn_id in [*asked[:17], *others]]
    assert ends == ["done"] * 19


def test_a_turn_that_finds_its_owners_threads_taken_is_shown_as_waiting(start: Start) -> None:
    gate = threading.Event()
    turns = start(StepPipeline([FOUND, AnswerDelta("30"), gate, Completed(ANSWER)]), limits=replace(LIMITS, answers=1))
    first = turns.submit("token-1", TurnRequest("How long?", session="anna"))
    assert turns.wait(first, lambda turn: bool(turn.text), timeout_seconds=10).text == "30", "it has its thread"
    second = turns.submit("token-2", TurnRequest("How long?", session="anna"))
    waiting = turns.wait(second, lambda turn: turn.state == "queued", timeout_seconds=10)
    assert (waiting.state, waiting.ahead, waiting.evidence) == ("queued", 1, EVIDENCE)
    gate.set()
    assert ended(turns, second).state == "done"


def test_a_question_that_is_too_long_is_neither_kept_nor_shown_nor_logged(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = StepPipeline()
    turns = start(pipeline, limits=LIMITS)
    with caplog.at_level(logging.DEBUG), pytest.raises(QuestionTooLong, match="101 characters") as raised:
        turns.submit("token-1", TurnRequest("secret " + "x" * 94, session="local"))
    assert raised.value.details == {"characters": 101, "limit": 100}
    with pytest.raises(QuestionTooLong):
        turns.submit("token-2", TurnRequest("y" * 5_000_000, session="local"))
    assert turns.history("local") == ()
    assert pipeline.asked == []
    assert "secret" not in caplog.text
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
    assert (
        ended(turns, turns.submit("token-1", TurnRequest(f"\n {'z' * 100} \n", session="local"))).question == "z" * 100
    )


def test_questions_come_no_faster_than_so_many_a_minute(start: Start) -> None:
    turns = start(StepPipeline(), limits=replace(LIMITS, questions_a_minute=2))
    first = turns.submit("token-1", TurnRequest("How long?", session="anna", owner="anna"))
    ended(turns, first)
    ended(turns, turns.submit("token-2", TurnRequest("How long?", session="anna", owner="anna")))
    with pytest.raises(QuestionsTooFast, match="2 questions within a minute; please ask again in"):
        turns.submit("token-3", TurnRequest("How long?", session="anna", owner="anna"))
    assert turns.submit("token-1", TurnRequest("How long?", session="anna", owner="anna")) == first, (
        "a click that came twice is one question"
    )
    ended(turns, turns.submit("token-4", TurnRequest("How long?", session="ben", owner="ben")))
    assert len(turns.history("anna")) == 2


@pytest.mark.slow
def test_a_list_shows_the_beginning_of_a_question_and_a_turn_no_more_than_one_may_ask(
    start: Start, tmp_path: Path
) -> None:
    """As an older program kept it."""
    store = TurnStore(tmp_path / "turns.db", question_characters=8000)
    old = store.add("x" * 5_000_000, session="local", language="en")
    turns = start(StepPipeline())
    (row,) = turns.history("local")
    assert row.question == "x" * 120
    snapshot = turns.snapshot(old.turn_id)
    assert snapshot is not None
    assert snapshot.question == "x" * 8000
    following = store.add("And then?", session="local", language="en", follows=old.turn_id)
    assert store.questions_before(following, 4) == ("x" * 8000,)
