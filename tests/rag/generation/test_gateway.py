"""The way to a model: queue, server, another try, cancellation, and the slot that is always given back."""

import threading
from collections.abc import Generator as GeneratorObject
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from rag.errors import (
    AnswerCancelled,
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    OllamaRefused,
    OllamaUnavailable,
    ServingError,
)
from rag.generation.answerability import judge_answerable
from rag.generation.gateway import Admitted, GenerationRequest, ModelGateway, blocking
from rag.protocols import GeneratedText, GenerationPart, Generator, Message
from rag.queue.admission import Admission, Wait
from rag.testing import ScriptedGenerator

QUESTION = [Message("user", "How long?")]


def texts(generator: Generator) -> GeneratorObject[str, None, str]:
    """Yield what the model writes and return the whole."""
    said = ""
    for part in generator.generate(QUESTION, think=False, max_tokens=9):
        if isinstance(part, GeneratedText):
            said += part.text
            yield part.text
    return said


def failing(*errors: ServingError, then: str = "30 days") -> tuple[ScriptedGenerator, ModelGateway]:
    """Return a model that fails with each error, one a call, and then answers."""
    left = list(errors)

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        return [left.pop(0)] if left else [GeneratedText(then)]

    generator = ScriptedGenerator(script)
    return generator, ModelGateway(generator, Admission(slots=1, max_waiting=1))


def test_a_free_slot_is_admitted_at_once_and_given_back() -> None:
    _, gateway = failing()
    admitted, *parts = gateway.generate(GenerationRequest(texts))
    assert isinstance(admitted, Admitted)
    assert (admitted.was_queued, parts) == (False, ["30 days"])
    assert gateway.result(GenerationRequest(texts)) == "30 days"
    assert gateway.admission.occupancy().running == 0
    assert gateway.admission.occupancy().average_seconds is not None


def test_others_are_waited_for() -> None:
    _, gateway = failing()
    other = gateway.admission.ticket()
    events = gateway.generate(GenerationRequest(texts))
    assert next(events) == Wait(ahead=1, wait_seconds=None)
    other.close()
    rest = [event for event in events if not isinstance(event, Wait)]
    assert isinstance(rest[0], Admitted)
    assert rest[0].was_queued
    assert rest[1:] == ["30 days"]


@pytest.mark.parametrize("error", [ModelStoppedHalfway(partial_text=""), OllamaUnavailable(host="h")])
def test_a_lost_model_is_started_and_asked_again_once(error: ServingError) -> None:
    generator, gateway = failing(error)
    started: list[int] = []
    gateway = replace(gateway, ensure_server=lambda: started.append(1))
    assert gateway.result(GenerationRequest(texts)) == "30 days"
    assert (len(generator.calls), len(started)) == (2, 2)
    generator, gateway = failing(error, error)
    with pytest.raises(type(error)):
        gateway.result(GenerationRequest(texts))
    assert (len(generator.calls), gateway.admission.occupancy().running) == (2, 0)


@pytest.mark.parametrize(
    "error", [ModelMissing(model="m"), ModelTimedOut(seconds=9.0), OllamaRefused(reason="out of memory")]
)
def test_what_another_try_cannot_mend_is_raised_at_once(error: ServingError) -> None:
    generator, gateway = failing(error)
    with pytest.raises(type(error)):
        gateway.result(GenerationRequest(texts))
    assert (len(generator.calls), gateway.admission.occupancy().running) == (1, 0)


@pytest.mark.parametrize(("restartable", "calls"), [(False, 1), (True, 2)])
def test_after_a_part_only_restartable_work_is_tried_again(restartable: bool, calls: int) -> None:
    tries: list[int] = []

    def script(messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        tries.append(1)
        lost: list[Exception] = [ModelStoppedHalfway(partial_text="30")] if len(tries) == 1 else []
        return [GeneratedText("30"), *lost]

    gateway = ModelGateway(ScriptedGenerator(script), Admission(slots=1, max_waiting=1))
    request = GenerationRequest(texts, restartable=restartable)
    if restartable:
        assert gateway.result(request) == "30"
    else:
        with pytest.raises(ModelStoppedHalfway):
            gateway.result(request)
    assert len(tries) == calls


def test_cancelling_ends_a_blocking_call_within_a_heartbeat() -> None:
    cancelled = threading.Event()

    def endless(messages: Sequence[Message]) -> Iterator[GenerationPart]:
        while True:
            cancelled.set()  # somebody leaves while the model is silent
            yield GeneratedText("")

    generator = ScriptedGenerator(endless)  # type: ignore[arg-type]
    gateway = ModelGateway(generator, Admission(slots=1, max_waiting=1))
    request = GenerationRequest(blocking(lambda model: judge_answerable(model, QUESTION, "en")), cancelled=cancelled)
    with pytest.raises(AnswerCancelled):
        gateway.result(request)
    assert (generator.closed, gateway.admission.occupancy().running) == (1, 0)


def test_cancelling_ends_the_wait() -> None:
    _, gateway = failing()
    cancelled = threading.Event()
    with gateway.admission.slot():
        events = gateway.generate(GenerationRequest(texts, cancelled=cancelled))
        assert isinstance(next(events), Wait)
        cancelled.set()
        with pytest.raises(AnswerCancelled):
            list(events)
        assert gateway.admission.occupancy().waiting == 0


def test_raising_in_watch_frees_the_slot_and_teaches_nothing() -> None:
    generator, gateway = failing()

    def impatient(event: object) -> None:
        if isinstance(event, str):
            raise ModelTimedOut(seconds=1.0)

    with pytest.raises(ModelTimedOut):
        gateway.result(GenerationRequest(texts), impatient)
    occupancy = gateway.admission.occupancy()
    assert (generator.closed, occupancy.running, occupancy.average_seconds) == (1, 0, None)


def test_untypical_work_teaches_nothing() -> None:
    _, gateway = failing()
    gateway.result(GenerationRequest(texts, is_typical=False))
    assert gateway.admission.occupancy().average_seconds is None


def test_the_generator_of_the_slots_host_is_asked() -> None:
    asked: list[str] = []

    def of(host: str) -> Generator:
        asked.append(host)
        return ScriptedGenerator(lambda messages: [GeneratedText("there")])

    _, gateway = failing()
    gateway = replace(gateway, admission=Admission(1, 1, server="gpu:11434"), generator_of=of)
    assert gateway.result(GenerationRequest(texts)) == "there"
    assert asked == ["gpu:11434"]
    assert gateway.with_generator(gateway.generator).result(GenerationRequest(texts)) == "30 days"
