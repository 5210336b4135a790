"""How often documents were cited and disliked: by knowledge base and time, and taken over from older databases."""

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.errors import KnowledgeError
from rag.schema import Citation
from rag.storage import migrations
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.turn_store import DocumentUse, DocumentUses, Turn, TurnState, TurnStore
from tests.rag.storage.test_turn_store import ANSWER
from tests.support.places import Places

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(places: Places) -> TurnStore:
    return TurnStore(places("turns"))


def citing(
    store: TurnStore, *document_ids: str, base: str = "default", state: TurnState = "done", **changes: datetime
) -> Turn:
    turn = store.add("How long?", session="s", language="en", knowledge_base=base)
    citations = tuple(Citation(0, 3, name, f"/x/{name}", "七天", 10, 12) for name in document_ids)
    turn = replace(turn, state=state, answer=replace(ANSWER, citations=citations), **changes)
    store.update(turn)
    return turn


def counts(places: Places, base: str = "default", since: datetime = LONG_AGO) -> dict[str, tuple[int, int]]:
    uses = DocumentUses(places("turns")).counts(base, since)
    return {name: (use.cited, use.disliked) for name, use in uses.items()}


def test_an_answer_counts_once_for_each_document_that_it_cites(store: TurnStore, places: Places) -> None:
    citing(store, "a.md", "b.md", "a.md")
    citing(store, "a.md")
    citing(store)
    assert counts(places) == {"a.md": (2, 0), "b.md": (1, 0)}


def test_a_thumb_down_counts_and_the_last_word_holds(store: TurnStore, places: Places) -> None:
    turn = citing(store, "a.md", "b.md")
    liked = citing(store, "a.md")
    store.feedback.judge(turn.turn_id, "lin", useful=False, reason="tone")
    store.feedback.judge(liked.turn_id, "lin", useful=True)
    assert counts(places) == {"a.md": (2, 1), "b.md": (1, 1)}
    store.feedback.judge(turn.turn_id, "lin", useful=True)
    assert counts(places) == {"a.md": (2, 0), "b.md": (1, 0)}


def test_only_whole_answers_count_and_a_turn_written_again_counts_anew(store: TurnStore, places: Places) -> None:
    for state in ("stopped", "failed", "refused", "answering"):
        citing(store, "a.md", state=state)  # type: ignore[arg-type]
    assert counts(places) == {}
    turn = citing(store, "a.md")
    store.update(turn)
    store.update(replace(turn, answer=replace(ANSWER, citations=ANSWER.citations[:0])))
    assert counts(places) == {}


def test_another_knowledge_base_and_an_earlier_time_are_left_out(store: TurnStore, places: Places) -> None:
    now = datetime.now(UTC)
    citing(store, "a.md", base="payroll")
    citing(store, "a.md", created_at=now - timedelta(days=91))
    citing(store, "a.md", created_at=now - timedelta(days=89))
    assert counts(places, since=now - timedelta(days=90)) == {"a.md": (1, 0)}
    assert counts(places, "payroll") == {"a.md": (1, 0)}
    assert counts(places, "nowhere") == {}


def test_no_answer_is_read_to_count(store: TurnStore, places: Places) -> None:
    citing(store, "a.md")
    places.ask("turns", "UPDATE turn SET answer = 'no JSON', evidence = 'none either'")
    assert counts(places) == {"a.md": (1, 0)}


def test_turns_from_before_are_taken_over(tmp_path: Path) -> None:
    older = TURN_MIGRATIONS.index(migrations._turn_citations)
    path = tmp_path / "turns.db"
    with sqlite3.connect(path) as connection:
        for migration in TURN_MIGRATIONS[:older]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {older}")
        answer = json.dumps(replace(ANSWER, citations=ANSWER.citations * 2).to_json())
        for number, state in enumerate(("done", "stopped", "done")):
            connection.execute(
                "INSERT INTO turn (turn_id, session, created_at, question, language, state, evidence, answer, "
                "partial_text, thinking, error_class, error_en, owner) "
                "VALUES (?, 's', '2026-01-01T00:00:00+00:00', 'q', 'zh', ?, '[]', ?, '', '', '', '', '')",
                (str(number), state, answer if number < 2 else None),
            )
    connection.close()
    assert DocumentUses(path).counts("default", LONG_AGO) == {"a.md": DocumentUse(1, 0)}


def test_without_a_file_there_is_nothing_and_none_is_made(tmp_path: Path) -> None:
    assert counts(Places(tmp_path)) == {}
    assert not (tmp_path / "turns.db").exists()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "turns.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(KnowledgeError):
        counts(Places(tmp_path))
