"""The prompt's beginning is read in every slot before somebody asks, and nobody waits for it who need not."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import OllamaUnavailable
from rag.generation.prompt import beginning, build_messages
from rag.pipeline import PipelineParts
from rag.preloading import preload
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.queue.admission import Occupancy
from rag.schema import Language
from rag.testing import ScriptedGenerator, offline_parts


class Reading(ScriptedGenerator):
    """Notes what is read at the same time, until as many as there are slots read."""

    def __init__(self, slots: int) -> None:
        super().__init__(self._read)
        self._together = threading.Barrier(slots)

    def _read(self, messages: Sequence[Message]) -> Sequence[GenerationPart]:
        self._together.wait(timeout=10)
        return []


def nothing() -> None:
    """An Ollama that runs already."""


def parts(folder: Path, generator: ScriptedGenerator, slots: int) -> PipelineParts:
    made = offline_parts(folder, generator=generator, slots=slots)
    return replace(made, gateway=replace(made.gateway, ensure_server=nothing))


def test_every_slot_reads_the_beginning_at_the_same_time_and_the_estimate_learns_nothing(tmp_path: Path) -> None:
    generator = Reading(2)
    made = parts(tmp_path, generator, 2)
    assert preload(made) == 2
    assert len(generator.calls) == 2
    assert made.gateway.admission.occupancy() == Occupancy(2, 0, 0, None)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_read_is_what_every_prompt_begins_with(tmp_path: Path, language: Language) -> None:
    generator = Reading(1)
    preload(parts(tmp_path, generator, 1))
    [read] = generator.calls
    assert read[:-1] == build_messages("How long?", [], language)[:-1] == beginning()


def test_where_somebody_asks_already_nothing_is_read(tmp_path: Path) -> None:
    generator = Reading(2)
    made = parts(tmp_path, generator, 2)
    with made.gateway.admission.slot():
        assert preload(made) == 0
    assert generator.calls == []


def test_who_asks_meanwhile_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    asked = threading.Event()

    def endless(messages: Sequence[Message]) -> Iterator[GenerationPart]:
        asked.set()
        while True:
            time.sleep(0.01)
            yield GeneratedText("")  # as the real one does while nothing comes

    generator = ScriptedGenerator(endless)  # type: ignore[arg-type]
    made = parts(tmp_path, generator, 1)
    reading = threading.Thread(target=preload, args=(made,), daemon=True)
    reading.start()
    assert asked.wait(timeout=10)
    with made.gateway.admission.slot():
        reading.join(timeout=10)
        assert not reading.is_alive()
        assert generator.closed == 1


@pytest.mark.slow
def test_a_server_that_goes_away_meanwhile_is_said_and_the_slots_are_free_again(tmp_path: Path) -> None:
    made = parts(tmp_path, ScriptedGenerator(lambda messages: [OllamaUnavailable(host="127.0.0.1:1")]), 2)
    with pytest.raises(OllamaUnavailable):
        preload(made)
    assert made.gateway.admission.occupancy().running == 0


def test_a_server_that_does_not_start_is_not_asked(tmp_path: Path) -> None:
    def away() -> None:
        raise OllamaUnavailable(host="127.0.0.1:1")

    generator = Reading(1)
    made = parts(tmp_path, generator, 1)
    with pytest.raises(OllamaUnavailable):
        preload(replace(made, gateway=replace(made.gateway, ensure_server=away)))
    assert generator.calls == []
