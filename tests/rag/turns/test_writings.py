"""The model writes in the background: in the line with everybody else, until a deadline, and never half a text."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import FactsChanged, ModelStoppedHalfway, OllamaUnavailable, TurnMissing
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.testing import ScriptedGenerator, build_offline_pipeline, offline_parts
from rag.turns import Writing, WritingService, WritingSnapshot, pipeline_parts

TEXT = "You have 30 days."


def writing(text: str = TEXT, **options: object) -> Writing:
    return Writing(
        (Message("system", "Edit."), Message("user", text)), text, 2.0, "en", lambda reply, _: reply, **options
    )  # type: ignore[arg-type]


class Desk:
    """One slot before a scripted model that is held until ``let_go``."""

    def __init__(self, folder: Path, said: Sequence[GenerationPart | Exception], **options: float) -> None:
        self.gate = threading.Event()
        self.generator = ScriptedGenerator(lambda messages: said, gates={len(said) - 1: self.gate})
        self.parts = offline_parts(folder, generator=self.generator, slots=1)
        self.writings = WritingService(lambda name, user: self.parts, 3, **options)  # type: ignore[arg-type]

    def begin(self, token: str = "a", one: Writing | None = None) -> str:
        return self.writings.submit(token, one or writing(), knowledge_base="default")

    def ends(self, writing_id: str) -> WritingSnapshot:
        return self.writings.wait(writing_id, timeout_seconds=20)

    def reaches(self, writing_id: str, state: str) -> WritingSnapshot:
        deadline = time.monotonic() + 20
        while (found := self.writings.snapshot(writing_id)).state != state:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, [GeneratedThinking("hm"), GeneratedText("You have "), GeneratedText("30 days, friend.")])
    yield made
    made.gate.set()
    made.writings.close()


@pytest.mark.slow
def test_a_text_is_there_as_a_whole_and_without_the_thought(desk: Desk) -> None:
    writing_id = desk.begin()
    desk.reaches(writing_id, "writing")
    while not desk.generator.calls:
        time.sleep(0.01)
    assert desk.writings.snapshot(writing_id).text == ""
    desk.gate.set()
    ended = desk.ends(writing_id)
    assert (ended.state, ended.text, ended.source) == ("done", "You have 30 days, friend.", TEXT)
    assert (ended.model, ended.stand_in) == ("scripted", True)


@pytest.mark.slow
def test_the_same_token_writes_once(desk: Desk) -> None:
    desk.gate.set()
    assert desk.begin("same") == desk.begin("same") != desk.begin("other")


@pytest.mark.slow
def test_the_second_waits_in_line_and_is_told_how_many_are_ahead(desk: Desk) -> None:
    first = desk.begin("1")
    desk.reaches(first, "writing")
    second = desk.begin("2")
    deadline = time.monotonic() + 20
    while (waiting := desk.writings.snapshot(second)).ahead is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (waiting.state, waiting.ahead) == ("waiting", 1)
    desk.writings.cancel(second)
    assert desk.ends(second).state == "stopped"
    assert len(desk.generator.calls) == 1
    desk.gate.set()
    assert desk.ends(first).state == "done"


@pytest.mark.slow
def test_stop_frees_the_slot(tmp_path: Path) -> None:
    beats: list[GenerationPart | Exception] = [GeneratedText("") for _ in range(3)]
    desk = Desk(tmp_path, beats)
    writing_id = desk.begin()
    desk.reaches(writing_id, "writing")
    desk.writings.cancel(writing_id)
    desk.gate.set()  # the next heartbeat of a real model comes within a quarter of a second
    ended = desk.ends(writing_id)
    assert (ended.state, ended.text) == ("stopped", "")
    assert desk.parts.gateway.admission.occupancy().running == 0
    desk.writings.close()


@pytest.mark.slow
def test_who_waits_longer_than_the_deadline_is_told_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [GeneratedText("Never.")], deadline_seconds=0.2)
    with desk.parts.gateway.admission.slot():
        ended = desk.ends(desk.begin())
    assert ended.failure is not None
    assert (ended.state, ended.failure.kind) == ("failed", "ModelTooSlow")
    assert desk.generator.calls == []
    assert desk.parts.gateway.admission.occupancy().waiting == 0
    desk.writings.close()


@pytest.mark.slow
def test_what_cannot_be_used_is_refused_and_what_breaks_fails(tmp_path: Path) -> None:
    def refuse(reply: str, model: str) -> str:
        raise FactsChanged(reason="changed", before="30 days", after="14")

    def break_down(reply: str, model: str) -> str:
        raise ZeroDivisionError

    cases: dict[str, tuple[GenerationPart | Exception, Writing]] = {
        "FactsChanged": (GeneratedText("You have 14."), Writing(writing().messages, TEXT, 2.0, "en", refuse)),
        "TurnFailed": (GeneratedText("You have 14."), Writing(writing().messages, TEXT, 2.0, "en", break_down)),
        "ModelStoppedHalfway": (ModelStoppedHalfway(partial_text="You"), writing()),
        "RewritingUnusable": (GeneratedText("Never."), writing("word " * 5000)),
    }
    for number, (kind, (said, one)) in enumerate(cases.items()):
        desk = Desk(tmp_path / str(number), [said])
        desk.gate.set()
        ended = desk.ends(desk.begin("a", one))
        assert ended.failure is not None
        assert (ended.failure.kind, ended.text) == (kind, "")
        assert ended.state == ("refused" if kind == "FactsChanged" else "failed")
        assert ended.failure.zh
        desk.writings.close()


@pytest.mark.slow
def test_a_model_that_was_lost_is_asked_once_more(tmp_path: Path) -> None:
    lost = [True]

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        return [ModelStoppedHalfway(partial_text="") if lost.pop() else GeneratedText("You have 30 days, friend.")]

    generator = ScriptedGenerator(script)
    parts = offline_parts(tmp_path, generator=generator, slots=1)
    writings = WritingService(lambda name, user: parts)
    lost.insert(0, False)
    ended = writings.wait(writings.submit("a", writing(), knowledge_base="default"), timeout_seconds=20)
    assert (ended.state, ended.text, len(generator.calls)) == ("done", "You have 30 days, friend.", 2)
    assert parts.gateway.admission.occupancy().running == 0
    writings.close()


@pytest.mark.slow
def test_the_server_is_started_before_the_model_is_named(tmp_path: Path) -> None:
    started: list[str] = []

    class Sleeping(ScriptedGenerator):
        @property
        def model(self) -> str:
            if not started:
                raise OllamaUnavailable(host="127.0.0.1:1")
            return "scripted"

    generator = Sleeping(lambda messages: [GeneratedText("You have 30 days, friend.")])
    parts = offline_parts(tmp_path, generator=generator)
    parts = replace(parts, gateway=replace(parts.gateway, ensure_server=lambda: started.append("now")))
    writings = WritingService(lambda name, user: parts)
    assert writings.wait(writings.submit("a", writing(), knowledge_base="default"), timeout_seconds=20).state == "done"
    writings.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [("You have 30 days and", "length"), ("You have 30 days. " + "It is free of charge. " * 40, "stop")],
    ids=["budget", "loop"],
)
def test_half_a_text_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    desk = Desk(tmp_path, [GeneratedText(text), GenerationFinished(reason=reason)])
    desk.gate.set()
    ended = desk.ends(desk.begin())
    assert ended.failure is not None
    assert (ended.state, ended.failure.kind) == ("refused", "FactsChanged")
    desk.writings.close()


def test_what_was_written_before_needs_no_model(desk: Desk) -> None:
    ended = desk.ends(desk.begin("a", writing(known=lambda model: f"known of {model}")))
    assert (ended.state, ended.text) == ("done", "known of scripted")
    assert desk.generator.calls == []


def test_an_unknown_one_is_missing_and_stopping_it_harms_nothing(desk: Desk) -> None:
    with pytest.raises(TurnMissing):
        desk.writings.snapshot("nothing")
    desk.writings.cancel("nothing")
    for options in ({"workers": 0}, {"deadline_seconds": 0}):
        with pytest.raises(ValueError, match="above 0"):
            WritingService(lambda name, user: desk.parts, **options)


def test_the_parts_are_those_of_the_pipeline_that_answers(tmp_path: Path) -> None:
    pipeline: Pipeline = build_offline_pipeline(tmp_path)
    found: PipelineParts = pipeline_parts(lambda name, user: pipeline)("default", None)  # type: ignore[arg-type]
    assert found is pipeline.parts
    with pytest.raises(TypeError):
        pipeline_parts(lambda name, user: object())("default", None)  # type: ignore[arg-type, return-value]
