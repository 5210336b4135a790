import pytest

from eval.bench.load.kills import Kill, is_met, kill_figures
from eval.bench.load.records import LoadRecord, Outcome


def record(outcome: Outcome, error: str = "") -> LoadRecord:
    return LoadRecord("desk", 0, 0, "q", 0.0, 1.0, None, 5.0, outcome, error=error)


GOOD = [record("answered"), record("refused"), record("failed", "ModelStoppedHalfway")]
KILLS = [Kill(0.5, 2.0), Kill(4.0, 9.5)]


def test_every_question_that_ended_in_words_and_a_model_that_came_back_in_time() -> None:
    found = kill_figures(KILLS, GOOD)
    assert (found["questions"], found["in_words"], found["unforeseen"], found["lost"]) == (3, 1, 0, 0)
    assert (found["longest_back_seconds"], found["longest_down_seconds"]) == (9.5, 4.0)
    assert is_met(found, 2)


@pytest.mark.parametrize(
    ("kills", "records"),
    [
        ([Kill(0.5, 2.0), Kill(0.5, 10.1)], GOOD),
        ([Kill(0.5, 2.0), Kill(0.5, None)], GOOD),
        (KILLS[:1], GOOD),
        (KILLS, [*GOOD, record("failed", "TurnFailed")]),
        (KILLS, [*GOOD, record("failed", "NoSuchErrorAtAll")]),
        (KILLS, [*GOOD, record("lost")]),
        (KILLS, [*GOOD, record("unfinished")]),
    ],
    ids=["late", "never", "too few kills", "unforeseen", "unknown", "lost", "unfinished"],
)
def test_what_does_not_count_as_survived(kills: list[Kill], records: list[LoadRecord]) -> None:
    assert not is_met(kill_figures(kills, records), 2)


def test_nothing_killed_and_nothing_asked() -> None:
    found = kill_figures([], [])
    assert found["longest_back_seconds"] is None
    assert not is_met(found, 0)
