"""The simulated queue against the formulas of queueing theory, and a day that its seed decides."""

import math

import numpy as np
import pytest

from eval.bench.simulate.day import WORKING_DAY, Inputs, arrivals_of_day, begins, hours_of, simulate_day

SMALL = Inputs(agents=200, questions_per_agent=60, slots=2, tokens_per_second=10, answer_tokens=40)


def erlang_c(work: float, servers: int) -> float:
    """Return how probable it is to wait where ``work`` Erlang meet so many servers (A. K. Erlang, 1917)."""
    rows = [work**count / math.factorial(count) for count in range(servers)]
    full = work**servers / math.factorial(servers) * servers / (servers - work)
    return full / (sum(rows) + full)


def test_erlangs_formula_by_hand() -> None:
    assert erlang_c(0.5, 1) == pytest.approx(0.5)  # one server: as often as it is busy
    assert erlang_c(1.0, 2) == pytest.approx(1 / 3)


@pytest.mark.slow
@pytest.mark.parametrize(("servers", "use"), [(1, 0.5), (2, 0.8), (10, 0.9), (40, 0.9)])
def test_waits_of_many_servers_are_those_of_erlang(servers: int, use: float) -> None:
    lasts, per_second = 3.0, use * servers / 3.0
    means, waited = [], []
    for seed in range(24):  # days of their own, so that their means are independent
        draw = np.random.default_rng(seed)
        arrivals = np.cumsum(draw.exponential(1 / per_second, 30_000))
        waits = (begins(arrivals, draw.exponential(lasts, len(arrivals)), servers) - arrivals)[5_000:]
        means.append(waits.mean())
        waited.append((waits > 0).mean())
    probable = erlang_c(per_second * lasts, servers)
    expected = probable / (servers / lasts - per_second)
    for found, wanted in ((means, expected), (waited, probable)):
        interval = 4 * np.std(found, ddof=1) / math.sqrt(len(found))
        assert abs(np.mean(found) - wanted) <= interval
        assert interval <= 0.2 * wanted, "the interval says something"


@pytest.mark.slow
def test_answers_of_equal_length_wait_half_as_long_as_by_chance() -> None:
    """Pollaczek and Khinchine: the mean wait at one server is use x length / (2 (1 - use))."""
    draw = np.random.default_rng(0)
    arrivals = np.cumsum(draw.exponential(2.0, 60_000))  # every other second, for a second
    waits = begins(arrivals, np.full(len(arrivals), 1.0), 1) - arrivals
    assert waits.mean() == pytest.approx(0.5, rel=0.06)


def test_who_finds_the_queue_full_is_refused_and_delays_nobody() -> None:
    arrivals = np.array([0.0, 0.1, 0.2, 0.3, 1.5])
    served = begins(arrivals, np.full(5, 1.0), 1, room=2)
    assert served.tolist()[:3] == [0.0, 1.0, 2.0]
    assert math.isnan(served[3])
    assert served[4] == 3.0


def test_a_days_questions_come_as_its_hours_say() -> None:
    moments = arrivals_of_day(60_000, WORKING_DAY, np.random.default_rng(1))
    assert (np.diff(moments) >= 0).all()
    counts = np.bincount((moments // 3600).astype(int), minlength=24)
    assert counts[10] == pytest.approx(9_000, rel=0.05)
    assert not counts[:8].any()


@pytest.mark.slow
def test_the_seed_decides_the_day() -> None:
    first, again, other = (simulate_day(SMALL, hosts=4, desks=2, seed=seed) for seed in (1, 1, 2))
    assert hours_of([first]) == hours_of([again])
    assert hours_of([first]) != hours_of([other])


@pytest.mark.slow
def test_more_hosts_wait_less_on_the_same_day() -> None:
    peaks = [simulate_day(SMALL, hosts=hosts, desks=2, seed=3).hour(10) for hosts in (1, 2, 3, 4)]
    assert len({peak.questions for peak in peaks}) == 1
    waits = [peak.wait_p90 or 0.0 for peak in peaks]
    assert waits == sorted(waits, reverse=True)
    assert peaks[0].refused > 0
    assert peaks[0].queue_most == SMALL.max_waiting


def test_the_mean_queue_is_what_littles_law_says() -> None:
    day = simulate_day(SMALL, hosts=2, desks=2, seed=4)
    hour = day.hour(10)
    waits = day.waits[(day.arrivals // 3600 == 10) & ~np.isnan(day.waits)]
    assert hour.queue_mean == pytest.approx(len(waits) / 3600 * waits.mean())


def test_questions_without_a_model_do_not_wait() -> None:
    day = simulate_day(Inputs(agents=100, without_model_share=0.5), hosts=1, desks=1, seed=5)
    assert day.asks_model.mean() == pytest.approx(0.5, abs=0.02)
    assert (day.waits[~day.asks_model] == 0).all()


@pytest.mark.parametrize("wrong", [{"agents": 0}, {"slots": -1}, {"without_model_share": 1.0}, {"queue_ms": -1}])
def test_figures_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Inputs(**wrong)  # type: ignore[arg-type]
