"""A mail, a text or a picture dropped into the question box, without a browser."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.attachments import Attachments
from api.services.jobs import Jobs
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable, OwnFilesWaiting, QuestionTooLong
from rag.schema import Language
from rag.storage.access import User
from rag.translate import translate
from rag.turns import PersonLimits, file_pool
from tests.ingest.test_customer_files import mail
from tests.ui.test_app import Harness, page

pytestmark = pytest.mark.slow

ASKED = "Scratched\n\nCan I return it within 30 days?"


class FileHarness(Harness):
    """A desk, and what was asked there."""

    def drop(self, test: AppTest, name: str, content: bytes, typed: str = "") -> None:
        """Drop a file into the box and wait until it was read; the next run asks it."""
        test.chat_input(key="question").upload(name, content)
        if typed:
            test.chat_input(key="question").set_value(typed)
        test.run()
        if "attached" in test.session_state:  # else it was read and asked in this very run
            file_id = test.session_state["attached"].file_id
            assert self.services.files.wait(f"attachment local {file_id}", timeout_seconds=60) is not None
            test.run()
        assert not test.exception

    def asked(self) -> list[str]:
        return [row.question for row in self.turns.history("local")]


def _limited(harness: FileHarness) -> None:
    """Give the desk the limits and the pool of files that the real one has."""
    settings = harness.services.knowledge_registry.settings
    pool = file_pool(settings, OwnFilesWaiting)
    harness.turns._limits = PersonLimits.of(settings)
    harness.services = replace(harness.services, files=Jobs(pool))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FileHarness]:
    made = FileHarness(tmp_path)
    _limited(made)
    made.gates.prepare(ASKED, "done", "all")
    yield made
    made.services.files.close()
    made.services.knowledge_registry.close()
    made.turns.close()


def test_a_mail_is_asked_once_its_words_are_read(desk: FileHarness) -> None:
    test = page(desk)
    desk.drop(test, "question.eml", mail())
    assert desk.asked() == [ASKED]
    snapshot = desk.turns.snapshot(test.query_params["turn"])
    assert snapshot is not None
    assert snapshot.question == ASKED
    test.run()
    test.run()
    assert desk.asked() == [ASKED]
    assert "private.example" not in str(snapshot)


def test_typed_words_go_before_the_file(desk: FileHarness) -> None:
    test = page(desk)
    desk.drop(test, "chat.txt", b"The lock says E07.", "What does this mean?")
    assert desk.asked() == ["What does this mean?\n\nThe lock says E07."]


def test_a_mail_begins_anew_and_a_text_goes_on(desk: FileHarness) -> None:
    desk.gates.prepare("How long?", "done", "all")
    desk.gates.prepare("The lock says E07.", "done", "all")
    test = page(desk)
    test.chat_input(key="question").set_value("How long?").run()
    desk.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    desk.drop(test, "chat.txt", b"The lock says E07.")
    desk.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    assert tuple(desk.gates.earlier["The lock says E07."]) == ("How long?",)
    desk.drop(test, "question.eml", mail())
    desk.turns.wait(test.query_params["turn"], lambda _: False, timeout_seconds=10)
    assert tuple(desk.gates.earlier[ASKED]) == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_that_cannot_be_read_is_said_and_nothing_is_asked(desk: FileHarness, language: Language) -> None:
    test = page(desk, language)
    desk.drop(test, "screen.png", b"\x89PNG\r\n\x1a\nbroken")
    (said,) = test.text
    assert "screen.png" in said.value
    assert ("could not be read" in said.value) == (language == "en")
    assert desk.asked() == []
    desk.gates.prepare("How long?", "done", "all")
    desk.drop(test, "question.txt", b"How long?")
    assert desk.asked() == ["How long?"]
    assert list(test.text) == []


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "broken"])
def test_while_it_is_read_the_page_says_so_and_stop_ends_it(
    desk: FileHarness, monkeypatch: pytest.MonkeyPatch, is_read: bool
) -> None:
    held = threading.Event()

    def slowly(name: str, content: bytes, reader: FileReader) -> str:
        assert held.wait(timeout=120)
        if not is_read:
            raise DocumentUnreadable(path=name, reason="malformed")
        return "How long?"

    monkeypatch.setattr("api.services.attachments.question_of_file", slowly)
    test = page(desk)
    test.chat_input(key="question").upload("question.eml", mail())
    test.run()
    assert translate("ui.attachment_reading", "en") in [caption.value for caption in test.caption]
    test.button(key="stop_reading").click().run()
    held.set()
    desk.services.files.wait(f"attachment local {test.session_state['attached'].file_id}", timeout_seconds=60)
    test.run()
    (said,) = test.text
    assert said.value == translate("ui.attachment_stopped", "en")
    assert desk.asked() == []


def test_a_second_file_takes_the_place_of_the_first(desk: FileHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()

    def slowly(name: str, content: bytes, reader: FileReader) -> str:
        assert name == "second.txt" or held.wait(timeout=120)
        return name

    monkeypatch.setattr("api.services.attachments.question_of_file", slowly)
    test = page(desk)
    test.chat_input(key="question").upload("first.txt", b"first")
    test.run()
    try:
        desk.drop(test, "second.txt", b"second")
    finally:
        held.set()
    test.run()
    assert desk.asked() == ["second.txt"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_that_is_no_question_any_more_is_refused_and_nothing_of_it_is_kept(
    desk: FileHarness, language: Language
) -> None:
    test = page(desk, language)
    desk.drop(test, "chat.txt", b"The lock says E07. " * 250_000)
    assert desk.asked() == []
    (said,) = test.text
    assert said.value == QuestionTooLong(characters=4_749_999, limit=8000).text(language)
    job = desk.services.files.latest(f"attachment local {test.session_state['attached'].file_id}")
    assert job is not None
    assert (job.state, job.result) == ("failed", None)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_that_are_too_long_are_refused_under_the_box_until_the_next_question(
    desk: FileHarness, language: Language
) -> None:
    desk.gates.prepare("How long?", "done", "all")
    test = page(desk, language)
    test.chat_input(key="question").set_value("x" * 9000).run()
    assert not test.exception
    assert [error.value for error in test.error] == [QuestionTooLong(characters=9000, limit=8000).text(language)]
    assert desk.asked() == []
    test.chat_input(key="question").set_value("How long?").run()
    assert (desk.asked(), list(test.error)) == (["How long?"], [])


def test_two_files_of_a_person_are_read_at_once_and_four_wait(
    desk: FileHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun = threading.Event(), threading.Semaphore(0)
    names: list[str] = []

    def slowly(name: str, content: bytes, reader: FileReader) -> str:
        names.append(name)
        begun.release()
        assert held.wait(timeout=120)
        return name

    monkeypatch.setattr("api.services.attachments.question_of_file", slowly)
    lin, anna = (_files_of(desk, name) for name in ("lin", "anna"))
    for number in range(6):
        lin.start(f"file {number}", f"{number}.txt", b"", "", tab=f"tab {number}")
    with pytest.raises(OwnFilesWaiting, match="4 of your files"):
        lin.start("file 6", "6.txt", b"", "", tab="tab 6")
    assert lin.job("file 6") is None
    anna.start("file 0", "anna.txt", b"", "")
    for _ in range(3):
        assert begun.acquire(timeout=10)
    assert sorted(names) == ["0.txt", "1.txt", "anna.txt"]
    lin.stop("file 5")
    held.set()
    states = []
    for number in range(6):
        job = desk.services.files.wait(f"attachment lin file {number}", timeout_seconds=60)
        assert job is not None
        states.append(job.state)
    assert states == ["done"] * 5 + ["stopped"]
    assert "5.txt" not in names


def test_a_publication_does_not_wait_for_files_that_are_read(
    desk: FileHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr("api.services.attachments.question_of_file", lambda *_: str(held.wait(timeout=120)))
    for number in range(12):
        for name in ("lin", "anna", "ben", "carl"):
            with suppress(OwnFilesWaiting):
                _files_of(desk, name).start(f"{number}", "a.txt", b"", "")
    jobs = desk.services.knowledge_registry.jobs
    jobs.start("knowledge default", "publish", lambda _: "published", "root")
    published = jobs.wait("knowledge default", timeout_seconds=10)
    held.set()
    assert published is not None
    assert published.result == "published"


def _files_of(desk: FileHarness, name: str) -> Attachments:
    return Attachments(desk.services.files, desk.services.knowledge_registry.settings, lambda: User(name, "agent"))
