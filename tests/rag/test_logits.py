"""The two scales of a probability."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.logits import SMALLEST, logistic, logit_of


@given(st.floats(min_value=SMALLEST, max_value=1 - SMALLEST))
def test_there_and_back(probability: float) -> None:
    assert logistic(logit_of(probability)) == pytest.approx(probability, rel=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_logit_is_a_probability(logit: float) -> None:
    assert 0.0 <= logistic(logit) <= 1.0
    assert logistic(logit) + logistic(-logit) == pytest.approx(1.0)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certainty_stays_finite(probability: float) -> None:
    assert math.isfinite(logit_of(probability))
