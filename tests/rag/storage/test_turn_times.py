"""Times are kept beside the turns, read by stage and window, and taken over from older databases."""

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.schema import SpanTime
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.turn_store import Turn, TurnStore
from rag.storage.turn_times import TurnTimes, TurnTimesTable
from tests.rag.storage.test_turn_store import ANSWER
from tests.support.places import Places

SPANS = (SpanTime("embed", 5.0), SpanTime("search", 12.0), SpanTime("pack", 3.0), SpanTime("answer", 900.0))


def add(store: TurnStore, times: TurnTimes | None, **changes: object) -> Turn:
    turn = store.add("How long?", session="s", language="en")
    store.update(replace(turn, **{"state": "done", **changes}), times)  # type: ignore[arg-type]
    return turn


def test_spans_are_read_by_stage_with_the_time_until_evidence(places: Places) -> None:
    store, times = TurnStore(places("turns")), TurnTimesTable(places("turns"))
    add(store, TurnTimes(SPANS, generated_tokens=40, generation_ms=2000.0))
    add(store, TurnTimes((SpanTime("search", 30.0),)), state="stopped")
    add(store, TurnTimes(), state="failed")
    add(store, TurnTimes(), state="failed", error_class="AnswerInterrupted")  # nobody knows how far it was
    add(store, None, state="answering")
    assert times.durations_ms("embed") == [5.0]
    assert sorted(times.durations_ms("evidence")) == [20.0, 30.0]
    assert times.durations_ms("thinking") == []
    outcomes = times.outcomes()
    assert outcomes.turns == {"done": 1, "stopped": 1, "failed": 2, "answering": 1}
    assert (outcomes.generated_tokens, outcomes.generation_ms) == (40, 2000.0)
    assert times.failed_without_evidence() == 1


def test_a_window_leaves_out_what_was_asked_before_it(places: Places) -> None:
    store, times = TurnStore(places("turns")), TurnTimesTable(places("turns"))
    add(store, TurnTimes(SPANS), created_at=datetime(2026, 1, 1, tzinfo=UTC))
    add(store, TurnTimes(), state="failed", created_at=datetime(2026, 1, 1, tzinfo=UTC))
    add(store, TurnTimes((SpanTime("embed", 7.0),)))
    since = datetime.now(UTC) - timedelta(hours=1)
    assert times.durations_ms("embed", since) == [7.0]
    assert times.outcomes(since).turns == {"done": 1}
    assert times.failed_without_evidence(since) == 0
    assert times.durations_ms("embed", datetime.now(UTC) + timedelta(hours=1)) == []


def test_writing_a_turn_twice_counts_it_once(places: Places) -> None:
    store, times = TurnStore(places("turns")), TurnTimesTable(places("turns"))
    turn = add(store, TurnTimes(SPANS))
    store.update(replace(turn, state="done"), TurnTimes(SPANS[:1]))
    assert times.durations_ms("embed") == [5.0]
    assert times.durations_ms("answer") == []


def test_only_new_spans_are_read_again(places: Places) -> None:
    store, times = TurnStore(places("turns")), TurnTimesTable(places("turns"))
    add(store, TurnTimes(SPANS[:1]))
    first = list(times.spans_after(0))
    assert [row[1:] for row in first] == [("embed", 5.0), ("evidence", 5.0)]
    add(store, TurnTimes(SPANS[3:]))
    assert [row[1:] for row in times.spans_after(first[-1][0])] == [("answer", 900.0)]


@pytest.mark.parametrize("older", [1, 2, 3])
def test_a_database_from_before_brings_its_answers_times_along(tmp_path: Path, older: int) -> None:
    with sqlite3.connect(tmp_path / "turns.db") as connection:
        for migration in TURN_MIGRATIONS[:older]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {older}")
        error = "error_text" if older == 1 else "error_en"
        connection.execute(
            "INSERT INTO turn (turn_id, session, created_at, question, language, state, evidence, answer, "
            f"partial_text, thinking, error_class, {error}, owner) "
            "VALUES ('t', 's', ?, 'q', 'en', 'done', '[]', ?, '', '', '', '', 'o')",
            (datetime(2026, 1, 1, tzinfo=UTC).isoformat(), json.dumps(replace(ANSWER, spans=SPANS).to_json())),
        )
    connection.close()
    times = TurnTimesTable(tmp_path / "turns.db")
    assert times.durations_ms("search") == [12.0]
    assert times.durations_ms("evidence") == [20.0]
    assert times.durations_ms("evidence", datetime(2026, 1, 2, tzinfo=UTC)) == []
