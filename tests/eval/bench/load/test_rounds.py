import threading
import time
from dataclasses import replace
from itertools import islice, pairwise

import pytest

from eval.bench.load.records import Asking, LoadRecord
from eval.bench.load.rounds import Drive, Plan, endlessly, poisson_seconds
from ingest.golden import GoldenQuestion

QUESTIONS = [GoldenQuestion(f"q{n}", f"What about {n}?", "en", True, (), (), ()) for n in range(5)]
PLAN = Plan(round=0, sessions=3, seconds=60, drain_seconds=60)


class Asks:
    """Answers at once, or holds every question until it is let go or stopped."""

    def __init__(self, *, holds: bool = False) -> None:
        self.asked: list[Asking] = []
        self.most_at_once = 0
        self.go = threading.Event()
        self._running = 0
        self._lock = threading.Lock()
        self._holds = holds

    def __call__(self, asking: Asking) -> LoadRecord:
        with self._lock:
            self.asked.append(asking)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        while self._holds and not self.go.wait(0.005) and not asking.stop.is_set():
            pass
        with self._lock:
            self._running -= 1
        total_ms = (time.perf_counter() - asking.due_at) * 1000
        return LoadRecord("a", 0, asking.session, asking.question.question_id, 0.0, None, None, total_ms, "answered")


def test_a_closed_loop_asks_as_many_as_it_is_told_and_no_more_at_once_than_sessions() -> None:
    asks, kept = Asks(), list[LoadRecord]()
    asked, seconds = Drive(asks, kept.append).run(replace(PLAN, questions=20), endlessly(QUESTIONS, 1))
    assert (asked, len(kept), len(asks.asked)) == (20, 20, 20)
    assert asks.most_at_once <= 3
    assert not any(asking.planned for asking in asks.asked)
    assert seconds > 0
    by_seed = [question.question_id for question in islice(endlessly(QUESTIONS, 1), 20)]
    assert sorted(one.question_id for one in kept) == sorted(by_seed)


def test_a_closed_loop_begins_nothing_when_its_time_is_over() -> None:
    asks = Asks()
    asked, _ = Drive(asks, lambda record: None).run(replace(PLAN, seconds=0), endlessly(QUESTIONS, 1))
    assert asked == 0


@pytest.mark.slow
def test_what_does_not_end_is_stopped_when_the_drain_is_over() -> None:
    asks, kept = Asks(holds=True), list[LoadRecord]()
    plan = replace(PLAN, seconds=2, drain_seconds=0)  # long enough for a busy machine to start three threads
    asked, _ = Drive(asks, kept.append).run(plan, endlessly(QUESTIONS, 1))
    assert asked == len(kept) == 3
    assert all(asking.stop.is_set() for asking in asks.asked)


@pytest.mark.slow
def test_an_open_loop_counts_from_the_planned_moment_and_does_not_wait_for_answers() -> None:
    """Nobody is answered before the last one was sent, and the first one's time holds all that waiting."""
    plan = replace(PLAN, sessions=1, seconds=0.2, per_minute=3000, seed=3)
    moments = poisson_seconds(3000, 0.2, 3)
    asks, kept = Asks(holds=True), list[LoadRecord]()

    def let_go() -> None:
        while len(asks.asked) < len(moments):
            time.sleep(0.002)
        asks.go.set()

    threading.Thread(target=let_go, daemon=True).start()
    asked, seconds = Drive(asks, kept.append).run(plan, endlessly(QUESTIONS, 1))
    assert asked == len(kept) == len(moments) == asks.most_at_once > 1
    assert all(asking.planned for asking in asks.asked)
    due = sorted(asking.due_at for asking in asks.asked)
    assert [at - due[0] for at in due] == pytest.approx([moment - moments[0] for moment in moments], abs=1e-6)
    assert max(one.total_ms for one in kept) >= (moments[-1] - moments[0]) * 1000
    assert seconds >= moments[-1]


def test_an_error_ends_the_block_and_is_raised() -> None:
    def breaks(asking: Asking) -> LoadRecord:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Drive(breaks, lambda record: None).run(PLAN, endlessly(QUESTIONS, 1))


def test_an_interruption_stops_what_runs_and_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asks, kept = Asks(holds=True), list[LoadRecord]()

    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eval.bench.load.rounds.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Drive(asks, kept.append).run(PLAN, endlessly(QUESTIONS, 1))
    assert len(kept) == len(asks.asked)


def test_questions_come_in_an_order_of_the_seed_and_each_before_any_comes_again() -> None:
    first = [one.question_id for one in islice(endlessly(QUESTIONS, 4), 15)]
    assert first == [one.question_id for one in islice(endlessly(QUESTIONS, 4), 15)]
    assert all(sorted(first[at : at + 5]) == ["q0", "q1", "q2", "q3", "q4"] for at in (0, 5, 10))


def test_gaps_are_exponential_with_the_rate_that_was_asked_for() -> None:
    moments = poisson_seconds(per_minute=120, seconds=5000, seed=7)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.5, rel=0.05)
    assert spread == pytest.approx(mean, rel=0.1), "as large as the mean, which no even pace has"
