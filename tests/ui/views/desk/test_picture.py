"""A picture dropped into the question box where a model sees, without a browser: described, checked, then searched."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.knowledge import KnowledgeRegistry
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable, ModelTooSlow, NotAVisionModel
from rag.generation.gateway import ModelGateway
from rag.generation.picture_description import PictureDescriber
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart
from rag.queue.admission import Admission
from rag.schema import Language
from rag.testing import ScriptedGenerator
from rag.translate import translate
from tests.support.pictures import as_file, drawn
from tests.ui.test_app import Harness, page

pytestmark = pytest.mark.slow

WORDS = "Error E-42"
SEEN = "A dialog shows Error E-42 on the lock's page."
SCREEN = as_file(drawn(size=(120, 80)))


class SeeingHarness(Harness):
    """A desk with a model for pictures that says what the test wants."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.parts: tuple[GenerationPart | Exception, ...] = (GeneratedText(SEEN), GenerationFinished())
        self.model_gates: dict[int, threading.Event] = {}
        self.generator = ScriptedGenerator(lambda _: self.parts, gates=self.model_gates)
        gateway = ModelGateway(self.generator, Admission(slots=1, max_waiting=8))
        describer = PictureDescriber(gateway, most_waiting=4)
        registry = self.services.knowledge_registry
        seeing = KnowledgeRegistry(registry.settings.changed(vision_model="eye:1b"), registry.jobs, registry.pipeline)
        self.services = replace(self.services, knowledge_registry=seeing, describer=lambda: describer)

    def drop(self, test: AppTest, name: str = "screen.png", content: bytes = SCREEN, typed: str = "") -> str:
        """Drop a file, wait until it is read, and return its id; the page has asked its words by then."""
        test.chat_input(key="question").upload(name, content)
        if typed:
            test.chat_input(key="question").set_value(typed)
        test.run()
        if "attached" in test.session_state:
            file_id = str(test.session_state["attached"].file_id)
            assert self.services.files.wait(f"attachment local {file_id}", timeout_seconds=120) is not None
            test.run()
        assert not test.exception
        return str(test.session_state["shown_picture"].picture_id) if "shown_picture" in test.session_state else ""

    def described(self, test: AppTest, picture_id: str) -> None:
        assert self.services.descriptions.wait(f"picture local {picture_id}", timeout_seconds=60) is not None
        test.run()
        assert not test.exception

    def asked(self) -> list[str]:
        return [row.question for row in reversed(self.turns.history("local"))]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeeingHarness]:
    made = SeeingHarness(tmp_path)

    def words(name: str, content: bytes, reader: FileReader) -> str:
        if name.startswith("wordless"):
            raise DocumentUnreadable(path=name, reason="picture")
        return WORDS

    monkeypatch.setattr("api.services.attachments.question_of_file", words)
    yield made
    for gate in made.model_gates.values():
        gate.set()
    made.services.files.close()
    made.services.descriptions.close()
    made.services.knowledge_registry.close()
    made.turns.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_words_are_asked_and_the_description_waits_for_the_agent(desk: SeeingHarness, language: Language) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    test = page(desk, language)
    desk.described(test, desk.drop(test))
    assert desk.asked() == [WORDS]
    assert test.text_area[0].value == SEEN
    assert test.text_area[0].label == translate("ui.picture_words", language)
    (mark,) = (caption.value for caption in test.caption if "scripted" in caption.value)
    assert mark.startswith("Described by a model" if language == "en" else "以下内容由模型")
    desk.described(test, test.session_state["shown_picture"].picture_id)
    assert desk.asked() == [WORDS], "nothing is searched until the agent says so"
    assert len(desk.generator.calls) == 1


def test_what_the_agent_made_of_it_is_searched_with_the_words(desk: SeeingHarness) -> None:
    joined = f"{WORDS}\n\n[Picture, described by a model: The lock page says E-42.]"
    for question in (WORDS, joined):
        desk.gates.prepare(question, "done", "all")
    test = page(desk)
    desk.described(test, desk.drop(test))
    test.text_area[0].set_value("The lock page says E-42.").run()
    test.button(key="picture_search").click().run()
    assert desk.asked() == [WORDS, joined]
    assert not test.exception
    assert "shown_picture" not in test.session_state
    assert "picture_search" not in [button.key for button in test.button]


def test_it_is_left_out(desk: SeeingHarness) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    test = page(desk)
    desk.described(test, desk.drop(test))
    test.button(key="picture_leave").click().run()
    assert desk.asked() == [WORDS]
    assert "picture_leave" not in [button.key for button in test.button]


def test_an_emptied_box_is_not_searched(desk: SeeingHarness) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    test = page(desk)
    desk.described(test, desk.drop(test))
    test.text_area[0].set_value("  ").run()
    test.button(key="picture_search").click().run()
    assert desk.asked() == [WORDS]


def test_a_picture_without_words_is_described_and_asked_only_then(desk: SeeingHarness) -> None:
    alone = f"[Picture, described by a model: {SEEN}]"
    desk.gates.prepare(alone, "done", "all")
    test = page(desk)
    desk.described(test, desk.drop(test, "wordless.png"))
    assert desk.asked() == []
    test.button(key="picture_search").click().run()
    assert desk.asked() == [alone]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("error", [NotAVisionModel(model="text:1b"), ModelTooSlow(seconds=120.0)])
def test_a_model_that_cannot_is_said_and_the_words_are_asked_all_the_same(
    desk: SeeingHarness, language: Language, error: Exception
) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    desk.parts = (error,)
    test = page(desk, language)
    desk.described(test, desk.drop(test))
    (said,) = test.text
    assert said.value.startswith("The picture was not described" if language == "en" else "未能描述图片")
    assert desk.asked() == [WORDS]
    assert "picture_search" not in [button.key for button in test.button]


def test_it_is_stopped(desk: SeeingHarness) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    desk.parts = (GeneratedText(""), GeneratedText(SEEN), GenerationFinished())
    gate = desk.model_gates[1] = threading.Event()
    test = page(desk)
    picture_id = desk.drop(test)
    assert translate("ui.picture_describing", "en") in [caption.value for caption in test.caption]
    test.button(key="stop_picture").click().run()
    gate.set()
    desk.described(test, picture_id)
    (said,) = test.text
    assert said.value == translate("ui.picture_stopped", "en")


def test_the_next_question_takes_its_place(desk: SeeingHarness) -> None:
    for question in (WORDS, "How long?"):
        desk.gates.prepare(question, "done", "all")
    test = page(desk)
    desk.described(test, desk.drop(test))
    test.chat_input(key="question").set_value("How long?").run()
    assert desk.asked() == [WORDS, "How long?"]
    assert "shown_picture" not in test.session_state


def test_a_text_is_not_shown_to_the_model(desk: SeeingHarness) -> None:
    desk.gates.prepare(WORDS, "done", "all")
    test = page(desk)
    assert desk.drop(test, "chat.txt", b"Error E-42") == ""
    assert desk.generator.calls == []
