"""The services behind the page, over real files: what they show, and that nothing they meet is a surprise."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import KnowledgeBaseMissing, ModelMissing, OllamaUnavailable
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.storage.turn_store import TurnStore
from rag.testing import ScriptedGenerator, build_offline_pipeline, offline_parts
from rag.turns import TurnRequest, TurnService, TurnSnapshot
from tests.conftest import free_port
from ui.services import shared as services_module
from ui.services.shared import ModelState, ModelWatch, SharedServices, open_services, warm_up

Open = Callable[[Settings], SharedServices]

pytestmark = pytest.mark.slow


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[SharedServices] = []

    def _open(settings: Settings) -> SharedServices:
        made.append(open_services(settings))
        return made[-1]

    yield _open
    for services in made:
        services.turns.close()


def settings_for(folder: Path) -> Settings:
    return Settings(data_dir=folder, ollama_host=f"127.0.0.1:{free_port()}", parallel_slots=1, max_waiting=1)


def asked(services: SharedServices, question: str) -> TurnSnapshot:
    return services.turns.wait(
        services.turns.submit("token", TurnRequest(question, session="local")), lambda _: False, timeout_seconds=60
    )


def test_without_a_knowledge_base_a_question_ends_in_words(opened: Open, tmp_path: Path) -> None:
    services = opened(settings_for(tmp_path))
    assert services.knowledge("default").published_at is None
    assert services.topics("default", "en") == ()
    turn = asked(services, "How long is the warranty?")
    assert turn.state == "failed"
    assert turn.failure is not None
    assert turn.failure.kind == "KnowledgeBaseMissing"


@pytest.mark.real
def test_an_index_of_another_embedder_is_refused_in_words(opened: Open, tmp_path: Path) -> None:
    build_offline_pipeline(tmp_path)
    services = opened(settings_for(tmp_path))
    turn = asked(services, "How long is the warranty?")
    assert turn.failure is not None
    assert turn.failure.kind == "EmbedderMismatch"


@pytest.mark.slow
def test_the_head_line_and_the_topics_come_from_the_knowledge_base(opened: Open, tmp_path: Path) -> None:
    build_offline_pipeline(tmp_path)
    services = opened(settings_for(tmp_path))
    knowledge = services.knowledge("default")
    assert (knowledge.generation, knowledge.documents > 0, knowledge.passages > 0) == (1, True, True)
    topics = services.topics("default", "zh")
    assert 0 < len(topics) <= 3
    assert all(topic.title for topic in topics)


def test_the_offline_pipeline_answers_with_citations_through_the_turns(tmp_path: Path) -> None:
    pipeline = build_offline_pipeline(tmp_path)
    turns = TurnService(lambda knowledge_base, user: pipeline, TurnStore(tmp_path / "turns.db"), 2)
    try:
        turn_id = turns.submit("token", TurnRequest("How long can I return an order?", session="local"))
        turn = turns.wait(turn_id, lambda _: False, timeout_seconds=30)
    finally:
        turns.close()
    assert (turn.state, turn.failure) == ("done", None)
    assert turn.answer is not None
    assert turn.answer.stand_in
    assert turn.evidence


@pytest.mark.parametrize(
    ("error", "kind"), [(OllamaUnavailable(host="x"), "down"), (ModelMissing(model="x"), "missing")]
)
def test_a_model_that_cannot_answer_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, kind: str
) -> None:
    def choose(_: Settings) -> None:
        raise error

    monkeypatch.setattr("rag.ollama.hosts.choose_model", choose)
    assert services_module._look_at_model(settings_for(tmp_path)).kind == kind


@pytest.mark.slow
def test_the_model_is_looked_at_in_the_background() -> None:
    gate = threading.Event()
    looks: list[int] = []

    def look() -> ModelState:
        looks.append(1)
        gate.wait(timeout=10)
        return ModelState("ready", "deepseek-r1:7b")

    watch = ModelWatch(look)
    assert watch().kind == "starting"  # the look has not ended, and the page does not wait for it
    gate.set()
    assert watch().name == "deepseek-r1:7b"
    assert looks == [1]  # one look serves many pages


def desk(folder: Path, generator: ScriptedGenerator, **changes: int) -> Pipeline:
    parts = offline_parts(folder, generator=generator, slots=1)
    return Pipeline(replace(parts, settings=parts.settings.changed(**changes)))


def preloaded() -> None:
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join(timeout=10)


def test_the_model_reads_what_prompts_begin_with_behind_the_first_page(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    warm_up(lambda: desk(tmp_path, generator))
    preloaded()
    assert [message.role for message in generator.calls[0]][:2] == ["system", "user"]


def test_a_model_that_is_not_kept_is_not_preloaded(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    warm_up(lambda: desk(tmp_path, generator, keep_alive_seconds=0))
    preloaded()
    assert generator.calls == []


def test_what_cannot_be_had_is_logged_and_the_desk_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def no_knowledge() -> Pipeline:
        raise KnowledgeBaseMissing(folder=str(tmp_path))

    warm_up(no_knowledge)
    warm_up(lambda: desk(tmp_path, ScriptedGenerator(lambda messages: [OllamaUnavailable(host="127.0.0.1:1")])))
    preloaded()
    assert "not warm yet: KnowledgeBaseMissing" in caplog.text
    assert "not preloaded: OllamaUnavailable" in caplog.text
