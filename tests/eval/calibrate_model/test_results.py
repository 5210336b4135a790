"""Rows and the winner, from records made by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.calibrate_model.results import Target, agents_supported, configurations, rows_of, share_within, winner
from tests.eval.calibrate_model.records import SERVED, configuration, question, record

QUESTIONS = [question(number) for number in range(4)]
TARGET = Target()

PACE = Target(seconds=10.0, pause_seconds=60.0)


def test_a_row_counts_what_was_measured() -> None:
    records = [record(0), record(1, right=False, seconds=4.0), record(2, error="ModelTimedOut")]
    (row,) = rows_of({configuration(): (SERVED, records)}, QUESTIONS, TARGET)
    assert (row.n, row.compared, row.errors) == (3, 3, 1)
    assert row.accuracy == 0.3333
    assert (row.p50_ms, row.p99_ms) == (3000.0, 3980.0)
    assert row.load_rate == 4.5  # 90 tokens in 20 s
    assert row.agents > 1


def test_accuracy_is_over_the_questions_that_all_were_asked() -> None:
    whole = [record(0), record(1, right=False), record(2, right=False)]
    short = [record(0)]
    rows = rows_of({configuration(): (SERVED, whole), configuration("q4_K_M"): (SERVED, short)}, QUESTIONS, TARGET)
    assert [(row.accuracy, row.compared, row.n) for row in rows] == [(1.0, 1, 3), (1.0, 1, 1)]


def test_the_winner_serves_most_agents_without_being_less_accurate() -> None:
    rows = rows_of({configuration(): (SERVED, [record(0)])}, QUESTIONS, TARGET)
    best = replace(rows[0], accuracy=0.90, agents=3)
    close = replace(best, accuracy=0.89, agents=5, p99_ms=9000.0)
    quicker = replace(close, p99_ms=8000.0)
    smaller = replace(quicker, memory_bytes=1)
    wrong = replace(best, accuracy=0.70, agents=50)
    assert winner([best, close, wrong]) == close
    assert winner([close, quicker, best]) == quicker
    assert winner([quicker, smaller]) == smaller
    assert winner([best, close], margin=0.0) == best


def test_without_an_answer_there_is_no_winner() -> None:
    rows = rows_of({configuration(): (SERVED, [])}, QUESTIONS, TARGET)
    assert rows[0].accuracy is None
    assert winner(rows) is None
    assert winner([]) is None


def test_all_combinations_are_tried() -> None:
    tried = configurations({"q8_0": "a", "q4_K_M": "b"}, (1, 2), (2048, 4096))
    assert len({one.key for one in tried}) == 8
    assert tried[0].key == "q8_0-1x2048"


def test_one_agent_alone_never_waits() -> None:
    assert share_within(1, [4.0], 1, PACE) == 1.0
    assert share_within(1, [11.0], 1, PACE) == 0.0
    assert agents_supported([11.0], 1, PACE) == 0
    assert agents_supported([], 1, PACE) == 0


def test_as_many_agents_as_slots_never_wait() -> None:
    assert share_within(4, [9.9], 4, PACE) == 1.0
    assert agents_supported([9.9], 4, PACE) >= 4


def test_a_mixture_is_served_by_its_share() -> None:
    """Nine of ten answers are quick: a share of 0.95 is not met, one of 0.85 is."""
    services = [1.0] * 9 + [20.0]
    assert share_within(1, services, 1, PACE) == pytest.approx(0.9, abs=0.03)
    assert agents_supported(services, 1, PACE) == 0
    assert agents_supported(services, 1, Target(10.0, 0.85, 60.0)) >= 1


def test_no_more_agents_than_the_slots_have_work_for() -> None:
    """The response-time law: answers a second = agents / (pause + response), and a slot makes 1 / service of them."""
    found = agents_supported([2.0], 1, PACE)
    assert 5 <= found <= (60 + 10) / 2


@pytest.mark.slow
@settings(max_examples=10)  # each plays thousands of answers
@given(seconds=st.floats(0.5, 9.5), slots=st.integers(1, 4))
def test_more_slots_and_shorter_answers_never_serve_fewer(seconds: float, slots: int) -> None:
    here = agents_supported([seconds], slots, PACE)
    assert agents_supported([seconds], slots + 1, PACE) >= here
    assert agents_supported([seconds / 2], slots, PACE) >= here
    assert here == agents_supported([seconds], slots, PACE)  # the same seed, the same answer
