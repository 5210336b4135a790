"""The services behind the page, over real files: what they show, and that nothing they meet is a surprise."""

import logging
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from api.services import start as services_module
from api.services.shared import ModelState, SharedServices
from api.services.start import model_watch, open_services, warm_up
from rag.errors import DatabaseUnavailable, KnowledgeBaseMissing, ModelMissing, OllamaUnavailable, StorageFull
from rag.pipeline import Pipeline
from rag.settings import Settings
from rag.storage.access import User
from rag.storage.turn_store import TurnStore
from rag.testing import ScriptedGenerator, build_offline_pipeline, offline_parts
from rag.turns import TurnRequest, TurnService, TurnSnapshot
from tests.conftest import free_port
from tests.support.postgres_server import PostgresServer
from tests.support.shared_site import open_site
from tests.support.waiting import until

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


def test_the_threads_of_a_server_take_short_turns(opened: Open, tmp_path: Path) -> None:
    """Else whoever reads one row waits up to 5 ms for a search: Python's own value."""
    before = sys.getswitchinterval()
    try:
        opened(Settings(data_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}"))
        assert sys.getswitchinterval() == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(before)


def test_without_a_knowledge_base_a_question_ends_in_words(opened: Open, tmp_path: Path) -> None:
    services = opened(settings_for(tmp_path))
    assert services.knowledge_state("default").published_at is None
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
    knowledge = services.knowledge_state("default")
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

    watch = model_watch(look)
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


class _EndedError(Exception):
    """The desk ended while its thread slept."""


def test_old_turns_are_deleted_a_minute_after_the_start_and_then_each_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path).changed(turn_retention_days=30)
    turns = TurnStore(settings.turns_path)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        """Let a turn be old by the time that the thread wakes; the desk ends on the third day."""
        slept.append(seconds)
        if len(slept) > 3:
            raise _EndedError
        turns.add("Where is my order?", session="lin", language="en")
        with sqlite3.connect(settings.turns_path) as connection:
            connection.execute("UPDATE turn SET state = 'done', created_at = '2020-01-01T00:00:00+00:00'")

    monkeypatch.setattr(services_module.time, "sleep", sleep)
    with pytest.raises(_EndedError):
        services_module._delete_old_turns(settings)
    assert slept == [60.0, 86_400.0, 86_400.0, 86_400.0]
    assert len(turns.list(None)) == 0
    turns.close()


def test_a_day_on_which_nothing_could_be_deleted_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    days: list[datetime] = []
    slept: list[float] = []

    def expire(_: Settings, now: datetime, by: str) -> int:
        days.append(now)
        raise StorageFull(folder="data")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            raise _EndedError

    monkeypatch.setattr(services_module.time, "sleep", sleep)
    monkeypatch.setattr("rag.erasure.expire_turns", expire)
    with pytest.raises(_EndedError):
        services_module._delete_old_turns(settings_for(tmp_path).changed(turn_retention_days=30))
    assert "old turns not deleted: StorageFull" in caplog.text
    assert len(days) == 2


def test_the_desk_begins_to_delete_old_turns_when_it_is_opened(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Settings] = []
    is_begun = threading.Event()

    def delete(settings: Settings) -> None:
        begun.append(settings)
        is_begun.set()

    monkeypatch.setattr(services_module, "_delete_old_turns", delete)
    settings = settings_for(tmp_path)
    opened(settings)
    assert is_begun.wait(10)
    assert begun == [settings]


def test_corrections_wait_for_a_lead_once_people_sign_in(opened: Open, tmp_path: Path) -> None:
    build_offline_pipeline(tmp_path)
    services = opened(settings_for(tmp_path))
    lin = User("lin", "agent", frozenset({"default"}))
    corrections = services.corrections(lambda: lin)
    assert not corrections.waits_for_review("default")
    assert corrections.write("default", "How long is the warranty?", "Two years.").state == "serving"
    services.people.people.add("bo", "admin", None, "", by="test")
    assert corrections.waits_for_review("default")
    assert corrections.write("default", "Where is the shop?", "In York.").state == "waiting"


@pytest.mark.real
def test_a_desk_serves_what_another_publishes_and_says_where_it_cannot_follow(tmp_path: Path, opened: Open) -> None:
    server = PostgresServer(free_port())
    try:
        server.start()
        with open_site(server, tmp_path) as site:
            site.here.ingest(site.manual)
            services = opened(site.there.settings.changed(ollama_host=f"127.0.0.1:{free_port()}", sign_in="off"))
            assert services.knowledge_state("default").generation == 1, "a desk with an empty folder"
            assert services.knowledge_state("default").problem is None
            site.write("new.md", "# New\n\nSomething new.")
            site.here.ingest(site.manual)
            until(lambda: services.knowledge_state("default").documents == 3)
            server.stop()
            until(lambda: isinstance(services.knowledge_state("default").problem, DatabaseUnavailable))
            assert services.knowledge_state("default").documents == 3
            assert services.follower is not None
            services.follower.close()
    finally:
        server.remove()
