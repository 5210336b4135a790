"""What an agent lets the model do with a draft and a passage, without a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from streamlit.testing.v1 import AppTest

from rag.rewriting import Wish
from rag.schema import Language
from rag.translate import translate
from rag.turns import TurnRequest
from tests.ui.scenes import WORDS
from tests.ui.scripted_desk import Writer, writings_of
from tests.ui.test_app import Harness, page
from ui.blocks import plain_text

pytestmark = pytest.mark.slow

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def said(test: AppTest) -> str:
    return " ".join(element.value for element in test.text)


class WritingHarness(Harness):
    """A desk whose model can rewrite, with one answered question."""

    def __init__(self, folder: Path, language: Language) -> None:
        super().__init__(folder)
        self.language = language
        self.writer = Writer()
        self.writings = writings_of(folder / "writer", self.writer)
        object.__setattr__(self.services, "writings", self.writings)
        question = WORDS[language].question
        self.gates.prepare(question, "done", "all")
        self.turn_id = self.turns.submit("a", TurnRequest(question, session="local"))
        self.turns.wait(self.turn_id, lambda _: False, timeout_seconds=10)

    @property
    def draft(self) -> str:
        return plain_text(WORDS[self.language].answer)

    def page(self, page_language: Language | None = None) -> AppTest:
        return page(self, page_language or self.language, turn=self.turn_id)

    def asks(self, test: AppTest, wish: Wish, text: str, token: str = "1") -> None:
        """Do what the editor's click does: the next run finds it begun."""

        def script(services, turn_id, asked):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            import streamlit as st

            from ui.session import page_context
            from ui.views.desk.rewriting import begin_rewriting

            context = page_context(services)
            begin_rewriting(context, services.turns.snapshot(turn_id), asked)
            st.session_state["begun"] = st.session_state["writings"]

        asked = {"turn": self.turn_id, "wish": wish, "text": text, "token": token}
        begun = AppTest.from_function(script, args=(self.services, self.turn_id, asked), default_timeout=30)
        begun.query_params["lang"] = self.language
        begun.run()
        assert not begun.exception
        test.session_state["writings"] = begun.session_state["begun"]

    def waits(self, test: AppTest) -> None:
        """Wait until what was begun has ended, and draw the page anew."""
        for begun in test.session_state["writings"][1].values():
            if begun.writing_id:
                self.writings.wait(begun.writing_id, timeout_seconds=20)
        test.run()


@pytest.fixture(params=LANGUAGES)
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WritingHarness]:
    made = WritingHarness(tmp_path, cast(Language, request.param))
    yield made
    made.writer.gate.set()
    made.writings.close()
    made.turns.close()


def test_while_it_is_rewritten_the_page_says_so_and_stop_ends_it(desk: WritingHarness) -> None:
    test = desk.page()
    desk.asks(test, "shorter", desk.draft)
    test.run()
    assert {"stop_writing"} <= {button.key for button in test.button}
    test.button(key="stop_writing").click().run()
    desk.waits(test)
    assert translate("ui.writing_stopped", desk.language) in said(test)
    assert "stop_writing" not in {button.key for button in test.button}


def test_a_rewriting_names_the_model_that_made_it(desk: WritingHarness) -> None:
    hello = {"en": "Thank you for asking! ", "zh": "感谢您的咨询！"}[desk.language]
    desk.writer.says = hello + desk.draft
    desk.writer.gate.set()
    test = desk.page()
    desk.asks(test, "friendlier", desk.draft)
    desk.waits(test)
    assert translate("ui.rewritten_by_stand_in", desk.language, model="stand-in:1.5b") in said(test)


def test_a_changed_fact_is_refused_in_the_pages_language(desk: WritingHarness) -> None:
    old, new = {"en": ("30 days", "14 days"), "zh": ("7 天", "15 天")}[desk.language]
    desk.writer.says = desk.draft.replace(old, new)
    desk.writer.gate.set()
    test = desk.page()
    desk.asks(test, "formal", desk.draft)
    desk.waits(test)
    (warning,) = test.text
    assert old in warning.value
    assert new in warning.value
    assert ("kept" in warning.value) == (desk.language == "en")


def test_what_cannot_be_rewritten_is_said_at_once(desk: WritingHarness) -> None:
    test = desk.page()
    desk.asks(test, "translate", desk.draft)
    test.run()
    (warning,) = test.text
    assert warning.value == {
        "en": "This cannot be rewritten: it is already in that language.",
        "zh": "无法改写：文字已经是该语言。",
    }[desk.language]  # fmt: skip
    assert desk.writer.calls == []


def test_another_turn_forgets_what_was_begun_beside_this_one(desk: WritingHarness) -> None:
    test = desk.page()
    desk.asks(test, "translate", desk.draft)
    desk.gates.prepare("Other?", "done", "all")
    test.query_params["turn"] = desk.turns.submit("b", TurnRequest("Other?", session="local"))
    test.run()
    assert list(test.text) == []


def test_only_passages_in_the_other_language_are_offered_in_the_pages(desk: WritingHarness) -> None:
    def script(services, turn_id):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        import streamlit as st

        from ui.session import page_context
        from ui.views.desk.rewriting import translation_data

        st.session_state["data"] = translation_data(page_context(services), services.turns.snapshot(turn_id))

    found = {}
    for language in LANGUAGES:
        test = AppTest.from_function(script, args=(desk.services, desk.turn_id), default_timeout=30)
        test.query_params["lang"] = language
        found[language] = test.run().session_state["data"]
        assert not test.exception
    other: Language = "zh" if desk.language == "en" else "en"
    assert found[desk.language] == {}
    assert set(found[other]) == {1, 2, 3, 4, 5}
    assert {one["state"] for one in found[other].values()} == {"none"}
    assert found[other][1]["label"] == translate("ui.translation_zh" if other == "zh" else "ui.translation_en", other)
