"""By hand, and against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.compare.pairs import compare_values, sign_test


def test_a_comparison_by_hand() -> None:
    first = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 0.0, "only_here": 1.0}
    second = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 1.0, "only_there": 0.0}
    found = compare_values("right", first, second)
    assert (found.n, found.wins, found.ties, found.losses) == (4, 2, 1, 1)
    assert (found.first, found.second, found.difference) == (0.5, 0.75, 0.25)
    assert found.p_value == 1.0
    assert not found.is_significant
    low, high = found.interval or (1.0, 0.0)
    assert low <= 0.25 <= high


def test_ten_wins_of_ten_are_no_chance() -> None:
    found = compare_values("right", dict.fromkeys("abcdefghij", 0.0), dict.fromkeys("abcdefghij", 1.0))
    assert found.p_value == pytest.approx(2 / 1024)
    assert found.is_significant


def test_values_that_only_the_computer_tells_apart_are_a_tie() -> None:
    found = compare_values("token_f1", {"a": 0.1 + 0.2, "b": 0.3}, {"a": 0.3, "b": 0.1 + 0.2})
    assert (found.wins, found.ties, found.losses) == (0, 2, 0)


def test_one_question_has_no_interval() -> None:
    assert compare_values("right", {"a": 1.0}, {"a": 0.0}).interval is None


def test_nothing_in_common_has_no_interval() -> None:
    found = compare_values("right", {"a": 1.0}, {"b": 1.0})
    assert (found.n, found.interval, found.p_value) == (0, None, 1.0)


@pytest.mark.slow
@given(st.integers(0, 200), st.integers(0, 200))
def test_the_sign_test_agrees_with_scipy(wins: int, losses: int) -> None:
    from scipy.stats import binomtest  # takes a second to import, which the other tests need not wait for

    theirs = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(theirs)
