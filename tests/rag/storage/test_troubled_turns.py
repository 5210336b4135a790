"""Which turns say that the knowledge base lacks something, and which say nothing about it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from rag.schema import Conflict
from rag.settings import DatabasePlace
from rag.storage.troubled_turns import QuestionCounts, TroubledTurns
from rag.storage.turn_store import FeedbackReason
from tests.eval.gaps.turns import AskedTurns, passage
from tests.support.places import Places


@pytest.fixture
def path(places: Places) -> DatabasePlace:
    return places("turns")


def _unmet(path: DatabasePlace, base: str = "default") -> list[tuple[str, str]]:
    return [(one.question, one.trouble) for one in TroubledTurns(path).unmet(base, None)]


def test_refused_unanswered_and_disliked_questions_are_found_the_newest_first(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    asked.refused("a")
    asked.failed("b", "ModelSaidNothing")
    asked.disliked("c", "outdated")
    asked.handed_over("d")
    assert _unmet(path) == [("d", "unanswered"), ("c", "disliked"), ("b", "unanswered"), ("a", "refused")]


def test_each_part_that_an_answer_leaves_open_is_a_gap(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    asked.left_open("a, b and c", "b", "c")
    asked.refused("d")
    assert sorted(_unmet(path)) == [("b", "left_open"), ("c", "left_open"), ("d", "refused")]


def test_good_answers_and_questions_in_work_are_no_gap(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    liked = asked.answered("a")
    asked.store.feedback.judge(liked.turn_id, "lin", useful=True)
    asked.answered("b")
    asked.store.add("c", session="lin", language="en")
    assert _unmet(path) == []


@pytest.mark.parametrize("reason", ["tone", "language"])
def test_how_something_was_said_is_no_gap(path: DatabasePlace, reason: FeedbackReason) -> None:
    AskedTurns(path).disliked("a", reason)
    assert _unmet(path) == []


def test_a_server_that_was_away_is_no_gap_but_is_counted(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    asked.failed("a", "OllamaUnavailable")
    asked.answered("b")
    assert _unmet(path) == []
    assert TroubledTurns(path).counts("default", None) == QuestionCounts(asked=2, failed_elsewhere=1)


def test_a_thought_that_was_changed_counts_as_the_last_one(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    turn = asked.disliked("a", "wrong")
    asked.store.feedback.judge(turn.turn_id, "lin", useful=True)
    assert _unmet(path) == []


def test_another_knowledge_base_and_an_earlier_time_are_left_out(path: DatabasePlace) -> None:
    AskedTurns(path, "finance").refused("a")
    AskedTurns(path).refused("b")
    assert _unmet(path) == [("b", "refused")]
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert TroubledTurns(path).unmet("default", later) == []
    assert TroubledTurns(path).counts("default", later) == QuestionCounts(0, 0)


def test_conflicting_and_expired_passages_are_found(path: DatabasePlace) -> None:
    asked = AskedTurns(path)
    old, new = passage(1, "old.md", "Seven days."), passage(2, "new.md", "Ten days.")
    asked.resting_on("a", old, new, conflicts=(Conflict(1, 2, "old.md", "new.md", old.text, new.text),))
    asked.resting_on("b", passage(1, "sale.md", "Half price.", expired_on=date(2026, 1, 31)))
    asked.resting_on("c", new)
    found = TroubledTurns(path).doubtful("default", None)
    assert [turn.question for turn in found] == ["b", "a"]
    assert found[1].answer.conflicts[0].other_quote == "Ten days."


def test_without_a_file_there_is_nothing_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "turns.db"
    turns = TroubledTurns(path)
    assert turns.unmet("default", None) == turns.doubtful("default", None) == []
    assert turns.counts("default", None) == QuestionCounts(0, 0)
    assert not path.exists()
