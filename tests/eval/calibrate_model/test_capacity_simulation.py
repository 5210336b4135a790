"""How many agents are served, against cases that can be worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.calibrate_model.capacity_simulation import Target, agents_supported, share_within

TARGET = Target(seconds=10.0, pause_seconds=60.0)


def test_one_agent_alone_never_waits() -> None:
    assert share_within(1, [4.0], 1, TARGET) == 1.0
    assert share_within(1, [11.0], 1, TARGET) == 0.0
    assert agents_supported([11.0], 1, TARGET) == 0
    assert agents_supported([], 1, TARGET) == 0


def test_as_many_agents_as_slots_never_wait() -> None:
    assert share_within(4, [9.9], 4, TARGET) == 1.0
    assert agents_supported([9.9], 4, TARGET) >= 4


def test_a_mixture_is_served_by_its_share() -> None:
    """Nine of ten answers are quick: a share of 0.95 is not met, one of 0.85 is."""
    services = [1.0] * 9 + [20.0]
    assert share_within(1, services, 1, TARGET) == pytest.approx(0.9, abs=0.03)
    assert agents_supported(services, 1, TARGET) == 0
    assert agents_supported(services, 1, Target(10.0, 0.85, 60.0)) >= 1


def test_no_more_agents_than_the_slots_have_work_for() -> None:
    """The response-time law: answers a second = agents / (pause + response), and a slot makes 1 / service of them."""
    found = agents_supported([2.0], 1, TARGET)
    assert 5 <= found <= (60 + 10) / 2


@pytest.mark.slow
@settings(max_examples=10)  # each plays thousands of answers
@given(seconds=st.floats(0.5, 9.5), slots=st.integers(1, 4))
def test_more_slots_and_shorter_answers_never_serve_fewer(seconds: float, slots: int) -> None:
    here = agents_supported([seconds], slots, TARGET)
    assert agents_supported([seconds], slots + 1, TARGET) >= here
    assert agents_supported([seconds / 2], slots, TARGET) >= here
    assert here == agents_supported([seconds], slots, TARGET)  # the same seed, the same answer
