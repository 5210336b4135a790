"""Intervals hold what they must, and are the same every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.core.statistics import mean_interval, ratio_interval, rounded_mean, share_interval

SHARES = [1.0] * 70 + [0.0] * 30


def test_nothing_has_no_interval() -> None:
    assert mean_interval([]) is None
    assert ratio_interval([], []) is None
    assert ratio_interval([1.0], [0.0]) is None


@pytest.mark.slow
def test_it_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap  # takes a second to import, which the other tests need not wait for

    found = mean_interval(SHARES)
    theirs = bootstrap((SHARES,), np.mean, method="percentile", n_resamples=2000, rng=np.random.default_rng(1))
    assert found == pytest.approx(theirs.confidence_interval, abs=0.02)
    assert found == mean_interval(SHARES), "the seed is fixed"


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_mean_lies_within_what_was_seen(values: list[float]) -> None:
    if len(values) == 1:
        assert mean_interval(values) is None, "one value does not say how values vary"
        return
    low, high = mean_interval(values) or (2.0, -1.0)
    assert min(values) - 1e-4 <= low <= high <= max(values) + 1e-4


def test_a_ratio_of_the_same_questions() -> None:
    assert ratio_interval(SHARES, SHARES) == (1.0, 1.0)
    low, high = ratio_interval([1.0, 0.0] * 50, [1.0, 1.0] * 50) or (0.0, 0.0)
    assert 0.35 < low < 0.5 < high < 0.65


def test_a_share_of_few_has_wilsons_interval() -> None:
    assert share_interval(0, 0) is None
    assert share_interval(10, 10) == (0.722467, 1.0)  # R: binom.confint(10, 10, methods = "wilson")
    low, high = share_interval(1, 10) or (0.0, 0.0)
    assert (low, high) == (0.017876, 0.40415)


def test_a_figure_is_rounded_once_for_a_reader() -> None:
    shown = [f"{rounded_mean([1.0] * right + [0.0] * (43 - right)):.3f}" for right in (41, 37)]
    assert shown == ["0.953", "0.860"]  # 0.95349 and 0.86047
