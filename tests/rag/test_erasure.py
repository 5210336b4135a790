"""What is old, and what is a customer's, is deleted: not one of its bytes is left in any file of the data folder."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.erasure import KEY_NAME, Erasure, ErasureCounts, expire_turns
from rag.errors import TurnMissing
from rag.people.audit import AuditTrail
from rag.reuse.curated import Curation
from rag.reuse.question_key import normalized_question
from rag.schema import Answer, SpanTime
from rag.settings import Settings
from rag.storage.cached import CachedAnswer, CachedAnswers, CacheKey
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import OutcomeOrigin, Turn, TurnState, TurnStore
from rag.storage.turn_times import TurnTimes
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from rag.text.mention import Mention
from rag.turns import TurnService
from tests.support.places import Places

pytestmark = pytest.mark.slow

NAME = "Quirina Zebrowska"
ORDER = "4711-0815"  # whole: four digits alone may stand in a hash or a time
ASKED = f"My name is {NAME}: where is order {ORDER}?"
NOW = datetime.now(UTC)


def answer(text: str, thinking: str = "") -> Answer:
    return Answer(text, "en", False, thinking, (), (), (), "m", False, 1)


class Desk:
    """A data folder in use: two knowledge bases, turns, kept answers, corrections, an evaluation."""

    def __init__(self, places: Places) -> None:
        self.settings = places.settings(turn_retention_days=30)
        self.ask_database = places.ask
        for name in ("default", "shop"):
            publish_documents(self.settings.knowledge_folder / name, SAMPLE_DOCUMENTS, HashEmbedder())
        self.turns = TurnStore(self.settings.turns_database)
        self.cached = CachedAnswers(self.settings.knowledge_dir)
        self.curation = Curation.of(self.settings)

    def ask(
        self, question: str, text: str = "Two years.", state: TurnState = "done", *, base: str = "default", **of: str
    ) -> Turn:
        turn = self.turns.add(
            question, session="lin", language="en", knowledge_base=base, follows=of.get("follows", "")
        )
        for partial in ("Two", "Two years. " * 400, ""):  # a turn grows over several pages, and shrinks again
            self.turns.update(replace(turn, state="answering", partial_text=f"{question} {partial}"))
        done = replace(turn, state=state, answer=answer(text, of.get("thinking", "")), partial_text=text)
        self.turns.update(done, TurnTimes((SpanTime("total", 5.0),)))
        self.turns.feedback.judge(turn.turn_id, "lin", useful=True)
        self.turns.feedback.record(turn.turn_id, "copied", 0.0, OutcomeOrigin("model", "x", ""))
        return done

    def keep(self, question: str, text: str = "Two years.", made_at: datetime = NOW) -> None:
        key = CacheKey(normalized_question(question), normalized_question(question)[-8:], 1)
        self.cached.keep(key, CachedAnswer(answer(text), (), made_at), 100)

    def age(self, turn: Turn, days: int) -> None:
        at = (NOW - timedelta(days=days)).isoformat()
        self.ask_database("turns", "UPDATE turn SET created_at = ? WHERE turn_id = ?", (at, turn.turn_id))

    def kept(self) -> set[str]:
        return {turn.turn_id for turn in self.turns.list(None, limit=1000)}

    def erasure(self, text: str = NAME) -> Erasure:
        return Erasure(self.settings, Mention(text))

    def files_with(self, word: str) -> list[str]:
        """Return the files with a word's bytes anywhere, and a server's tables, in any case of the letters."""
        files = [path for path in self.settings.data_dir.rglob("*") if path.is_file()]
        found = [path.name for path in files if word.encode().lower() in path.read_bytes().lower()]
        of_server = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        tables = [row[0] for row in self.ask_database("turns", of_server)] if self.settings.database_url else []
        rows = {table: repr(self.ask_database("turns", f"SELECT * FROM {table}")) for table in tables}
        return found + [table for table, text in rows.items() if word.lower() in text.lower()]

    def changes(self) -> list[tuple[str, str, dict[str, object]]]:
        trail = AuditTrail(self.settings.people_database)
        try:
            return [(one.who, one.what, dict(one.details)) for one in reversed(trail.entries())]
        finally:
            trail.close()

    def close(self) -> None:
        self.turns.close()
        self.cached.close()
        self.curation.close()


@pytest.fixture(autouse=True)
def sqlite_that_leaves_what_it_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some builds of SQLite overwrite what is deleted, others do not: here it is one of the others."""
    connect = sqlite3.connect

    def connected(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA secure_delete = OFF")
        assert isinstance(connection, sqlite3.Connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connected)


@pytest.fixture
def desk(places: Places) -> Iterator[Desk]:
    made = Desk(places)
    yield made
    made.close()


def furnish(desk: Desk) -> Turn:
    """Let the customer's words come everywhere where they are kept; return a turn of somebody else."""
    other = desk.ask("How long is the warranty?")
    desk.ask(ASKED)
    desk.ask("And when?", text=f"Soon, {NAME.upper()}.", base="shop", thinking="quirina  zebrowska asks")
    desk.keep(ASKED)
    desk.keep("Where is it?", text=f"Dear {NAME}, it is here.")
    desk.keep("How long is the warranty?")
    desk.curation.write(ASKED, "It is on its way.", author="Lin", sources=[])
    desk.curation.write("Where is my order?", "On its way.", author="Lin", sources=[])
    questions = RegressionQuestions(KnowledgeStore(desk.settings.knowledge_dir))
    questions.add(RegressionQuestion(ASKED, "en", (SAMPLE_DOCUMENTS[0].document_id,)))
    for name, words in (("monday", ASKED), ("tuesday", "How long?")):
        folder = desk.settings.data_dir / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        (folder / "questions.jsonl").write_text(json.dumps({"question": words}) + "\n")
    return other


def test_a_customer_is_erased_everywhere(desk: Desk) -> None:
    other = furnish(desk)
    assert len(desk.files_with("zebrowska")) >= 5
    expected = ErasureCounts({"default": 1, "shop": 1}, cached=2, curated=1, questions=1, runs=1)
    assert desk.erasure().find() == expected
    assert desk.erasure().erase(by="terminal (ann)") == expected
    assert desk.files_with("zebrowska") == []
    assert desk.files_with(ORDER) == []
    assert desk.kept() == {other.turn_id}
    assert desk.cached.count() == 1
    assert [one.kept.question for one in desk.curation.all()] == ["Where is my order?"]
    assert [path.name for path in (desk.settings.data_dir / "runs").iterdir()] == ["tuesday"]
    assert desk.erasure().find().total == 0


def test_the_record_says_who_erased_how_much_and_not_whom(desk: Desk) -> None:
    furnish(desk)
    assert desk.erasure().earlier_erasures() == []
    desk.erasure().erase(by="terminal (ann)")
    counts = {"turns": 2, "cached": 2, "curated": 1, "questions": 1, "runs": 1}
    assert desk.changes() == [("terminal (ann)", "customer_forgotten", counts)]
    assert len(desk.erasure("quirina-ZEBROWSKA").earlier_erasures()) == 1
    assert desk.erasure("Somebody Else").earlier_erasures() == []
    key = desk.settings.data_dir / KEY_NAME
    before = desk.erasure().pseudonym()
    key.unlink()
    assert desk.erasure().pseudonym() != before, "without the key nobody can try names"


def test_looking_changes_nothing(desk: Desk) -> None:
    furnish(desk)
    before = desk.kept()
    desk.erasure().find()
    assert desk.kept() == before
    assert desk.cached.count() == 3
    assert desk.changes() == []
    assert not (desk.settings.data_dir / KEY_NAME).exists()


def test_a_whole_conversation_goes(desk: Desk) -> None:
    first = desk.ask("Hello, I wait for my order.")
    named = desk.ask(ASKED, follows=first.turn_id)
    desk.ask("And how long does it take?", follows=named.turn_id)
    desk.ask("Also abroad?", follows=first.turn_id)
    other = desk.ask("How long is the warranty?", follows="gone")
    assert desk.erasure().erase(by="ann").turns == {"default": 4}
    assert desk.kept() == {other.turn_id}


def test_what_is_being_answered_stays_and_is_told(desk: Desk) -> None:
    turn = desk.turns.add(ASKED, session="lin", language="en")
    found = desk.erasure().erase(by="ann")
    assert (found.running, found.total, desk.kept()) == (1, 0, {turn.turn_id})
    left = [] if desk.settings.database_url else ["turns.db"]  # a server's files are its own
    assert [path.name for path in found.left if path.name != "turns.db-wal"] == left


def test_files_that_hold_the_words_still_are_named(desk: Desk) -> None:
    document = replace(SAMPLE_DOCUMENTS[0], text=f"{NAME} wrote this article.")
    publish_documents(desk.settings.knowledge_dir, [document], HashEmbedder())
    desk.ask(ASKED)
    found = desk.erasure().erase(by="ann")
    assert found.turns == {"default": 1}
    assert {path.parent.name for path in found.left} == {"default"}


def test_a_desk_that_shows_an_erased_turn_shows_it_no_more(desk: Desk) -> None:
    turn = desk.ask(ASKED)
    service = TurnService(lambda name, user: pytest.fail("nobody asks"), desk.turns, 1)
    try:
        assert service.snapshot(turn.turn_id) is not None
        desk.erasure().erase(by="ann")
        with pytest.raises(TurnMissing):
            service.snapshot(turn.turn_id)
    finally:
        service.close()


def test_old_turns_go_with_all_that_hangs_on_them_and_younger_ones_stay(desk: Desk) -> None:
    old, young = desk.ask(ASKED), desk.ask("How long is the warranty?")
    desk.keep(ASKED)
    desk.keep("Something else", text="Zebrowska's", made_at=NOW - timedelta(days=40))
    desk.keep("How long is the warranty?")
    desk.age(old, 31)
    desk.age(young, 29)
    assert expire_turns(desk.settings, NOW, "desk") == 1
    assert desk.files_with("zebrowska") == desk.files_with(ORDER) == []
    assert desk.kept() == {young.turn_id}
    assert desk.cached.count() == 1
    for table in ("turn_span", "turn_feedback", "turn_opinion", "turn_outcome"):
        assert desk.ask_database("turns", f"SELECT count(*) FROM {table}")[0][0] == 1, table
    assert desk.changes() == [("desk", "turns_deleted", {"turns": 1, "days": 30})]
    assert expire_turns(desk.settings, NOW, "desk") == 0
    assert len(desk.changes()) == 1, "a day on which nothing was old is not recorded"


def test_what_persons_wrote_and_what_is_answered_now_stays(desk: Desk) -> None:
    desk.curation.write(ASKED, "It is on its way.", author="Lin", sources=[])
    running = desk.turns.add(ASKED, session="lin", language="en")
    desk.age(running, 400)
    assert expire_turns(desk.settings, NOW, "desk") == 0
    assert (len(desk.curation.all()), desk.kept()) == (1, {running.turn_id})


def test_zero_days_keep_all_for_ever(desk: Desk) -> None:
    turn = desk.ask(ASKED)
    desk.age(turn, 4000)
    assert expire_turns(desk.settings.changed(turn_retention_days=0), NOW, "desk") == 0
    assert desk.kept() == {turn.turn_id}


def test_many_are_deleted_in_small_steps(desk: Desk) -> None:
    for number in range(250):
        turn = desk.turns.add(f"Question {number}", session="lin", language="en")
        desk.turns.update(replace(turn, state="stopped"))
    desk.ask_database("turns", "UPDATE turn SET created_at = '2020-01-01T00:00:00+00:00'")
    assert expire_turns(desk.settings, NOW, "desk") == 250
    assert desk.kept() == set()


def test_what_older_versions_deleted_goes_when_the_databases_are_written_anew(desk: Desk) -> None:
    turn = desk.ask(ASKED)
    desk.ask_database("turns", "DELETE FROM turn WHERE turn_id = ?", (turn.turn_id,))
    assert bool(desk.files_with("zebrowska")) == (not desk.settings.database_url)
    expire_turns(desk.settings, NOW, "terminal", compact=True)
    assert desk.files_with("zebrowska") == []


def test_without_any_database_there_is_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "none")
    assert Erasure(settings, Mention(NAME)).find() == ErasureCounts()
    assert expire_turns(settings, NOW, "desk", compact=True) == 0
    assert not settings.data_dir.exists()
