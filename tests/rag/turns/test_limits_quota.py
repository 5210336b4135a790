"""So much within a stretch of time, for each person by themselves."""

from hypothesis import given
from hypothesis import strategies as st

from rag.turns.limits import Quota


def test_thirty_a_minute_and_the_thirty_first_when_the_first_is_a_minute_ago() -> None:
    now = [0.0]
    quota = Quota([30], seconds=60, clock=lambda: now[0])
    for number in range(30):
        now[0] = float(number)
        assert quota.spend("lin", [1]) == 0.0
    assert quota.spend("lin", [1]) == 60 - 29
    assert quota.spend("mei", [1]) == 0.0
    now[0] = 60.0
    assert quota.spend("lin", [1]) == 0.0
    assert quota.spend("lin", [1]) == 1.0


def test_amounts_are_spent_together_or_not_at_all() -> None:
    quota = Quota([3, 100], seconds=10, clock=lambda: 0.0)
    assert quota.spend("lin", [1, 90]) == 0.0
    assert quota.spend("lin", [1, 11]) == 10.0
    assert quota.spend("lin", [2, 10]) == 0.0, "what was refused was not counted"
    assert quota.spend("lin", [1, 0]) == 10.0


def test_what_is_larger_than_the_quota_never_fits() -> None:
    assert Quota([3], seconds=10, clock=lambda: 0.0).spend("lin", [4]) == 10.0


def test_who_spent_nothing_lately_is_forgotten() -> None:
    now = [0.0]
    quota = Quota([1], seconds=10, clock=lambda: now[0])
    for number in range(1000):
        quota.spend(f"tab {number}", [1])
    now[0] = 11.0
    quota.spend("lin", [1])
    assert list(quota._spent) == ["lin"]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 4)), max_size=40))
def test_no_stretch_of_time_holds_more_than_the_quota(steps: list[tuple[float, int]]) -> None:
    now, taken = [0.0], []
    quota = Quota([6], seconds=10, clock=lambda: now[0])
    for gap, amount in steps:
        now[0] += gap
        wait = quota.spend("lin", [amount])
        if wait == 0:
            taken.append((now[0], amount))
        else:
            assert 0 < wait <= 10
    for at, _ in taken:
        assert sum(amount for other, amount in taken if at - 10 < other <= at) <= 6
