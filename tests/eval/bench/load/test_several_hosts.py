"""The whole pipeline over several model servers: questions are spread, and one that dies costs nobody an answer."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from eval.bench.load.gpu_timed_server import DEFAULT_MODEL
from eval.bench.load.gpu_timing import GpuTiming
from rag.errors import AnswerCancelled, ModelStoppedHalfway, ModelTimedOut, OllamaUnavailable
from rag.generation.gateway import ModelGateway
from rag.generation.hosted_generator import HostedGenerator
from rag.ollama import hosts as hosts_module
from rag.ollama.hosts import host_name, hosts_of
from rag.pipeline import Pipeline
from rag.protocols import GeneratedText, Message
from rag.queue.admission import Admission
from rag.schema import Answer, AnswerDelta, ThinkingDelta
from rag.testing import offline_parts
from tests.conftest import free_port
from tests.eval.bench.load.conftest import Serving
from tests.ollama_stub import CUT, SILENCE, OllamaStub, Rows
from tests.rag.command import CHECKOUT
from tests.rag.ollama.conftest import until

TIMING = GpuTiming(slots=4, first_token_ms=60, tokens_per_second=400, answer_tokens=20, thinking_tokens=5)
SLOW = GpuTiming(slots=4, first_token_ms=60_000)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "LOOK_EVERY_SECONDS", 0.05)


def pipeline_over(folder: Path, urls: Sequence[str], **changes: object) -> Pipeline:
    parts = offline_parts(folder / "kb")
    settings = parts.settings.changed(
        ollama_host=",".join(urls), model=DEFAULT_MODEL, cache_dir=folder / "cache", **changes
    )
    hosts = hosts_of(settings)
    assert hosts is not None
    generator = HostedGenerator(settings, hosts)
    gateway = ModelGateway(generator, Admission.of(settings), generator_of=generator.for_host)
    return Pipeline(replace(parts, settings=settings, gateway=gateway))


def counts(url: str) -> dict[str, int]:
    return dict(httpx.get(f"{url}/gpu-timed", trust_env=False).json())


def asked_at_once(pipeline: Pipeline, count: int) -> list[Answer]:
    """Ask different questions, so that none shares another one's answer."""
    answers: list[Answer] = []

    def ask(number: int) -> None:
        answers.append(pipeline.answer(f"How many days do I have to send item {number} back?"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def broken(rows: Rows, status: int = 200) -> OllamaStub:
    """Return a host that answers, has the model, and whose generations go wrong."""
    stub = OllamaStub(models=[DEFAULT_MODEL])
    stub.answers["/api/chat"] = lambda _: (status, rows)
    return stub


@pytest.mark.slow
def test_questions_are_spread_over_all_hosts(tmp_path: Path, serving: Serving) -> None:
    lasting = replace(TIMING, first_token_ms=600)  # longer than it takes to ask them all
    urls = [serving(lasting), serving(lasting)]
    pipeline = pipeline_over(tmp_path, urls, parallel_slots=2)
    answers = asked_at_once(pipeline, 8)
    assert len(answers) == 8
    assert {answer.model for answer in answers} == {DEFAULT_MODEL}
    served = [counts(url)["served"] for url in urls]
    assert sum(served) == 8 and min(served) >= 2
    assert pipeline.parts.gateway.admission.occupancy().running == 0


@pytest.mark.slow
def test_who_cancels_frees_the_host_that_was_asked(tmp_path: Path, serving: Serving) -> None:
    urls = [serving(SLOW), serving(SLOW)]
    pipeline = pipeline_over(tmp_path, urls, parallel_slots=1)
    cancelled = [threading.Event(), threading.Event()]
    ended: list[int] = []

    def ask(number: int) -> None:
        with pytest.raises(AnswerCancelled):
            pipeline.answer(f"How long for item {number}?", cancelled=cancelled[number])
        ended.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for number, thread in enumerate(threads):
        thread.start()
        until(lambda number=number: counts(urls[number])["running"] == 1)  # type: ignore[misc]
    cancelled[1].set()
    until(lambda: counts(urls[1])["running"] == 0)
    until(lambda: ended == [1])
    assert counts(urls[1])["cancelled"] == 1
    assert counts(urls[0]) == {"running": 1, "waiting": 0, "served": 0, "cancelled": 0}
    assert pipeline.parts.gateway.admission.busy() == {host_name(urls[0]): 1}
    cancelled[0].set()
    for thread in threads:
        thread.join(timeout=10)
    assert pipeline.parts.gateway.admission.busy() == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "status"),
    [([CUT, CUT], 200), ([{"error": "llama runner process has terminated"}], 500), ([{"error": "not found"}], 404)],
    ids=["the connection breaks", "the runner is lost", "the model was deleted"],
)
def test_what_fails_before_its_first_word_is_answered_by_another_host(
    tmp_path: Path, serving: Serving, rows: Rows, status: int
) -> None:
    good = serving(TIMING)
    with broken(rows, status) as stub:
        pipeline = pipeline_over(tmp_path, [stub.url, good])
        answer = pipeline.answer("How many days do I have?")
    assert [path for path, _ in stub.requests].count("/api/chat") == 1
    assert (answer.model, counts(good)["served"]) == (DEFAULT_MODEL, 1)
    assert pipeline.parts.gateway.admission.occupancy().running == 0


@pytest.mark.slow
def test_every_host_is_tried_once_and_then_it_is_said(tmp_path: Path) -> None:
    with broken([CUT, CUT]) as one, broken([CUT, CUT]) as two, broken([CUT, CUT]) as three:
        stubs = [one, two, three]
        pipeline = pipeline_over(tmp_path, [stub.url for stub in stubs])
        with pytest.raises(OllamaUnavailable):
            pipeline.answer("How many days do I have?")
    assert [[path for path, _ in stub.requests].count("/api/chat") for stub in stubs] == [1, 1, 1]


@pytest.mark.slow
def test_what_fails_after_its_first_word_is_not_begun_anew(tmp_path: Path, serving: Serving) -> None:
    good = serving(TIMING)
    words = ("You can send back any item ", "within 30 days of delivery. ", "The label ")
    said = [{"message": {"role": "assistant", "content": word}, "done": False} for word in words]
    with broken([*said, CUT]) as stub:
        pipeline = pipeline_over(tmp_path, [stub.url, good])
        with pytest.raises(ModelStoppedHalfway) as error:
            pipeline.answer("How many days do I have?")
    assert error.value.partial_text == "".join(words)
    assert counts(good)["served"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("is_gone", [False, True], ids=["slow", "gone"])
def test_silence_moves_a_question_on_only_where_the_host_is_gone(
    tmp_path: Path, serving: Serving, *, is_gone: bool
) -> None:
    good = serving(TIMING)
    with broken([SILENCE, SILENCE]) as stub:
        answers = stub.answers["/api/chat"]

        def fall_silent(body: dict[str, object]) -> tuple[int, Rows]:
            if is_gone:
                stub.answers.pop("/api/version")
            return answers(body)

        stub.answers["/api/chat"] = fall_silent
        pipeline = pipeline_over(tmp_path, [stub.url, good], first_token_timeout_seconds=1.5)
        if is_gone:
            assert pipeline.answer("How many days do I have?").model == DEFAULT_MODEL
        else:
            with pytest.raises(ModelTimedOut):
                pipeline.answer("How many days do I have?")


@pytest.mark.slow
def test_who_has_no_slot_asks_the_host_that_is_least_used(tmp_path: Path, serving: Serving) -> None:
    urls = [serving(TIMING), serving(SLOW)]
    generator = pipeline_over(tmp_path, urls).parts.gateway.generator
    asked = [Message("user", "How long?")]
    first = generator.generate(asked, think=False, max_tokens=5)
    assert "".join(part.text for part in first if isinstance(part, GeneratedText))
    held = generator.generate(asked, think=False, max_tokens=5)
    next(iter(held))
    second = generator.generate(asked, think=False, max_tokens=5)
    next(iter(second))
    until(lambda: counts(urls[1])["running"] == 1)
    for parts in (held, second):
        parts.close()  # type: ignore[attr-defined]
    until(lambda: counts(urls[1])["cancelled"] == 1)


@contextmanager
def server_process(port: int, first_token_ms: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "eval", "load", "gpu-timed-server", "--port", str(port)]
    command += ["--first-token-ms", str(first_token_ms)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port), seconds=60)
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return bool(counts(f"http://127.0.0.1:{port}"))
    except httpx.HTTPError:
        return False


@pytest.mark.real
def test_a_killed_server_costs_no_answer_and_is_taken_back(tmp_path: Path, serving: Serving) -> None:
    port, good = free_port(), serving(TIMING)
    doomed = f"http://127.0.0.1:{port}"
    pipeline = pipeline_over(tmp_path, [doomed, good], parallel_slots=2)
    admission = pipeline.parts.gateway.admission
    spoken: list[bool] = []
    answers: list[Answer] = []

    def ask() -> None:
        for event in pipeline.stream("How many days do I have?"):
            spoken.append(isinstance(event, ThinkingDelta | AnswerDelta))
        answers.append(pipeline.answer("And how many for a kettle?"))

    with server_process(port, 60_000) as process:
        until(lambda: admission.occupancy().slots == 4)
        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: counts(doomed)["running"] == 1)
        assert not any(spoken)
        os.kill(process.pid, signal.SIGKILL)
        thread.join(timeout=60)
    assert any(spoken) and len(answers) == 1
    until(lambda: admission.occupancy().slots == 2)
    assert counts(good)["served"] == 2
    with server_process(port, 60):
        until(lambda: admission.occupancy().slots == 4)
        asked_at_once(pipeline, 4)
        assert counts(doomed)["served"] >= 1
