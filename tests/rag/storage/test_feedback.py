"""Opinions and outcomes: the last word counts, and they are counted by topic and by team."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rag.storage import migrations
from rag.storage.connection import Database
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.turn_store import Opinion, OutcomeCounts, OutcomeOrigin, TurnFeedback, TurnStore
from tests.support.places import Places

RETURNS = OutcomeOrigin("model", "en/returns", "shop")


@pytest.fixture
def store(places: Places) -> TurnStore:
    return TurnStore(places("turns"))


def asked(store: TurnStore, knowledge_base: str = "default") -> str:
    return store.add("How long?", session="a", language="en", knowledge_base=knowledge_base).turn_id


def counted(store: TurnStore) -> dict[str, int]:
    """Return how often each reason counts against an answer."""
    rows = store._database.rows("SELECT reason, count(*) FROM turn_feedback WHERE useful = 0 GROUP BY reason")
    return {reason: count for reason, count in rows}


def test_an_opinion_is_replaced_and_an_unknown_turn_has_none(store: TurnStore) -> None:
    turn = asked(store)
    feedback: TurnFeedback = store.feedback
    assert feedback.opinion(turn) is None
    feedback.judge(turn, "lin", useful=False, reason="outdated")
    assert feedback.opinion(turn) == Opinion(useful=False, reason="outdated")
    assert counted(store) == {"outdated": 1}
    feedback.judge(turn, "lin", useful=True, reason="outdated")
    assert feedback.opinion(turn) == Opinion(useful=True)
    assert counted(store) == {}
    feedback.judge("nowhere", "lin", useful=True)
    assert feedback.opinion("nowhere") is None


def test_each_persons_opinion_is_kept_and_a_leads_counts_before_the_askers(store: TurnStore) -> None:
    turn, feedback = asked(store), store.feedback
    feedback.judge(turn, "mei", useful=False, reason="tone", standing="colleague")
    assert counted(store) == {"tone": 1}, "somebody is better than nobody"
    feedback.judge(turn, "lin", useful=True)
    feedback.judge(turn, "mei", useful=False, reason="wrong", standing="colleague")
    assert counted(store) == {}, "a colleague does not take the asker's opinion away"
    feedback.judge(turn, "bo", useful=False, reason="outdated", standing="lead")
    feedback.judge(turn, "lin", useful=False, reason="incomplete")
    assert counted(store) == {"outdated": 1}
    feedback.judge(turn, "ann", useful=False, reason="source", standing="lead")
    assert counted(store) == {"source": 1}, "of two leads the latest"
    told = {name: feedback.opinion(turn, name) for name in ("mei", "lin", "bo", "ann", "new")}
    assert {name: found.reason for name, found in told.items() if found is not None} == {
        "mei": "wrong",
        "lin": "incomplete",
        "bo": "outdated",
        "ann": "source",
        "new": "source",
    }


def test_opinions_from_before_are_the_askers(tmp_path: Path) -> None:
    path = tmp_path / "turns.db"
    old = Database(path, TURN_MIGRATIONS[: TURN_MIGRATIONS.index(migrations._opinions)], create=True)
    with old.transaction() as connection:
        connection.execute(
            "INSERT INTO turn (turn_id, session, created_at, question, language, state, evidence, partial_text, "
            "thinking, error_class, error_en, owner) VALUES ('t', 'lin', '2026', '?', 'en', 'done', '[]', '', '', '', "
            "'', '')"
        )
        connection.execute("INSERT INTO turn_feedback VALUES (1, '2026', 'lin', 0, 'tone')")
    old.close()
    store = TurnStore(path)
    assert store.feedback.opinion("t") == Opinion(useful=False, reason="tone")
    store.feedback.judge("t", "mei", useful=True, standing="colleague")
    assert counted(store) == {"tone": 1}
    store.close()


def test_what_was_used_is_not_discarded_afterwards(store: TurnStore) -> None:
    turn = asked(store)
    store.feedback.record(turn, "discarded", 0.0, RETURNS)
    assert store.feedback.outcome(turn) == ("discarded", 0.0)
    store.feedback.record(turn, "edited", 0.25, RETURNS)
    store.feedback.record(turn, "discarded", 0.0, RETURNS)
    assert store.feedback.outcome(turn) == ("edited", 0.25)
    with pytest.raises(ValueError, match="between 0 and 1"):
        store.feedback.record(turn, "edited", 1.5, RETURNS)


def test_outcomes_are_counted_by_topic_team_and_lane(store: TurnStore) -> None:
    feedback = store.feedback
    for outcome, share, origin, useful in (
        ("copied", 0.0, RETURNS, True),
        ("edited", 0.2, RETURNS, None),
        ("edited", 0.4, OutcomeOrigin("cached", "en/returns", "web"), False),
        ("handed_over", 0.0, OutcomeOrigin("refusal", "zh/invoice", "web"), None),
    ):
        turn = asked(store)
        feedback.record(turn, outcome, share, origin)  # type: ignore[arg-type]
        if useful is not None:
            feedback.judge(turn, "lin", useful=useful)
    by_topic = feedback.counts_by("topic")
    assert [(one.name, one.copied, one.edited, one.handed_over) for one in by_topic] == [
        ("en/returns", 1, 2, 0),
        ("zh/invoice", 0, 0, 1),
    ]
    assert by_topic[0].changed_share == pytest.approx(0.3)
    assert (by_topic[0].useful, by_topic[0].not_useful) == (1, 1)
    assert by_topic[1] == OutcomeCounts("zh/invoice", 0, 0, 0, 1, None, 0, 0)
    assert [one.name for one in feedback.counts_by("agent_group")] == ["shop", "web"]
    assert [one.name for one in feedback.counts_by("lane")] == ["model", "cached", "refusal"]
    assert feedback.counts_by("topic", since=datetime.now(UTC) + timedelta(hours=1)) == []
    assert feedback.counts_by("topic", knowledge_base="other") == []
    with pytest.raises(ValueError, match="unknown grouping"):
        feedback.counts_by("person")  # type: ignore[arg-type]
