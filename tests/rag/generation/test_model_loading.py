"""Loading and unloading: what Ollama is asked, and that no answer is cut off by it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from rag.errors import AnswerCancelled, OllamaRefused
from rag.generation.model_loading import hold_all_slots, load, unload
from rag.ollama.client import OllamaClient
from rag.queue.admission import Admission
from rag.settings import Settings
from tests.ollama_stub import OllamaStub


@pytest.fixture
def stub() -> Iterator[OllamaStub]:
    with OllamaStub(models=["r1:q4"]) as server:
        server.answers["/api/generate"] = lambda _: (200, [{"done": True}])
        yield server


def test_a_model_is_loaded_as_the_questions_will_want_it(stub: OllamaStub) -> None:
    settings = Settings(context_tokens=2048, keep_alive_seconds=60, gpu_layers=5)
    load(OllamaClient(stub.url), "r1:q4", settings)
    unload(OllamaClient(stub.url), "r1:q4")
    asked = [body for path, body in stub.requests if path == "/api/generate"]
    options = {"num_ctx": 2048, "num_gpu": 5}
    assert asked == [
        {"model": "r1:q4", "keep_alive": 60, "options": options, "stream": False},
        {"model": "r1:q4", "keep_alive": 0, "stream": False},
    ]


def test_a_model_that_has_no_room_is_told(stub: OllamaStub) -> None:
    stub.answers["/api/generate"] = lambda _: (500, [{"error": "model requires more system memory (9 GiB)"}])
    with pytest.raises(OllamaRefused, match="more system memory"):
        load(OllamaClient(stub.url), "r1:q4", Settings())


def test_it_waits_for_running_answers_tells_how_many_and_lets_none_begin() -> None:
    admission = Admission(2, 8)
    running = [admission.ticket(), admission.ticket()]
    heard: list[int] = []

    def waiting(count: int) -> None:
        heard.append(count)
        if running:
            running.pop().close()

    with hold_all_slots(admission, waiting):
        assert heard[:2] == [2, 1]
        assert admission.occupancy().running == 2  # both are ours
        with admission.ticket() as late:
            assert not late.admitted.is_set()
    assert (admission.occupancy().running, admission.occupancy().waiting) == (0, 0)


def test_with_no_answer_running_nothing_is_waited_for_and_no_estimate_is_taught() -> None:
    admission = Admission(3, 8)
    with hold_all_slots(admission, lambda count: pytest.fail("there is nothing to wait for")):
        assert admission.occupancy().running == 3
    assert admission.occupancy().average_seconds is None


def test_giving_up_gives_every_slot_back() -> None:
    admission, cancelled = Admission(2, 8), threading.Event()
    with (
        admission.ticket(),
        pytest.raises(AnswerCancelled),
        hold_all_slots(admission, lambda count: cancelled.set(), cancelled),
    ):
        pytest.fail("an answer is running")
    assert admission.occupancy().running == 0


@pytest.mark.slow
def test_unloading_is_over_when_the_model_is_out_of_memory(stub: OllamaStub) -> None:
    """Ollama answers at once, and lets the model go afterwards."""
    gone_at = time.monotonic() + 0.5
    rows = [{"name": "r1:q4", "size": 1}]
    stub.answers["/api/ps"] = lambda _: (200, [{"models": rows if time.monotonic() < gone_at else []}])
    unload(OllamaClient(stub.url), "r1:q4")
    assert time.monotonic() >= gone_at


@pytest.mark.slow
def test_a_second_program_waits_outside_without_holding_a_slot(tmp_path: Path) -> None:
    admission, cancelled, path = Admission(2, 8), threading.Event(), tmp_path / "admission" / "models.lock"
    with hold_all_slots(admission, lambda count: pytest.fail("nobody is there"), lock=path):
        assert admission.occupancy().running == 2

    def waiting(count: int) -> None:
        assert count == 0  # no slot is held
        cancelled.set()

    with FileLock(path), pytest.raises(AnswerCancelled), hold_all_slots(admission, waiting, cancelled, path):
        pytest.fail("somebody else is in")
    with hold_all_slots(admission, waiting, lock=path):
        assert admission.occupancy().running == 2


def test_without_a_folder_for_the_lock_it_is_done_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    admission = Admission(1, 8)
    with hold_all_slots(admission, lambda count: None, lock=tmp_path / "file" / "models.lock"):
        assert admission.occupancy().running == 1
