"""The page's logic without a browser: what a run draws, and that nothing it does twice happens twice."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.jobs import Jobs
from api.services.knowledge import KnowledgeRegistry
from api.services.shared import KnowledgeState, ModelState, SharedServices, Topic
from rag.errors import DatabaseUnavailable
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import LOCAL_USER, KnowledgeBases
from rag.storage.turn_store import TurnStore
from rag.translate import translate
from rag.turns import TurnRequest, TurnService
from tests.ui.scenes import WORDS
from tests.ui.scripted_desk import Gates, ScenePipeline
from tests.ui.views.quality.registries import other_services

pytestmark = pytest.mark.slow

KNOWLEDGE = KnowledgeState(12, datetime(2026, 1, 1, tzinfo=UTC), 96, 412)


class Harness:
    """The services that the page under test is given."""

    def __init__(self, folder: Path) -> None:
        self.gates = Gates()
        self.knowledge = KNOWLEDGE
        pipeline = ScenePipeline(self.gates)
        self.turns = TurnService(lambda knowledge_base, user: pipeline, TurnStore(folder / "turns.db"), 4)
        self.services = SharedServices(
            turns=self.turns,
            bases=KnowledgeBases(folder / "knowledge"),
            knowledge_state=lambda name: self.knowledge,
            model=lambda: ModelState("ready", "stand-in:1.5b", stand_in=True),
            topics=lambda name, language: (Topic("VAT invoices", language),),
            knowledge_registry=KnowledgeRegistry(Settings(data_dir=folder), Jobs(), lambda name, user: pipeline),
            **other_services(folder, pipeline),
        )


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path)
    yield made
    made.turns.close()


def page(harness: Harness, language: Language = "en", turn: str = "") -> AppTest:
    def script(services):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  (its source is run elsewhere)
        from ui.app import run

        run(lambda: services)

    test = AppTest.from_function(script, args=(harness.services,), default_timeout=30)
    test.query_params["lang"] = language
    if turn:
        test.query_params["turn"] = turn
    return test.run()


def texts(test: AppTest) -> str:
    return " ".join(element.value for element in (*test.markdown, *test.caption, *test.warning, *test.error))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_empty_page_offers_to_ask(harness: Harness, language: Language) -> None:
    test = page(harness, language)
    assert not test.exception
    assert test.chat_input(key="question").placeholder == translate("ui.ask_placeholder", language)
    assert translate("ui.empty_answer", language) in texts(test)
    assert [button.key for button in test.button] == ["new"]


def test_without_a_knowledge_base_it_says_so(harness: Harness) -> None:
    harness.knowledge = KnowledgeState()
    assert translate("ui.error_KnowledgeBaseMissing", "en") in texts(page(harness))


def test_asking_makes_a_turn_that_the_address_names_and_shows_its_evidence_in_the_same_run(harness: Harness) -> None:
    question = WORDS["en"].question
    harness.gates.prepare(question, "done", "read")
    test = page(harness)
    test.chat_input(key="question").set_value(question).run()
    turn_id = test.query_params["turn"]
    snapshot = harness.turns.snapshot(turn_id)
    assert snapshot is not None
    assert (snapshot.question, len(snapshot.evidence)) == (question, 5)
    assert {button.key for button in test.button} == {"new", "stop"}

    test.button(key="stop").click().run()
    stopped = harness.turns.snapshot(turn_id)
    assert stopped is not None
    assert stopped.state == "stopped"
    assert {button.key for button in test.button} == {"new", "retry", "correct"}


def test_a_question_stays_in_sight_where_the_browser_still_sends_the_address_from_before_it(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for question in ("The first?", "The second?"):
        harness.gates.prepare(question, "done", "all")
    test = page(harness)
    test.chat_input(key="question").set_value("The first?").run()
    first = test.query_params["turn"]
    test.chat_input(key="question").set_value("The second?").run()
    second = test.query_params["turn"]
    assert second != first
    test.query_params["turn"] = first
    test.run()
    assert test.query_params["turn"] == second
    monkeypatch.setattr("ui.session._ADDRESS_LAGS_SECONDS", 0.0)  # later it is somebody who goes back
    test.query_params["turn"] = first
    test.run()
    assert test.query_params["turn"] == first


def test_a_tab_follows_its_running_turn_and_no_other(harness: Harness) -> None:
    harness.gates.prepare("How long?", "done", "read")
    test = page(harness)
    tab = test.session_state["feed_token"]
    assert harness.services.feeds.followed(tab, LOCAL_USER.name) is None
    test.chat_input(key="question").set_value("How long?").run()
    followed = harness.services.feeds.followed(tab, LOCAL_USER.name)
    assert followed is not None
    assert (followed.turn_id, followed.language) == (test.query_params["turn"], "en")
    harness.gates.prepare("How long?", "done", "all")
    harness.turns.wait(followed.turn_id, lambda _: False, timeout_seconds=10)
    test.run()
    assert harness.services.feeds.followed(tab, LOCAL_USER.name) is None
    assert page(harness).session_state["feed_token"] != tab


def test_a_rerun_asks_nothing_again_and_white_space_is_no_question(harness: Harness) -> None:
    harness.gates.prepare("How long?", "done", "all")
    test = page(harness)
    test.chat_input(key="question").set_value("How long?").run()
    test.run()
    test.run()
    assert len(harness.turns.history("local")) == 1
    test.chat_input(key="question").set_value("  \n ").run()
    assert len(harness.turns.history("local")) == 1


def test_a_question_that_is_not_taken_returns_to_its_box_with_the_reason(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise DatabaseUnavailable(server="127.0.0.1:5432", reason="gone")

    test = page(harness)
    with monkeypatch.context() as patched:
        patched.setattr(harness.turns, "submit", refuse)
        test.chat_input(key="question").set_value("How long?").run()
    assert translate("ui.error_DatabaseUnavailable", "en") in texts(test)
    assert test.chat_input(key="question").value == "How long?"
    harness.gates.prepare("How long?", "done", "all")
    test.chat_input(key="question").set_value("How long?").run()
    assert [row.question for row in harness.turns.history("local")] == ["How long?"]
    assert translate("ui.error_DatabaseUnavailable", "en") not in texts(test)


def test_retry_asks_the_same_words_as_a_new_turn(harness: Harness) -> None:
    harness.gates.prepare("How long?", "done", "all")
    turn_id = harness.turns.submit("a", TurnRequest("How long?", session="local"))
    harness.turns.wait(turn_id, lambda _: False, timeout_seconds=10)
    test = page(harness, turn=turn_id)
    test.button(key="retry").click().run()
    assert test.query_params["turn"] != turn_id
    assert [row.question for row in harness.turns.history("local")] == ["How long?", "How long?"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_typed_beside_a_turn_goes_on_from_it_until_a_new_question_is_begun(
    harness: Harness, language: Language
) -> None:
    questions = ("How long may I return it?", "And to Norway?", "Which battery?")
    for question in questions:
        harness.gates.prepare(question, "done", "all")
    test = page(harness, language)
    for question in questions[:2]:
        test.chat_input(key="question").set_value(question).run()
        harness.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    assert test.chat_input(key="question").placeholder == translate("ui.ask_on_placeholder", language)
    test.run()
    test.button(key="retry").click().run()
    harness.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    assert harness.gates.earlier[questions[1]] == (questions[0],)
    test.button(key="new").click().run()
    assert test.chat_input(key="question").placeholder == translate("ui.ask_placeholder", language)
    test.chat_input(key="question").set_value(questions[2]).run()
    harness.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    assert {question: tuple(harness.gates.earlier[question]) for question in questions} == {
        questions[0]: (),
        questions[1]: (questions[0],),
        questions[2]: (),
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_code_is_answered_in_the_pages_language(harness: Harness, language: Language) -> None:
    test = page(harness, language)
    test.chat_input(key="question").set_value("E07").run()
    assert harness.turns.snapshot(test.query_params["turn"]).language == language  # type: ignore[union-attr]


@pytest.mark.parametrize(("choice", "think"), [("auto", None), ("on", True), ("off", False)])
def test_the_thinking_switch_reaches_the_pipeline(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, choice: str, think: bool | None
) -> None:
    asked: list[bool | None] = []
    submit = harness.turns.submit

    def spy(token: str, request: TurnRequest) -> str:
        asked.append(request.think)
        return submit(token, request)

    monkeypatch.setattr(harness.turns, "submit", spy)
    test = page(harness)
    test.session_state["think"] = choice
    test.chat_input(key="question").set_value("How long?").run()
    assert asked == [think]


def test_each_tab_takes_its_own_turns_in_the_line(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[str] = []
    submit = harness.turns.submit

    def spy(token: str, request: TurnRequest) -> str:
        owners.append(request.owner)
        return submit(token, request)

    monkeypatch.setattr(harness.turns, "submit", spy)
    first = page(harness)
    first.chat_input(key="question").set_value("How long?").run()
    page(harness).chat_input(key="question").set_value("How long?").run()
    assert len(owners) == len(set(owners)) == 2
    assert all(owners)


def test_an_unknown_turn_is_said_and_the_page_goes_on(harness: Harness) -> None:
    test = page(harness, "zh", turn="nothing")
    assert translate("ui.turn_missing", "zh") in texts(test)
    assert not test.exception


def test_the_script_never_waits_for_a_model(harness: Harness) -> None:
    question = WORDS["zh"].question
    harness.gates.prepare(question, "done", "more")
    test = page(harness, "zh")
    running = threading.Thread(target=lambda: test.chat_input(key="question").set_value(question).run())
    running.start()
    running.join(timeout=20)
    assert not running.is_alive()  # the model is still held at its gate
    (row,) = harness.turns.history("local")
    assert row.state in ("reading", "thinking", "answering", "queued")
